/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The source's side of a partnership: takes cuts and logs what changed (rule 1).
 *
 * Order of a cut, each step durable before the next, every one harmless to repeat:
 *   1. S_new in the free slot                         crash: garbage slot, freed by prepare
 *   2. changes(S_base, S_new) appended to the log     crash before: as after 1; after: S_new is
 * base
 *   3. S_base's slot freed                            crash before: garbage slot, freed by prepare
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "bitlog.h"
#include "partnership.h"
#include "state.h"

struct source {
	const struct host *host;
	struct partnership *p;
	struct bitlog *log;
	struct state *state; /* what the peer last said it holds */
	struct volume *volume[PARTNERSHIP_VOLUMES_MAX];
	int lock;
	uint64_t hooks_us; /* how long the hooks of the last cut held the application; 0: none */
	char warning[256]; /* doubt (rule 2) in words, or empty */
};

/* Opens it under its lock; ERR_BUSY when another process works on it. what: the lock's holder in
 * words. Mends what a crash left. The caller frees it. */
struct source *source_open(const struct host *h, const char *name, const char *what, struct err *e);
void source_free(struct source *s);
DEFINE_FREEP(source_free, struct source);

/* One cut, logged. The newest cut of the log is then this one. Fails with the pool's state as the
 * cause when a cut could fill it. */
int source_cut(struct source *s, struct err *e);

/* Bytes of changed blocks that wait to be shipped; *all: everything does. */
uint64_t source_pending(const struct source *s, bool *all);

#endif
