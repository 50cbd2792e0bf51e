/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which blocks of a thin device are mapped. */
#ifndef THIN_MAP_H
#define THIN_MAP_H

#include "bset.h"
#include "err.h"
#include "thin_meta.h"

/* A maximal run of mapped blocks within the set. Non-zero ends the walk and becomes its result. */
typedef int thin_map_fn(void *arg, uint64_t first, uint64_t count);

/* Calls fn in ascending order with the blocks >= from that are mapped and in set (NULL: all). What
 * lies between reads as zeros, unless there is an external origin. Opens only nodes that the set
 * touches. Tentative until it returns, and clipped by nobody, as thin_diff(). */
int thin_map(struct thin_meta *m, const struct thin_dev *dev, const struct bset *set, uint64_t from,
	     thin_map_fn *fn, void *arg, struct err *e);

#endif
