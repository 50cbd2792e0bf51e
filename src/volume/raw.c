/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The raw kind: destinations that cannot take snapshots. A thick LV (linear, striped, mirrored,
 * RAID), or any other whole block device or partition, named by its absolute path.
 *
 * Nothing can be brought back here, so a cut is received whole elsewhere and then written in place
 * (ops->redo; src/repl/redo.h). The volume holds one cut, the newest; it has no slots.
 *
 * The token of a cut is raw:UUID:SIZE:HASH: who the device is (the LV's uuid, or raw_id.c), how
 * large it was, and XXH3-128 of a few fixed places of it: the first 256 KiB, the last 64 KiB, and
 * eight times 4 KiB spread between. HASH is a tripwire: mkfs, mount and partitioning change one of
 * these places, so that a destination that was used by accident is noticed. It is no proof: a write
 * that spares them all is not seen, and two cuts may have the same. So the caller, which knows that
 * only the newest cut is here, must not ask for another.
 *
 * At rest an LV is inactive and has the skip flag; a half-done state leaves it active, which
 * prepare mends. Another device cannot be hidden: it is opened O_EXCL while it is written, and in
 * between the administrator has to keep others off it (LVM's device filter, if the source holds a
 * PV). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "raw.h"
#include "tags.h"

#define LOCK_MS 10000 /* another srsync looks at the volume */

void raw_token_print(const struct raw_token *t, char out[static VOLUME_TOKEN_MAX])
{
	snprintf(out, VOLUME_TOKEN_MAX, "raw:%s:%" PRIu64 ":%s", t->uuid, t->size, t->hash);
}

int raw_token_parse(const char *s, struct raw_token *out, struct err *e)
{
	char again[VOLUME_TOKEN_MAX];

	*out = (struct raw_token){0};
	if (sscanf(s, "raw:%63[A-Za-z0-9-]:%" SCNu64 ":%32[0-9a-f]", out->uuid, &out->size,
		   out->hash) == 3 &&
	    strlen(out->hash) == 32) {
		raw_token_print(out, again);
		if (!strcmp(s, again))
			return 0;
	}
	return err_set(e, ERR_FAILED, "\"%s\" is not the token of a cut of a raw volume", s);
}

static bool fits(const struct lvm_lv *lv)
{
	return (!strcmp(lv->segtype, "linear") || !strcmp(lv->segtype, "striped") ||
		!strcmp(lv->segtype, "mirror") || !strncmp(lv->segtype, "raid", 4)) &&
	       !lv->origin_uuid[0] && !lv->hidden;
}

static int load_lv(struct raw *r, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	const struct lvm_lv *lv;

	if (lvm_list(r->vg, &l, e) < 0)
		return -1;
	lv = r->v.uuid[0] ? lvm_by_uuid(&l, r->v.uuid) : lvm_by_name(&l, r->lv);
	if (!lv)
		return err_set(e, ERR_FAILED, "there is no logical volume %s", r->v.name);
	if (!fits(lv)) {
		err_set(e, ERR_REFUSED, "%s cannot be a destination: it is %s %s volume", r->v.name,
			lv->hidden           ? "a hidden"
			: lv->origin_uuid[0] ? "a snapshot, a"
					     : "a",
			lv->segtype);
		err_hint(e, "a thin, linear, striped or RAID volume can");
		return 1;
	}
	strcpy(r->v.uuid, lv->uuid);
	strcpy(r->lv, lv->name);
	snprintf(r->v.name, sizeof(r->v.name), "%s/%s", r->vg, r->lv);
	lvm_dm_uuid(lv, "", r->dm_uuid);
	r->tagged_replica = lvm_has_tag(lv, tags_of(&r->v).replica);
	r->skip_activation = lv->skip_activation;
	r->v.size = lv->size;
	return 0;
}

static int load_device(struct raw *r, struct err *e)
{
	_cleanup_close_ int fd = open(r->v.name, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %s", r->v.name);
	if (!S_ISBLK(st.st_mode)) {
		err_set(e, ERR_USAGE, "%s is not a block device", r->v.name);
		return 1;
	}
	if (ioctl(fd, BLKGETSIZE64, &r->v.size) < 0)
		return err_sys(e, "size of %s", r->v.name);
	r->dev = st.st_rdev;
	r->v.fixed_size = true;
	snprintf(r->path, sizeof(r->path), "%s", r->v.name);
	return raw_identify(r->dev, r->v.uuid, r->dm_uuid, e);
}

static int raw_open(struct volume *v, struct err *e)
{
	struct raw *r = raw_of(v);
	struct err foreign = ERR_INIT;

	r->held_fd = r->lock = -1;
	if (v->role != VOLUME_TARGET) {
		if (e->code == ERR_NONE)
			err_set(e, ERR_FAILED, "%s is of no kind that can be a source", v->name);
		return 1;
	}
	v->block_size = 65536;
	r->is_lv = !lvm_is_foreign(v->name) && lvm_split_name(v->name, r->vg, r->lv, &foreign) == 0;
	return r->is_lv ? load_lv(r, e) : v->name[0] == '/' ? load_device(r, e) : 1;
}

static void raw_close(struct volume *v)
{
	struct raw *r = raw_of(v);
	struct err e = ERR_INIT;

	raw_unhold(v, &e);
	if (r->activated)
		raw_rest(r, &e);
	closep(&r->lock);
}

/* At the target nobody activates it but us. */
static int raw_prepare(struct volume *v, const char *const *tokens, unsigned n, unsigned keep,
		       struct err *e)
{
	struct raw *r = raw_of(v);
	struct tags tags = tags_of(v);
	int bad = 0, active;

	(void)tokens, (void)n, (void)keep;
	if (!r->is_lv)
		return 0;
	if (raw_lock(r, LOCK_MS, e) < 0)
		return -1;
	if (!r->tagged_replica || !r->skip_activation)
		bad = lvm_do(e, "lvchange", "-q", "-ky", "--addtag", tags.replica, v->name);
	if (!bad) {
		struct err used = ERR_INIT; /* hold says so */

		active = raw_check_unused(r, &used);
		bad = active == 1 ? raw_rest(r, e) : 0;
	}
	closep(&r->lock);
	r->lock = -1;
	return bad < 0 ? err_wrap(e, "prepare %s", v->name) : 0;
}

static int raw_health(struct volume *v, struct volume_health *h, struct err *e)
{
	(void)v, (void)e;
	*h = (struct volume_health){.data_percent = -1, .meta_percent = -1, .threshold = 100};
	return 0;
}

/* Not a step of a cut: names what the held device is now. */
static int raw_proof(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e)
{
	struct raw *r = raw_of(v);
	struct raw_token t = {.size = v->size};

	strcpy(t.uuid, v->uuid);
	if (fsync(r->held_fd) < 0)
		return err_sys(e, "flush %s", v->name);
	if (raw_sum(r->held_fd, t.size, t.hash, e) < 0)
		return err_wrap(e, "%s", v->name);
	raw_token_print(&t, token);
	return 0;
}

/* A descriptor on the device as it is; an LV at rest is activated, unless another process has it.
 */
static int look(struct raw *r, struct err *e)
{
	struct err busy = ERR_INIT;
	bool ours = r->lock >= 0 || raw_lock(r, 0, &busy) == 0;
	int fd;

	if (r->held_fd < 0 && ours) {
		int active = r->is_lv ? raw_check_unused(r, &busy) : 1;

		if (active == 0 && raw_activate(r, e) < 0)
			return -1;
		r->activated |= active == 0;
	} else if (r->held_fd < 0 && raw_check_unused(r, &busy) == 0) {
		*e = busy;
		return err_set(e, ERR_BUSY, "%s is being activated by another process", r->v.name);
	}
	fd = open(r->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open %s (%s)", r->v.name, r->path) : fd;
}

/* What look() took, once its descriptor is closed. */
static void look_away(struct raw *r)
{
	struct err e = ERR_INIT;

	if (r->activated)
		raw_rest(r, &e);
	r->activated = false;
	if (r->held_fd < 0) {
		closep(&r->lock);
		r->lock = -1;
	}
}

static int raw_held(struct volume *v, const char *token, char *name, char *why, size_t size,
		    struct err *e)
{
	struct raw *r = raw_of(v);
	int fd, is;

	if (!token[0]) {
		snprintf(why, why ? size : 0, "%s holds its newest cut only", v->name);
		return 0;
	}
	fd = look(r, e);
	is = fd < 0 ? -1 : raw_is(r, fd, token, why, why ? size : 0, e);
	closep(&fd);
	look_away(r);
	if (is == 1 && name)
		strcpy(name, v->name);
	return is;
}

static int raw_changes(struct volume *v, const char *from, const char *to, struct bset *set,
		       struct err *e)
{
	(void)from, (void)to, (void)set;
	err_set(e, ERR_FAILED, "nothing tracks changes of %s", v->name);
	return VOLUME_CHANGES_DOUBT;
}

static int raw_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
		   volume_extent_fn *fn, void *arg, struct err *e)
{
	uint64_t first = offset / v->block_size, n = 0;
	int r = 0;

	(void)token, (void)e;
	if (!set)
		return offset < v->size ? fn(arg, VOLUME_DATA, offset, v->size - offset) : 0;
	while (r == 0 && bset_next_run(set, first + n, &first, &n)) {
		uint64_t from = first * v->block_size, to = (first + n) * v->block_size;

		from = from < offset ? offset : from;
		to = to > v->size ? v->size : to;
		r = from < to ? fn(arg, VOLUME_DATA, from, to - from) : 0;
	}
	return r;
}

/* What it activates goes back to rest with volume_free(). */
static int raw_reader(struct volume *v, const char *token, struct err *e)
{
	struct raw *r = raw_of(v);
	_cleanup_close_ int fd = look(r, e);
	char why[256] = "";
	int is = fd < 0 ? -1 : raw_is(r, fd, token, why, sizeof(why), e);

	if (is == 1)
		return take_fd(&fd);
	return is < 0 ? -1 : err_set(e, ERR_FAILED, "a cut of %s is not held: %s", v->name, why);
}

static int raw_release(struct volume *v, const char *token, struct err *e)
{
	(void)v, (void)token, (void)e;
	return 0;
}

/* Nothing is ever written before its cut is committed, so there is nothing to take back. */
static int raw_rewind(struct volume *v, const char *token, struct err *e)
{
	char why[256] = "";
	int is = raw_held(v, token, NULL, why, sizeof(why), e);

	if (is != 0)
		return is < 0 ? -1 : 0;
	err_set(e, ERR_REFUSED,
		"%s cannot go back to its committed cut: it has no snapshots, and %s", v->name,
		why);
	return err_hint(e, "srsync sync --full on the source writes all of it anew");
}

static int raw_drop(struct volume *v, struct err *e)
{
	struct raw *r = raw_of(v);
	struct tags tags = tags_of(v);

	if (!r->is_lv || !r->tagged_replica)
		return 0;
	return lvm_do(e, "lvchange", "-q", "-kn", "--deltag", tags.replica, v->name);
}

const struct volume_ops raw_ops = {
	.kind = "raw",
	.size = sizeof(struct raw),
	.redo = true,
	.open = raw_open,
	.close = raw_close,
	.prepare = raw_prepare,
	.health = raw_health,
	.proof = raw_proof,
	.held = raw_held,
	.changes = raw_changes,
	.map = raw_map,
	.reader = raw_reader,
	.release = raw_release,
	.hold = raw_hold,
	.unhold = raw_unhold,
	.rewind = raw_rewind,
	.grow = raw_grow,
	.check_target = raw_check_target,
	.drop = raw_drop,
};
