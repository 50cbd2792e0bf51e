/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the spool of redo.h is. A new one goes where the host's setting says: nothing: into open/;
 * a folder: there, as ID.spool; a block device: there (spool_log.h). open/spool is it, or a link
 * that remembers the place, so that the setting may change at any time and a committed cut is
 * found. */
#ifndef REDO_PLACE_H
#define REDO_PLACE_H

#include "session.h"

/* Of the sessions here only host and p count. */

/* A new spool for this manifest, empty, if there is room for so many bytes of frames. An older one
 * has been dropped. */
struct spool *redo_place_create(const struct session *s, const struct manifest *m,
				const uint8_t *digest, uint64_t bytes, struct err *e);
/* The spool of this manifest, or NULL without an error (e->code stays ERR_NONE): it is lost. That a
 * log volume is away is an error: it may come back. */
struct spool *redo_place_open(const struct session *s, const uint8_t *digest, struct err *e);
/* Is there room in it for what is missing? */
int redo_place_room(const struct session *s, const struct spool *spool, const struct manifest *m,
		    uint64_t bytes, struct err *e);
/* Removes it, whatever it is of; while s->spool is NULL. A log volume that is away is an error. */
int redo_place_drop(const struct session *s, struct err *e);

/* 0: it can be opened, or is lost for good; -1: what it lies on is away for now. */
int redo_place_reach(const struct session *s, struct err *e);
/* Does open/spool lead to a log volume? */
bool redo_place_shared(const struct session *s);

/* Is the host's setting a place where a spool can lie? */
int redo_place_check(const struct host *h, struct err *e);
/* ERR_REFUSED if that volume is, or holds, somebody's log volume, so that it cannot be replicated
 * or written. */
int redo_place_refuse(const struct host *h, const char *volume, struct err *e);

#endif
