/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When to do what next, so that the age of the newest committed cut stays below the RPO. A pure
 * function of the facts: no clock, no disk, no network. All times in milliseconds since 1970. */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_BACKOFF_MS     1000 /* after the first failure; doubles with each further one */
#define PACE_BACKOFF_MAX_MS 60000
#define PACE_MIN_MS         1000 /* between two cuts */

struct pace_facts {
	int64_t now;
	int64_t rpo;       /* wanted; milliseconds */
	int64_t last_cut;  /* instant of the newest cut, 0: none */
	int64_t last_try;  /* end of the newest attempt to ship, 0: none */
	int64_t ship_time; /* how long the newest complete sync took from cut to commit, ms */
	unsigned failures; /* attempts since the last commit that ended in an error */
	bool paused;       /* by the administrator */
	bool pending;      /* a cut is logged that the peer has not committed */
	bool partial;      /* the peer holds segments of the pending cut: do not throw them away */
	bool space_low;    /* the pinned cut costs space that the pool is short of */
};

enum pace_action {
	PACE_WAIT,   /* until .at, then ask again */
	PACE_SYNC,   /* a new cut, shipped with all before it */
	PACE_RESUME, /* ship the pending cut from where it stopped */
};

struct pace {
	enum pace_action action;
	int64_t at; /* of PACE_WAIT */
};

struct pace pace_next(const struct pace_facts *f);

#endif
