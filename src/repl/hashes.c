/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "hashes.h"
#include "js.h"

json_t *hashes_json(const struct hashes *q)
{
	json_t *ranges = json_array();
	char seed[17];

	snprintf(seed, sizeof(seed), "%016" PRIx64, q->seed);
	for (unsigned i = 0; i < q->ranges; i++)
		json_array_append_new(ranges, json_pack("[I, I]", (json_int_t)q->range[i].first,
							(json_int_t)q->range[i].count));
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:o}", "generation", q->generation,
			 "seq", (json_int_t)q->seq, "time_ms", (json_int_t)q->time_ms, "volume",
			 (json_int_t)q->volume, "size", (json_int_t)q->size, "seed", seed, "level",
			 (json_int_t)q->level, "ranges", ranges);
}

static int parse_seed(const json_t *j, uint64_t *seed, struct err *e)
{
	char hex[17];

	if (js_str(j, "seed", hex, sizeof(hex), e) < 0)
		return -1;
	if (strlen(hex) != 16 || strspn(hex, "0123456789abcdef") != 16)
		return err_set(e, ERR_FAILED, "member \"seed\" is not 16 hex digits");
	*seed = strtoull(hex, NULL, 16);
	return 0;
}

static int bad_range(struct err *e)
{
	return err_set(e, ERR_FAILED, "a range of hashes is out of bounds");
}

/* nodes: of the tree at this level. All ranges lie in the slice of the first. */
static int parse_range(const json_t *pair, uint64_t nodes, struct hashes *q, struct err *e)
{
	const struct hashes_range *before = q->ranges ? &q->range[q->ranges - 1] : NULL;
	json_int_t first = json_integer_value(json_array_get(pair, 0));
	json_int_t count = json_integer_value(json_array_get(pair, 1));
	uint64_t per = hashtree_per_slice(q->level), slice, end;

	if (json_array_size(pair) != 2 || first < 0 || count < 1 || (uint64_t)first >= nodes ||
	    (uint64_t)count > nodes - first)
		return bad_range(e);
	if (before && (uint64_t)first < before->first + before->count)
		return bad_range(e);
	slice = before ? hashes_slice(q) : first / per;
	end = (slice + 1) * per;
	if ((uint64_t)first + count > end)
		return bad_range(e);
	q->range[q->ranges++] = (struct hashes_range){first, count};
	return 0;
}

static int parse_ranges(const json_t *list, struct hashes *q, struct err *e)
{
	struct hashtree t = {.size = q->size};
	uint64_t nodes = hashtree_nodes(&t, q->level);

	if (json_array_size(list) < 1 || json_array_size(list) > HASHES_RANGES_MAX)
		return bad_range(e);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (parse_range(json_array_get(list, i), nodes, q, e) < 0)
			return -1;
	return 0;
}

int hashes_parse(const void *text, size_t len, struct hashes *q, struct err *e)
{
	_cleanup_json_ json_t *j = js_parse(text, len, "the request", e);
	json_t *list = j ? js_array(j, "ranges", e) : NULL;
	uint64_t time_ms;

	memset(q, 0, sizeof(*q));
	if (!list || js_str(j, "generation", q->generation, sizeof(q->generation), e) < 0 ||
	    js_u64(j, "seq", &q->seq, e) < 0 || js_u64(j, "time_ms", &time_ms, e) < 0 ||
	    js_u64(j, "volume", &q->volume, e) < 0 || js_u64(j, "size", &q->size, e) < 0 ||
	    js_u64(j, "level", &q->level, e) < 0 || parse_seed(j, &q->seed, e) < 0)
		return -1;
	q->time_ms = time_ms;
	if (!fmt_is_id(q->generation) || q->level >= HASHTREE_LEVELS)
		return err_set(e, ERR_FAILED, "generation or level is out of bounds");
	return parse_ranges(list, q, e);
}

uint64_t hashes_slice(const struct hashes *q)
{
	return q->range[0].first / hashtree_per_slice(q->level);
}

uint64_t hashes_nodes(const struct hashes *q)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < q->ranges; i++)
		n += q->range[i].count;
	return n;
}
