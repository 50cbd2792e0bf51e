/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "thin_node.h"

/* Entries per node, or a chain of only children makes the tree deep for nothing. */
#define LEAST 2

/* --- insertion --- */

/* Puts an entry into node b, which is ours. The new right neighbour, or 0. */
static uint64_t put_entry(struct thin_image *t, uint64_t b, uint64_t key, uint64_t value)
{
	uint8_t *n = tn_at(t, b), *r, *home;
	unsigned max = tn_max_of(n), cut = t->ragged ? 1 + rand() % (max - 1) : max / 2;
	uint64_t right;

	if (tn_nr_of(n) < max) {
		tn_insert_entry(n, tn_count_upto(n, key), key, value);
		return 0;
	}
	right = tn_new_node(t, tn_is_leaf(n) ? LEAF : INTERNAL, max, 8);
	r = tn_at(t, right);
	tn_level_out(n, r, cut);
	home = key < tn_key_of(r, 0) ? n : r;
	tn_insert_entry(home, tn_count_upto(home, key), key, value);
	if (tn_nr_of(n) < LEAST)
		tn_level_out(n, r, LEAST);
	if (tn_nr_of(r) < LEAST)
		tn_level_out(n, r, tn_nr_of(n) + tn_nr_of(r) - LEAST);
	return right;
}

static uint64_t insert(struct thin_image *t, uint64_t *block, uint64_t key, uint64_t value,
		       bool *is_new)
{
	uint64_t b = *block = tn_shadow(t, *block), child, right;
	uint8_t *n = tn_at(t, b);
	unsigned i = tn_count_upto(n, key);

	if (tn_is_leaf(n)) {
		*is_new = i == 0 || tn_key_of(n, i - 1) != key;
		if (*is_new)
			return put_entry(t, b, key, value);
		t->data_ref[tn_child_of(n, i - 1) >> 24]--;
		tn_put64(tn_value_at(n, i - 1), value);
		return 0;
	}
	if (i == 0) {
		tn_put64(tn_key_at(n, 0), key);
		i = 1;
	}
	child = tn_child_of(n, i - 1);
	right = insert(t, &child, key, value, is_new);
	tn_put64(tn_value_at(n, i - 1), child);
	return right ? put_entry(t, b, tn_key_of(tn_at(t, right), 0), right) : 0;
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
		root = tn_new_node(t, INTERNAL, t->fanout, 8);
		tn_insert_entry(tn_at(t, root), 0, tn_key_of(tn_at(t, d->root), 0), d->root);
		tn_insert_entry(tn_at(t, root), 1, tn_key_of(tn_at(t, right), 0), right);
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

	if (tn_nr_of(n) == 1) {
		if (tn_nr_of(tn_at(t, tn_child_of(n, 0))) == 0) {
			tn_drop(t, tn_child_of(n, 0));
			tn_remove_entry(n, 0);
		}
		return;
	}
	if (i + 1 == tn_nr_of(n))
		i--;
	l = tn_shadow(t, tn_child_of(n, i));
	r = tn_shadow(t, tn_child_of(n, i + 1));
	tn_put64(tn_value_at(n, i), l);
	tn_put64(tn_value_at(n, i + 1), r);
	sum = tn_nr_of(tn_at(t, l)) + tn_nr_of(tn_at(t, r));
	tn_level_out(tn_at(t, l), tn_at(t, r), sum <= t->fanout ? sum : sum / 2);
	if (sum <= t->fanout) {
		tn_drop(t, r);
		tn_remove_entry(n, i + 1);
	} else {
		tn_put64(tn_key_at(n, i + 1), tn_key_of(tn_at(t, r), 0));
	}
}

static void unmap(struct thin_image *t, uint64_t *block, uint64_t key)
{
	uint64_t b = *block = tn_shadow(t, *block), child;
	uint8_t *n = tn_at(t, b);
	unsigned i = tn_count_upto(n, key);

	assert(i > 0);
	child = tn_child_of(n, i - 1);
	if (tn_is_leaf(n)) {
		assert(tn_key_of(n, i - 1) == key);
		t->data_ref[child >> 24]--;
		tn_remove_entry(n, i - 1);
		return;
	}
	unmap(t, &child, key);
	tn_put64(tn_value_at(n, i - 1), child);
	if (tn_nr_of(tn_at(t, child)) < (t->fanout / 3 < LEAST ? LEAST : t->fanout / 3))
		mend(t, n, i - 1);
}

void ti_unmap(struct thin_image *t, unsigned id, uint64_t key)
{
	struct ti_dev *d = &t->dev[id];
	uint8_t *n;

	unmap(t, &d->root, key);
	d->mapped--;
	while (!tn_is_leaf(n = tn_at(t, d->root)) && tn_nr_of(n) < 2) {
		uint64_t below =
			tn_nr_of(n) ? tn_child_of(n, 0) : tn_new_node(t, LEAF, t->fanout, 8);

		if (tn_nr_of(n))
			t->ref[below]++;
		tn_drop(t, d->root);
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
	t->dev[id] = (struct ti_dev){true, tn_new_node(t, LEAF, t->fanout, 8), 0, t->time, t->time};
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
	tn_drop(t, t->dev[id].root);
	t->dev[id].present = false;
}

void ti_commit(struct thin_image *t)
{
	while (t->nfreed)
		t->free[t->nfree++] = t->freed[--t->nfreed];
	t->epoch++;
}
