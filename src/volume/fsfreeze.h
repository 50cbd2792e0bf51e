/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file system held still for the instant of a cut (FIFREEZE), once however many volumes of the
 * group lie on it. Needs CAP_SYS_ADMIN. Locks and marks as in freeze.h. Not for two threads at
 * once: cut_group() has one cut at a time. */
#ifndef FSFREEZE_H
#define FSFREEZE_H

#include <stdbool.h>

#include "err.h"

struct fsfreeze;

/* dir: an open folder on the file system, borrowed until the close; uuid: the file system's. The
 * same uuid gives the same object, which each of its users closes. NULL on failure. */
struct fsfreeze *fsfreeze_open(int dir, const char *uuid, struct err *e);
int fsfreeze_begin(struct fsfreeze *f, struct err *e);
int fsfreeze_end(struct fsfreeze *f, struct err *e); /* idempotent */
bool fsfreeze_broken(const struct fsfreeze *f);      /* somebody else thawed it too early */
void fsfreeze_close(struct fsfreeze *f);             /* a file system still frozen keeps its mark */

/* Thaws what a killed srsync has left frozen. */
int fsfreeze_mend(int dir, const char *uuid, struct err *e);

#endif
