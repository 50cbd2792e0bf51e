/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a manifest's JSON, and as a frame: refused, or a manifest that is the same again
 * after it is written and read. */
#include <stdlib.h>
#include <string.h>

#include "manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
	if (!b)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	_cleanup_(manifest_freep) struct manifest *framed = manifest_decode(data, size, &e);
	_cleanup_(manifest_freep) struct manifest *m = NULL, *again = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT;

	must((framed == NULL) == (e.code != ERR_NONE));
	e.code = ERR_NONE;
	m = manifest_parse(data, size, &e);
	must((m == NULL) == (e.code != ERR_NONE));
	if (!m)
		return 0;
	must(m->volumes >= 1 && m->volumes <= MANIFEST_VOLUMES_MAX);
	must(m->segments <= MANIFEST_SEGMENTS_MAX);
	must(manifest_encode(m, &b, &e) == 0);
	must(manifest_frame_size(b.data) == b.len);
	again = manifest_decode(b.data, b.len, &e);
	must(again && !memcmp(m, again, sizeof(*m)));
	return 0;
}
