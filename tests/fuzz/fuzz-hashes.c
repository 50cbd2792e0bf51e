/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a question for hashes: refused, or within its bounds and the same again after it is
 * written and read. */
#include <stdlib.h>
#include <string.h>

#include "hashes.h"
#include "js.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
	if (!b)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct hashes q, back;
	struct hashtree t = {0};
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;

	if (hashes_parse(data, size, &q, &e) < 0) {
		must(e.code != ERR_NONE);
		return 0;
	}
	t.size = q.size;
	must(q.ranges >= 1 && q.ranges <= HASHES_RANGES_MAX);
	must(hashes_nodes(&q) <= hashtree_per_slice(q.level));
	must(hashes_slice(&q) < hashtree_nodes(&t, 2));
	j = hashes_json(&q);
	text = json_dumps(j, JSON_COMPACT);
	must(hashes_parse(text, strlen(text), &back, &e) == 0);
	must(!memcmp(&q, &back, sizeof(q)));
	return 0;
}
