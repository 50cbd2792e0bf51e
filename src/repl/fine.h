/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fine changes are kept, and when it pays to compare pages: pure functions, no I/O.
 *
 * A kind tells changes in chunks (v->block_size: 64 KiB and more for thin). To ship only the pages
 * in which a changed chunk differs from the base cut, both must be read (refine.h). That pays when
 * many pages are equal, as with small scattered writes; not when chunks are rewritten whole. */
#ifndef FINE_H
#define FINE_H

#include <stdbool.h>
#include <stdint.h>

#define FINE_PAGE 4096 /* bytes: the grain of sets, and what a fine comparison tells apart */

#define FINE_SMALL   (16u << 20) /* bytes of chunks: read twice in no time */
#define FINE_LARGE   4           /* above a quarter of the volume it is not tried */
#define FINE_PERCENT 70          /* of the chunks' bytes differ: below this it pays */
#define FINE_PROBE   8           /* each so many cuts it is tried all the same */

enum fine_mode { FINE_AUTO, FINE_ON, FINE_OFF };

/* What comparing has brought of late, for one volume. All zero: nothing known. */
struct fine_history {
	uint64_t chunks, pages; /* bytes compared, and of pages that differed; older ones count less
				 */
	uint64_t skipped;       /* cuts since the last comparison, this one included */
	bool failed;            /* the last one did */
};

/* Bytes per block of the sets of a volume of size bytes whose kind tells changes in chunks: pages
 * while a set can number them (16 TiB), else chunks. Chunks that are no whole pages stay. */
uint32_t fine_block_size(uint64_t size, uint32_t chunk);

/* Is a set of changed chunks (bytes) of a volume of size bytes to be compared page by page? */
bool fine_wanted(enum fine_mode mode, const struct fine_history *h, uint64_t changed,
		 uint64_t size);

/* Keeps the result of a comparison. */
void fine_learn(struct fine_history *h, uint64_t chunks, uint64_t pages);

const char *fine_word(enum fine_mode mode);              /* auto, on, off */
bool fine_parse(const char *word, enum fine_mode *mode); /* false: it is none of them */

#endif
