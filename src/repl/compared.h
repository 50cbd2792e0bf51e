/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule 2's way out: where the log says that everything must be shipped, the newest cut is compared
 * by hash with what the peer has committed, and only what differs is shipped.
 *
 * What was found is kept in statedir/NAME/compared (srsync-state(5)), so that an interrupted
 * transfer need not compare again. The file only saves time: both cuts are frozen, so another
 * comparison finds the same. One that is damaged, or of other cuts, is as if it were not there. */
#ifndef COMPARED_H
#define COMPARED_H

#include "identity.h"
#include "remote.h"
#include "source.h"
#include "sync.h"

#define COMPARED_FILE_MAX (256u << 20) /* bytes; a larger one is not written */

struct compared {
	/* Blocks that differ, of the block size of the newest logged cut; NULL: not compared.
	 * Owned. */
	struct bset *set[PARTNERSHIP_VOLUMES_MAX];
	uint64_t bytes;  /* compared */
	uint64_t differ; /* bytes of blocks that differ */
};

void compared_free(struct compared *c);
DEFINE_FREEP(compared_free, struct compared);

/* Compares the newest logged cut, where all of it would be shipped, with the peer's newest cut.
 * *out is NULL when there is nothing to compare, or the peer cannot: everything is shipped then.
 * kept_only: believe the file only; a transfer of everything is half-way. */
int compared_find(struct source *s, const struct remote_replica *peer, const struct identity *id,
		  const struct sync_options *o, bool kept_only, struct compared **out,
		  struct err *e);
void compared_forget(const struct source *s);

/* The bytes of the file, of the newest logged cut against base. For compared.c and its tests. */
void compared_encode(const struct bitlog_cut *cut, const struct state_cut *base,
		     const struct compared *c, struct buf *out);
/* NULL: not the file of these cuts, or damaged. */
struct compared *compared_decode(const void *p, size_t len, const struct bitlog_cut *cut,
				 const struct state_cut *base);

#endif
