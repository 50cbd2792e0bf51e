/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The destination's side of a partnership: receives cuts and commits them.
 *
 * Files in statedir/NAME/: state.json (the committed cuts, the truth), open/manifest (the cut being
 * received), open/received (its durable segments).
 *
 * Order of a cut, and what a crash between two steps leaves:
 *   1. head proved unchanged since the committed cut, held O_EXCL
 *   2. open/manifest := the new manifest     crash: the same begin again starts at 3
 *   3. if another cut was open: head rewound to the committed cut, O(1)
 *   4. open/received made                    crash: resumed, nothing received yet
 *   5. segments: written, flushed, noted, acknowledged          crash: resumed
 *   6. heads snapped into free slots, proved on disk            crash: garbage slots, 6 again
 *   7. what changed since the committed cut lies within what was received (else refused)
 *   8. state.json replaced: THE COMMIT, for all volumes at once
 *   9. open/ removed, heads let go, slots of retired cuts freed crash: done by the next begin
 * At every instant the slots named by the last cut of state.json hold exactly that cut (rule 5). */
#ifndef REPLICA_H
#define REPLICA_H

#include "partnership.h"
#include "state.h"

struct replicas; /* the receiving end of a process: all its open cuts; thread-safe */

#define REPLICA_IDLE_MS                                                                            \
	900000 /* an open cut that nobody feeds is let go (and can be resumed); a                  \
		* segment may take minutes on a slow line */

struct replicas *replicas_new(const struct host *h);
void replicas_free(struct replicas *r); /* lets everything go; NULL is fine */
DEFINE_FREEP(replicas_free, struct replicas);
void replicas_tick(struct replicas *r); /* call about once a second: lets idle cuts go */

/* The partnership of an open cut, as it was when that was opened: a copy, the caller's. NULL: no
 * cut is open, or it is just being opened or closed. */
struct partnership *replica_partnership(struct replicas *r, const char *id);

/* The caller has checked that the request's sender owns p. Each fills *reply (the caller's) with
 * the JSON of remote.h. manifest: the frame of srsync-stream(5). */
int replica_describe(struct replicas *r, const struct partnership *p, json_t **reply,
		     struct err *e);
int replica_begin(struct replicas *r, const struct partnership *p, uint64_t seq,
		  const void *manifest, size_t len, json_t **reply, struct err *e);
int replica_segment(struct replicas *r, const struct partnership *p, uint64_t seq, uint64_t number,
		    const void *segment, size_t len, struct err *e);
int replica_commit(struct replicas *r, const struct partnership *p, uint64_t seq, json_t **reply,
		   struct err *e);
/* Answers the question of hashes.h, appending to answer. Beside everything else that goes on. */
int replica_hashes(struct replicas *r, const struct partnership *p, const void *question,
		   size_t len, struct buf *answer, struct err *e);
/* While nothing is committed: what the targets hold now becomes the seed, a cut named and sized as
 * in seed, to compare with. Repeating is harmless. */
int replica_adopt(struct replicas *r, const struct partnership *p, const struct state_cut *seed,
		  json_t **reply, struct err *e);
/* Throws away the open cut and what anybody wrote to the head: it is the committed cut again. */
int replica_rewind(struct replicas *r, const struct partnership *p, struct err *e);
/* Lets go of the open cut, if there is one, so that another process can lock the partnership. */
void replica_close(struct replicas *r, const struct partnership *p);

#endif
