/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A writer of era metadata for tests, independent of the reader, and the same seen as a model. */
#ifndef ERA_IMAGE_H
#define ERA_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define EI_BLOCK    4096
#define EI_BLOCKS   4096 /* metadata blocks at most */
#define EI_WRITESET 8    /* archived writesets at most */

struct ei_writeset {
	uint32_t era, bits;
	uint8_t *bit; /* a byte each, owned */
};

struct era_image {
	uint8_t *blocks; /* written here by ei_build() */
	uint64_t used, held;
	uint32_t nr, block_sectors, era;
	unsigned per_node; /* entries in a node of a tree */
	uint32_t *last;    /* the array: era per block */
	unsigned writesets;
	struct ei_writeset writeset[EI_WRITESET], current; /* current.bit NULL: none */
};

enum { EI_SUPER = 146538381, EI_ARRAY = 595846735, EI_NODE = 121107 };

struct era_image *ei_new(uint32_t nr, unsigned per_node);
void ei_free(struct era_image *i);
/* A writeset of this era; its bits are to be filled in. Ascending. */
uint8_t *ei_writeset(struct era_image *i, uint32_t era, uint32_t bits);
uint8_t *ei_current(struct era_image *i);
/* Lays it out anew. held: with a metadata snapshot of it, and a superblock whose own trees are
 * not to be followed. */
void ei_build(struct era_image *i, bool held);
/* Block number and checksum; the kind is found in the block's place. */
void ei_seal(uint8_t *block, uint64_t where, uint32_t kind);
uint32_t ei_kind(const struct era_image *i, uint64_t where);
/* What the kernel would call written in or after since. */
bool ei_written(const struct era_image *i, uint32_t since, uint32_t block, bool current);

#endif
