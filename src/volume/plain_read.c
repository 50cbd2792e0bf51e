/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "plain.h"
#include "snapcow.h"

/* What the kernel says of it: 1 held, 0 not and why, -1. */
static int is_sound(const struct plain_snap *s, char *why, size_t size, struct err *e)
{
	struct dmdev_snapshot st;
	struct dmdev d;
	int r;

	if (dmdev_find(s->dm_uuid, &d, e) < 0)
		return -1;
	if (!d.exists) {
		snprintf(why, size, "its snapshot %s has been removed or is not active", s->name);
		return 0;
	}
	r = dmdev_snapshot(s->dm_uuid, &st, e);
	if (r < 0)
		return -1;
	if (s->half)
		snprintf(why, size, "its snapshot %s is no snapshot any more", s->name);
	else if (r == 1 || s->merging)
		snprintf(why, size, "its snapshot %s is being merged", s->name);
	else if (!s->read_only || !d.read_only)
		snprintf(why, size, "its snapshot %s was made writable", s->name);
	else if (st.invalid || st.overflow)
		snprintf(why, size, "its snapshot %s overflowed: its store was too small", s->name);
	else if (st.merge_failed)
		snprintf(why, size, "its snapshot %s failed to merge", s->name);
	else
		return 1;
	return 0;
}

static int is_held(struct plain *t, const struct plain_token *k, const struct plain_snap *s,
		   char *why, size_t size, struct err *e)
{
	if (strcmp(k->origin, t->v.uuid)) {
		snprintf(why, size, "it is of another volume (uuid %s)", k->origin);
		return 0;
	}
	if (!s) {
		snprintf(why, size, "its snapshot (uuid %s) has been removed", k->uuid);
		return 0;
	}
	return is_sound(s, why, size, e);
}

int plain_held(struct volume *v, const char *token, char *name, char *why, size_t size,
	       struct err *e)
{
	struct plain *t = plain_of(v);
	const struct plain_snap *s;
	struct plain_token k;
	struct err foreign;
	int r;

	if (plain_token_parse(token, &k, &foreign) < 0) {
		snprintf(why, why ? size : 0, "it was made when the volume was of another kind");
		return 0;
	}
	s = plain_find(t, k.uuid);
	r = is_held(t, &k, s, why, why ? size : 0, e);
	if (r == 1 && name &&
	    snprintf(name, VOLUME_NAME_MAX, "%s/%s", t->vg, s->name) >= VOLUME_NAME_MAX)
		return err_set(e, ERR_FAILED, "the name of a snapshot is too long");
	return r;
}

/* The snapshot of a cut that must be held; NULL with e. *doubt: not held, rather than unknown. */
static struct plain_snap *snap_of(struct plain *t, const char *token, struct plain_token *k,
				  bool *doubt, struct err *e)
{
	struct plain_snap *s;
	char why[256] = "";
	int r;

	*doubt = false;
	if (plain_token_parse(token, k, e) < 0)
		return NULL;
	s = plain_find(t, k->uuid);
	r = is_held(t, k, s, why, sizeof(why), e);
	if (r == 1)
		return s;
	*doubt = r == 0;
	if (r == 0)
		err_set(e, ERR_FAILED, "a cut of %s is not held: %s", t->v.name, why);
	return NULL;
}

static int read_table(struct plain *t, const struct plain_snap *s, struct bset *set, struct err *e)
{
	_cleanup_close_ int fd = dmdev_open(s->cow_dm_uuid, e);
	struct snapcow info;
	char path[64];

	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (snapcow_read(path, t->v.size, set, &info, e) < 0)
		return -1;
	if (info.chunk_size != t->v.block_size)
		return err_set(e, ERR_FAILED, "its chunks have %u bytes, not %u", info.chunk_size,
			       t->v.block_size);
	return 0;
}

/* Whatever goes wrong with the older one, the way out is the same: all counts as changed. */
int plain_changes(struct volume *v, const char *from, const char *to, struct bset *set,
		  struct err *e)
{
	_cleanup_(bset_freep) struct bset *found = bset_new();
	struct plain *t = plain_of(v);
	uint64_t first, blocks = (v->size + v->block_size - 1) / v->block_size;
	struct plain_token old, new;
	struct plain_snap *s;
	bool doubt;

	if (!snap_of(t, to, &new, &doubt, e))
		return -1;
	s = snap_of(t, from, &old, &doubt, e);
	if (!s)
		return doubt ? VOLUME_CHANGES_DOUBT : -1;
	if (read_table(t, s, found, e) < 0) {
		err_wrap(e, "the changes since the last cut of %s, in its snapshot %s", v->name,
			 s->name);
		return VOLUME_CHANGES_DOUBT;
	}
	first = old.size / v->block_size;
	if (old.size < new.size && bset_add(found, first, blocks - first) < 0)
		return err_sys(e, "the growth of %s", v->name);
	bset_or(set, found);
	return VOLUME_CHANGES_OK;
}

/* A thick volume has no holes. */
int plain_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
	      volume_extent_fn *fn, void *arg, struct err *e)
{
	uint64_t bs = v->block_size, first = 0, count = 0, from, to;
	struct plain_token k;
	bool doubt;
	int r = 0;

	if (!snap_of(plain_of(v), token, &k, &doubt, e))
		return -1;
	if (!set)
		return offset < k.size ? fn(arg, VOLUME_DATA, offset, k.size - offset) : 0;
	for (uint64_t at = offset / bs; r == 0 && bset_next_run(set, at, &first, &count);
	     at = first + count) {
		from = first * bs > offset ? first * bs : offset;
		to = (first + count) * bs < k.size ? (first + count) * bs : k.size;
		if (from < to)
			r = fn(arg, VOLUME_DATA, from, to - from);
	}
	return r;
}

int plain_reader(struct volume *v, const char *token, struct err *e)
{
	struct plain *t = plain_of(v);
	_cleanup_close_ int fd = -1;
	struct plain_snap *s;
	struct plain_token k;
	bool doubt;

	s = snap_of(t, token, &k, &doubt, e);
	if (!s)
		return -1;
	fd = dmdev_open(s->dm_uuid, e);
	/* should it overflow from here on, reading fails */
	return fd < 0 ? -1 : take_fd(&fd);
}
