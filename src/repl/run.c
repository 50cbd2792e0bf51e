/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <string.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "log.h"
#include "pace.h"
#include "partnership.h"
#include "run.h"
#include "stop.h"

#define RUN_WAIT_MS 30000 /* verify lets go of the lock more often */
/* After each attempt: whoever waits for the lock gets it, also when every cut comes late. */
#define RUN_GAP_MS 200

static void tell_systemd(const struct pace_facts *f)
{
#ifdef HAVE_SYSTEMD
	sd_notifyf(0, "READY=1\nSTATUS=%s",
		   f->paused     ? "paused"
		   : f->failures ? "failing, see srsync status"
				 : "replicating");
#else
	(void)f;
#endif
}

/* What the last process of this partnership left behind. */
static int recall(const struct host *h, const char *name, struct pace_facts *f, struct err *e)
{
	_cleanup_free_ struct report *r = xcalloc(1, sizeof(*r));

	if (report_load(h, name, r, e) < 0)
		return -1;
	if (r->n) {
		f->last_cut = r->cut[r->n - 1].time_ms;
		f->ship_time = r->cut[r->n - 1].took_ms;
	}
	f->failures = r->failures;
	f->last_try = r->error_ms;
	return 0;
}

static void learn(struct pace_facts *f, const struct sync_result *r, int result)
{
	f->last_try = fmt_now_ms();
	f->failures = result < 0 ? f->failures + 1 : 0;
	f->pending = r->pending;
	f->partial = r->partial;
	f->space_low = r->space_low;
	if (r->newest_cut_ms)
		f->last_cut = r->newest_cut_ms;
	if (result == 0)
		f->ship_time = r->cut.took_ms;
}

/* Numbers aside: an error that names the cut is the same error for the next one. */
static bool same_words(const char *a, const char *b)
{
	static const char digits[] = "0123456789";

	for (;;) {
		a += strspn(a, digits);
		b += strspn(b, digits);
		if (*a != *b || !*a)
			return *a == *b;
		a++;
		b++;
	}
}

/* The same error again and again is said once. */
static void say(const struct err *e, char *last, size_t size)
{
	if (same_words(e->text, last))
		return;
	log_err(e->code == ERR_PEER || e->code == ERR_BUSY ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, e);
	snprintf(last, size, "%s", e->text);
}

int run_loop(const struct host *h, const char *name, void (*done)(const struct sync_result *result),
	     struct err *e)
{
	_cleanup_(partnership_freep) struct partnership *p = partnership_load(h, name, e);
	struct pace_facts f = {0};
	char last_error[sizeof(e->text)] = "";

	if (!p || recall(h, name, &f, e) < 0)
		return -1;
	f.rpo = p->rpo_ms;
	log_set_partnership(p->name);
	stop_init();
	while (!stop_wanted()) {
		struct sync_options o = {.wait_ms = RUN_WAIT_MS};
		struct sync_result r = {0};
		struct err failed = ERR_INIT;
		struct pace next;
		int result;

		f.now = fmt_now_ms();
		f.paused = partnership_paused(h, name);
		tell_systemd(&f);
		next = pace_next(&f);
		if (next.action == PACE_WAIT) {
			stop_sleep(next.at - f.now < 1000 ? next.at - f.now : 1000);
			continue;
		}
		o.resume_only = next.action == PACE_RESUME;
		result = sync_once(h, name, &o, &r, &failed);
		if (result < 0 && !stop_wanted())
			say(&failed, last_error, sizeof(last_error));
		else
			last_error[0] = '\0';
		if (result == 0 && done)
			done(&r);
		learn(&f, &r, result);
		stop_sleep(RUN_GAP_MS);
	}
	return 0;
}
