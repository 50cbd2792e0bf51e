/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and removing the destination's side of a partnership, asked for by a granted peer. */
#ifndef TARGET_H
#define TARGET_H

#include "partnership.h"

/* What the source sends with create. */
struct target_request {
	char name[PEER_NAME_SIZE];
	char id[FMT_ID_SIZE];
	uint64_t keep, port; /* cuts to keep; port of srsync serve at the source */
	uint64_t rpo_ms;
	bool overwrite;
	unsigned volumes;
	struct {
		char source[VOLUME_NAME_MAX], target[VOLUME_NAME_MAX], uuid[VOLUME_UUID_MAX];
		uint64_t size;
	} volume[PARTNERSHIP_VOLUMES_MAX];
};

json_t *target_request_json(const struct target_request *r);
int target_request_parse(const void *text, size_t len, const char *id, struct target_request *r,
			 struct err *e);

/* Checks every target (rule 3; nothing on it unless overwrite; free of other partnerships), makes
 * its slots, and records the partnership as owned by fingerprint. remote: where the peer called
 * from, address:port. Both are empty when cuts come as files. */
int target_create(const struct host *h, struct target_request *r, const char *fingerprint,
		  const char *remote, struct err *e);

/* Removes the partnership from this host, slots and tags included; the volumes stay. Both roles.
 * force: a volume that is gone stops nothing. */
int target_remove(const struct host *h, const struct partnership *p, bool force, struct err *e);

#endif
