/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ships the newest logged cut, to the peer or into a stream: what the log says has changed since
 * the committed cut, in segments. */
#ifndef SHIP_H
#define SHIP_H

#include "compared.h"
#include "identity.h"
#include "manifest.h"
#include "pipeline.h"
#include "remote.h"
#include "source.h"
#include "sync.h"

#define SHIP_STREAMS    5      /* connections at most, each with one segment in flight */
#define SHIP_ANSWER_MS  300000 /* a begin or commit may wait for LVM and for flushes */
#define SHIP_SEGMENT_MS 180000 /* a full destination pool holds writes for 60 s */

/* What is to be shipped, and how: made once per attempt; the same cut gives the same manifest. */
struct ship {
	struct source *s;
	struct manifest *m;
	struct bset *set[PARTNERSHIP_VOLUMES_MAX]; /* owned; NULL: all */
	struct plan_volume plan[PARTNERSHIP_VOLUMES_MAX];
	struct report_cut cut; /* figures for the report; complete when shipped */
};

/* Plans the newest cut against base (NULL: the peer has nothing). found (may be NULL): what a
 * comparison with base found, for volumes of which everything would be shipped. The caller frees
 * it. */
struct ship *ship_new(struct source *s, const struct state_cut *base, const struct compared *found,
		      struct err *e);
void ship_free(struct ship *sh);
DEFINE_FREEP(ship_free, struct ship);

/* Runs the pipeline into a sink, shows progress, honours signals and pause. done: segments that
 * need not be sent; may be NULL. */
int ship_run(struct ship *sh, const struct sync_options *o, const struct pipeline_sink *sink,
	     unsigned workers, const struct bset *done, struct err *e);

/* To the peer, resuming what it holds of this very cut; returns when it has committed, with what it
 * holds then. NULL with e filled. c: a connection to it; more are made as the segments need them.
 */
struct remote_replica *ship_to_peer(struct ship *sh, const struct sync_options *o,
				    const struct identity *id, struct client *c, struct err *e);

#endif
