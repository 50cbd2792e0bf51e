/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From data that was read to a frame, and back: zero detection, compression. */
#ifndef SEGMENT_PACK_H
#define SEGMENT_PACK_H

#include "segment.h"

#define SEGMENT_PACK_SLOW 3 /* the level where handing over takes much longer */

/* Reused for segment after segment by one thread. */
struct segment_packer;

/* level: of zstd, SEGMENT_PACK_SLOW at most; 0: store as it is. */
struct segment_packer *segment_packer_new(int level);
void segment_packer_free(struct segment_packer *k);
DEFINE_FREEP(segment_packer_free, struct segment_packer);

/* Makes the frame of a planned segment whose raw_len bytes of data stand at data. Zero pages become
 * extents of kind zero and are squeezed out of data; SEGMENT_HEAD_MAX bytes before data and
 * SEGMENT_SUM behind it are written too, so that data which does not compress is never copied.
 * The planned segment has at most PLAN_EXTENTS_MAX extents. frame becomes a view of the packer's
 * memory or of data's, good until the next call; it is not to be freed.
 * Bytes of zeros that were found. */
uint64_t segment_pack(struct segment_packer *k, const struct segment *planned, uint8_t *data,
		      uint64_t seed, struct buf *frame);

/* How long it took to hand bytes over to the peer. From then on only what compresses in less time
 * than it saves is compressed; where handing over is slow by far, harder than level says. */
void segment_packer_handed_over(struct segment_packer *k, uint64_t us, size_t bytes);

struct segment_unpacker;

struct segment_unpacker *segment_unpacker_new(void);
void segment_unpacker_free(struct segment_unpacker *u);
DEFINE_FREEP(segment_unpacker_free, struct segment_unpacker);

/* Writes the segment's raw_len bytes to out, never more. */
int segment_unpack(struct segment_unpacker *u, const struct segment *s, uint8_t *out,
		   struct err *e);

#endif
