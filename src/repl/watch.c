/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <string.h>

#include "partnership.h"
#include "stop.h"
#include "watch.h"

#define LOOK_NS 50000000 /* at signals and the pause */
#define SHOW_US 500000

static void show(struct watch *w, uint64_t *last_bytes, uint64_t *last_us)
{
	uint64_t now = fmt_mono_us(), bytes = *w->bytes;
	double rate = (bytes - *last_bytes) * 1e6 / (now - *last_us + 1);

	w->p.rate = w->p.rate ? 0.8 * w->p.rate + 0.2 * rate : rate;
	w->p.segments = *w->segments;
	w->p.bytes = bytes;
	w->p.wire = *w->wire;
	*last_bytes = bytes;
	*last_us = now;
	progress_save(w->host, w->name, &w->p);
	if (w->show)
		w->show(w->arg, &w->p);
}

/* Waits for the end as long as the next look may take. */
static bool finished(struct watch *w)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += LOOK_NS;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return sem_clockwait(&w->finished, CLOCK_MONOTONIC, &t) == 0;
}

static void *watch_thread(void *arg)
{
	struct watch *w = arg;
	uint64_t last_bytes = *w->bytes, last_us = fmt_mono_us();

	w->p.bytes = last_bytes;
	progress_save(w->host, w->name, &w->p);
	while (!finished(w)) {
		if (partnership_paused(w->host, w->name))
			w->paused = true;
		if (stop_wanted() || w->paused)
			w->cancel = true;
		if (fmt_mono_us() - last_us > SHOW_US)
			show(w, &last_bytes, &last_us);
	}
	progress_clear(w->host, w->name);
	return NULL;
}

int watch_start(struct watch *w, struct err *e)
{
	int r;

	if (!w->p.start_ms)
		w->p.start_ms = fmt_now_ms();
	w->cancel = w->paused = false;
	sem_init(&w->finished, 0, 0);
	r = pthread_create(&w->thread, NULL, watch_thread, w);
	return r ? err_set(e, ERR_FAILED, "start a thread: %s", strerror(r)) : 0;
}

void watch_stop(struct watch *w)
{
	sem_post(&w->finished);
	pthread_join(w->thread, NULL);
	sem_destroy(&w->finished);
}

int watch_explain(const struct watch *w, struct err *e)
{
	if (w->paused) {
		err_set(e, ERR_FAILED, "%s was paused", w->name);
		err_hint(e, "srsync resume %s goes on where it stopped", w->name);
	} else if (stop_wanted()) {
		err_set(e, ERR_FAILED, "interrupted");
		err_hint(e, "%s %s goes on where it stopped", w->again, w->name);
	}
	return -1;
}
