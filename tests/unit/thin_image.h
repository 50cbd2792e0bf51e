/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A writer of thin pool metadata for tests, independent of the reader: copy-on-write btrees with
 * shared subtrees, reference counts and space maps, as the kernel leaves them (thin_check agrees).
 * All in memory until it is written out. */
#ifndef THIN_IMAGE_H
#define THIN_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define TI_BLOCK   4096
#define TI_DEVICES 64 /* ids 0 .. TI_DEVICES - 1 */
#define TI_BLOCKS  (1u << 19)
#define TI_DATA    (1u << 22)

struct ti_dev {
	bool present;
	uint64_t root, mapped;
	uint32_t creation, snapshotted;
};

struct thin_image {
	uint8_t *blocks;          /* TI_BLOCKS of address space, used ones backed */
	uint32_t *ref, *born;     /* per metadata block */
	uint32_t *data_ref;       /* per data block */
	uint64_t used, data_used; /* high-water marks */
	uint64_t *free, *freed;   /* reusable now; after the next commit */
	unsigned nfree, nfreed;
	uint32_t epoch, time;
	unsigned fanout; /* entries per mapping node, a multiple of 3 */
	bool ragged;     /* split anywhere, not in the middle */
	uint32_t chunk;  /* sectors */
	uint64_t held;
	struct ti_dev dev[TI_DEVICES];
};

struct thin_image *ti_new(unsigned fanout, uint32_t chunk_sectors);
void ti_free(struct thin_image *t);

void ti_create(struct thin_image *t, unsigned id);
void ti_snap(struct thin_image *t, unsigned id, unsigned origin);
void ti_delete(struct thin_image *t, unsigned id);
uint64_t ti_map(struct thin_image *t, unsigned id, uint64_t key); /* a new data block: its number */
void ti_unmap(struct thin_image *t, unsigned id, uint64_t key);   /* must be mapped */
/* Fills an empty device with keys 0 .. n-1, with as many entries per node. */
void ti_fill(struct thin_image *t, unsigned id, uint64_t n, unsigned per_node);
/* From here on nodes written so far are copied, not changed. */
void ti_commit(struct thin_image *t);
void ti_hold(struct thin_image *t); /* a metadata snapshot of now */

/* Writes the image out; the blocks of the file in bytes. t can go on changing afterwards. */
uint64_t ti_write(const struct thin_image *t, int fd);

/* Block number and checksum. */
enum { KIND_SUPER = 160774, KIND_NODE = 121107, KIND_BITMAP = 240779, KIND_INDEX = 160478 };
void ti_seal(uint8_t *block, uint64_t where, uint32_t kind);

#endif
