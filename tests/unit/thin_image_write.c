/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "thin_node.h"

#define PER_BITMAP ((TI_BLOCK - 16) * 4)

/* --- whole trees --- */

struct entry {
	uint64_t key;
	uint8_t value[24];
};

/* A node with entries from..to of e. */
static uint64_t pack(struct thin_image *t, const struct entry *e, uint64_t n, unsigned kind,
		     unsigned max, unsigned size)
{
	uint64_t b = tn_new_node(t, kind, max, size);

	tn_put32(tn_at(t, b) + 16, n);
	for (unsigned i = 0; i < n; i++) {
		tn_put64(tn_key_at(tn_at(t, b), i), e[i].key);
		memcpy(tn_value_at(tn_at(t, b), i), e[i].value, size);
	}
	return b;
}

/* A tree of n entries, evenly filled; e is used up. The root. */
static uint64_t build(struct thin_image *t, struct entry *e, uint64_t n, unsigned max,
		      unsigned size, unsigned per_node)
{
	unsigned kind = LEAF;

	for (;;) {
		uint64_t nodes = n ? (n + per_node - 1) / per_node : 1;

		for (uint64_t i = 0; i < nodes; i++) {
			uint64_t from = i * n / nodes, to = (i + 1) * n / nodes;
			uint64_t b = pack(t, e + from, to - from, kind, max, size);

			e[i].key = e[from].key;
			tn_put64(e[i].value, b);
		}
		if (nodes == 1)
			return tn_get64(e[0].value);
		n = nodes;
		kind = INTERNAL;
		size = 8;
		max = t->fanout;
		per_node = per_node < max ? per_node : max;
	}
}

static unsigned max_for(unsigned size)
{
	return (TI_BLOCK - HEADER) / (8 + size) / 3 * 3;
}

void ti_fill(struct thin_image *t, unsigned id, uint64_t n, unsigned per_node)
{
	struct entry *e = calloc(n + 1, sizeof(*e));

	assert(e && t->data_used + n <= TI_DATA);
	for (uint64_t i = 0; i < n; i++) {
		t->data_ref[t->data_used] = 1;
		e[i].key = i;
		tn_put64(e[i].value, t->data_used++ << 24 | t->time);
	}
	tn_drop(t, t->dev[id].root);
	t->dev[id].root = build(t, e, n, t->fanout, 8, per_node);
	t->dev[id].mapped = n;
	free(e);
}

static uint64_t build_top(struct thin_image *t)
{
	struct entry e[TI_DEVICES + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < TI_DEVICES; i++) {
		if (!t->dev[i].present)
			continue;
		e[n].key = i;
		tn_put64(e[n++].value, t->dev[i].root);
	}
	return build(t, e, n, max_for(8), 8, max_for(8));
}

static uint64_t build_details(struct thin_image *t)
{
	struct entry e[TI_DEVICES + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < TI_DEVICES; i++) {
		const struct ti_dev *d = &t->dev[i];

		if (!d->present)
			continue;
		e[n].key = i;
		tn_put64(e[n].value, d->mapped);
		tn_put64(e[n].value + 8, i + 1);
		tn_put32(e[n].value + 16, d->creation);
		tn_put32(e[n++].value + 20, d->snapshotted);
	}
	return build(t, e, n, max_for(24), 24, max_for(24));
}

static void fill_super(struct thin_image *t, uint64_t where, uint64_t top, uint64_t details)
{
	uint8_t *s = tn_at(t, where);

	tn_put64(s + 32, 27022010);
	tn_put32(s + 40, 2);
	tn_put32(s + 44, t->time);
	tn_put64(s + 48, TI_DEVICES);
	tn_put64(s + 320, top);
	tn_put64(s + 328, details);
	tn_put32(s + 336, t->chunk);
	tn_put32(s + 340, 8);
}

void ti_hold(struct thin_image *t)
{
	uint64_t top = build_top(t), details = build_details(t);

	for (unsigned i = 0; i < TI_DEVICES; i++)
		if (t->dev[i].present)
			t->ref[t->dev[i].root]++;
	t->held = tn_alloc_block(t);
	fill_super(t, t->held, top, details);
	ti_seal(tn_at(t, t->held), t->held, KIND_SUPER);
}

/* --- space maps --- */

static uint64_t build_counts(struct thin_image *t, const uint32_t *ref, uint64_t n)
{
	struct entry *e = calloc(n + 1, sizeof(*e));
	uint64_t many = 0, root;

	assert(e);
	for (uint64_t i = 0; i < n; i++) {
		if (ref[i] < 3)
			continue;
		e[many].key = i;
		tn_put32(e[many++].value, ref[i]);
	}
	root = build(t, e, many, max_for(4), 4, max_for(4));
	free(e);
	return root;
}

/* Bitmap number i, of a map of n blocks, into block b; its index entry into ie. */
static void fill_bitmap(struct thin_image *t, uint64_t b, const uint32_t *ref, uint64_t n,
			uint64_t i, uint8_t ie[24])
{
	uint8_t *p = tn_at(t, b);
	uint32_t free_blocks = 0, first_free = 0;

	for (uint64_t k = PER_BITMAP; k-- > 0;) {
		uint64_t block = i * PER_BITMAP + k;
		unsigned c = block < n ? (ref[block] < 3 ? ref[block] : 3) : 0;

		if (block < n && c == 0) {
			free_blocks++;
			first_free = k;
		}
		/* the first bit of a pair is the high one */
		p[16 + k / 4] |= (c >> 1 | (c & 1) << 1) << k % 4 * 2;
	}
	ti_seal(p, b, KIND_BITMAP);
	tn_put64(ie, b);
	tn_put32(ie + 8, free_blocks);
	tn_put32(ie + 12, first_free);
}

static void put_space_map(uint8_t *root, const uint32_t *ref, uint64_t n, uint64_t bitmaps,
			  uint64_t counts)
{
	uint64_t allocated = 0;

	for (uint64_t i = 0; i < n; i++)
		allocated += ref[i] != 0;
	tn_put64(root, n);
	tn_put64(root + 8, allocated);
	tn_put64(root + 16, bitmaps);
	tn_put64(root + 24, counts);
}

static void data_map(struct thin_image *t, uint64_t n)
{
	uint64_t maps = (n + PER_BITMAP - 1) / PER_BITMAP, counts = build_counts(t, t->data_ref, n);
	struct entry *e = calloc(maps, sizeof(*e));

	assert(e);
	for (uint64_t i = 0; i < maps; i++) {
		e[i].key = i;
		fill_bitmap(t, tn_alloc_block(t), t->data_ref, n, i, e[i].value);
	}
	put_space_map(tn_at(t, 0) + 64, t->data_ref, n,
		      build(t, e, maps, max_for(16), 16, max_for(16)), counts);
	free(e);
}

/* Counts itself: so all its blocks are allocated before the bitmaps are filled. */
static void metadata_map(struct thin_image *t, uint64_t n)
{
	uint64_t maps = (n + PER_BITMAP - 1) / PER_BITMAP, map[255], index;
	uint64_t counts = build_counts(t, t->ref, t->used);
	uint8_t ie[24];

	assert(maps <= 255);
	index = tn_alloc_block(t);
	for (uint64_t i = 0; i < maps; i++)
		map[i] = tn_alloc_block(t);
	for (uint64_t i = 0; i < maps; i++) {
		fill_bitmap(t, map[i], t->ref, n, i, ie);
		memcpy(tn_at(t, index) + 16 + 16 * i, ie, 16);
	}
	ti_seal(tn_at(t, index), index, KIND_INDEX);
	put_space_map(tn_at(t, 0) + 192, t->ref, n, index, counts);
}

static struct thin_image *copy(const struct thin_image *t)
{
	struct thin_image *c = ti_new(t->fanout, t->chunk);
	struct thin_image own = *c;

	memcpy(c->blocks, t->blocks, t->used * TI_BLOCK);
	memcpy(c->ref, t->ref, t->used * sizeof(*t->ref));
	memcpy(c->data_ref, t->data_ref, t->data_used * sizeof(*t->data_ref));
	*c = *t;
	c->blocks = own.blocks;
	c->ref = own.ref;
	c->born = own.born;
	c->data_ref = own.data_ref;
	c->free = own.free;
	c->freed = own.freed;
	c->nfree = c->nfreed = 0;
	return c;
}

uint64_t ti_write(const struct thin_image *image, int fd)
{
	struct thin_image *t = copy(image);
	uint64_t n, done = 0;
	ssize_t r;

	t->ref[0] = 1;
	fill_super(t, 0, build_top(t), build_details(t));
	tn_put64(tn_at(t, 0) + 56, t->held);
	data_map(t, t->data_used + 1000);
	n = t->used + 16 + t->used / PER_BITMAP * 2;
	metadata_map(t, n);
	assert(t->used <= n);
	tn_put64(tn_at(t, 0) + 344, n);
	for (uint64_t b = 1; b < t->used; b++)
		if (t->ref[b] && tn_max_of(tn_at(t, b)) && tn_get32(tn_at(t, b)) == 0)
			ti_seal(tn_at(t, b), b, KIND_NODE);
	ti_seal(tn_at(t, 0), 0, KIND_SUPER);
	for (; done < n * TI_BLOCK; done += r) {
		r = pwrite(fd, t->blocks + done, n * TI_BLOCK - done, done);
		assert(r > 0);
	}
	ti_free(t);
	return n * TI_BLOCK;
}
