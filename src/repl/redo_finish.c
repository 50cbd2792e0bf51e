/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of redo.h that works on partnerships, not on open sessions. */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "log.h"
#include "redo.h"

int redo_finish(const struct host *h, const struct partnership *p, unsigned wait_ms, struct err *e)
{
	_cleanup_(state_freep) struct state *state = state_load(h, p->name, e);
	struct session s = {.lock = -1};
	int r;

	if (!state)
		return -1;
	if (!state->n || state_newest(state)->replay == STATE_REPLAY_NONE)
		return 0;
	pthread_mutex_init(&s.sets, NULL);
	pthread_rwlock_init(&s.reading, NULL);
	r = session_open(&s, h, p, wait_ms, e);
	if (r == 0)
		r = redo_settle(&s, e);
	session_close(&s);
	pthread_mutex_destroy(&s.sets);
	return r;
}

struct finisher {
	struct host host;
	char name[PEER_NAME_SIZE]; /* empty: all */
};

static void finish_one(const struct host *h, const char *name)
{
	struct err e = ERR_INIT;
	_cleanup_(partnership_freep) struct partnership *p = partnership_load(h, name, &e);

	if (!p || (p->role == VOLUME_TARGET && redo_finish(h, p, REDO_LOCK_MS, &e) < 0))
		log_err(LOG_LEVEL_ERROR, &e);
}

static void *work(void *arg)
{
	_cleanup_free_ struct finisher *f = arg;
	struct err e = ERR_INIT;
	char **names;

	if (f->name[0]) {
		finish_one(&f->host, f->name);
	} else if (partnership_names(&f->host, &names, &e) < 0) {
		log_err(LOG_LEVEL_ERROR, &e);
	} else {
		for (char **n = names; *n; n++)
			finish_one(&f->host, *n);
		partnership_names_free(names);
	}
	return NULL;
}

void redo_finish_soon(const struct host *h, const char *name, unsigned wait_ms)
{
	struct finisher *f = xcalloc(1, sizeof(*f));
	struct timespec end;
	pthread_t thread;

	f->host = *h;
	strcpy(f->name, name ? name : "");
	if (pthread_create(&thread, NULL, work, f)) {
		work(f);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += wait_ms / 1000;
	if (pthread_timedjoin_np(thread, NULL, &end) == 0)
		return;
	log_info("%s: writing in place goes on in the background", name ? name : "all");
	pthread_detach(thread);
}
