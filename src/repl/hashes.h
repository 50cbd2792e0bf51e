/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The question of POST /v1/replicas/ID/hashes: nodes of the hash tree (hashtree.h) of one volume of
 * a committed cut. The answer is binary: 16 bytes per node, in the order asked. A question stays
 * within one slice, so that its answer has at most HASHES_ANSWER_MAX bytes.
 *
 * {"generation", "seq", "time_ms": the cut; "volume": its index; "size": bytes that the tree
 * covers, no more than the cut has; "seed": 16 hex digits; "level"; "ranges": [[first, count],
 * ...]} */
#ifndef HASHES_H
#define HASHES_H

#include <jansson.h>

#include "fmt.h"
#include "hashtree.h"

#define HASHES_RANGES_MAX  HASHTREE_FAN
#define HASHES_REQUEST_MAX (64u << 10) /* bytes of JSON */
#define HASHES_ANSWER_MAX  (HASHTREE_LEAVES * HASHTREE_HASH)

struct hashes_range {
	uint64_t first, count; /* nodes of the level */
};

struct hashes {
	char generation[FMT_ID_SIZE];
	uint64_t seq;
	int64_t time_ms;
	uint64_t volume, size, seed, level;
	unsigned ranges; /* ascending, not touching each other twice */
	struct hashes_range range[HASHES_RANGES_MAX];
};

json_t *hashes_json(const struct hashes *q);
/* Of outside data: ranges are ascending, not empty, of one slice and within the tree. */
int hashes_parse(const void *text, size_t len, struct hashes *q, struct err *e);

uint64_t hashes_slice(const struct hashes *q); /* that it is about */
uint64_t hashes_nodes(const struct hashes *q); /* asked for, all ranges together */

#endif
