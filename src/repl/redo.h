/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Destinations without snapshots (volume.h: ops->redo). Their part of a cut is received into a
 * spool, open/spool or where it leads to (redo_place.h, spool_log.h), and written in place only
 * when the cut is committed and can no longer be lost:
 *
 *   a. the heads of the other volumes are snapped, as ever
 *   b. state.json lists the cut, marked STATE_REPLAY_DUE: THE COMMIT, for all volumes at once
 *   c. the device proved to be what it was at the commit, marked STATE_REPLAY_BEGUN
 *   d. every frame of the spool checked and written; flushed
 *   e. state.json again, with the token of what is there now, unmarked
 *   f. open/ removed
 *
 * A crash between b and f: redo_finish() does it again from c on (from d on, once it has begun),
 * and the same frames give the same bytes. Until then the cut is not on the device (rule 5), which
 * the mark says. A cut that is given up before b has never touched the device (rule 6 for free).
 *
 * The first cut of all is written in place as it comes: there is nothing to keep. */
#ifndef REDO_H
#define REDO_H

#include "segment.h"
#include "session.h"
#include "spool.h"

#define REDO_WAIT_MS 120000  /* how long a commit's answer waits for the writing in place */
#define REDO_LOCK_MS 3600000 /* whoever has the partnership may be writing in place itself */

/* --- of an open cut; nothing to do and 0 if no volume is spooled --- */

/* The spool of an interrupted cut. 1: it is there, or none is needed; 0: it is lost. */
int redo_resume(struct session *s, const struct manifest *m, const uint8_t *digest, struct err *e);
/* A new, empty one, if there is room for the whole cut. */
int redo_create(struct session *s, const struct manifest *m, const uint8_t *digest, struct err *e);
/* Of a segment whose volume is spooled. 1: durable already, nothing more to do for it. */
int redo_put(struct session *s, const struct segment *seg, const void *frame, size_t len,
	     struct err *e);

/* --- after the commit --- */

/* Steps c to f, if the newest cut is marked. The session is open, no head is held. An error is
 * loud: the cut is committed, and not there. */
int redo_settle(struct session *s, struct err *e);
/* The same for anybody who wants the committed cut (it takes the partnership's lock, waiting up to
 * wait_ms). 0 at once if nothing is to be done. */
int redo_finish(const struct host *h, const struct partnership *p, unsigned wait_ms, struct err *e);
/* A committed cut that cannot be written in place is given up for one that replaces it whole; never
 * because something is only away or in use at the moment: its log volume, or the device. */
bool redo_may_give_up(struct session *s);
/* redo_finish() in a thread of its own, which is waited for as long as that; then it goes on alone.
 * name: of one partnership, or NULL for all of this host. Errors are logged. */
void redo_finish_soon(const struct host *h, const char *name, unsigned wait_ms);

#endif
