/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which blocks differ between two thin devices of one pool: a walk of both mapping trees at once
 * that skips every subtree whose metadata block is the same on both sides, since the same block is
 * the same subtree. The cost follows the differences, not the size of the devices. */
#ifndef THIN_DIFF_H
#define THIN_DIFF_H

#include "err.h"
#include "thin_meta.h"

enum thin_change {
	THIN_CHANGED,  /* mapped in to: to another data block than in from, or only there */
	THIN_UNMAPPED, /* mapped in from only: reads as zeros in to, unless there is an external
			  origin */
};

/* A maximal range in data blocks; first + count times the block size fits 64 bits. Non-zero ends
 * the walk and becomes its result. */
typedef int thin_diff_fn(void *arg, enum thin_change kind, uint64_t first, uint64_t count);

/* Calls fn in ascending order. Tentative until it returns: only a result >= 0 says that what fn was
 * told is true. Mappings beyond the end of a device that was shrunk are told as any other: clip.
 * from, to: found present in m by thin_meta_find(). The time a mapping was made counts for nothing,
 * only where it points. */
int thin_diff(struct thin_meta *m, const struct thin_dev *from, const struct thin_dev *to,
	      thin_diff_fn *fn, void *arg, struct err *e);

#endif
