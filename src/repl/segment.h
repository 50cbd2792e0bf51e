/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A segment: a bounded slice of a cut's changed extents in ascending order. Its frame, drawn in
 * srsync-stream(5), little-endian:
 *
 *    0  4 bytes  "SRSG"            20  le32  raw bytes of data
 *    4  le32     extents           24  le32  stored bytes of data
 *    8  le64     number            28  le32  0
 *   16  le16     volume            32  extents times { le64 offset, le64 length, le32 kind }
 *   18  u8       compression           stored data
 *   19  u8       0                     16 bytes XXH3-128 of all before, seeded by the manifest
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "manifest.h"

#define SEGMENT_DATA_MAX    (4u << 20) /* bytes, raw: hides latency, loses little at a resume */
#define SEGMENT_EXTENTS_MAX 4096       /* every page of the data apart, and as many without data */
#define SEGMENT_ALIGN       4096       /* extents begin and end there, or at the volume's end */
#define SEGMENT_HEAD        32         /* bytes */
#define SEGMENT_EXTENT      20         /* bytes */
#define SEGMENT_SUM         16         /* bytes */
#define SEGMENT_HEAD_MAX    (SEGMENT_HEAD + SEGMENT_EXTENTS_MAX * SEGMENT_EXTENT)
#define SEGMENT_MAX         (SEGMENT_HEAD_MAX + SEGMENT_DATA_MAX + SEGMENT_SUM)

enum segment_kind {
	SEGMENT_DATA = 0,
	SEGMENT_ZERO = 1,    /* zeros that take space at the source */
	SEGMENT_DISCARD = 2, /* a hole at the source: reads as zeros, and should hold no space */
};

enum segment_pack { SEGMENT_RAW = 0, SEGMENT_ZSTD = 1 };

struct segment_extent {
	uint64_t offset, length; /* bytes */
	enum segment_kind kind;
};

struct segment {
	uint64_t number; /* of the cut, from 0 on */
	uint16_t volume; /* index into the manifest's */
	enum segment_pack pack;
	uint32_t raw_len, stored_len; /* bytes of data */
	const uint8_t *stored;        /* in the frame, which must live as long */
	unsigned extents;
	struct segment_extent extent[SEGMENT_EXTENTS_MAX];
};

void segment_free(struct segment *s);
DEFINE_FREEP(segment_free, struct segment);

/* Appends the head and the table of extents: SEGMENT_HEAD + extents * SEGMENT_EXTENT bytes. */
void segment_put_head(const struct segment *s, struct buf *out);
/* Writes the checksum of a frame of len bytes into its last SEGMENT_SUM bytes. */
void segment_seal(uint8_t *frame, size_t len, uint64_t seed);

/* Whole bytes of the frame that begins with these SEGMENT_HEAD bytes; 0: no segment's frame. */
size_t segment_frame_size(const uint8_t head[static SEGMENT_HEAD]);
/* Where in it the data begins; 0: n bytes do not tell. */
size_t segment_data_at(const uint8_t *frame, size_t n);
/* Exactly one frame, of outside data. Everything is checked against the manifest, the checksum
 * included; only the data is still packed. The caller owns the result. */
struct segment *segment_decode(const void *frame, size_t len, const struct manifest *m,
			       struct err *e);

uint64_t segment_data_bytes(const struct segment *s); /* of the extents of kind data */

#endif
