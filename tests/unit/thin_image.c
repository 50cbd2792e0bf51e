/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "thin_image.h"

enum { KIND_SUPER = 160774, KIND_NODE = 121107, KIND_BITMAP = 240779, KIND_INDEX = 160478 };
enum { INTERNAL = 1, LEAF = 2, HEADER = 32 };
#define LEAST                                                                                      \
	2 /* entries per node, or a chain of only children makes the tree deep for nothing         \
	   */
#define PER_BITMAP ((TI_BLOCK - 16) * 4)

/* --- bytes --- */

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* CRC32C without inversion at the end, by a table: the reader uses a library. */
static uint32_t crc32c(const uint8_t *p, size_t n)
{
	static uint32_t table[256];
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < 256 && table[255] == 0; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1;
		table[i] = c;
	}
	for (size_t i = 0; i < n; i++)
		crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xff];
	return crc;
}

void ti_seal(uint8_t *block, uint64_t where, uint32_t kind)
{
	put64(block + 8, where);
	put32(block, crc32c(block + 4, TI_BLOCK - 4) ^ kind);
}

/* --- nodes --- */

static uint8_t *at(const struct thin_image *t, uint64_t b)
{
	return t->blocks + b * TI_BLOCK;
}

static unsigned nr_of(const uint8_t *n)
{
	return get32(n + 16);
}

static unsigned max_of(const uint8_t *n)
{
	return get32(n + 20);
}

static unsigned size_of(const uint8_t *n)
{
	return get32(n + 24);
}

static bool is_leaf(const uint8_t *n)
{
	return get32(n + 4) == LEAF;
}

static uint8_t *key_at(uint8_t *n, unsigned i)
{
	return n + HEADER + 8 * i;
}

static uint8_t *value_at(uint8_t *n, unsigned i)
{
	return n + HEADER + 8 * max_of(n) + size_of(n) * i;
}

static uint64_t key_of(uint8_t *n, unsigned i)
{
	return get64(key_at(n, i));
}

static uint64_t child_of(uint8_t *n, unsigned i)
{
	return get64(value_at(n, i));
}

static uint64_t alloc_block(struct thin_image *t)
{
	uint64_t b = t->nfree ? t->free[--t->nfree] : t->used++;

	assert(b < TI_BLOCKS);
	memset(at(t, b), 0, TI_BLOCK);
	t->ref[b] = 1;
	t->born[b] = t->epoch;
	return b;
}

static uint64_t new_node(struct thin_image *t, unsigned kind, unsigned max, unsigned size)
{
	uint64_t b = alloc_block(t);

	put32(at(t, b) + 4, kind);
	put32(at(t, b) + 20, max);
	put32(at(t, b) + 24, size);
	return b;
}

static void inc_children(struct thin_image *t, uint8_t *n)
{
	for (unsigned i = 0; i < nr_of(n); i++) {
		if (is_leaf(n))
			t->data_ref[child_of(n, i) >> 24]++;
		else
			t->ref[child_of(n, i)]++;
	}
}

static void drop(struct thin_image *t, uint64_t b)
{
	uint8_t *n = at(t, b);

	if (--t->ref[b])
		return;
	for (unsigned i = 0; i < nr_of(n); i++) {
		if (is_leaf(n))
			t->data_ref[child_of(n, i) >> 24]--;
		else
			drop(t, child_of(n, i));
	}
	t->freed[t->nfreed++] = b;
}

/* The block to write to in place of b: a copy, unless b is ours alone since the last commit. */
static uint64_t shadow(struct thin_image *t, uint64_t b)
{
	uint64_t copy;

	if (t->ref[b] == 1 && t->born[b] == t->epoch)
		return b;
	copy = alloc_block(t);
	memcpy(at(t, copy), at(t, b), TI_BLOCK);
	inc_children(t, at(t, b));
	drop(t, b);
	return copy;
}

static void insert_entry(uint8_t *n, unsigned i, uint64_t key, uint64_t value)
{
	unsigned nr = nr_of(n);

	memmove(key_at(n, i + 1), key_at(n, i), 8 * (nr - i));
	memmove(value_at(n, i + 1), value_at(n, i), 8 * (nr - i));
	put64(key_at(n, i), key);
	put64(value_at(n, i), value);
	put32(n + 16, nr + 1);
}

static void remove_entry(uint8_t *n, unsigned i)
{
	unsigned nr = nr_of(n);

	memmove(key_at(n, i), key_at(n, i + 1), 8 * (nr - i - 1));
	memmove(value_at(n, i), value_at(n, i + 1), 8 * (nr - i - 1));
	put32(n + 16, nr - 1);
}

/* Moves entries between neighbours until the left one has want of them. */
static void level_out(uint8_t *l, uint8_t *r, unsigned want)
{
	while (nr_of(l) < want) {
		insert_entry(l, nr_of(l), key_of(r, 0), child_of(r, 0));
		remove_entry(r, 0);
	}
	while (nr_of(l) > want) {
		insert_entry(r, 0, key_of(l, nr_of(l) - 1), child_of(l, nr_of(l) - 1));
		remove_entry(l, nr_of(l) - 1);
	}
}

/* Entries of n with a key not above key. */
static unsigned count_upto(uint8_t *n, uint64_t key)
{
	unsigned lo = 0, hi = nr_of(n);

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (key_of(n, mid) <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* --- insertion --- */

/* Puts an entry into node b, which is ours. The new right neighbour, or 0. */
static uint64_t put_entry(struct thin_image *t, uint64_t b, uint64_t key, uint64_t value)
{
	uint8_t *n = at(t, b), *r, *home;
	unsigned max = max_of(n), cut = t->ragged ? 1 + rand() % (max - 1) : max / 2;
	uint64_t right;

	if (nr_of(n) < max) {
		insert_entry(n, count_upto(n, key), key, value);
		return 0;
	}
	right = new_node(t, is_leaf(n) ? LEAF : INTERNAL, max, 8);
	r = at(t, right);
	level_out(n, r, cut);
	home = key < key_of(r, 0) ? n : r;
	insert_entry(home, count_upto(home, key), key, value);
	if (nr_of(n) < LEAST)
		level_out(n, r, LEAST);
	if (nr_of(r) < LEAST)
		level_out(n, r, nr_of(n) + nr_of(r) - LEAST);
	return right;
}

static uint64_t insert(struct thin_image *t, uint64_t *block, uint64_t key, uint64_t value,
		       bool *is_new)
{
	uint64_t b = *block = shadow(t, *block), child, right;
	uint8_t *n = at(t, b);
	unsigned i = count_upto(n, key);

	if (is_leaf(n)) {
		*is_new = i == 0 || key_of(n, i - 1) != key;
		if (*is_new)
			return put_entry(t, b, key, value);
		t->data_ref[child_of(n, i - 1) >> 24]--;
		put64(value_at(n, i - 1), value);
		return 0;
	}
	if (i == 0) {
		put64(key_at(n, 0), key);
		i = 1;
	}
	child = child_of(n, i - 1);
	right = insert(t, &child, key, value, is_new);
	put64(value_at(n, i - 1), child);
	return right ? put_entry(t, b, key_of(at(t, right), 0), right) : 0;
}

uint64_t ti_map(struct thin_image *t, unsigned id, uint64_t key)
{
	struct ti_dev *d = &t->dev[id];
	uint64_t data = t->data_used++, right, root;
	bool is_new;

	assert(d->present && data < TI_DATA);
	t->data_ref[data] = 1;
	right = insert(t, &d->root, key, data << 24 | t->time, &is_new);
	d->mapped += is_new;
	if (right) {
		root = new_node(t, INTERNAL, t->fanout, 8);
		insert_entry(at(t, root), 0, key_of(at(t, d->root), 0), d->root);
		insert_entry(at(t, root), 1, key_of(at(t, right), 0), right);
		d->root = root;
	}
	return data;
}

/* --- removal --- */

/* Child i of node n has become too small: joins or levels it with a neighbour. */
static void mend(struct thin_image *t, uint8_t *n, unsigned i)
{
	uint64_t l, r;
	unsigned sum;

	if (nr_of(n) == 1) {
		if (nr_of(at(t, child_of(n, 0))) == 0) {
			drop(t, child_of(n, 0));
			remove_entry(n, 0);
		}
		return;
	}
	if (i + 1 == nr_of(n))
		i--;
	l = shadow(t, child_of(n, i));
	r = shadow(t, child_of(n, i + 1));
	put64(value_at(n, i), l);
	put64(value_at(n, i + 1), r);
	sum = nr_of(at(t, l)) + nr_of(at(t, r));
	level_out(at(t, l), at(t, r), sum <= t->fanout ? sum : sum / 2);
	if (sum <= t->fanout) {
		drop(t, r);
		remove_entry(n, i + 1);
	} else {
		put64(key_at(n, i + 1), key_of(at(t, r), 0));
	}
}

static void unmap(struct thin_image *t, uint64_t *block, uint64_t key)
{
	uint64_t b = *block = shadow(t, *block), child;
	uint8_t *n = at(t, b);
	unsigned i = count_upto(n, key);

	assert(i > 0);
	child = child_of(n, i - 1);
	if (is_leaf(n)) {
		assert(key_of(n, i - 1) == key);
		t->data_ref[child >> 24]--;
		remove_entry(n, i - 1);
		return;
	}
	unmap(t, &child, key);
	put64(value_at(n, i - 1), child);
	if (nr_of(at(t, child)) < (t->fanout / 3 < LEAST ? LEAST : t->fanout / 3))
		mend(t, n, i - 1);
}

void ti_unmap(struct thin_image *t, unsigned id, uint64_t key)
{
	struct ti_dev *d = &t->dev[id];
	uint8_t *n;

	unmap(t, &d->root, key);
	d->mapped--;
	while (!is_leaf(n = at(t, d->root)) && nr_of(n) < 2) {
		uint64_t below = nr_of(n) ? child_of(n, 0) : new_node(t, LEAF, t->fanout, 8);

		if (nr_of(n))
			t->ref[below]++;
		drop(t, d->root);
		d->root = below;
	}
}

/* --- devices --- */

struct thin_image *ti_new(unsigned fanout, uint32_t chunk_sectors)
{
	struct thin_image *t = calloc(1, sizeof(*t));

	assert(t && fanout % 3 == 0);
	t->blocks = mmap(NULL, (size_t)TI_BLOCKS * TI_BLOCK, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	t->ref = calloc(TI_BLOCKS, sizeof(*t->ref));
	t->born = calloc(TI_BLOCKS, sizeof(*t->born));
	t->data_ref = calloc(TI_DATA, sizeof(*t->data_ref));
	t->free = calloc(TI_BLOCKS, sizeof(*t->free));
	t->freed = calloc(TI_BLOCKS, sizeof(*t->freed));
	assert(t->blocks != MAP_FAILED && t->ref && t->born && t->data_ref && t->free && t->freed);
	t->fanout = fanout;
	t->chunk = chunk_sectors;
	t->used = 1;
	t->epoch = 1;
	return t;
}

void ti_free(struct thin_image *t)
{
	munmap(t->blocks, (size_t)TI_BLOCKS * TI_BLOCK);
	free(t->ref);
	free(t->born);
	free(t->data_ref);
	free(t->free);
	free(t->freed);
	free(t);
}

void ti_create(struct thin_image *t, unsigned id)
{
	t->dev[id] = (struct ti_dev){true, new_node(t, LEAF, t->fanout, 8), 0, t->time, t->time};
}

void ti_snap(struct thin_image *t, unsigned id, unsigned origin)
{
	t->time++;
	t->dev[origin].snapshotted = t->time;
	t->dev[id] = t->dev[origin];
	t->dev[id].creation = t->time;
	t->ref[t->dev[id].root]++;
}

void ti_delete(struct thin_image *t, unsigned id)
{
	drop(t, t->dev[id].root);
	t->dev[id].present = false;
}

void ti_commit(struct thin_image *t)
{
	while (t->nfreed)
		t->free[t->nfree++] = t->freed[--t->nfreed];
	t->epoch++;
}

/* --- whole trees --- */

struct entry {
	uint64_t key;
	uint8_t value[24];
};

/* A node with entries from..to of e. */
static uint64_t pack(struct thin_image *t, const struct entry *e, uint64_t n, unsigned kind,
		     unsigned max, unsigned size)
{
	uint64_t b = new_node(t, kind, max, size);

	put32(at(t, b) + 16, n);
	for (unsigned i = 0; i < n; i++) {
		put64(key_at(at(t, b), i), e[i].key);
		memcpy(value_at(at(t, b), i), e[i].value, size);
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
			put64(e[i].value, b);
		}
		if (nodes == 1)
			return get64(e[0].value);
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
		put64(e[i].value, t->data_used++ << 24 | t->time);
	}
	drop(t, t->dev[id].root);
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
		put64(e[n++].value, t->dev[i].root);
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
		put64(e[n].value, d->mapped);
		put64(e[n].value + 8, i + 1);
		put32(e[n].value + 16, d->creation);
		put32(e[n++].value + 20, d->snapshotted);
	}
	return build(t, e, n, max_for(24), 24, max_for(24));
}

static void fill_super(struct thin_image *t, uint64_t where, uint64_t top, uint64_t details)
{
	uint8_t *s = at(t, where);

	put64(s + 32, 27022010);
	put32(s + 40, 2);
	put32(s + 44, t->time);
	put64(s + 48, TI_DEVICES);
	put64(s + 320, top);
	put64(s + 328, details);
	put32(s + 336, t->chunk);
	put32(s + 340, 8);
}

void ti_hold(struct thin_image *t)
{
	uint64_t top = build_top(t), details = build_details(t);

	for (unsigned i = 0; i < TI_DEVICES; i++)
		if (t->dev[i].present)
			t->ref[t->dev[i].root]++;
	t->held = alloc_block(t);
	fill_super(t, t->held, top, details);
	ti_seal(at(t, t->held), t->held, KIND_SUPER);
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
		put32(e[many++].value, ref[i]);
	}
	root = build(t, e, many, max_for(4), 4, max_for(4));
	free(e);
	return root;
}

/* Bitmap number i, of a map of n blocks, into block b; its index entry into ie. */
static void fill_bitmap(struct thin_image *t, uint64_t b, const uint32_t *ref, uint64_t n,
			uint64_t i, uint8_t ie[24])
{
	uint8_t *p = at(t, b);
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
	put64(ie, b);
	put32(ie + 8, free_blocks);
	put32(ie + 12, first_free);
}

static void put_space_map(uint8_t *root, const uint32_t *ref, uint64_t n, uint64_t bitmaps,
			  uint64_t counts)
{
	uint64_t allocated = 0;

	for (uint64_t i = 0; i < n; i++)
		allocated += ref[i] != 0;
	put64(root, n);
	put64(root + 8, allocated);
	put64(root + 16, bitmaps);
	put64(root + 24, counts);
}

static void data_map(struct thin_image *t, uint64_t n)
{
	uint64_t maps = (n + PER_BITMAP - 1) / PER_BITMAP, counts = build_counts(t, t->data_ref, n);
	struct entry *e = calloc(maps, sizeof(*e));

	assert(e);
	for (uint64_t i = 0; i < maps; i++) {
		e[i].key = i;
		fill_bitmap(t, alloc_block(t), t->data_ref, n, i, e[i].value);
	}
	put_space_map(at(t, 0) + 64, t->data_ref, n,
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
	index = alloc_block(t);
	for (uint64_t i = 0; i < maps; i++)
		map[i] = alloc_block(t);
	for (uint64_t i = 0; i < maps; i++) {
		fill_bitmap(t, map[i], t->ref, n, i, ie);
		memcpy(at(t, index) + 16 + 16 * i, ie, 16);
	}
	ti_seal(at(t, index), index, KIND_INDEX);
	put_space_map(at(t, 0) + 192, t->ref, n, index, counts);
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
	put64(at(t, 0) + 56, t->held);
	data_map(t, t->data_used + 1000);
	n = t->used + 16 + t->used / PER_BITMAP * 2;
	metadata_map(t, n);
	assert(t->used <= n);
	put64(at(t, 0) + 344, n);
	for (uint64_t b = 1; b < t->used; b++)
		if (t->ref[b] && max_of(at(t, b)) && get32(at(t, b)) == 0)
			ti_seal(at(t, b), b, KIND_NODE);
	ti_seal(at(t, 0), 0, KIND_SUPER);
	for (; done < n * TI_BLOCK; done += r) {
		r = pwrite(fd, t->blocks + done, n * TI_BLOCK - done, done);
		assert(r > 0);
	}
	ti_free(t);
	return n * TI_BLOCK;
}
