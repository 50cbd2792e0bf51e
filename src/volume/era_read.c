/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "era.h"
#include "lock.h"
#include "log.h"

#define ATTEMPTS 3
#define LOCK_MS  (10 * 60 * 1000) /* the reading of a large device's array takes a while */

/* The token of the cut below; of a cut from before dm-era was attached it is the token itself. */
static const char *lower_token(const char *token, struct era_token *k)
{
	struct err foreign;

	return era_token_parse(token, k, &foreign) == 0 ? k->lower : token;
}

int era_held(struct volume *v, const char *token, char *name, char *why, size_t size, struct err *e)
{
	struct volume *lower = era_of(v)->lower;
	struct era_token k;

	return lower->ops->held(lower, lower_token(token, &k), name, why, size, e);
}

int era_reader(struct volume *v, const char *token, struct err *e)
{
	struct volume *lower = era_of(v)->lower;
	struct era_token k;

	return lower->ops->reader(lower, lower_token(token, &k), e);
}

int era_release(struct volume *v, const char *token, struct err *e)
{
	struct volume *lower = era_of(v)->lower;
	struct era_token k;

	return lower->ops->release(lower, lower_token(token, &k), e);
}

/* --- changes --- */

static int check_token(const struct era *t, const char *token, struct era_token *k, struct err *e)
{
	if (era_token_parse(token, k, e) < 0)
		err_set(e, ERR_FAILED, "a cut is from before dm-era was attached to %s", t->v.name);
	else if (strcmp(k->id, t->dev.id) || strcmp(k->meta_uuid, t->dev.meta_uuid))
		err_set(e, ERR_FAILED,
			"since the base cut dm-era has not seen every write to %s: it was attached "
			"anew, or was not in place all the time",
			t->v.name);
	else
		return VOLUME_CHANGES_OK;
	return VOLUME_CHANGES_DOUBT;
}

static int check_super(const struct era *t, const struct era_super *s, const struct era_token *from,
		       const struct era_token *to, struct err *e)
{
	int off = era_dev_discards_off(&t->dev, e);

	if (off < 0)
		return -1;
	if (!off)
		err_set(e, ERR_FAILED, "discards pass the era device of %s", t->v.name);
	else if (s->era < from->era || s->era < to->era || to->era < from->era ||
		 to->size < from->size)
		err_set(e, ERR_FAILED, "the era metadata of %s has gone back in time", t->v.name);
	else if (s->block_sectors * 512ULL != t->v.block_size ||
		 s->blocks < (t->v.size + t->v.block_size - 1) / t->v.block_size)
		err_set(e, ERR_FAILED, "the era metadata of %s is of another size", t->v.name);
	else
		return VOLUME_CHANGES_OK;
	return VOLUME_CHANGES_DOUBT;
}

static int take_snapshot(const struct era *t, struct err *e)
{
	struct err none;
	struct dmdev dev;

	if (dmdev_find(t->dev.dm, &dev, e) < 0)
		return -1;
	if (!dev.exists || dev.suspended) {
		/* it would not answer before it is resumed */
		err_set(e, ERR_BUSY, "the era device of %s is %s", t->v.name,
			dev.exists ? "suspended" : "not there");
		return err_hint(e, "see dmsetup info; srsync era start");
	}
	if (dmdev_message(t->dev.dm, "take_metadata_snap", e) == 0)
		return 0;
	/* left by one that was killed: who else takes one shows when it is gone in our hands */
	if (dmdev_message(t->dev.dm, "drop_metadata_snap", &none) < 0)
		return -1;
	return dmdev_message(t->dev.dm, "take_metadata_snap", e);
}

static int read_written(struct era *t, const struct era_token *from, const struct era_token *to,
			struct bset *set, struct err *e)
{
	_cleanup_(era_meta_freep) struct era_meta *m = era_dev_metadata(&t->dev, ERA_HELD, e);
	struct era_super s;
	int r = m ? era_meta_super(m, &s, e) : -1;

	if (r == 0)
		r = check_super(t, &s, from, to, e);
	return r == VOLUME_CHANGES_OK ? era_meta_written(m, from->era, set, e) : r;
}

/* One srsync at a time holds the metadata snapshot. */
static int written(struct era *t, const struct era_token *from, const struct era_token *to,
		   struct bset *set, struct err *e)
{
	char path[sizeof(LVM_RUNDIR) + LVM_DM_UUID_SIZE + 8];
	_cleanup_close_ int lock = -1;
	struct err left;
	int r;

	snprintf(path, sizeof(path), "%s/read-%s", LVM_RUNDIR, t->dev.dm);
	lock = lock_take(path, "read the era metadata", LOCK_MS, e);
	if (lock < 0 || take_snapshot(t, e) < 0)
		return -1;
	r = read_written(t, from, to, set, e);
	if (dmdev_message(t->dev.dm, "drop_metadata_snap", &left) < 0)
		log_err(LOG_LEVEL_WARN, &left);
	return r;
}

/* Every chunk that the kind below has seen change was written through the era device, or tracking
 * was not in place all the time. What that kind cannot tell proves nothing. */
static int cross_check(const struct era *t, const struct era_token *from,
		       const struct era_token *to, const struct bset *set, struct err *e)
{
	_cleanup_(bset_freep) struct bset *seen = bset_new();
	uint64_t big = t->lower->block_size, small = t->v.block_size, first, count, n;
	struct err unknown;

	if (t->lower->ops->changes(t->lower, from->lower, to->lower, seen, &unknown) !=
	    VOLUME_CHANGES_OK)
		return VOLUME_CHANGES_OK;
	for (uint64_t at = 0; bset_next_run(seen, at, &at, &n); at++) {
		uint64_t end = (at + 1) * big < t->v.size ? (at + 1) * big : t->v.size;

		if (bset_next_run(set, at * big / small, &first, &count) && first * small < end)
			continue;
		err_set(e, ERR_FAILED, "%s was written to past its era device, at byte %" PRIu64,
			t->v.name, at * big);
		return VOLUME_CHANGES_DOUBT;
	}
	return VOLUME_CHANGES_OK;
}

static int changes_once(struct era *t, const char *from, const char *to, struct bset *set,
			struct err *e)
{
	_cleanup_(bset_freep) struct bset *found = bset_new();
	uint64_t end = (t->v.size + t->v.block_size - 1) / t->v.block_size;
	struct era_token a, b;
	int r = check_token(t, from, &a, e);

	if (r == VOLUME_CHANGES_OK)
		r = check_token(t, to, &b, e);
	if (r == VOLUME_CHANGES_OK)
		r = written(t, &a, &b, found, e);
	/* what a thick volume has grown by holds old bytes of others */
	if (r == VOLUME_CHANGES_OK && b.size > a.size &&
	    bset_add(found, a.size / t->v.block_size, end - a.size / t->v.block_size) < 0)
		return err_set(e, ERR_FAILED, "%s is too large", t->v.name);
	if (r == VOLUME_CHANGES_OK)
		r = cross_check(t, &a, &b, found, e);
	if (r == VOLUME_CHANGES_OK)
		bset_or(set, found);
	/* metadata that cannot be read, and will not be: said, and answered by everything */
	return r < 0 && e->code == ERR_FAILED ? VOLUME_CHANGES_DOUBT : r;
}

int era_changes(struct volume *v, const char *from, const char *to, struct bset *set, struct err *e)
{
	int r = -1;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct err now = ERR_INIT;

		r = changes_once(era_of(v), from, to, set, &now);
		if (r != VOLUME_CHANGES_OK)
			*e = now;
		if (r >= 0 || now.code != ERR_BUSY)
			break;
	}
	return r;
}

/* --- map --- */

/* Extents of the kind below, in its larger or smaller blocks, clipped to the set. */
struct clip {
	const struct bset *set;
	uint64_t block; /* bytes */
	volume_extent_fn *fn;
	void *arg;
};

static int clip(void *arg, enum volume_extent kind, uint64_t offset, uint64_t length)
{
	struct clip *c = arg;
	uint64_t first, count, end = offset + length, from, to;
	int r = 0;

	for (uint64_t at = offset / c->block;
	     r == 0 && bset_next_run(c->set, at, &first, &count) && first * c->block < end;
	     at = first + count) {
		from = first * c->block > offset ? first * c->block : offset;
		to = (first + count) * c->block < end ? (first + count) * c->block : end;
		r = c->fn(c->arg, kind, from, to - from);
	}
	return r;
}

int era_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
	    volume_extent_fn *fn, void *arg, struct err *e)
{
	struct volume *lower = era_of(v)->lower;
	_cleanup_(bset_freep) struct bset *wide = bset_new();
	struct clip c = {set, v->block_size, fn, arg};
	uint64_t first, count, begin, last, big = lower->block_size;
	struct era_token k;

	token = lower_token(token, &k);
	if (!set)
		return lower->ops->map(lower, token, NULL, offset, fn, arg, e);
	for (uint64_t at = 0; bset_next_run(set, at, &first, &count); at = first + count) {
		begin = first * v->block_size / big;
		last = ((first + count) * v->block_size - 1) / big;
		if (bset_add(wide, begin, last - begin + 1) < 0)
			return err_set(e, ERR_FAILED, "a set is beyond the volume");
	}
	return lower->ops->map(lower, token, wide, offset, clip, &c, e);
}
