/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HTTP API of srsync serve: the routes of /v1, who may use them, JSON in and out.
 *
 *   GET    /v1/replicas/ID                      committed cuts, open cut
 *   PUT    /v1/replicas/ID                      create (any granted peer)
 *   DELETE /v1/replicas/ID                      remove
 *   PUT    /v1/replicas/ID/cuts/SEQ             manifest -> received segments
 *   PUT    /v1/replicas/ID/cuts/SEQ/segments/N  one segment -> durable
 *   POST   /v1/replicas/ID/cuts/SEQ/commit      -> committed
 *   POST   /v1/replicas/ID/hashes               hashes.h -> 16 bytes per node
 *   POST   /v1/replicas/ID/adopt                the copy that is there becomes the seed
 *   POST   /v1/replicas/ID/rewind               target back to its committed cut
 *   GET    /v1/partnerships/ID                  status of a partnership, either role
 *   POST   /v1/partnerships/ID/COMMAND          sync, verify, pause, resume: drive the source (role
 * manage)
 *
 * A replica answers only to the fingerprint that made it. */
#ifndef API_H
#define API_H

#include "replica.h"
#include "server.h"

struct api {
	const struct host *host;
	struct replicas *replicas;
};

extern const struct server_route api_routes[]; /* server_options.arg is the struct api */

/* server_authorize: granted by srsync grant, or the pinned peer of a partnership. */
int api_authorize(void *arg, const char *fingerprint, struct err *e);

#endif
