/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a stream, as they are and with right checksums: read to its end or refused, and
 * never more segments than there are bytes for. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "io.h"
#include "stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("stream", 0);
	_cleanup_(stream_free) struct stream s = STREAM_INIT(fd);
	struct segment *seg;
	struct err e = ERR_INIT;
	size_t segments = 0;

	if (fd < 0 || io_pwrite(fd, data, size, 0) < 0)
		abort();
	while (stream_read_begin(&s, &e) > 0)
		while (stream_read_segment(&s, &seg, &e) > 0) {
			segment_free(seg);
			if (++segments > size / (SEGMENT_HEAD + SEGMENT_EXTENT + SEGMENT_SUM))
				abort();
		}
}

/* Mends the checksums of the frames as far as their lengths lead from one to the next. */
static void mend(uint8_t *p, size_t left)
{
	struct err e;
	size_t n =
		left > STREAM_HEADER + MANIFEST_HEAD ? manifest_frame_size(p + STREAM_HEADER) : 0;
	_cleanup_(manifest_freep) struct manifest *m = NULL;

	if (!n || n > left - STREAM_HEADER)
		return;
	p += STREAM_HEADER;
	manifest_digest(p, n - MANIFEST_DIGEST, p + n - MANIFEST_DIGEST);
	m = manifest_decode(p, n, &e);
	for (left -= STREAM_HEADER + n, p += n; m && left >= SEGMENT_HEAD; left -= n, p += n) {
		n = memcmp(p, "SREN", 4) ? segment_frame_size(p) : STREAM_END;
		if (!n || n > left)
			return;
		segment_seal(p, n, m->seed);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = xmalloc(size);

	read_all(data, size);
	memcpy(copy, data, size);
	mend(copy, size);
	read_all(copy, size);
	return 0;
}
