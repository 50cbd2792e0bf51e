/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads of 4 KiB metadata blocks in batches, past the page cache: device-mapper writes metadata
 * straight to the device, so that cached pages of it may be stale for as long as it is in use. */
#ifndef BLOCKIO_H
#define BLOCKIO_H

#include <stdint.h>

#include "cleanup.h"
#include "err.h"

#define BLOCKIO_SIZE  4096 /* bytes per block: the size of all device-mapper metadata blocks */
#define BLOCKIO_BATCH 64   /* blocks per call at most: deep enough to keep an NVMe device busy */

struct blockio;

/* One block to read. data: BLOCKIO_SIZE bytes from blockio_alloc(). */
struct blockio_req {
	uint64_t block;
	uint8_t *data;
};

/* Opens a block device, or a regular file (without O_DIRECT only if its file system has none). */
struct blockio *blockio_open(const char *path, struct err *e);
void blockio_free(struct blockio *io);
DEFINE_FREEP(blockio_free, struct blockio);

/* Reads up to BLOCKIO_BATCH blocks at once; sorts req. A block beyond the end is an error. */
int blockio_read(struct blockio *io, struct blockio_req *req, unsigned n, struct err *e);
int blockio_read_one(struct blockio *io, uint64_t block, uint8_t *data, struct err *e);

uint64_t blockio_blocks(const struct blockio *io); /* size when last looked at */
uint64_t blockio_count(const struct blockio *io);  /* blocks read since it was opened */
const char *blockio_path(const struct blockio *io);

uint8_t *blockio_alloc(unsigned blocks); /* aligned for O_DIRECT; freed by free() */

#endif
