/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "aio.h"
#include "io.h"
#include "raw.h"

#define FIRST  (256u << 10) /* superblocks of all common file systems, partition tables */
#define LAST   (64u << 10)  /* a second partition table, RAID metadata */
#define SPREAD 8            /* places in between */
#define PIECE  4096u

#define SUM_SIZE (FIRST + LAST + SPREAD * PIECE)

/* Reads what of [offset, offset + n) lies within size. */
static int take(int fd, uint8_t *p, uint64_t offset, uint64_t n, uint64_t size, struct err *e)
{
	if (offset >= size)
		return 0;
	if (n > size - offset)
		n = size - offset;
	if (io_pread(fd, p, n, offset) == 0)
		return 0;
	return err_sys(e, "read %llu bytes at %llu", (unsigned long long)n,
		       (unsigned long long)offset);
}

static int take_all(int fd, uint8_t *p, uint64_t size, struct err *e)
{
	uint64_t last = size > LAST ? (size - LAST) / PIECE * PIECE : 0;

	if (take(fd, p, 0, FIRST, size, e) < 0 || take(fd, p + FIRST, last, LAST, size, e) < 0)
		return -1;
	for (unsigned i = 0; i < SPREAD; i++)
		if (take(fd, p + FIRST + LAST + i * PIECE,
			 size / (SPREAD + 1) * (i + 1) / PIECE * PIECE, PIECE, size, e) < 0)
			return -1;
	return 0;
}

int raw_sum(int fd, uint64_t size, char hash[static 33], struct err *e)
{
	uint8_t *p = aio_alloc(SUM_SIZE);
	XXH128_hash_t h;
	int r;

	memset(p, 0, SUM_SIZE);
	r = take_all(fd, p, size, e);
	h = XXH3_128bits_withSeed(p, SUM_SIZE, size);
	snprintf(hash, 33, "%016llx%016llx", (unsigned long long)h.high64,
		 (unsigned long long)h.low64);
	aio_release(p, SUM_SIZE);
	return r;
}
