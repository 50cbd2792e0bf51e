/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fine grain: which pages of the changed chunks really differ between the base cut and the new one.
 *
 * It begins with every page of the chunks and takes out those whose bytes were read on both sides
 * and found equal. Nothing else takes a page out, so the result is a superset of what differs
 * (rule 2) as the chunks were. What is logged is then the result in place of the chunks: a page in
 * no set since the committed cut is equal in each pair of cuts that follow each other, so the peer
 * holds its bytes. Invariant 2 of bitlog.h stays.
 *
 * It runs before the log's append, while the base cut is still held (rule 1). Holes of the new cut
 * stay in the set unread: they cost nothing on the wire and give space back at the destination. */
#ifndef REFINE_H
#define REFINE_H

#include "volume.h"

#define REFINE_PIECE  (256u << 10) /* bytes per read */
#define REFINE_PIECES 8            /* in flight, on both sides each: 4 MiB of memory */

struct refine {
	struct volume *v;
	const char *base, *cut;    /* tokens */
	uint64_t base_size;        /* bytes of the base cut: what lies behind it is new */
	const struct bset *chunks; /* blocks of v->block_size that may differ */
	/* Called after each piece with the bytes compared so far. false: give up. May be NULL. */
	bool (*tick)(void *arg, uint64_t done);
	void *arg;
};

/* A new set in pages of FINE_PAGE, which the caller frees. NULL with e: the chunks are as good as
 * it gets. */
struct bset *refine_run(const struct refine *r, struct err *e);

#endif
