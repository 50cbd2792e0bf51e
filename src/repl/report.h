/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person wants to know later: statedir/NAME/report.json keeps the last cuts with their
 * figures and the newest error; statedir/NAME/progress.json is the job under way (not flushed: it
 * means nothing after a crash, which its pid shows). Nothing depends on either. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "fmt.h"
#include "host.h"

#define REPORT_CUTS_MAX 64

struct report_cut {
	uint64_t seq;
	int64_t time_ms;     /* of the instant */
	int64_t finished_ms; /* of the commit */
	uint64_t pause_us;
	uint64_t hooks_us; /* hooks.h; 0: there were none, or the cut is of an earlier attempt */
	uint64_t changed;  /* bytes of the changed-block set */
	uint64_t compared; /* bytes compared by hash to find it; 0: tracking told */
	uint64_t shipped;  /* bytes of data extents */
	uint64_t wire;     /* bytes of segments sent */
	uint64_t took_ms;  /* from the start of the cut to the commit */
	bool full;         /* everything was shipped, not a set of changes */
};

/* What srsync verify found last. */
struct report_verify {
	int64_t time_ms;         /* 0: never done */
	uint64_t first_seq, seq; /* the cuts it was proven on, in part each */
	uint64_t differs;        /* bytes of blocks that differed */
};

struct report {
	unsigned n;
	struct report_cut cut[REPORT_CUTS_MAX]; /* oldest first */
	int64_t error_ms;                       /* 0: the newest attempt did not fail */
	struct err error;
	unsigned failures; /* attempts in a row that failed */
	struct report_verify verify;
	char warning[256]; /* said by rule 2, until the next commit; or empty */
};

int report_load(const struct host *h, const char *name, struct report *r, struct err *e);
int report_add(const struct host *h, const char *name, const struct report_cut *c, struct err *e);
int report_failed(const struct host *h, const char *name, const struct err *why, struct err *e);
int report_warn(const struct host *h, const char *name, const char *text, struct err *e);
int report_verified(const struct host *h, const char *name, const struct report_verify *v,
		    struct err *e);

struct progress {
	char phase[24]; /* "cutting", "comparing", "shipping", "committing", "receiving" */
	uint64_t seq;
	int64_t start_ms;
	uint64_t segments, segments_total;
	uint64_t bytes, bytes_total; /* data planned */
	uint64_t wire;
	uint64_t rate; /* bytes per second, of late */
	int pid;
};

void progress_save(const struct host *h, const char *name, const struct progress *p);
void progress_clear(const struct host *h, const char *name);
/* false: no job is under way (no file, or its process is gone). */
bool progress_load(const struct host *h, const char *name, struct progress *p);

#endif
