/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the bytes of a file lie, as FS_IOC_FIEMAP tells (format: linux/fiemap.h), and what of two
 * clones may differ. Knows descriptors, not volumes.
 *
 * Two clones share what neither of them, nor the file they were cloned from, has written since: it
 * lies at one place, and a file system with clones never writes to a shared place. So equal place
 * proves equal bytes, for as long as both clones exist and nobody writes to them. All else counts
 * as different: a superset. No memory is allocated after fiemap_open(). */
#ifndef FIEMAP_H
#define FIEMAP_H

#include <linux/fiemap.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define FIEMAP_BATCH 256 /* extents asked for in one call */

enum fiemap_kind {
	FIEMAP_HOLE,      /* reads as zeros; what lies between two runs */
	FIEMAP_UNWRITTEN, /* space without bytes: reads as zeros */
	FIEMAP_DATA,      /* bytes at a known place */
	FIEMAP_LOOSE, /* bytes, and no place that says which: compressed, inline, not yet placed */
};

struct fiemap_run {
	enum fiemap_kind kind;
	uint64_t offset, length; /* bytes, in the file */
	uint64_t place; /* of FIEMAP_DATA and FIEMAP_UNWRITTEN: bytes, in the file system */
};

/* Fills m->fm_extents (room for m->fm_extent_count) and fm_mapped_extents with the extents that end
 * beyond m->fm_start, in ascending order; none: the end. -1 with errno. */
typedef int fiemap_fetch_fn(void *arg, struct fiemap *m);

/* The runs of one file, in ascending order, without overlap, below size. */
struct fiemap_reader;

/* By ioctl; fd stays the caller's, and what is not written yet is flushed first. */
struct fiemap_reader *fiemap_open(int fd);
/* For tests: extents from elsewhere. */
struct fiemap_reader *fiemap_open_fetch(fiemap_fetch_fn *fetch, void *arg);
void fiemap_close(struct fiemap_reader *r); /* NULL is fine */

static inline void fiemap_closep(struct fiemap_reader **r)
{
	fiemap_close(*r);
}

/* Goes to offset; what lies at or beyond size is not told any more. Back, or to where it is: asks
 * the file system anew. */
void fiemap_seek(struct fiemap_reader *r, uint64_t offset, uint64_t size);
/* The next run, cut off at the offset sought and at size. 1, or 0 at the end; -1 if the answer of
 * the file system makes no sense. */
int fiemap_next(struct fiemap_reader *r, struct fiemap_run *out, struct err *e);

/* A range that may differ; kind: what it is in b, FIEMAP_LOOSE if that was not looked up. Non-zero
 * ends the walk and becomes its result. */
typedef int fiemap_differ_fn(void *arg, enum fiemap_kind kind, uint64_t offset, uint64_t length);

/* Calls fn in ascending order for all of the two clones that may differ. What one of them has
 * beyond the other's size differs. */
int fiemap_compare(struct fiemap_reader *a, uint64_t size_a, struct fiemap_reader *b,
		   uint64_t size_b, fiemap_differ_fn *fn, void *arg, struct err *e);

#endif
