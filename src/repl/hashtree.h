/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree of hashes over a volume, so that two hosts find what differs by few bytes on the wire.
 * Pure: no I/O. srsync-stream(5), Hashes, gives the definition in words and an example.
 *
 *   level 0: a leaf, the hash of 4 KiB      level 1: 1 MiB      level 2: 256 MiB, a slice
 *
 * A hash is XXH3-128 in its canonical (big-endian) form, seeded by 64 bits that every job draws
 * anew. A node of level 1 or 2 is the hash of the hashes of its up to 256 children, one behind the
 * other. The last leaf may be shorter; beyond the end is nothing. */
#ifndef HASHTREE_H
#define HASHTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

#define HASHTREE_HASH   16   /* bytes */
#define HASHTREE_LEAF   4096 /* bytes of the volume */
#define HASHTREE_FAN    256
#define HASHTREE_LEVELS 3
#define HASHTREE_LEAVES (HASHTREE_FAN * HASHTREE_FAN) /* of a slice */
#define HASHTREE_SLICE  ((uint64_t)HASHTREE_LEAF * HASHTREE_LEAVES)

struct hashtree {
	uint64_t seed;
	uint64_t size;                                /* bytes covered */
	uint8_t zero[HASHTREE_LEVELS][HASHTREE_HASH]; /* of a whole node of zeros */
	uint8_t zero_tail[HASHTREE_HASH]; /* of a last leaf of zeros, if it is shorter */
};

void hashtree_init(struct hashtree *t, uint64_t seed, uint64_t size);

/* Nodes of a level. */
uint64_t hashtree_nodes(const struct hashtree *t, unsigned level);
/* Bytes of the volume below one node: less at the end. */
uint64_t hashtree_span(const struct hashtree *t, unsigned level, uint64_t node);

void hashtree_leaf(const struct hashtree *t, const void *data, size_t n,
		   uint8_t out[static HASHTREE_HASH]);

/* A slice: all hashes of its three levels. */
struct hashslice {
	uint64_t number;
	unsigned leaves, nodes; /* of level 0 and 1; level 2 has one */
	uint8_t leaf[HASHTREE_LEAVES][HASHTREE_HASH];
	uint8_t node[HASHTREE_FAN][HASHTREE_HASH];
	uint8_t top[HASHTREE_HASH];
};

/* Makes it the slice of that number (which the tree has), all zeros: every leaf that is not set
 * afterwards is a hole. */
void hashslice_begin(struct hashslice *s, const struct hashtree *t, uint64_t number);
/* Computes the two upper levels from the leaves. */
void hashslice_end(struct hashslice *s, const struct hashtree *t);

/* count hashes from node first of the level on, or NULL: not all of them are in this slice. Node
 * numbers are those of the whole tree. */
const uint8_t *hashslice_hashes(const struct hashslice *s, unsigned level, uint64_t first,
				uint64_t count);

/* Nodes of one slice at this level: 65536, 256, 1. */
uint64_t hashtree_per_slice(unsigned level);

#endif
