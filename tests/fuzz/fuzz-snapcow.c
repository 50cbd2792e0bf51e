/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damage to the exception store of a small snapshot: the input is a list of 8 bytes each, {where
 * u32, value u32}. Whatever the reader makes of it must end; and when it believes the table, its
 * set is what a plain walk of the bytes finds. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io.h"
#include "snapcow.h"
#include "snapcow_image.h"

#define CHUNK   4096u
#define ENTRIES 300
#define ORIGIN  (700ULL * CHUNK)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fd = -1;
static uint8_t *base; /* the undamaged store */
static uint64_t bytes;

static void must(bool b)
{
	if (!b)
		abort();
}

static void make_base(void)
{
	uint64_t chunk[ENTRIES];

	for (unsigned i = 0; i < ENTRIES; i++)
		chunk[i] = (i * 7u) % 701u % 700u;
	fd = memfd_create("cow", MFD_CLOEXEC);
	must(fd >= 0);
	bytes = si_write(fd, CHUNK, chunk, ENTRIES);
	base = malloc(bytes);
	must(base && io_pread(fd, base, bytes, 0) == 0);
}

/* Half of the inputs' offsets hit the header and the tables, where it matters. */
static uint64_t place(uint32_t where)
{
	uint64_t span = CHUNK + 16 * ENTRIES;
	uint64_t at = where & 1 ? (where >> 1) % span : (where >> 1) % bytes;

	if (where & 1 && at >= CHUNK)
		at = si_entry(CHUNK, (at - CHUNK) / 16) + at % 16;
	return at > bytes - 4 ? bytes - 4 : at;
}

/* Of a table that snapcow_read() took, so all that is left to do is to follow it. */
static void check(const struct bset *set, const struct snapcow *info)
{
	_cleanup_(bset_freep) struct bset *want = bset_new();
	uint8_t entry[16];
	uint64_t n = 0;

	for (;; n++) {
		must(io_pread(fd, entry, sizeof(entry), si_entry(info->chunk_size, n)) == 0);
		if (le64_at(entry + 8) == 0)
			break;
		must(bset_add(want, le64_at(entry), 1) == 0);
	}
	must(n == info->entries);
	must(bset_covers(set, want) && bset_covers(want, set));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(bset_freep) struct bset *set = bset_new();
	struct err e = ERR_INIT;
	struct snapcow info;
	char path[64];
	int r;

	if (fd < 0)
		make_base();
	for (struct cur c = cur_of(data, size); c.left >= 8;) {
		uint64_t at = place(cur_le32(&c));

		si_put32(fd, at, cur_le32(&c));
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = snapcow_read(path, ORIGIN, set, &info, &e);
	must((r < 0) == (e.code != ERR_NONE));
	if (r == 0)
		check(set, &info);
	else
		must(bset_count(set) == 0);
	must(io_pwrite(fd, base, bytes, 0) == 0);
	return 0;
}
