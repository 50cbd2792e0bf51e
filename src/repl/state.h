/* SPDX-License-Identifier: GPL-2.0-or-later */
/* statedir/NAME/state.json: the cuts that the destination holds. At the destination it is the truth
 * (replacing it is the commit); at the source it is what the peer last said, and only shown.
 *
 * Invariants:
 * 1. cuts are in the order of their commit; the last one is the committed cut, base of the next.
 * 2. At the destination a cut is listed only after its snapshots are proved on disk, and taken off
 *    the list before its slots are freed: a listed cut is whole for every volume.
 * 3. A redo volume holds the newest cut only: its tokens of the older ones are empty. While the
 *    newest cut is marked by replay, the token says what was there before, and the cut lies in the
 *    spool: redo_finish() comes before any use of it. */
#ifndef STATE_H
#define STATE_H

#include "partnership.h"

/* Of a cut whose redo volumes (volume.h) are written in place after the commit: redo.h. */
enum state_replay {
	STATE_REPLAY_NONE,
	STATE_REPLAY_DUE,   /* committed; these volumes still hold what their tokens say */
	STATE_REPLAY_BEGUN, /* and may hold parts of either */
};

struct state_cut {
	char generation[FMT_ID_SIZE];
	uint64_t seq;
	int64_t time_ms;      /* of the instant at the source */
	int64_t committed_ms; /* of the commit at the destination */
	uint64_t pause_us;
	bool seed; /* no cut of the source, but a copy that was there (create --seeded): base of the
		      first one */
	enum state_replay replay;
	unsigned volumes; /* 0 at the source */
	struct {
		char token[VOLUME_TOKEN_MAX];
		uint64_t size; /* bytes */
	} volume[PARTNERSHIP_VOLUMES_MAX];
};

#define STATE_CUTS_MAX (PARTNERSHIP_KEEP_MAX + 1)

struct state {
	unsigned n;
	struct state_cut *cut[STATE_CUTS_MAX]; /* owned, oldest first */
};

void state_free(struct state *s);
DEFINE_FREEP(state_free, struct state);

struct state *state_load(const struct host *h, const char *name,
			 struct err *e); /* no file: empty */
int state_save(const struct host *h, const char *name, const struct state *s, struct err *e);

/* The committed cut, or the seed, or NULL: base of the next one. */
const struct state_cut *state_newest(const struct state *s);
/* The committed cut, or NULL: of which the replica can be said to be so and so old. */
const struct state_cut *state_committed(const struct state *s);
/* Appends a copy, dropping the oldest first when the list is full. */
void state_add(struct state *s, const struct state_cut *c);
/* Takes cut i off the list. */
void state_drop(struct state *s, unsigned i);
/* The cut of that generation, number and instant. A source that was restored from a backup may give
 * a number twice; the instant tells such cuts apart. */
const struct state_cut *state_find(const struct state *s, const char *generation, uint64_t seq,
				   int64_t time_ms);
bool state_cut_is(const struct state_cut *c, const char *generation, uint64_t seq,
		  int64_t time_ms); /* c may be NULL */

/* {"generation", "seq", "time_ms", ...}: in the file and, with volumes left out, on the wire. */
json_t *state_cut_json(const struct state_cut *c, bool with_volumes);
int state_cut_parse(const json_t *j, struct state_cut *c, struct err *e);

#endif
