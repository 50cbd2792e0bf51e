/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The source's data path. A cut's plan becomes frames, with the disk, the processors and the peer
 * all busy at once:
 *
 *   planner --plans--> reader (O_DIRECT, several in flight) --data--> workers: zeros, compression,
 *      ^                                                      checksum, and the sink's put()
 *      +------------------------- free buffers <--------------------------+
 *
 * A fixed pool of buffers goes round, so memory does not depend on the volume's size: 9 MiB per
 * worker and 5 more, 41 MiB with the default of 4. */
#ifndef PIPELINE_H
#define PIPELINE_H

#include <stdatomic.h>

#include "bset.h"
#include "manifest.h"
#include "plan.h"

#define PIPELINE_WORKERS     4 /* also the segments in flight to the peer */
#define PIPELINE_WORKERS_MAX 16
#define PIPELINE_LEVEL       1 /* of zstd, where it pays */

struct pipeline_sink {
	/* Takes one frame; segment is only good during the call. Called by every worker, several at
	 * once, in about ascending order; with in_order by one at a time, in exactly that order. */
	int (*put)(void *arg, unsigned worker, uint64_t number, const struct buf *segment,
		   struct err *e);
	void *arg;
	bool in_order;
};

/* What has been done so far; may be read at any time. Bytes. */
struct pipeline_progress {
	_Atomic uint64_t segments;   /* put, or skipped since the peer has them */
	_Atomic uint64_t data_bytes; /* of what the manifest plans: put or skipped */
	_Atomic uint64_t read_bytes, zero_bytes, sent_bytes;
	_Atomic uint64_t cpu_us; /* of all threads; complete at the end */
};

struct pipeline {
	const struct manifest *m; /* its segments and data_bytes are those of plan_count() */
	const struct plan_volume *volume; /* one per volume of the manifest, in order */
	const struct bset *done; /* segments that the peer has: neither read nor put; may be NULL */
	unsigned workers;        /* 1..PIPELINE_WORKERS_MAX */
	int level;               /* of zstd; 0: none */
	struct pipeline_sink sink;
	const atomic_bool *cancel; /* set by anybody: end soon, with an error; may be NULL */
};

/* Returns when every segment is put, or after the first error, when all is quiet again. */
int pipeline_run(const struct pipeline *p, struct pipeline_progress *g, struct err *e);

#endif
