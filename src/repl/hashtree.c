/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <string.h>
#include <xxhash.h>

#include "hashtree.h"

static const uint8_t zeros[HASHTREE_LEAF];

uint64_t hashtree_per_slice(unsigned level)
{
	assert(level < HASHTREE_LEVELS);
	return level == 0 ? HASHTREE_LEAVES : level == 1 ? HASHTREE_FAN : 1;
}

void hashtree_leaf(const struct hashtree *t, const void *data, size_t n,
		   uint8_t out[static HASHTREE_HASH])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits_withSeed(data, n, t->seed));
	memcpy(out, c.digest, HASHTREE_HASH);
}

/* Upper nodes are hashed like leaves, the hashes below being their data. */
static void join(const struct hashtree *t, uint8_t (*child)[HASHTREE_HASH], unsigned n,
		 uint8_t out[static HASHTREE_HASH])
{
	hashtree_leaf(t, child, (size_t)n * HASHTREE_HASH, out);
}

void hashtree_init(struct hashtree *t, uint64_t seed, uint64_t size)
{
	uint8_t child[HASHTREE_FAN][HASHTREE_HASH];

	memset(t, 0, sizeof(*t));
	t->seed = seed;
	t->size = size;
	hashtree_leaf(t, zeros, HASHTREE_LEAF, t->zero[0]);
	hashtree_leaf(t, zeros, size % HASHTREE_LEAF, t->zero_tail);
	for (unsigned level = 1; level < HASHTREE_LEVELS; level++) {
		for (unsigned i = 0; i < HASHTREE_FAN; i++)
			memcpy(child[i], t->zero[level - 1], HASHTREE_HASH);
		join(t, child, HASHTREE_FAN, t->zero[level]);
	}
}

static uint64_t whole_span(unsigned level)
{
	return HASHTREE_SLICE / hashtree_per_slice(level);
}

uint64_t hashtree_nodes(const struct hashtree *t, unsigned level)
{
	uint64_t span = whole_span(level);

	return t->size / span + (t->size % span != 0);
}

uint64_t hashtree_span(const struct hashtree *t, unsigned level, uint64_t node)
{
	uint64_t span = whole_span(level), left;

	assert(node < hashtree_nodes(t, level));
	left = t->size - node * span;
	return left < span ? left : span;
}

void hashslice_begin(struct hashslice *s, const struct hashtree *t, uint64_t number)
{
	uint64_t bytes = hashtree_span(t, 2, number);

	s->number = number;
	s->leaves = (bytes + HASHTREE_LEAF - 1) / HASHTREE_LEAF;
	s->nodes = (s->leaves + HASHTREE_FAN - 1) / HASHTREE_FAN;
	for (unsigned i = 0; i < s->leaves; i++)
		memcpy(s->leaf[i], t->zero[0], HASHTREE_HASH);
	if (bytes % HASHTREE_LEAF)
		memcpy(s->leaf[s->leaves - 1], t->zero_tail, HASHTREE_HASH);
}

void hashslice_end(struct hashslice *s, const struct hashtree *t)
{
	for (unsigned i = 0; i < s->nodes; i++) {
		unsigned first = i * HASHTREE_FAN, left = s->leaves - first;
		unsigned n = left < HASHTREE_FAN ? left : HASHTREE_FAN;

		join(t, &s->leaf[first], n, s->node[i]);
	}
	join(t, s->node, s->nodes, s->top);
}

const uint8_t *hashslice_hashes(const struct hashslice *s, unsigned level, uint64_t first,
				uint64_t count)
{
	const uint8_t(*h[HASHTREE_LEVELS])[HASHTREE_HASH] = {s->leaf, s->node, &s->top};
	const unsigned have[HASHTREE_LEVELS] = {s->leaves, s->nodes, 1};
	uint64_t base = s->number * hashtree_per_slice(level);

	if (first < base || first - base > have[level] || count > have[level] - (first - base))
		return NULL;
	return h[level][first - base];
}
