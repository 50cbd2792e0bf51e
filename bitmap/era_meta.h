/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reader of dm-era's metadata: in which era each block of a device was last written.
 *
 * The kernel collects the blocks written in the current era in a bitset (writeset). A suspend or
 * the next era archives it in a tree by era; a worker then digests the lowest era of that tree into
 * an array that has the last era of every block, and takes it out of the tree. So the blocks
 * written in or after era N are those of the writesets from N on and, if the lowest era of the tree
 * is above N or the tree is empty, those that the array has with N or more.
 *
 * While the device is in use only a metadata snapshot stays as it is (ERA_HELD). Blocks written in
 * the era that is current when that is taken are in it, because taking it begins a new one.
 *
 * Format: struct superblock_disk and struct writeset_disk in drivers/md/dm-era-target.c of Linux
 * 6.12. Offsets in era_meta.c. */
#ifndef ERA_META_H
#define ERA_META_H

#include <stdint.h>

#include "bset.h"
#include "cleanup.h"

#define ERA_BLOCK_UNIT    8                  /* sectors of 512 bytes; a block is a multiple of it */
#define ERA_BLOCK_SECTORS (1u << 21)         /* at most: 1 GiB */
#define ERA_BLOCKS_MAX    ((1ULL << 31) - 1) /* of the device */

enum era_view {
	ERA_LIVE, /* the last commit, of a device that is not in use, or of a copy */
	ERA_HELD, /* the metadata snapshot that somebody has taken */
};

/* Superblock of the last commit, in both views. */
struct era_super {
	uint32_t era;                   /* the current one, or the last that was */
	uint32_t block_sectors;         /* of 512 bytes */
	uint32_t blocks;                /* of the device */
	uint64_t held_root;             /* block of the metadata snapshot; 0: none */
	uint64_t meta_used, meta_total; /* blocks of 4096 bytes */
};

struct era_meta; /* one thread at a time */

/* path: the metadata device, or a copy of it in a file. NULL with e filled. */
struct era_meta *era_meta_open(const char *path, enum era_view view, struct err *e);
void era_meta_free(struct era_meta *m);
DEFINE_FREEP(era_meta_free, struct era_meta);

/* Reads block 0 anew: one read, also while the device is in use or suspended. */
int era_meta_super(struct era_meta *m, struct era_super *out, struct err *e);

/* Adds to set every block written in or after era since. ERR_BUSY: the metadata snapshot is not
 * the one it was (ERA_LIVE: something was committed), and nothing was added. */
int era_meta_written(struct era_meta *m, uint32_t since, struct bset *set, struct err *e);

#endif
