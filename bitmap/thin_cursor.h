/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cursor over one device's mapping tree in ascending order of keys, which opens a node only when
 * it is told to. Between its steps the head is the next thing in order: an unopened node or an
 * entry.
 *
 * The cursor is a stack of frames, one per level: frame[l] is a node of level l (0: leaf) that has
 * been opened, and its position. A pretended node above the root has the root as its only child.
 *
 * 1. Live frames are frame[level .. top]; level > top means the end of the tree.
 * 2. The head is item at of frame[level]; everything before it has been given or skipped.
 * 3. frame[l-1] is the child of frame[l] before frame[l].at, read into a buffer of frame[l], so
 *    buffers of frame[l] with an owner < at are free once frame[l] is the lowest again.
 *
 * Memory: THIN_WINDOW blocks per level, whatever the size of the tree. */
#ifndef THIN_CURSOR_H
#define THIN_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "blockio.h"
#include "err.h"
#include "pdtree.h"

#define THIN_WINDOW BLOCKIO_BATCH

struct thin_frame {
	struct pdnode node;
	unsigned at;
	uint64_t end;                  /* all keys of the node are below it */
	uint8_t *buffer;               /* THIN_WINDOW blocks, owned; made when first needed */
	int16_t owner[THIN_WINDOW];    /* the child that is in the buffer, or -1 */
	uint8_t slot[PDNODE_MAX];      /* the other way round: buffer + 1, or 0 */
	bool sorted;                   /* children is filled */
	uint16_t children[PDNODE_MAX]; /* indices by block number */
};

/* Nodes read to find the height of the tree, kept so that the walk does not read them again.
 * block[0] is the root, the last one a leaf. */
struct thin_path {
	unsigned n;
	uint64_t block[PDTREE_DEPTH];
	uint8_t *data[PDTREE_DEPTH]; /* owned */
};

struct thin_item {
	int level;      /* of the node; -1: an entry */
	uint64_t key;   /* of the entry; a lower bound for the node */
	uint64_t end;   /* upper bound, exclusive */
	uint64_t value; /* block of the node; of an entry: what it maps to */
};

struct thin_cursor;

/* Whether child j of frame f will be opened as well, so that it should be read with others. */
typedef bool thin_want_fn(void *arg, const struct thin_cursor *c, const struct thin_frame *f,
			  unsigned j);

struct thin_cursor {
	struct blockio *io;
	int level, top;
	uint8_t *pretended; /* owned */
	struct thin_path path;
	const struct thin_path *twin; /* a second path to look in, or NULL */
	thin_want_fn *want;
	void *arg;
	struct thin_frame frame[PDTREE_DEPTH + 1];
};

/* root: of the tree; key_end: no key may reach it. twin: a cursor opened before, or NULL; what the
 * two share on their first paths is read once; it must outlive c. The caller has zeroed *c. */
int thin_cursor_open(struct thin_cursor *c, struct blockio *io, uint64_t root, uint64_t key_end,
		     const struct thin_cursor *twin, struct err *e);
void thin_cursor_close(struct thin_cursor *c); /* also after a failed open */

bool thin_cursor_head(struct thin_cursor *c, struct thin_item *it); /* false: the end */
void thin_cursor_skip(struct thin_cursor *c);
/* The head, a node: read and checked. Valid until the next step. */
int thin_cursor_load(struct thin_cursor *c, struct pdnode *n, struct err *e);
int thin_cursor_expand(struct thin_cursor *c, struct err *e); /* the head is now its first item */

/* Whether the node it, of another cursor, is still to come here, as far as the live frame of its
 * level tells. */
bool thin_cursor_ahead(struct thin_cursor *c, const struct thin_item *it);
struct thin_frame *thin_cursor_frame(struct thin_cursor *c, int level); /* NULL: not live */
bool thin_frame_lists(struct thin_frame *f, uint64_t block);            /* at or after at */
uint64_t thin_frame_item_end(const struct thin_frame *f, unsigned i);

#endif
