/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frames of a cut that waits to be written in place: one sparse file, or a log volume
 * (spool_log.h), which differs by its head only.
 *
 *   file = "SRSPOOL1", 16 bytes of the XXH3-128 of the manifest's frame, zeros up to SPOOL_HEAD;
 *          the frame of segment N, as it came, at SPOOL_HEAD + N * SPOOL_SLOT
 *
 * The place follows from the number, so there is no index; a hole takes no space. A frame counts
 * only if the list of received segments (received.h) names it, which is written after the frame was
 * flushed, and it carries its own checksum, so that what is torn or stale never passes for one. A
 * file of another manifest counts as none. */
#ifndef SPOOL_H
#define SPOOL_H

#include "segment.h"

#define SPOOL_HEAD 4096
#define SPOOL_SLOT ((SEGMENT_MAX + 4095u) / 4096 * 4096)

#define SPOOL_MAGIC     "SRSPOOL1"
#define SPOOL_ELSEWHERE "make space there, or choose another place with srsync --spool WHERE serve"

struct spool;

/* The spool of this manifest, or NULL without an error (e->code stays ERR_NONE): there is none. */
struct spool *spool_open(const char *path, const uint8_t digest[static MANIFEST_DIGEST],
			 struct err *e);
/* Anew and empty. */
struct spool *spool_create(const char *path, const uint8_t digest[static MANIFEST_DIGEST],
			   struct err *e);
/* Of an open file or device; fd is its own from now on. name: for people. */
struct spool *spool_of(int fd, const char *name);
int spool_fd(const struct spool *s);
const char *spool_name(const struct spool *s);
void spool_free(struct spool *s);
DEFINE_FREEP(spool_free, struct spool);

/* A checked frame. From any thread; durable after spool_flush(). Never one that is durable already:
 * halfway it would be neither. */
int spool_put(struct spool *s, uint64_t number, const void *frame, size_t len, struct err *e);
int spool_flush(struct spool *s, struct err *e);
/* The frame of a segment into out, checked in no way but its size. */
int spool_get(struct spool *s, uint64_t number, struct buf *out, struct err *e);

uint64_t spool_used(const struct spool *s); /* bytes of space that the file takes */
/* Is there room for so many bytes more in the folder of path? ERR_FAILED with the numbers. */
int spool_room(const char *path, uint64_t bytes, struct err *e);

#endif
