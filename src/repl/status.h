/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about a partnership for people and programs. Reads only; takes no lock; works beside a
 * running sync. */
#ifndef STATUS_H
#define STATUS_H

#include "partnership.h"

/* One object, for srsync status --json and GET /v1/partnerships/ID. state is one of
 *   ok       the newest committed cut is younger than the RPO
 *   late     it is older; cause says why, if known
 *   new      nothing is committed yet
 *   syncing  a cut is being taken, shipped or received right now (progress)
 *   failing  the newest attempt failed; cause and remedy say more
 *   paused   by the administrator
 * NULL with e filled on failure. */
json_t *status_json(const struct host *h, const struct partnership *p, struct err *e);

/* {"cuts": [{"generation", "seq", "time", "here": [...], "peer"}]}, oldest first: here names what
 * holds the cut on this host, one per volume in order, empty where it is not held; peer: the other
 * host holds it. */
json_t *status_cuts_json(const struct host *h, const struct partnership *p, struct err *e);

#endif
