/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps 6 to 9 of replica.h: the received cut becomes the committed one. */
#ifndef REPLICA_COMMIT_H
#define REPLICA_COMMIT_H

#include "segment.h"
#include "session.h"

/* Under the session's exclusive lock, heads held. On success s->m is NULL and the state is new. */
int replica_commit_session(struct session *s, struct err *e);

/* The same of replica_adopt(): a snapshot of each head as it is, recorded as the seed. */
int replica_adopt_session(struct session *s, const struct state_cut *seed, struct err *e);

/* The record of a durable segment, for received.h. */
void replica_note(struct buf *out, const struct segment *seg);

#endif
