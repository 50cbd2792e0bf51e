/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a cut consists of, told before its first segment: srsync-stream(5). */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "buf.h"
#include "err.h"
#include "fmt.h"
#include "volume.h"

#define MANIFEST_FORMAT       1
#define MANIFEST_JSON_MAX     (1u << 20) /* bytes */
#define MANIFEST_HEAD         8          /* bytes before the JSON: type, length */
#define MANIFEST_FRAME_MAX    (MANIFEST_HEAD + MANIFEST_JSON_MAX + MANIFEST_DIGEST)
#define MANIFEST_DIGEST       16 /* bytes */
#define MANIFEST_VOLUMES_MAX  64
#define MANIFEST_SEGMENTS_MAX (1ULL << 32) /* their numbers fit a set of received ones */

struct manifest_volume {
	char uuid[VOLUME_UUID_MAX];
	char name[VOLUME_NAME_MAX];   /* at the source */
	char target[VOLUME_NAME_MAX]; /* at the destination */
	uint64_t size;                /* bytes, of the cut */
	uint32_t block_size;          /* bytes */
	bool full;                    /* everything is shipped, not what changed since the base */
};

struct manifest {
	char partnership[FMT_ID_SIZE];
	char generation[FMT_ID_SIZE];
	uint64_t seq;                      /* from 1 on */
	char base_generation[FMT_ID_SIZE]; /* the base cut; empty and 0: none */
	uint64_t base_seq;
	int64_t time_ms; /* of the instant, wall clock of the source */
	uint64_t pause_us;
	uint64_t seed; /* of the checksums of the segments: 64 random bits per cut */
	uint64_t segments;
	uint64_t data_bytes; /* planned to be read and shipped, before zero detection */
	unsigned volumes;
	struct manifest_volume volume[MANIFEST_VOLUMES_MAX];
};

void manifest_free(struct manifest *m);
DEFINE_FREEP(manifest_free, struct manifest);

/* Appends the frame. Fails only on a name that is not UTF-8. The same manifest gives the same
 * bytes. */
int manifest_encode(const struct manifest *m, struct buf *out, struct err *e);
/* Exactly one frame, of outside data; the caller owns the result. */
struct manifest *manifest_decode(const void *frame, size_t len, struct err *e);
/* The JSON alone. */
struct manifest *manifest_parse(const void *json, size_t len, struct err *e);
/* Whole bytes of the frame that begins with these MANIFEST_HEAD bytes; 0: no manifest's frame. */
size_t manifest_frame_size(const uint8_t head[static MANIFEST_HEAD]);

/* Identifies the manifest by its frame: XXH3-128. */
void manifest_digest(const void *frame, size_t len, uint8_t digest[static MANIFEST_DIGEST]);

#endif
