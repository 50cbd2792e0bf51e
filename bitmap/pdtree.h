/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks and btrees of the kernel's persistent-data library, which dm-thin and dm-era keep their
 * metadata in. Nothing read is believed before it is checked.
 *
 * A block:  csum u32 @0, ..., its own block number u64 @8, ...
 * A node:   csum u32 @0, flags u32 @4 (1 internal, 2 leaf), block u64 @8, nr_entries u32 @16,
 *           max_entries u32 @20, value_size u32 @24, pad @28, then max_entries keys (u64) and
 *           max_entries values. The key of a child is a lower bound of the keys in it.
 * All little-endian. Source: drivers/md/persistent-data/dm-btree-internal.h and
 * dm-block-manager.c of Linux 6.12. */
#ifndef PDTREE_H
#define PDTREE_H

#include <stdbool.h>
#include <stdint.h>

#include "blockio.h"
#include "buf.h"
#include "err.h"

/* What is XORed into the checksum tells the kinds of blocks apart. */
enum pd_kind {
	PD_THIN_SUPER = 160774,
	PD_ERA_SUPER = 146538381,
	PD_BTREE = 121107,
	PD_ARRAY = 595846735, /* of which the block number is elsewhere: pdarray.c */
};

#define PDNODE_HEADER 32
#define PDNODE_MAX    254 /* entries a node can have: (4096 - 32) / (8 + 8) */
#define PDTREE_DEPTH                                                                               \
	16 /* levels at most; the kernel's nodes are >= 84 full: 7 levels reach 2^44               \
	    */
#define PDTREE_KEY_END UINT64_MAX

uint32_t pd_checksum(const uint8_t block[static BLOCKIO_SIZE], enum pd_kind kind);
/* Checksum and block number of what was read at where. */
int pd_check(const uint8_t block[static BLOCKIO_SIZE], uint64_t where, enum pd_kind kind,
	     struct err *e);

struct pdnode {
	const uint8_t *data; /* borrowed */
	unsigned nr, max, value_size;
	bool leaf;
};

/* What the way to a node says about it. */
struct pdnode_want {
	uint64_t block;      /* where it was read */
	uint64_t first, end; /* its keys are within first <= key < end */
	unsigned value_size; /* bytes, in leaves */
	bool may_be_empty;   /* a root */
};

int pdnode_load(struct pdnode *n, const uint8_t data[static BLOCKIO_SIZE],
		const struct pdnode_want *want, struct err *e);

static inline uint64_t pdnode_key(const struct pdnode *n, unsigned i)
{
	return le64_at(n->data + PDNODE_HEADER + 8 * (size_t)i);
}

static inline const uint8_t *pdnode_value(const struct pdnode *n, unsigned i)
{
	return n->data + PDNODE_HEADER + 8 * (size_t)n->max + (size_t)n->value_size * i;
}

/* A child, or a value of 8 bytes. */
static inline uint64_t pdnode_u64(const struct pdnode *n, unsigned i)
{
	return le64_at(pdnode_value(n, i));
}

/* 1 and value_size bytes of value; 0 if the tree does not have the key; -1 with e. */
int pdtree_lookup(struct blockio *io, uint64_t root, uint64_t key, unsigned value_size,
		  uint8_t *value, struct err *e);

/* Every entry of a tree in ascending order of keys; value: value_size bytes, valid in the call
 * only. Non-zero from fn ends the walk and becomes its result; fn fills e if that is -1. */
typedef int pdtree_fn(void *arg, uint64_t key, const uint8_t *value, struct err *e);
int pdtree_walk(struct blockio *io, uint64_t root, unsigned value_size, pdtree_fn *fn, void *arg,
		struct err *e);

#endif
