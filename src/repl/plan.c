/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "plan.h"

struct walk {
	plan_fn *fn;
	void *arg;
	struct err *e;
	const struct plan_volume *pv; /* the volume at hand */
	enum volume_extent kind;      /* of the extent of its map that is being put together */
	uint64_t from, to;
	uint64_t told;              /* end of what the map has told, of the set or not */
	uint64_t run_from, run_end; /* bytes: the run of the set at or behind the map's extent */
	uint64_t covered;           /* bytes of its map that are planned */
	uint64_t next;              /* end of the last page planned */
	uint64_t clear;             /* bytes without data in s */
	struct segment s;           /* being filled */
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int flush(struct walk *w)
{
	int r;

	if (w->s.extents == 0)
		return 0;
	r = w->fn(w->arg, &w->s, w->e);
	w->s.number++;
	w->s.extents = 0;
	w->s.raw_len = 0;
	w->clear = 0;
	return r;
}

/* How many of n bytes the segment at hand takes. */
static uint64_t room(const struct walk *w, enum segment_kind kind, uint64_t n)
{
	return least(n, kind == SEGMENT_DATA ? SEGMENT_DATA_MAX - w->s.raw_len
					     : PLAN_CLEAR_MAX - w->clear);
}

/* A segment is passed on only when the next byte does not fit, never when it happens to be full at
 * the end of a call: its bounds must not depend on how the map is split. */
static int add(struct walk *w, enum segment_kind kind, uint64_t from, uint64_t to)
{
	int r = 0;

	from = from < w->next ? w->next : from;
	while (from < to && !r) {
		struct segment_extent *last = w->s.extents ? &w->s.extent[w->s.extents - 1] : NULL;
		bool joins = last && last->kind == kind && last->offset + last->length == from;
		uint64_t n = room(w, kind, to - from);

		if (!n || (!joins && w->s.extents == PLAN_EXTENTS_MAX)) {
			r = flush(w);
			continue;
		}
		if (joins)
			last->length += n;
		else
			w->s.extent[w->s.extents++] = (struct segment_extent){from, n, kind};
		if (kind == SEGMENT_DATA)
			w->s.raw_len += n;
		else
			w->clear += n;
		from += n;
		w->next = from;
	}
	return r;
}

static uint64_t down(uint64_t n)
{
	return n - n % SEGMENT_ALIGN;
}

/* Plans one whole extent of the map. */
static int widen(struct walk *w, enum volume_extent kind, uint64_t from, uint64_t to)
{
	uint64_t size = w->pv->size;
	uint64_t low = down(from), high = least(down(to + SEGMENT_ALIGN - 1), size);
	uint64_t in_low = down(from + SEGMENT_ALIGN - 1), in_high = to == size ? to : down(to);
	int r;

	if (kind == VOLUME_DATA || in_low >= in_high)
		return add(w, SEGMENT_DATA, low, high);
	r = add(w, SEGMENT_DATA, low, in_low);
	if (!r)
		r = add(w, SEGMENT_DISCARD, in_low, in_high);
	return r ? r : add(w, SEGMENT_DATA, in_high, high);
}

/* Plans what is left of the map's extents so far. */
static int settle(struct walk *w)
{
	uint64_t from = w->from, to = least(w->to, w->pv->size);

	w->from = w->to;
	if (from >= to)
		return 0;
	w->covered += to - from;
	return widen(w, w->kind, from, to);
}

/* Takes what is wanted of an extent of the map. */
static int gather(struct walk *w, enum volume_extent kind, uint64_t from, uint64_t to)
{
	int r = 0;

	if (from != w->to || kind != w->kind) {
		r = settle(w);
		w->from = from;
		w->kind = kind;
	}
	w->to = to;
	return r;
}

/* Moves on to the run of the set that ends behind offset; false: there is none. A run is asked for
 * once, however many extents of the map lie in it. */
static bool find_run(struct walk *w, uint64_t offset)
{
	uint64_t bs = w->pv->block_size, first, count;

	if (!w->pv->set)
		w->run_end = UINT64_MAX;
	if (w->run_end > offset)
		return true;
	if (!bset_next_run(w->pv->set, offset / bs, &first, &count))
		return false;
	w->run_from = first * bs;
	w->run_end = (first + count) * bs;
	return true;
}

static int on_extent(void *arg, enum volume_extent kind, uint64_t offset, uint64_t length)
{
	struct walk *w = arg;
	uint64_t end = offset + length;
	int r = 0;

	if (offset < w->told || length == 0 || end < offset)
		return err_set(w->e, ERR_FAILED,
			       "map of %s: %" PRIu64 " bytes at %" PRIu64 " are out of order",
			       w->pv->v->name, length, offset);
	w->told = end;
	while (r == 0 && offset < end && find_run(w, offset)) {
		uint64_t from = offset > w->run_from ? offset : w->run_from;

		offset = least(end, w->run_end);
		if (from < offset)
			r = gather(w, kind, from, offset);
	}
	return r;
}

/* Bytes of the set below the size of the cut. */
static uint64_t wanted(const struct plan_volume *pv)
{
	uint64_t bytes = 0, from = 0, first, count, start, end;

	if (!pv->set)
		return pv->size;
	while (bset_next_run(pv->set, from, &first, &count)) {
		start = least(first * pv->block_size, pv->size);
		end = least((first + count) * pv->block_size, pv->size);
		bytes += end - start;
		from = first + count;
	}
	return bytes;
}

/* Rule 2: a map that leaves out a part of the set must not pass for a cut. */
static int walk_volume(struct walk *w, struct err *e)
{
	struct volume *v = w->pv->v;
	_cleanup_(bset_freep) struct bset *chunks = NULL; /* the set in the volume's blocks */
	int r;

	if (w->pv->set && !(chunks = bset_rescale(w->pv->set, w->pv->block_size, v->block_size)))
		return err_set(e, ERR_FAILED, "%s has more than 2^32 blocks", v->name);
	w->from = w->to = w->told = w->run_from = w->run_end = w->covered = w->next = 0;
	r = v->ops->map(v, w->pv->token, chunks, 0, on_extent, w, e);
	if (!r)
		r = settle(w);
	if (r)
		return r;
	if (w->covered < wanted(w->pv))
		return err_set(e, ERR_FAILED,
			       "map of %s covers %" PRIu64 " of %" PRIu64 " bytes to be shipped",
			       v->name, w->covered, wanted(w->pv));
	return flush(w);
}

int plan_walk(const struct plan_volume *volume, unsigned volumes, plan_fn *fn, void *arg,
	      struct err *e)
{
	_cleanup_free_ struct walk *w = xcalloc(1, sizeof(*w));
	int r = 0;

	w->fn = fn;
	w->arg = arg;
	w->e = e;
	for (unsigned i = 0; i < volumes && !r; i++) {
		w->pv = &volume[i];
		w->s.volume = i;
		r = walk_volume(w, e);
	}
	return r;
}

struct count {
	uint64_t *segments, *data_bytes;
};

static int count_one(void *arg, const struct segment *s, struct err *e)
{
	struct count *c = arg;

	(void)e;
	++*c->segments;
	*c->data_bytes += s->raw_len;
	return 0;
}

int plan_count(const struct plan_volume *volume, unsigned volumes, uint64_t *segments,
	       uint64_t *data_bytes, struct err *e)
{
	struct count c = {segments, data_bytes};

	*segments = *data_bytes = 0;
	if (plan_walk(volume, volumes, count_one, &c, e))
		return -1;
	if (*segments > MANIFEST_SEGMENTS_MAX)
		return err_set(e, ERR_FAILED, "the cut has more than 2^32 segments");
	return 0;
}
