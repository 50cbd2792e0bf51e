/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of the pipeline. Only pipeline*.c include this.
 *
 * Invariants:
 * 1. Each slot is in one queue or in the hands of one thread.
 * 2. Slots go through planned and ready in the plan's order. So the one whose turn it is, is never
 *    stuck behind workers that wait for their turn.
 * 3. After stop nothing is taken from a queue any more. */
#ifndef PIPELINE_RUN_H
#define PIPELINE_RUN_H

#include <pthread.h>

#include "aio.h"
#include "pipeline.h"

#define PIPELINE_SLOTS_MAX (2 * PIPELINE_WORKERS_MAX)

struct slot {
	struct segment plan;
	uint64_t turn;    /* of this run: 0, 1, 2 ... */
	uint8_t *data;    /* SEGMENT_DATA_MAX bytes, with room around as segment_pack() wants */
	unsigned pending; /* reads in flight */
	bool issued;      /* all reads are queued */
};

struct queue {
	struct slot *slot[PIPELINE_SLOTS_MAX];
	unsigned first, n;
	bool closed;
	pthread_cond_t changed;
};

struct run {
	const struct pipeline *p;
	struct pipeline_progress *g;
	int fd[MANIFEST_VOLUMES_MAX]; /* to read the cuts */

	pthread_mutex_t mutex; /* of what follows */
	struct queue free, planned, ready;
	bool stop; /* after an error, which is err */
	struct err err;
	uint64_t turn; /* with in_order: whose put() may run */
	pthread_cond_t turned;
	unsigned running; /* threads */
	pthread_cond_t ended;
};

/* The next slot; NULL when the queue is closed and empty, or at a stop. wait false: NULL also when
 * there is none yet. */
struct slot *pipeline_get(struct run *r, struct queue *q, bool wait);
void pipeline_put(struct run *r, struct queue *q, struct slot *s);
void pipeline_close(struct run *r, struct queue *q);
void pipeline_fail(struct run *r, const struct err *e); /* the first error wins and stops all */

/* The reader: from planned to ready, which it closes. */
void pipeline_read(struct run *r);

#endif
