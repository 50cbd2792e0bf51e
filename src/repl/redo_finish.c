/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of redo.h that works on partnerships, not on open sessions. */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "log.h"
#include "redo.h"
#include "redo_place.h"

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

/* A log volume serves others: what a crash has left of a cut that is done with must not keep it. */
static int tidy(const struct host *h, struct partnership *p, struct err *e)
{
	struct session s = {.host = h, .p = p, .lock = -1};
	_cleanup_(state_freep) struct state *state = NULL;
	_cleanup_buf_ struct buf frame = BUF_INIT;
	_cleanup_close_ int lock = -1;
	struct err busy = ERR_INIT;
	int open;

	if (!redo_place_shared(&s))
		return 0;
	lock = partnership_lock(h, p->name, "srsync, clearing up", 0, &busy);
	if (lock < 0)
		return 0; /* whoever has it clears up */
	s.state = state = state_load(h, p->name, e);
	if (!state)
		return -1;
	if (state->n && state_newest(state)->replay != STATE_REPLAY_NONE)
		return 0;
	open = session_open_cut(&s, &frame, e);
	return open != 0 ? (open < 0 ? -1 : 0) : session_forget_cut(&s, e);
}

struct finisher {
	struct host host;
	char name[PEER_NAME_SIZE]; /* empty: all */
};

static void finish_one(const struct host *h, const char *name)
{
	struct err e = ERR_INIT;
	_cleanup_(partnership_freep) struct partnership *p = partnership_load(h, name, &e);

	if (!p || (p->role == VOLUME_TARGET &&
		   (redo_finish(h, p, REDO_LOCK_MS, &e) < 0 || tidy(h, p, &e) < 0)))
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
