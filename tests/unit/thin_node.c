/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <string.h>

#include "thin_node.h"

void tn_put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

void tn_put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

uint32_t tn_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

uint64_t tn_get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* CRC32C without inversion at the end, by a table: the reader uses a library. */
uint32_t tn_crc32c(const uint8_t *p, size_t n)
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
	tn_put64(block + 8, where);
	tn_put32(block, tn_crc32c(block + 4, TI_BLOCK - 4) ^ kind);
}

uint8_t *tn_at(const struct thin_image *t, uint64_t b)
{
	return t->blocks + b * TI_BLOCK;
}

unsigned tn_nr_of(const uint8_t *n)
{
	return tn_get32(n + 16);
}

unsigned tn_max_of(const uint8_t *n)
{
	return tn_get32(n + 20);
}

unsigned tn_size_of(const uint8_t *n)
{
	return tn_get32(n + 24);
}

bool tn_is_leaf(const uint8_t *n)
{
	return tn_get32(n + 4) == LEAF;
}

uint8_t *tn_key_at(uint8_t *n, unsigned i)
{
	return n + HEADER + 8 * i;
}

uint8_t *tn_value_at(uint8_t *n, unsigned i)
{
	return n + HEADER + 8 * tn_max_of(n) + tn_size_of(n) * i;
}

uint64_t tn_key_of(uint8_t *n, unsigned i)
{
	return tn_get64(tn_key_at(n, i));
}

uint64_t tn_child_of(uint8_t *n, unsigned i)
{
	return tn_get64(tn_value_at(n, i));
}

uint64_t tn_alloc_block(struct thin_image *t)
{
	uint64_t b = t->nfree ? t->free[--t->nfree] : t->used++;

	assert(b < TI_BLOCKS);
	memset(tn_at(t, b), 0, TI_BLOCK);
	t->ref[b] = 1;
	t->born[b] = t->epoch;
	return b;
}

uint64_t tn_new_node(struct thin_image *t, unsigned kind, unsigned max, unsigned size)
{
	uint64_t b = tn_alloc_block(t);

	tn_put32(tn_at(t, b) + 4, kind);
	tn_put32(tn_at(t, b) + 20, max);
	tn_put32(tn_at(t, b) + 24, size);
	return b;
}

static void inc_children(struct thin_image *t, uint8_t *n)
{
	for (unsigned i = 0; i < tn_nr_of(n); i++) {
		if (tn_is_leaf(n))
			t->data_ref[tn_child_of(n, i) >> 24]++;
		else
			t->ref[tn_child_of(n, i)]++;
	}
}

void tn_drop(struct thin_image *t, uint64_t b)
{
	uint8_t *n = tn_at(t, b);

	if (--t->ref[b])
		return;
	for (unsigned i = 0; i < tn_nr_of(n); i++) {
		if (tn_is_leaf(n))
			t->data_ref[tn_child_of(n, i) >> 24]--;
		else
			tn_drop(t, tn_child_of(n, i));
	}
	t->freed[t->nfreed++] = b;
}

/* The block to write to in place of b: a copy, unless b is ours alone since the last commit. */
uint64_t tn_shadow(struct thin_image *t, uint64_t b)
{
	uint64_t copy;

	if (t->ref[b] == 1 && t->born[b] == t->epoch)
		return b;
	copy = tn_alloc_block(t);
	memcpy(tn_at(t, copy), tn_at(t, b), TI_BLOCK);
	inc_children(t, tn_at(t, b));
	tn_drop(t, b);
	return copy;
}

void tn_insert_entry(uint8_t *n, unsigned i, uint64_t key, uint64_t value)
{
	unsigned nr = tn_nr_of(n);

	memmove(tn_key_at(n, i + 1), tn_key_at(n, i), 8 * (nr - i));
	memmove(tn_value_at(n, i + 1), tn_value_at(n, i), 8 * (nr - i));
	tn_put64(tn_key_at(n, i), key);
	tn_put64(tn_value_at(n, i), value);
	tn_put32(n + 16, nr + 1);
}

void tn_remove_entry(uint8_t *n, unsigned i)
{
	unsigned nr = tn_nr_of(n);

	memmove(tn_key_at(n, i), tn_key_at(n, i + 1), 8 * (nr - i - 1));
	memmove(tn_value_at(n, i), tn_value_at(n, i + 1), 8 * (nr - i - 1));
	tn_put32(n + 16, nr - 1);
}

/* Moves entries between neighbours until the left one has want of them. */
void tn_level_out(uint8_t *l, uint8_t *r, unsigned want)
{
	while (tn_nr_of(l) < want) {
		tn_insert_entry(l, tn_nr_of(l), tn_key_of(r, 0), tn_child_of(r, 0));
		tn_remove_entry(r, 0);
	}
	while (tn_nr_of(l) > want) {
		tn_insert_entry(r, 0, tn_key_of(l, tn_nr_of(l) - 1),
				tn_child_of(l, tn_nr_of(l) - 1));
		tn_remove_entry(l, tn_nr_of(l) - 1);
	}
}

/* Entries of n with a key not above key. */
unsigned tn_count_upto(uint8_t *n, uint64_t key)
{
	unsigned lo = 0, hi = tn_nr_of(n);

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (tn_key_of(n, mid) <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
