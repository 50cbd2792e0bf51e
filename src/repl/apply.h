/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes segments to a volume. Everything about a segment is checked before its first write; what
 * was written is durable after the caller's fdatasync(), which it shares between segments. */
#ifndef APPLY_H
#define APPLY_H

#include "segment.h"

/* Zeros up to this many bytes are written, in flight with the data; the kernel clears more by
 * itself, at the price of a system call each. */
#define APPLY_ZEROS_MAX (256u << 10)
/* Where a file is made sparse: whole units of this many bytes, or the file would go to pieces. */
#define APPLY_FILE_UNIT (64u << 10)
/* Less than this of a file is written through the page cache. */
#define APPLY_FILE_SMALL (64u << 10)

struct apply_target {
	int fd;         /* open for writing, O_DIRECT or not; the caller's */
	uint64_t size;  /* bytes; nothing is ever written beyond */
	uint32_t align; /* bytes: what O_DIRECT takes at the volume's end */
	bool block_device;
	/* Discarding whole aligned units of this many bytes provably makes them read as zeros
	 * (chunks of a thin LV). 0: not so, zeros are written. */
	uint64_t unit;
};

/* size: of the cut; unit: as above, of a block device (a file has holes anyway). Fails if the
 * target is smaller. */
int apply_target_init(struct apply_target *t, int fd, uint64_t size, uint64_t unit, struct err *e);

/* What was issued so far. */
struct apply_counts {
	uint64_t writes, write_bytes;     /* of data */
	uint64_t zeroings, zero_bytes;    /* zeros written, by us or by the kernel */
	uint64_t discards, discard_bytes; /* whole units given back */
};

/* Buffers and rings for so many threads that apply at once; one more waits its turn. About 5 MiB
 * each, when first needed. */
struct apply;

struct apply *apply_new(unsigned threads);
void apply_free(struct apply *a); /* nobody is applying; NULL is fine */
DEFINE_FREEP(apply_free, struct apply);

/* s as segment_decode() gave it. From any thread; segments of one cut may overlap in time. After a
 * failure the extents of this segment hold anything, all else what it held. */
int apply_segment(struct apply *a, const struct segment *s, const struct apply_target *t,
		  struct err *e);
void apply_counts(struct apply *a, struct apply_counts *out);

#endif
