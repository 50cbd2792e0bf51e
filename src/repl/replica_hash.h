/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The destination's answers about the hashes of its committed cuts. The slices hashed last are
 * kept, so that going down the tree reads nothing again; their number bounds the memory and the
 * work under way, for all partnerships of the process together.
 *
 * A cut is read while other cuts are received: only the session's reading lock is held, shared. Who
 * frees slots holds it exclusively, so that no slot is freed while it is read; afterwards the cut
 * is not in the state any more, and the question fails. */
#ifndef REPLICA_HASH_H
#define REPLICA_HASH_H

#include "hashes.h"
#include "session.h"

#define REPLICA_HASH_SLICES  8 /* kept; 1 MiB each, and 4 MiB for each of those being read */
#define REPLICA_HASH_READING 3 /* slices hashed at once */
#define REPLICA_HASH_VOLUMES 4 /* kept open */
#define REPLICA_HASH_IDLE_MS 60000

struct replica_hash;

struct replica_hash *replica_hash_new(const struct host *h);
void replica_hash_free(struct replica_hash *r); /* nobody asks any more; NULL is fine */

/* Closes volumes that nobody has asked about for a while, and forgets their slices. One without
 * snapshots is not kept at all: while it is open for reading, nobody can hold it for writing. */
void replica_hash_tick(struct replica_hash *r);
/* Closes volumes without snapshots that are not being read: somebody is about to hold one. */
void replica_hash_rest(struct replica_hash *r);

/* Appends the answer to out. From any thread. */
int replica_hash_answer(struct replica_hash *r, struct session *s, const struct partnership *p,
			const struct hashes *q, struct buf *out, struct err *e);

#endif
