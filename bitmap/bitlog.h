/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bitmap log of one partnership at its source: an append-only, checksummed, fsynced file of the
 * changed-block sets since what the peer has committed (srsync-bitlog(5)).
 *
 * The newest record says which cut is the base of the next one; it is the only record of that, so a
 * cut exists for replication exactly when its record is durable.
 *
 * Invariants (bitlog_check() in tests):
 * 1. Records follow each other: a cut's prev_seq is the seq of the record before it.
 * 2. The union of the sets of all cuts after the newest commit covers every block that differs
 *    between the committed cut and the newest cut (rule 2).
 * 3. What an append or a commit has promised by returning 0 is found again or the log is in doubt:
 *    bytes behind the durable end are a crash while appending and are dropped; anything else that
 *    does not check out, the last record included, is damage: bitlog_open() says so, and the caller
 *    ships everything (rule 2).
 * 4. The log is bounded while the peer is away: from BITLOG_CUTS_MAX cuts on, or when it has
 * doubled and BITLOG_SLACK more, the next append moves all changes into the newest cut and drops
 * cuts from the middle. The sets of the others are then empty, and 2 holds all the same. */
#ifndef BITLOG_H
#define BITLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "bset.h"
#include "err.h"

#define BITLOG_VOLUMES_MAX 64
#define BITLOG_TOKEN_MAX   256         /* bytes with the NUL; volume.h gives tokens their meaning */
#define BITLOG_ID_SIZE     33          /* a generation: 32 hex digits and a NUL */
#define BITLOG_CUTS_MAX    256         /* kept after the committed one; see invariant 4 */
#define BITLOG_SLACK       (16u << 20) /* bytes appended before the log is compacted */

/* One volume's part of a cut. */
struct bitlog_volume {
	char token[BITLOG_TOKEN_MAX]; /* identity of this cut's data on this host */
	uint64_t size;                /* bytes */
	uint32_t block_size;          /* bytes per block of the set */
	bool all;                     /* no usable base: every block counts as changed */
	struct bset *set;             /* owned; NULL when all */
};

struct bitlog_cut {
	char generation[BITLOG_ID_SIZE];
	uint64_t seq;
	uint64_t prev_seq; /* of the cut its sets are relative to; 0: none */
	int64_t time_ms;   /* wall clock at the cut */
	uint32_t pause_us; /* how long the application's writes were held */
	unsigned volumes;
	struct bitlog_volume volume[BITLOG_VOLUMES_MAX];
};

struct bitlog;

void bitlog_cut_free(struct bitlog_cut *c); /* its sets and itself */
DEFINE_FREEP(bitlog_cut_free, struct bitlog_cut);

/* Opens the log; the first append creates it. The caller holds the partnership's lock. What it
 * reports is durable. A damaged log is opened all the same: *doubt points to the reason (owned by
 * the log), else NULL. An untrusted log has no base and no committed cut; the next append starts it
 * anew (the damaged file is kept as path.damaged). NULL with e when the file cannot be read, or a
 * newer srsync wrote it. */
struct bitlog *bitlog_open(const char *path, const char **doubt, struct err *e);
void bitlog_free(struct bitlog *l);
DEFINE_FREEP(bitlog_free, struct bitlog);

/* The newest cut: base of the next (borrowed until the next append or commit), or NULL. */
const struct bitlog_cut *bitlog_newest(const struct bitlog *l);
/* The newest cut that the peer has committed; NULL if none. Its sets are not kept: they are empty.
 */
const struct bitlog_cut *bitlog_committed(const struct bitlog *l);
/* The records of the log, oldest first, i from 0; NULL at the end. If there is a committed cut, it
 * is the first: bitlog_get(l, 0) == bitlog_committed(l). */
const struct bitlog_cut *bitlog_get(const struct bitlog *l, unsigned i);

/* What must be shipped for volume v (index) to bring the committed cut to the newest: a new set, in
 * blocks of the newest cut's block_size, or NULL with *all = true when everything must. Sets in
 * other blocks are rounded outwards. Blocks that the volume has grown by are in it; it may
 * hold blocks beyond the end of the newest cut. The caller frees it. */
struct bset *bitlog_pending(const struct bitlog *l, unsigned v, bool *all);

/* Appends a cut and fsyncs. The log keeps its own copy; durable when it returns 0. Its prev_seq
 * must be the seq of bitlog_newest(), 0 if there is none, else ERR_REFUSED. On failure the log
 * holds what it held before; the next append mends the file. A new source begins its log by
 * appending the common cut with all = true and committing it. */
int bitlog_append(struct bitlog *l, const struct bitlog_cut *c, struct err *e);
/* The peer has committed cut seq of generation: prunes everything up to it. Repeating is harmless;
 * an unknown cut is an error: forget and ship everything. */
int bitlog_commit(struct bitlog *l, const char *generation, uint64_t seq, struct err *e);
/* Forgets that the peer has anything: all volumes must be shipped whole (base refused, doubt). The
 * committed cut becomes an ordinary one, so the newest cut stays the base of the next. */
int bitlog_forget(struct bitlog *l, struct err *e);

uint64_t bitlog_bytes(const struct bitlog *l); /* size of the file; 0: none yet, or in doubt */

#endif
