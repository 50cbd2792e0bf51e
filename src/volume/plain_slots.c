/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "fmt.h"
#include "log.h"
#include "plain.h"
#include "tags.h"

#define EXTENTS_MIN 4     /* of a store */
#define PIN_MS      60000 /* a command of LVM that outlived us ends in this time */
#define ENTRY_SIZE  16    /* bytes, of an exception table (snapcow.h) */

uint64_t plain_store_size(uint64_t origin, uint64_t extent, uint64_t vg_free, uint64_t ours)
{
	uint64_t per = PLAIN_CHUNK / ENTRY_SIZE, chunks = origin / PLAIN_CHUNK + 1;
	/* header, tables with an empty one behind the last, copies */
	uint64_t whole = (1 + chunks / per + 2 + chunks) * PLAIN_CHUNK, room = vg_free + ours, size;

	if (extent == 0)
		return 0;
	whole = (whole + extent - 1) / extent * extent;
	if (room / 2 >= whole && vg_free >= whole)
		return whole;
	size = room / 3 < vg_free ? room / 3 : vg_free;
	if (size > whole)
		size = whole;
	size -= size % extent;
	if (size < EXTENTS_MIN * extent)
		size = EXTENTS_MIN * extent;
	return size <= vg_free ? size : 0;
}

int plain_store_wanted(const struct plain *t, uint64_t *out, struct err *e)
{
	const char *s = getenv(PLAIN_SIZE_ENV);
	uint64_t ours = 0;

	if (s && fmt_parse_bytes(s, out, e) < 0)
		return err_wrap(e, PLAIN_SIZE_ENV);
	if (s)
		return 0;
	for (unsigned i = 0; i < t->snaps; i++)
		ours += t->snap[i].store;
	*out = plain_store_size(t->v.size, t->extent, t->vg_free, ours);
	if (*out)
		return 0;
	err_set(e, ERR_FAILED, "the group %s has no room for a snapshot of %s: %s are free", t->vg,
		t->v.name, fmt_bytes(t->vg_free).s);
	return err_hint(
		e,
		"add a disk to the group (vgextend) or remove what is not needed: a snapshot takes "
		"%d extents at least, and as much as the volume to be safe",
		EXTENTS_MIN);
}

struct plain_snap *plain_find(struct plain *t, const char *uuid)
{
	for (unsigned i = 0; i < t->snaps; i++)
		if (!strcmp(t->snap[i].uuid, uuid))
			return &t->snap[i];
	return NULL;
}

static int load_snaps(struct plain *t, const struct lvm_list *l, struct err *e)
{
	struct tags tags = tags_of(&t->v);

	t->snaps = 0;
	for (size_t i = 0; t->v.partnership[0] && i < l->n; i++) {
		const struct lvm_lv *lv = &l->lv[i];
		struct plain_snap *s = &t->snap[t->snaps];

		if (!tags_cut(lv, &tags) || lv->pool_uuid[0] ||
		    (lv->origin_uuid[0] && strcmp(lv->origin_uuid, t->v.uuid)))
			continue;
		if (t->snaps == PLAIN_SNAPS_MAX)
			return err_set(e, ERR_FAILED, "%s has more than %d snapshots of ours",
				       t->v.name, PLAIN_SNAPS_MAX);
		*s = (struct plain_snap){.store = lv->size,
					 .read_only = lv->read_only,
					 .merging = lv->merging,
					 .half = !lv->origin_uuid[0]};
		strcpy(s->name, lv->name);
		strcpy(s->uuid, lv->uuid);
		lvm_dm_uuid(lv, "", s->dm_uuid);
		lvm_dm_uuid(lv, "cow", s->cow_dm_uuid);
		t->snaps++;
	}
	return 0;
}

/* 1: of another kind. */
static int check_kind(const struct plain *t, const struct lvm_lv *lv, struct err *e)
{
	if (tags_refuse_cut(lv, t->v.name, e) < 0)
		return -1;
	if (lv->hidden) {
		err_set(e, ERR_REFUSED, "%s is a pool or a part of another volume", t->v.name);
		return err_hint(e, "name the volume that holds the file system or the data");
	}
	if (strcmp(lv->segtype, "linear") && strcmp(lv->segtype, "striped") &&
	    strncmp(lv->segtype, "raid", strlen("raid"))) {
		err_set(e, ERR_FAILED, "%s is a %s volume, of no kind that can be replicated",
			t->v.name, lv->segtype);
		return 1;
	}
	if (lv->origin_uuid[0]) {
		err_set(e, ERR_REFUSED, "%s is a snapshot: LVM makes none of a snapshot",
			t->v.name);
		return err_hint(e, "name the volume that it is a snapshot of");
	}
	return 0;
}

static void free_name(struct plain *t, const struct lvm_list *l)
{
	unsigned number = 0;

	do
		snprintf(t->next, sizeof(t->next), "%s.srsync%u", t->lv, number++);
	while (lvm_by_name(l, t->next));
}

int plain_load(struct plain *t, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	const struct lvm_lv *lv;
	int r;

	if (lvm_list(t->vg, &l, e) < 0)
		return -1;
	/* once known, it is found by its uuid: it may have been renamed */
	lv = t->v.uuid[0] ? lvm_by_uuid(&l, t->v.uuid) : lvm_by_name(&l, t->lv);
	if (!lv) {
		err_set(e, ERR_FAILED, "there is no logical volume %s", t->v.name);
		return err_hint(e, "see lvs %s", t->vg);
	}
	r = check_kind(t, lv, e);
	if (r != 0)
		return r;
	strcpy(t->lv, lv->name);
	snprintf(t->v.name, sizeof(t->v.name), "%s/%s", t->vg, t->lv);
	strcpy(t->v.uuid, lv->uuid);
	lvm_dm_uuid(lv, "", t->dm_uuid);
	lvm_dm_uuid(lv, "real", t->real_dm_uuid);
	t->v.size = lv->size;
	t->v.block_size = PLAIN_CHUNK;
	t->v.discard_unit = 0;
	t->vg_free = lv->vg_free;
	t->extent = lv->extent_size;
	free_name(t, &l);
	return load_snaps(t, &l, e);
}

/* Under LVM's lock, so that no command of LVM is in the middle of it. 1: left so by one of ours. */
static int left_frozen(struct plain *t, struct err *e)
{
	_cleanup_close_ int pin = lvm_pin(t->vg, PIN_MS, e);
	struct dmdev d;

	if (pin < 0 || dmdev_find(t->dm_uuid, &d, e) < 0)
		return -1;
	return d.exists && d.suspended && freeze_marked(t->dm_uuid);
}

int plain_refresh(struct plain *t, struct err *e)
{
	int r = left_frozen(t, e);

	if (r <= 0)
		return r;
	log_warn("%s was left frozen by a command of LVM that was killed: refreshed", t->v.name);
	return lvm_do(e, "lvchange", "-q", "--refresh", t->v.name, t->devices ? "--devices" : NULL,
		      t->devices);
}

static int mend(struct plain *t, struct err *e)
{
	return plain_refresh(t, e) < 0 || freeze_mend(t->dm_uuid, e) < 0 ? -1 : 0;
}

/* By uuid: its name may be another's by now. */
int plain_remove(struct plain *t, const char *uuid, struct err *e)
{
	struct plain_snap *s = plain_find(t, uuid);
	char select[sizeof("lv_uuid=") + LVM_UUID_SIZE];

	snprintf(select, sizeof(select), "lv_uuid=%s", uuid);
	if (lvm_do(e, "lvremove", "-q", "-f", "-y", "-S", select, t->vg) < 0)
		return err_wrap(e, "remove the snapshot of %s", t->v.name);
	if (s) {
		t->vg_free += s->store;
		*s = t->snap[--t->snaps];
	}
	fault("release.done");
	return 0;
}

/* A snapshot notes changes only while it is active; LVM activates all of them with the origin. */
static int activate(struct plain *t, struct err *e)
{
	struct dmdev d;

	if (dmdev_find(t->dm_uuid, &d, e) < 0)
		return -1;
	return d.exists ? 0 : lvm_do(e, "lvchange", "-q", "-ay", t->v.name);
}

static bool is_named(const char *uuid, const char *const *tokens, unsigned n)
{
	struct err ignored = ERR_INIT;
	struct plain_token k;

	for (unsigned i = 0; i < n; i++)
		if (plain_token_parse(tokens[i], &k, &ignored) == 0 && !strcmp(k.uuid, uuid))
			return true;
	return false;
}

/* Half-made ones first: their devices hold the volume's, and LVM cannot remove another meanwhile.
 */
static int remove_garbage(struct plain *t, const char *const *tokens, unsigned n, bool half,
			  struct err *e)
{
	for (unsigned i = 0; i < t->snaps;) {
		struct plain_snap *s = &t->snap[i];

		if ((half && !s->half) || is_named(s->uuid, tokens, n))
			i++;
		else if (plain_remove(t, s->uuid, e) < 0)
			return -1;
	}
	return 0;
}

int plain_prepare(struct volume *v, const char *const *tokens, unsigned n, unsigned keep,
		  struct err *e)
{
	struct plain *t = plain_of(v);
	_cleanup_close_ int lock = lvm_lock(t->vg, "prepare snapshots", e);

	(void)keep; /* a snapshot is made when it is needed: nothing waits for a cut */
	if (lock < 0 || mend(t, e) < 0 || plain_load(t, e) != 0 || activate(t, e) < 0)
		return err_wrap(e, "prepare %s", v->name);
	return remove_garbage(t, tokens, n, true, e) < 0 ? -1
							 : remove_garbage(t, tokens, n, false, e);
}

int plain_release(struct volume *v, const char *token, struct err *e)
{
	struct plain *t = plain_of(v);
	struct plain_token k;
	struct err foreign;

	if (plain_token_parse(token, &k, &foreign) < 0)
		return 0; /* of another kind: prepare, which does not know it, removes what is left
			   */
	if (!plain_find(t, k.uuid))
		return 0; /* removed with lvremove: its space is back already */
	return plain_remove(t, k.uuid, e);
}

int plain_drop(struct volume *v, struct err *e)
{
	return plain_prepare(v, NULL, 0, 0, e);
}
