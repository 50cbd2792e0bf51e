/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "io.h"
#include "snapcow_image.h"

void si_put32(int fd, uint64_t at, uint32_t v)
{
	uint8_t b[4];

	le32_put(b, v);
	if (io_pwrite(fd, b, sizeof(b), at) < 0)
		abort();
}

void si_put64(int fd, uint64_t at, uint64_t v)
{
	si_put32(fd, at, (uint32_t)v);
	si_put32(fd, at + 4, (uint32_t)(v >> 32));
}

uint64_t si_entry(uint32_t chunk_size, uint64_t i)
{
	uint64_t per = chunk_size / 16;

	return (1 + i / per * (per + 1)) * chunk_size + i % per * 16;
}

uint64_t si_write(int fd, uint32_t chunk_size, const uint64_t *chunk, uint64_t n)
{
	uint64_t per = chunk_size / 16, areas = n / per + 1;
	uint64_t size = (1 + areas + n) * chunk_size;

	if (ftruncate(fd, (off_t)size) < 0)
		abort();
	si_put32(fd, 0, 0x70416e53);
	si_put32(fd, 4, 1);
	si_put32(fd, 8, 1);
	si_put32(fd, 12, chunk_size / 512);
	for (uint64_t i = 0; i < n; i++) {
		si_put64(fd, si_entry(chunk_size, i), chunk[i]);
		/* copies fill what the areas leave free: after area 0 from chunk 2 on */
		si_put64(fd, si_entry(chunk_size, i) + 8, 2 + i + i / per);
	}
	return size;
}
