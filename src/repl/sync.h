/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One sync: a cut, logged, shipped and committed by the peer. */
#ifndef SYNC_H
#define SYNC_H

#include "host.h"
#include "report.h"

struct sync_options {
	bool resume_only;   /* ship the pending cut, take no new one if it can be resumed */
	bool full;          /* ship everything, whatever the log says */
	unsigned wait_ms;   /* for another process that works on the partnership */
	bool rewind_target; /* throw away what somebody else wrote to the target */
	/* Called now and then from another thread; may be NULL. */
	void (*progress)(void *arg, const struct progress *p);
	void *arg;
};

struct sync_result {
	struct report_cut cut; /* the cut committed last; .seq 0: none */
	int64_t newest_cut_ms; /* instant of the newest logged cut, 0: none */
	bool pending;          /* the newest logged cut is not committed */
	bool partial;          /* the peer holds segments of it */
	bool space_low;        /* the source's pool is short of space */
};

/* 0 only when the peer has committed a cut taken after the call (with resume_only: the pending
 * one). On failure *out still says what is pending. The report of the partnership is updated either
 * way. */
int sync_once(const struct host *h, const char *name, const struct sync_options *o,
	      struct sync_result *out, struct err *e);

/* The same into a stream on fd (srsync-stream(5)), for a host that the network does not reach.
 * report: what srsync receive printed there after the last stream, or NULL; it confirms commits and
 * lets an interrupted cut go on. Without it the last thing known of the peer counts. out->cut tells
 * what was written; it stays pending until a report, or the peer itself, says it is committed. */
int sync_to_stream(const struct host *h, const char *name, const char *report,
		   const struct sync_options *o, int fd, struct sync_result *out, struct err *e);

#endif
