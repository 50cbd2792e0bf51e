/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arrays of the kernel's persistent-data library: a btree whose keys are 0, 1, 2 ... and whose
 * values are blocks of elements.
 *
 * A block:  csum u32 @0, max_entries u32 @4, nr_entries u32 @8, value_size u32 @12,
 *           its own block number u64 @16, then the elements, packed, from 24.
 * Element i is in block i / max, slot i % max; every block but the last is full. A bitset is an
 * array of u64: bit b is bit b % 64 of element b / 64.
 * All little-endian. Source: drivers/md/persistent-data/dm-array.c and dm-bitset.h of Linux 6.12.
 */
#ifndef PDARRAY_H
#define PDARRAY_H

#include "blockio.h"
#include "err.h"

#define PDARRAY_HEADER 24

/* Called with the elements first .. first + n - 1. -1 with e filled ends the walk. */
typedef int pdarray_fn(void *arg, uint64_t first, const uint8_t *values, unsigned n, struct err *e);

/* The first count elements in ascending order. An array that has fewer is an error. */
int pdarray_walk(struct blockio *io, uint64_t root, unsigned value_size, uint64_t count,
		 pdarray_fn *fn, void *arg, struct err *e);

#endif
