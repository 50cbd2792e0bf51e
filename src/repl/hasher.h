/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hashes of a cut of a volume, slice by slice. Holes are not read. About 4 MiB of memory per call
 * and the slice itself; calls on several threads at once make several slices. */
#ifndef HASHER_H
#define HASHER_H

#include <pthread.h>
#include <stdatomic.h>

#include "err.h"
#include "hashtree.h"
#include "volume.h"

struct hasher {
	struct volume *v;
	const char *token;         /* of the cut */
	const struct hashtree *t;  /* covers no more than the cut has */
	pthread_mutex_t *mutex;    /* of v: shared by all that use it */
	const atomic_bool *cancel; /* set by anybody: end soon, with an error; may be NULL */
	uint64_t rate;             /* bytes per second at most, of this call; 0: no limit */
};

/* Fills *out and adds the bytes read to *bytes. Fails when the cut is not held, or its map leaves
 * out a part of the slice: what nobody answers for is never hashed as zeros (rule 2). */
int hasher_slice(const struct hasher *h, uint64_t slice, struct hashslice *out,
		 _Atomic uint64_t *bytes, struct err *e);

#endif
