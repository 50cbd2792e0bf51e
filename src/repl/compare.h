/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares a cut of this host with a cut of the peer by their hash trees, slice by slice, and goes
 * down only where nodes differ. Both cuts are frozen, so a difference is real. */
#ifndef COMPARE_H
#define COMPARE_H

#include "buf.h"
#include "hasher.h"
#include "hashes.h"

/* Slices in flight. Half of the workers ask the peer first, half hash their own side first, so that
 * both hosts read all the time. About 10 MiB of memory each. */
#define COMPARE_STREAMS 4

struct compare_peer {
	/* Answers q. Called by every worker, several at once. */
	int (*ask)(void *arg, unsigned worker, const struct hashes *q, struct buf *answer,
		   struct err *e);
	void *arg;
};

/* What has been done so far; may be read at any time. */
struct compare_progress {
	_Atomic uint64_t slices; /* settled */
	_Atomic uint64_t bytes;  /* of the volume, settled */
	_Atomic uint64_t read_bytes;
	_Atomic uint64_t asked; /* questions */
};

struct compare {
	struct volume *v;
	const char *token;  /* of our cut */
	struct hashes cut;  /* generation, seq, time_ms, volume, size and seed are filled: the
			       peer's cut; size covers no more than both have */
	uint32_t granule;   /* bytes per block of the set */
	uint64_t from, end; /* slices */
	uint64_t rate;      /* bytes per second read here at most; 0: no limit */
	const atomic_bool *cancel; /* may be NULL */
	struct compare_peer peer;
};

/* Adds to differ every block that holds a leaf that differs. */
int compare_run(const struct compare *c, struct bset *differ, struct compare_progress *g,
		struct err *e);

#endif
