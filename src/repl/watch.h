/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Watches a long job from a thread of its own: shows its progress, and sees to it that a signal or
 * the administrator's pause ends it in good order. */
#ifndef WATCH_H
#define WATCH_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "report.h"

struct watch {
	const struct host *host;
	const char *name; /* of the partnership, whose lock the caller holds */
	/* Called now and then from the thread; may be NULL. */
	void (*show)(void *arg, const struct progress *p);
	void *arg;
	struct progress p; /* phase and totals; the rate of an earlier part of the job may stay */
	const _Atomic uint64_t *bytes, *segments, *wire; /* the job's counters */
	const char *again; /* the command that goes on where it stopped, as "srsync sync" */

	/* The job ends soon, with an error, when this is set. */
	atomic_bool cancel;
	atomic_bool paused;
	sem_t finished;
	pthread_t thread;
};

int watch_start(struct watch *w, struct err *e);
void watch_stop(struct watch *w);
/* Why the job that failed was cancelled, if it was: replaces e. Returns -1. */
int watch_explain(const struct watch *w, struct err *e);

#endif
