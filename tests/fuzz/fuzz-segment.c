/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a segment, given the right checksum: refused, or extents within their volume, and
 * data that unpacks within its bounds or not at all. */
#include <stdlib.h>
#include <string.h>

#include "segment_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
	if (!b)
		abort();
}

static void check(const struct segment *s, const struct manifest *m)
{
	uint64_t end = 0, data = 0;

	must(s->number < m->segments && s->volume < m->volumes && s->extents >= 1);
	for (unsigned i = 0; i < s->extents; i++) {
		const struct segment_extent *x = &s->extent[i];

		must(x->length > 0 && x->offset >= end && x->offset % SEGMENT_ALIGN == 0);
		end = x->offset + x->length;
		must(end > x->offset && end <= m->volume[s->volume].size);
		data += x->kind == SEGMENT_DATA ? x->length : 0;
	}
	must(data == s->raw_len && data <= SEGMENT_DATA_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct manifest m = {.seed = 42, .segments = 9, .volumes = 2};
	_cleanup_(segment_unpacker_freep) struct segment_unpacker *u = segment_unpacker_new();
	_cleanup_free_ uint8_t *frame = xmalloc(size + SEGMENT_SUM), *raw = NULL;
	_cleanup_(segment_freep) struct segment *s = NULL;
	struct err e = ERR_INIT;

	m.volume[0].size = 1ULL << 40;
	m.volume[1].size = 1000000;
	memcpy(frame, data, size);
	segment_seal(frame, size + SEGMENT_SUM, m.seed);
	s = segment_decode(frame, size + SEGMENT_SUM, &m, &e);
	must((s == NULL) == (e.code != ERR_NONE));
	if (!s)
		return 0;
	check(s, &m);
	raw = xmalloc(s->raw_len);
	segment_unpack(u, s, raw, &e);
	return 0;
}
