/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pace.h"

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t backoff(unsigned failures)
{
	int64_t ms = PACE_BACKOFF_MS;

	for (unsigned i = 1; i < failures && ms < PACE_BACKOFF_MAX_MS; i++)
		ms *= 2;
	return ms < PACE_BACKOFF_MAX_MS ? ms : PACE_BACKOFF_MAX_MS;
}

/* Just before cut k+1 commits, the committed cut k is interval + ship_time old: that sum must stay
 * below the RPO. A fifth of the shipping time is kept as a margin. */
static int64_t interval(const struct pace_facts *f)
{
	return max(f->rpo - f->ship_time - f->ship_time / 5, PACE_MIN_MS);
}

struct pace pace_next(const struct pace_facts *f)
{
	int64_t due = f->last_cut ? f->last_cut + interval(f) : f->now;

	if (f->paused)
		return (struct pace){PACE_WAIT, f->now + PACE_MIN_MS};
	if (f->failures)
		due = f->last_try + backoff(f->failures);
	else if (f->pending)
		due = f->now; /* a cut that was taken is never left lying about */
	if (f->last_cut > f->now || f->last_try > f->now)
		due = f->now; /* the clock was set back: what it said before tells nothing */
	if (f->now < due)
		return (struct pace){PACE_WAIT, due};
	if (f->pending && f->partial && !f->space_low)
		return (struct pace){PACE_RESUME, 0};
	return (struct pace){PACE_SYNC, 0};
}
