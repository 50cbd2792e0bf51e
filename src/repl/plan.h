/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which segments a cut has. The same cut and set always give the same segments, also after a
 * restart and however the volume's map happens to be split into calls: resume depends on it.
 *
 * Extents are widened to whole pages of SEGMENT_ALIGN bytes; a page that a hole covers in part only
 * is data. So the segments cover at least the set, and no two share a page. */
#ifndef PLAN_H
#define PLAN_H

#include "segment.h"
#include "volume.h"

/* Zero detection may split every page of a segment's data off; what it makes of a plan fits. */
#define PLAN_EXTENTS_MAX (SEGMENT_EXTENTS_MAX / 2)
/* Bytes without data in one segment: the destination may have to write them all as zeros, and its
 * answer must not keep the source waiting for long. */
#define PLAN_CLEAR_MAX (1ULL << 30)

struct plan_volume {
	struct volume *v;
	const char *token;      /* of the cut */
	const struct bset *set; /* blocks of block_size that are shipped; NULL: all */
	uint32_t block_size;    /* bytes per block of the set; any, whatever v->block_size is */
	uint64_t size;          /* bytes, of the cut: the manifest's */
};

/* Called for every segment in ascending order, with kinds data and discard only, raw_len set and
 * nothing stored. Non-zero ends the walk and becomes its result, with e filled. */
typedef int plan_fn(void *arg, const struct segment *s, struct err *e);

int plan_walk(const struct plan_volume *volume, unsigned volumes, plan_fn *fn, void *arg,
	      struct err *e);
/* A walk that only counts: what the manifest says. */
int plan_count(const struct plan_volume *volume, unsigned volumes, uint64_t *segments,
	       uint64_t *data_bytes, struct err *e);

#endif
