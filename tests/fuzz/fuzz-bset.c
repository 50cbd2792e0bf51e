/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as the encoding of a set: refused, or a set with exactly this encoding. */
#include <stdlib.h>
#include <string.h>

#include "bset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
	if (!b)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cur c = cur_of(data, size);
	struct err e = ERR_INIT;
	_cleanup_(bset_freep) struct bset *s = bset_decode(&c, &e), *walked = NULL;
	_cleanup_buf_ struct buf again = BUF_INIT;
	uint64_t first = 0, count = 0, blocks = 0;

	must((s == NULL) == (e.code != ERR_NONE));
	if (!s)
		return 0;
	bset_encode(s, &again);
	must(again.len == size - c.left && !memcmp(again.data, data, again.len));
	walked = bset_new();
	while (bset_next_run(s, first + count, &first, &count)) {
		must(bset_add(walked, first, count) == 0);
		blocks += count;
	}
	must(blocks == bset_count(s));
	must(bset_covers(walked, s) && bset_covers(s, walked));
	return 0;
}
