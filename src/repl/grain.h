/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The set of a volume as it is logged: the kind's chunks, or the pages in them that differ. What
 * comparing has brought so far is kept in statedir/NAME/fine.json; without it, it is tried. */
#ifndef GRAIN_H
#define GRAIN_H

#include "source.h"

/* The set of volume i, in blocks of fine_block_size(): chunks are those that changed from base (a
 * cut of the log, still held) to the cut token. A comparison that fails leaves the chunks. NULL:
 * the numbers of the blocks are too high. The caller frees it. */
struct bset *grain_set(struct source *s, unsigned i, const struct bitlog_volume *base,
		       const char *token, const struct bset *chunks);

#endif
