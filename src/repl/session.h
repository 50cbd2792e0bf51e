/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One open cut at the destination: the lock, the held heads, what has been received. Only
 * replica.c, replica_commit.c and redo.c include this. */
#ifndef SESSION_H
#define SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "apply.h"
#include "cut.h"
#include "durable.h"
#include "manifest.h"
#include "received.h"
#include "replica.h"
#include "report.h"
#include "spool.h"

#define SESSION_GRANULE 65536 /* bytes per block of the sets of touched blocks */
#define SESSION_THREADS 4     /* that write at once; bounds the memory */

struct session {
	struct session *next;
	char id[FMT_ID_SIZE];
	pthread_rwlock_t rw;      /* segments: shared; begin, commit, close: exclusive */
	pthread_rwlock_t reading; /* of committed cuts, shared; exclusive: slots are being freed */
	_Atomic int64_t used_ms;

	/* Valid while open, written under rw exclusive. */
	bool open;
	const struct host *host;
	struct partnership *p; /* own copy */
	int lock;
	struct state *state;
	struct manifest *m;
	struct volume *v[PARTNERSHIP_VOLUMES_MAX];
	int fd[PARTNERSHIP_VOLUMES_MAX]; /* of the held heads, owned by the volumes; -1 */
	/* Without snapshots, and there is a committed cut: its part of the next goes to the spool.
	 */
	bool spooled[PARTNERSHIP_VOLUMES_MAX];
	struct spool *spool; /* of the open cut; NULL: no volume is spooled */
	struct received *received;
	struct durable *durable;
	pthread_mutex_t sets; /* of received: one thread writes, others describe it */
	struct apply *apply;
	struct apply_target target[PARTNERSHIP_VOLUMES_MAX];
	struct progress progress;
	char (*rest)[VOLUME_TOKEN_MAX]; /* owned; of the snapshots that open/rest names, or NULL */
	_Atomic uint64_t segments, bytes; /* taken in this session */
};

struct host_path session_file(const struct session *s, const char *file); /* below open/ */

/* Takes the lock, waiting up to wait_ms, loads the state, opens and prepares the volumes. On
 * failure all is undone. */
int session_open(struct session *s, const struct host *h, const struct partnership *p,
		 unsigned wait_ms, struct err *e);
/* Lets the heads go and frees everything; what is durable stays and can be resumed. Of an
 * unfinished cut the heads are snapped first, so that the next session sees whether somebody wrote
 * to them. */
void session_close(struct session *s);

/* may_differ: a head may have been written since the committed cut. A spooled volume never is,
 * unless all of it is about to come (m). */
int session_hold(struct session *s, const struct manifest *m, bool may_differ, struct err *e);
/* Holds the heads for going on with the open cut. If the last session ended in good order they must
 * be what it left: it took a snapshot of each (open/rest). After a crash there is none, and only
 * what step 7 of replica.h sees is seen. */
int session_resume(struct session *s, const struct manifest *m, struct err *e);
/* The snapshots of open/rest are no longer needed. */
int session_drop_rest(struct session *s, struct err *e);
void session_unhold(struct session *s);
/* The held volumes at one instant: heads snapped; tokens of redo volumes as they are now. */
int session_snap(struct session *s, struct cut *cut, struct err *e);
/* Heads back to the committed cut; without one, nothing to do. Not while held. Redo volumes cannot
 * go back: with strict they must be unchanged, else they are left alone. */
int session_rewind(struct session *s, bool strict, struct err *e);

/* The manifest of the cut that was being received when the last session ended: its frame in out.
 * 1, or 0 when there is none (or it is the committed cut, whose files are then removed), or -1. */
int session_open_cut(struct session *s, struct buf *out, struct err *e);
int session_forget_cut(struct session *s, struct err *e);
/* Durably without its list of segments, the open cut cannot be resumed; its manifest still says
 * that the heads may differ from the committed cut. */
int session_forget_received(struct session *s, struct err *e);

#endif
