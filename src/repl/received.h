/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which segments of the open cut are durable at the destination: statedir/NAME/open/received.
 *
 *   file   = "SRRECV1\n", 16 bytes of the XXH3-128 of the manifest's frame, then records
 *   record = le32 n, le64 segment, n times { le16 volume, le64 offset, le64 length }, le64 XXH3-64
 *            of all before it in the record
 *
 * A record is appended only after the data of its segment is flushed, so a record that can be read
 * is true. A torn record at the end, and all behind a damaged one, is as if never received: its
 * segments are sent again. A file of another manifest counts as empty. */
#ifndef RECEIVED_H
#define RECEIVED_H

#include "bset.h"
#include "cleanup.h"
#include "err.h"

#define RECEIVED_DIGEST 16 /* bytes */

struct received;

struct received_extent {
	uint16_t volume;
	uint64_t offset, length; /* bytes */
};

/* The log of this manifest at path, or NULL without an error (e->code stays ERR_NONE) when there is
 * none. granule: bytes per block of the sets of touched blocks. */
struct received *received_open(const char *path, const uint8_t digest[static RECEIVED_DIGEST],
			       uint64_t granule, struct err *e);
/* Starts it anew, empty: the heads have just been brought back to the committed cut, so an older
 * log, also one of the same manifest, would tell lies. */
struct received *received_create(const char *path, const uint8_t digest[static RECEIVED_DIGEST],
				 uint64_t granule, struct err *e);
void received_free(struct received *r);
DEFINE_FREEP(received_free, struct received);

/* Appends a record to a batch in memory. */
void received_note(struct buf *batch, uint64_t segment, const struct received_extent *x,
		   unsigned n);
/* Appends the batch to the file, durably. One at a time. */
int received_write(struct received *r, const struct buf *batch, struct err *e);

const struct bset *received_segments(const struct received *r); /* durable ones */
/* Those of one volume; NULL: none. */
const struct bset *received_segments_of(const struct received *r, unsigned volume);
/* Blocks of granule bytes that the durable segments touch, partly or whole; NULL: none. */
const struct bset *received_touched(const struct received *r, unsigned volume);

#endif
