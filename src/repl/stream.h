/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole cut on a pipe or in a file, srsync-stream(5):
 *
 *   header = "srsync\r\n", le32 format, le32 0     (the line end shows damage by text mode)
 *   stream = header, manifest, segments in ascending order, end
 *   end    = "SREN", le32 0, le64 segments, 16 bytes XXH3-128 of these, seeded by the manifest
 *
 * Streams may follow one another. */
#ifndef STREAM_H
#define STREAM_H

#include "segment.h"

#define STREAM_FORMAT 1
#define STREAM_HEADER 16 /* bytes */
#define STREAM_END    32 /* bytes; as many as a segment's head */

int stream_write_begin(int fd, const struct manifest *m, struct err *e);
int stream_write_segment(int fd, const struct buf *frame, struct err *e);
/* segments: how many were written; fewer than the manifest's when the receiver has the others. */
int stream_write_end(int fd, const struct manifest *m, uint64_t segments, struct err *e);

struct stream {
	int fd;              /* the caller's */
	struct manifest *m;  /* after stream_read_begin() */
	struct buf manifest; /* its frame */
	struct buf frame;    /* the segment last read */
	uint64_t next;       /* least number of the next segment */
	uint64_t count;      /* segments read so far */
};

#define STREAM_INIT(fd_)                                                                           \
	{                                                                                          \
		.fd = (fd_)                                                                        \
	}

void stream_free(struct stream *s); /* what it owns, not s itself */

/* 1: a stream begins here, its manifest is read; 0: the input is at its end; -1: e is filled. */
int stream_read_begin(struct stream *s, struct err *e);
/* 1: the next segment, which the caller frees before reading on (its data is in s->frame);
 * 0: the end, and all segments of this stream were there; -1: torn or damaged. */
int stream_read_segment(struct stream *s, struct segment **out, struct err *e);

#endif
