/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of the bitmap log: reading it, writing it anew, appending to it. For bitlog.c. */
#ifndef BITLOG_FILE_H
#define BITLOG_FILE_H

#include "bitlog_record.h"

struct bitlog {
	char *path;
	char *doubt;             /* why the file could not be trusted, or NULL */
	bool damaged;            /* the file at path is such a one: kept before it is replaced */
	bool anew;               /* the file must be written anew before anything is appended */
	struct bitlog_cut *base; /* the committed cut, or NULL */
	struct bitlog_cut **cut; /* the cuts after it, oldest first */
	unsigned n, room;        /* in use, allocated */
	struct bitlog_mark mark; /* the newest mark in the file */
};

/* The cut becomes the last of l, which owns it from here. */
void bitlog_push(struct bitlog *l, struct bitlog_cut *c);
void bitlog_clear(struct bitlog *l); /* no committed cut, no cuts */

/* Reads the file into an empty l. What it then holds is durable. A missing file is an empty log; a
 * damaged one too, with doubt set. -1 when it cannot be read: nothing is known then. */
int bitlog_file_load(struct bitlog *l, struct err *e);
/* Puts a file of these records in place of the one there; on failure the next append tries anew. */
int bitlog_file_replace(struct bitlog *l, const struct bitlog_cut *base,
			struct bitlog_cut *const *cut, unsigned n, struct err *e);
/* Writes c behind the end and moves the end. */
int bitlog_file_append(struct bitlog *l, const struct bitlog_cut *c, struct err *e);

#endif
