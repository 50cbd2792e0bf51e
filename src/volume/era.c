/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The era kind: a volume, thin or thick, used through a dm-era device above it, as source.
 *
 * Whoever uses the volume uses /dev/mapper/VG-LV-era; dm-era notes in its metadata, durably and
 * before it lets the write pass, which blocks are written in which era (era_meta.h). A cut suspends
 * the era device, which freezes a file system on it and drains all writes, lets the volume below be
 * cut by its own kind, and resumes. Each resume begins a new era; so every write after a cut has an
 * era above the one found on disk before it, and what was written between two cuts is in the blocks
 * of that era or a later one. Blocks of later eras than the second cut are in the set as well,
 * which does no harm: the data is read from the cut.
 *
 * The token is era:ERA:ID:META_UUID:SIZE:LOWER: the first era after the cut, the id that lives as
 * long as the tracking is unbroken (a tag of the metadata volume; a new one at attach, and whenever
 * writes may have gone past the era device), the metadata volume, bytes of the cut, and the token
 * of the cut below.
 *
 * What is relied on, and how it is ensured:
 *  - No write goes past the era device: while it is there nobody else can claim the volume below
 *    (a program that opens it without O_EXCL still can: a person's doing). LVM activates the volume
 *    in no other way than era_start(), which takes a new id if it finds it active. And every chunk
 *    that the kind below has seen change must have a block in the set: else doubt.
 *  - No discard passes: era_dev.c.
 *  - The metadata is not formatted again: era_start() does not make the device without a superblock
 *    in its place, and an era number below that of the token is doubt.
 *  - While the era device is suspended it gets no status and no message: both would wait until it
 *    is resumed, deaf to signals. The era is read from the metadata on disk.
 *
 * The volume has grown: the next cut, or era_dev_keep() before it, suspends the era device, loads
 * the new size, and resumes; when the metadata is too small for it, detach and attach. */
#include <inttypes.h>
#include <string.h>

#include "era.h"
#include "era_admin.h"
#include "plain.h"

#define META_WARN   80.0
#define META_REFUSE 95.0

int era_token_print(const struct era_token *k, char out[static VOLUME_TOKEN_MAX], struct err *e)
{
	int n = snprintf(out, VOLUME_TOKEN_MAX, "era:%" PRIu32 ":%s:%s:%" PRIu64 ":%s", k->era,
			 k->id, k->meta_uuid, k->size, k->lower);

	return n > 0 && n < VOLUME_TOKEN_MAX ? 0 : err_set(e, ERR_FAILED, "a token is too long");
}

int era_token_parse(const char *s, struct era_token *out, struct err *e)
{
	char again[VOLUME_TOKEN_MAX];
	int used = 0;

	if (strlen(s) < VOLUME_TOKEN_MAX &&
	    sscanf(s, "era:%10" SCNu32 ":%32[0-9a-f]:%38[A-Za-z0-9-]:%20" SCNu64 ":%n", &out->era,
		   out->id, out->meta_uuid, &out->size, &used) == 4 &&
	    used > 0 && s[used]) {
		strcpy(out->lower, s + used);
		if (era_token_print(out, again, e) == 0 && !strcmp(s, again) && fmt_is_id(out->id))
			return 0;
	}
	return err_set(e, ERR_FAILED, "\"%s\" is not the token of a cut under dm-era", s);
}

static int load(struct era *t, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	char vg[LVM_NAME_MAX], lv[LVM_NAME_MAX];
	const struct lvm_lv *found;

	if (lvm_split_name(t->v.name, vg, lv, e) < 0)
		return 1;
	if (lvm_list(vg, &l, e) < 0)
		return -1;
	found = t->v.uuid[0] ? lvm_by_uuid(&l, t->v.uuid) : lvm_by_name(&l, lv);
	if (!found) {
		err_set(e, ERR_FAILED, "there is no logical volume %s", t->v.name);
		err_hint(e, "see lvs %s", vg);
		return 1;
	}
	return era_dev_find(&l, found, &t->dev, e);
}

/* A classic snapshot is made by a command of LVM while the era device is suspended, which would
 * hang if it opened that. */
static int share_devices(struct era *t, struct err *e)
{
	if (t->lower->ops != &plain_ops)
		return 0;
	plain_of(t->lower)->devices = t->pvs;
	return lvm_devices(t->dev.vg, t->pvs, sizeof(t->pvs), e);
}

static int era_open(struct volume *v, struct err *e)
{
	struct era *t = era_of(v);
	int r = load(t, e);

	t->freeze = (struct freeze)FREEZE_INIT;
	if (r != 0)
		return r;
	if (v->role == VOLUME_TARGET) {
		err_set(e, ERR_REFUSED, "%s is under dm-era, which is for sources", v->name);
		return err_hint(e, "srsync era detach %s", v->name);
	}
	r = volume_open_as(strcmp(t->dev.segtype, "thin") ? &plain_ops : &thin_ops, v->name,
			   v->role, v->partnership, &t->lower, e);
	if (r != 0 || share_devices(t, e) < 0)
		return -1;
	strcpy(v->name, t->lower->name);
	strcpy(v->uuid, t->lower->uuid);
	v->size = t->lower->size;
	v->block_size = (uint32_t)t->dev.block;
	return 0;
}

static void era_close(struct volume *v)
{
	volume_free(era_of(v)->lower);
}

static int era_prepare(struct volume *v, const char *const *tokens, unsigned n, unsigned keep,
		       struct err *e)
{
	struct era *t = era_of(v);
	_cleanup_free_ struct era_token *k = xcalloc(n + 1, sizeof(*k));
	_cleanup_free_ const char **lower = xcalloc(n + 1, sizeof(*lower));
	struct err foreign;

	/* a cut from before dm-era was attached is one of the kind below */
	for (unsigned i = 0; i < n; i++)
		lower[i] =
			era_token_parse(tokens[i], &k[i], &foreign) == 0 ? k[i].lower : tokens[i];
	if (load(t, e) != 0 || era_dev_keep(&t->dev, e) < 0 ||
	    t->lower->ops->prepare(t->lower, lower, n, keep, e) < 0)
		return -1;
	v->size = t->lower->size;
	return 0;
}

static int era_health(struct volume *v, struct volume_health *h, struct err *e)
{
	struct era *t = era_of(v);
	struct era_super s;
	struct dmdev dev;
	double percent;

	if (t->lower->ops->health(t->lower, h, e) < 0 || dmdev_find(t->dev.dm, &dev, e) < 0)
		return -1;
	if (!dev.exists) {
		volume_health_say(h, true, "srsync era start", "the era device of %s is not there",
				  v->name);
		return 0;
	}
	if (era_dev_super(&t->dev, &s, e) < 0)
		return -1;
	percent = s.meta_total ? 100.0 * (double)s.meta_used / (double)s.meta_total : 100;
	if (percent > h->meta_percent)
		h->meta_percent = percent;
	if (percent > META_WARN)
		volume_health_say(h, percent > META_REFUSE,
				  "srsync era detach, then attach with larger blocks: the next "
				  "transfer ships "
				  "all",
				  "the era metadata of %s is %.1f %% full", v->name, percent);
	return 0;
}

static int era_drop(struct volume *v, struct err *e)
{
	struct volume *lower = era_of(v)->lower;

	return lower->ops->drop(lower, e);
}

const struct volume_ops era_ops = {
	.kind = "era",
	.size = sizeof(struct era),
	.open = era_open,
	.close = era_close,
	.prepare = era_prepare,
	.health = era_health,
	.ready = era_ready,
	.allot = era_allot,
	.freeze = era_freeze,
	.snap = era_snap,
	.thaw = era_thaw,
	.proof = era_proof,
	.thaw_words = era_thaw_words,
	.done = era_done,
	.held = era_held,
	.changes = era_changes,
	.map = era_map,
	.reader = era_reader,
	.release = era_release,
	.drop = era_drop,
};
