/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two cursors, a and b. At each step, with everything before both heads dealt with:
 *   the same node on both sides: skip both;
 *   a head that is a node still to come on the other side: the other side alone goes on until
 * there, so all it passes is on that side only; heads of different levels: open the higher one; two
 * nodes of one level: open the one that begins first; two entries: merge by key. A skip needs all
 * before it to be done on both sides, so the order of opening can never hide a difference, it can
 * only miss a chance to skip. */
#include <assert.h>
#include <inttypes.h>

#include "thin_cursor.h"
#include "thin_diff.h"

#define TIME_BITS 24 /* of a mapping: data block << 24 | time */

struct diff {
	struct thin_cursor a, b;
	thin_diff_fn *fn;
	void *arg;
	enum thin_change kind;
	uint64_t first, count; /* the range being gathered; count 0: none */
	uint64_t next;         /* no key below it may come */
};

/* A child that the other side has too will be skipped; so may be one beyond the node that the other
 * side has open, since what follows there is not known yet. */
static bool want_child(void *arg, const struct thin_cursor *c, const struct thin_frame *f,
		       unsigned j)
{
	struct diff *d = arg;
	struct thin_cursor *other = c == &d->a ? &d->b : &d->a;
	struct thin_frame *g = thin_cursor_frame(other, (int)(f - c->frame));

	if (!g)
		return true;
	return pdnode_key(&f->node, j) < g->end && !thin_frame_lists(g, pdnode_u64(&f->node, j));
}

static int flush(struct diff *d)
{
	uint64_t count = d->count;

	d->count = 0;
	return count ? d->fn(d->arg, d->kind, d->first, count) : 0;
}

static int emit(struct diff *d, enum thin_change kind, uint64_t key, struct err *e)
{
	int r = 0;

	if (key < d->next)
		return err_set(e, ERR_FAILED, "mappings of block %" PRIu64 " are out of order",
			       key);
	d->next = key + 1;
	if (!d->count || kind != d->kind || key != d->first + d->count) {
		r = flush(d);
		d->kind = kind;
		d->first = key;
	}
	d->count++;
	return r;
}

/* One side goes on alone: opens its head, or gives it as an entry that the other does not have. */
static int advance(struct diff *d, struct thin_cursor *c, const struct thin_item *it, struct err *e)
{
	if (it->level >= 0)
		return thin_cursor_expand(c, e);
	thin_cursor_skip(c);
	return emit(d, c == &d->a ? THIN_UNMAPPED : THIN_CHANGED, it->key, e);
}

/* Two different nodes of one level, neither known to come later on the other side. */
static int open_first(struct diff *d, struct err *e)
{
	struct pdnode a, b;

	if (thin_cursor_load(&d->a, &a, e) < 0 || thin_cursor_load(&d->b, &b, e) < 0)
		return -1;
	uint64_t x = a.nr ? pdnode_key(&a, 0) : 0, y = b.nr ? pdnode_key(&b, 0) : 0;

	if (x <= y && thin_cursor_expand(&d->a, e) < 0)
		return -1;
	return y <= x ? thin_cursor_expand(&d->b, e) : 0;
}

static int merge(struct diff *d, const struct thin_item *a, const struct thin_item *b,
		 struct err *e)
{
	if (a->key < b->key)
		return advance(d, &d->a, a, e);
	if (b->key < a->key)
		return advance(d, &d->b, b, e);
	thin_cursor_skip(&d->a);
	thin_cursor_skip(&d->b);
	if (a->value >> TIME_BITS == b->value >> TIME_BITS)
		return 0;
	return emit(d, THIN_CHANGED, a->key, e);
}

static int step(struct diff *d, const struct thin_item *a, const struct thin_item *b, struct err *e)
{
	if (a->level >= 0 && a->level == b->level && a->value == b->value) {
		thin_cursor_skip(&d->a);
		thin_cursor_skip(&d->b);
		return 0;
	}
	if (thin_cursor_ahead(&d->b, a))
		return advance(d, &d->b, b, e);
	if (thin_cursor_ahead(&d->a, b))
		return advance(d, &d->a, a, e);
	if (a->level > b->level)
		return thin_cursor_expand(&d->a, e);
	if (b->level > a->level)
		return thin_cursor_expand(&d->b, e);
	return a->level >= 0 ? open_first(d, e) : merge(d, a, b, e);
}

static int walk(struct diff *d, struct err *e)
{
	struct thin_item a, b;
	int r = 0;

	while (r == 0) {
		bool more_a = thin_cursor_head(&d->a, &a), more_b = thin_cursor_head(&d->b, &b);

		if (!more_a && !more_b)
			return flush(d);
		if (more_a && more_b)
			r = step(d, &a, &b, e);
		else
			r = more_a ? advance(d, &d->a, &a, e) : advance(d, &d->b, &b, e);
	}
	return r;
}

static struct diff *diff_new(thin_diff_fn *fn, void *arg)
{
	struct diff *d = xcalloc(1, sizeof(*d));

	d->fn = fn;
	d->arg = arg;
	d->a.want = d->b.want = want_child;
	d->a.arg = d->b.arg = d;
	return d;
}

static void diff_free(struct diff *d)
{
	thin_cursor_close(&d->a);
	thin_cursor_close(&d->b);
	free(d);
}
DEFINE_FREEP(diff_free, struct diff);

int thin_diff(struct thin_meta *m, const struct thin_dev *from, const struct thin_dev *to,
	      thin_diff_fn *fn, void *arg, struct err *e)
{
	_cleanup_(diff_freep) struct diff *d = diff_new(fn, arg);
	uint64_t end = UINT64_MAX / thin_meta_block_size(m);
	const struct thin_dev pair[] = {*from, *to};
	int r = 0;

	assert(from->present && to->present);
	if (from->root != to->root) {
		r = thin_cursor_open(&d->a, thin_meta_io(m), from->root, end, NULL, e);
		if (r == 0)
			r = thin_cursor_open(&d->b, thin_meta_io(m), to->root, end, &d->a, e);
		if (r == 0)
			r = walk(d, e);
	}
	return thin_meta_confirm(m, pair, 2, r, e);
}
