/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "era_image.h"
#include "thin_node.h"

static uint8_t *at(struct era_image *i, uint64_t b)
{
	return i->blocks + b * EI_BLOCK;
}

static uint64_t alloc(struct era_image *i)
{
	assert(i->used < EI_BLOCKS);
	memset(at(i, i->used), 0, EI_BLOCK);
	return i->used++;
}

/* Array blocks, which have their number elsewhere, are known by max_entries, where nodes have
 * their kind: 1 or 2. */
uint32_t ei_kind(const struct era_image *i, uint64_t where)
{
	if (where == 0 || where == i->held)
		return EI_SUPER;
	return tn_get32(i->blocks + where * EI_BLOCK + 4) > 2 ? EI_ARRAY : EI_NODE;
}

void ei_seal(uint8_t *block, uint64_t where, uint32_t kind)
{
	tn_put64(block + (kind == EI_ARRAY ? 16 : 8), where);
	tn_put32(block, tn_crc32c(block + 4, EI_BLOCK - 4) ^ kind);
}

struct era_image *ei_new(uint32_t nr, unsigned per_node)
{
	struct era_image *i = calloc(1, sizeof(*i));

	i->blocks = calloc(EI_BLOCKS, EI_BLOCK);
	i->last = calloc(nr, sizeof(*i->last));
	i->nr = nr;
	i->block_sectors = 128;
	i->per_node = per_node;
	i->era = 1;
	return i;
}

void ei_free(struct era_image *i)
{
	for (unsigned k = 0; k < i->writesets; k++)
		free(i->writeset[k].bit);
	free(i->current.bit);
	free(i->last);
	free(i->blocks);
	free(i);
}

static uint8_t *make(struct ei_writeset *w, uint32_t era, uint32_t bits)
{
	*w = (struct ei_writeset){era, bits, calloc(bits + 1, 1)};
	return w->bit;
}

uint8_t *ei_writeset(struct era_image *i, uint32_t era, uint32_t bits)
{
	assert(i->writesets < EI_WRITESET);
	i->era = era + 1;
	return make(&i->writeset[i->writesets++], era, bits);
}

uint8_t *ei_current(struct era_image *i)
{
	return make(&i->current, i->era, i->nr);
}

/* Nodes of one level above n entries {key, value of size bytes}; until one is left. */
static uint64_t tree(struct era_image *i, const uint64_t *keys, const uint8_t *values, unsigned n,
		     unsigned size, bool leaf)
{
	unsigned nodes = n ? (n + i->per_node - 1) / i->per_node : 1, max = 252;
	uint64_t *up = calloc(nodes, 8), *child = calloc(nodes, 8), root;

	while (32 + (8 + size) * max > EI_BLOCK)
		max -= 3;
	for (unsigned k = 0; k < nodes; k++) {
		unsigned first = k * i->per_node, left = n - first;
		unsigned count = left < i->per_node ? left : i->per_node;
		uint64_t b = alloc(i);
		uint8_t *p = at(i, b);

		tn_put32(p + 4, leaf ? LEAF : INTERNAL);
		tn_put32(p + 16, count);
		tn_put32(p + 20, max);
		tn_put32(p + 24, size);
		memcpy(p + 32, keys + first, 8 * count);
		memcpy(p + 32 + 8 * max, values + size * first, size * count);
		ei_seal(p, b, EI_NODE);
		up[k] = count ? keys[first] : 0;
		child[k] = b;
	}
	root = nodes == 1 ? child[0] : tree(i, up, (uint8_t *)child, nodes, 8, false);
	free(up);
	free(child);
	return root;
}

static uint64_t array(struct era_image *i, const uint8_t *values, unsigned n, unsigned size)
{
	unsigned max = (EI_BLOCK - 24) / size, nb = (n + max - 1) / max;
	uint64_t *keys = calloc(nb + 1, 8), *child = calloc(nb + 1, 8), root;

	for (unsigned k = 0; k < nb; k++) {
		unsigned count = n - k * max < max ? n - k * max : max;
		uint64_t b = alloc(i);
		uint8_t *p = at(i, b);

		tn_put32(p + 4, max);
		tn_put32(p + 8, count);
		tn_put32(p + 12, size);
		memcpy(p + 24, values + (size_t)k * max * size, (size_t)count * size);
		ei_seal(p, b, EI_ARRAY);
		keys[k] = k;
		child[k] = b;
	}
	root = tree(i, keys, (uint8_t *)child, nb, 8, true);
	free(keys);
	free(child);
	return root;
}

static uint64_t bitset(struct era_image *i, const struct ei_writeset *w)
{
	unsigned words = (w->bits + 63) / 64;
	uint64_t *v = calloc(words + 1, 8), root;

	for (uint32_t b = 0; b < w->bits; b++)
		v[b / 64] |= (uint64_t) !!w->bit[b] << b % 64;
	root = array(i, (uint8_t *)v, words, 8);
	free(v);
	return root;
}

static void put_super(struct era_image *i, uint64_t where, uint64_t writesets, uint64_t eras)
{
	uint8_t *p = at(i, where);

	memset(p, 0, EI_BLOCK);
	tn_put64(p + 32, 2126579579);
	tn_put32(p + 40, 1);
	tn_put64(p + 44, EI_BLOCKS);
	tn_put64(p + 52, i->used);
	tn_put32(p + 172, i->block_sectors);
	tn_put32(p + 176, 8);
	tn_put32(p + 180, i->nr);
	tn_put32(p + 184, i->era);
	tn_put64(p + 200, writesets);
	tn_put64(p + 208, eras);
}

static uint64_t writeset_tree(struct era_image *i)
{
	uint64_t keys[EI_WRITESET] = {0};
	uint8_t values[EI_WRITESET * 12] = {0};

	for (unsigned k = 0; k < i->writesets; k++) {
		keys[k] = i->writeset[k].era;
		tn_put32(values + 12 * k, i->writeset[k].bits);
		tn_put64(values + 12 * k + 4, bitset(i, &i->writeset[k]));
	}
	return tree(i, keys, values, i->writesets, 12, true);
}

void ei_build(struct era_image *i, bool held)
{
	uint64_t eras, writesets;

	i->used = 0;
	i->held = 0;
	alloc(i);
	eras = array(i, (uint8_t *)i->last, i->nr, 4);
	writesets = writeset_tree(i);
	put_super(i, 0, writesets, eras);
	if (i->current.bit) {
		tn_put32(at(i, 0) + 188, i->current.bits);
		tn_put64(at(i, 0) + 192, bitset(i, &i->current));
	}
	if (held) {
		i->held = alloc(i);
		put_super(i, i->held, writesets, eras);
		ei_seal(at(i, i->held), i->held, EI_SUPER);
		put_super(i, 0, EI_BLOCKS - 1, EI_BLOCKS - 1);
		tn_put64(at(i, 0) + 216, i->held);
	}
	ei_seal(at(i, 0), 0, EI_SUPER);
}

bool ei_written(const struct era_image *i, uint32_t since, uint32_t block, bool current)
{
	if (i->last[block] >= since)
		return true;
	for (unsigned k = 0; k < i->writesets; k++)
		if (i->writeset[k].era >= since && block < i->writeset[k].bits &&
		    i->writeset[k].bit[block])
			return true;
	return current && i->current.bit && i->current.bit[block];
}
