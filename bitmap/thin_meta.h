/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reader of a thin pool's metadata: the superblock and the devices in it.
 *
 * It reads what the kernel has committed, also while the pool is in use. A look at several blocks
 * is believed only if the superblock was the same before and after it. The trees of a device stay
 * where they are as long as nobody writes to that device or deletes it; so thin_diff() and
 * thin_map() may read them for as long as they need, and look up the devices again at their end.
 * The numbers of tree blocks freed by one commit come back with the one after the next, so that
 * this last look cannot prove anything about a device that is being written: such a device is to be
 * read through a metadata snapshot (THIN_HELD), which pins all trees.
 *
 * Format: struct thin_disk_superblock and disk_device_details in drivers/md/dm-thin-metadata.c of
 * Linux 6.12. Offsets in thin_meta.c. */
#ifndef THIN_META_H
#define THIN_META_H

#include <stdbool.h>
#include <stdint.h>

#include "blockio.h"
#include "err.h"

#define THIN_ID_MAX   ((1u << 24) - 1)
#define THIN_FIND_MAX 64 /* devices in one look */

enum thin_view {
	THIN_LIVE, /* the last commit */
	THIN_HELD, /* the metadata snapshot that somebody has reserved */
};

/* Superblock of the last commit, in both views. */
struct thin_super {
	uint32_t version;
	uint32_t time; /* snapshots taken in the pool's life; trouble begins at 2^24 */
	uint64_t transaction_id;
	uint64_t held_root; /* block of the metadata snapshot; 0: none */
	bool needs_check;
	uint32_t block_sectors;          /* data block (chunk), in units of 512 bytes */
	uint64_t data_blocks, data_used; /* data blocks */
	uint64_t meta_blocks, meta_used; /* metadata blocks of 4096 bytes */
};

struct thin_dev {
	uint32_t id; /* asked for */
	bool present;
	uint64_t root; /* block of its mapping tree */
	uint64_t mapped_blocks;
	uint64_t transaction_id; /* of the pool, when it was created */
	uint32_t creation_time;
	uint32_t snapshotted_time;
};

struct thin_stats {
	uint64_t blocks, bytes; /* read from the metadata device since it was opened */
};

struct thin_meta; /* one thread at a time */

/* path: the pool's metadata device, or a copy of it in a file. NULL with e filled. */
struct thin_meta *thin_meta_open(const char *path, enum thin_view view, struct err *e);
void thin_meta_free(struct thin_meta *m);
DEFINE_FREEP(thin_meta_free, struct thin_meta);

/* Reads the superblock anew: one block, to be called as often as one likes. */
int thin_meta_super(struct thin_meta *m, struct thin_super *out, struct err *e);

/* Looks up dev[i].id for all i in one metadata state and fills in the rest. A device that is not
 * there is no error: present is false. ERR_BUSY: the pool commits faster than we read. */
int thin_meta_find(struct thin_meta *m, struct thin_dev *dev, unsigned n, struct err *e);

/* The end of every walk: r is its result so far. r, if all devices are still what they were; else
 * -1 with ERR_BUSY, and what the walk gave is void. */
int thin_meta_confirm(struct thin_meta *m, const struct thin_dev *dev, unsigned n, int r,
		      struct err *e);

uint32_t thin_meta_block_size(const struct thin_meta *m); /* of data, bytes */
struct thin_stats thin_meta_stats(const struct thin_meta *m);
struct blockio *thin_meta_io(struct thin_meta *m); /* for the walks */

#endif
