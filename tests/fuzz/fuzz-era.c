/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damage with right checksums in a small device's era metadata: the input is a list of 12 bytes
 * each, {block u16, offset u16, value u64}. Whatever the reader makes of it must end, and names no
 * block beyond the device; a later era never gives a block that an earlier one did not. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "era_image.h"
#include "era_meta.h"
#include "io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCKS 2500

static int fd = -1;
static struct era_image *image[2]; /* live, held */

static void must(bool b)
{
	if (!b)
		abort();
}

static void make(bool held)
{
	struct era_image *i = image[held] = ei_new(BLOCKS, 3);

	for (unsigned b = 0; b < BLOCKS; b++)
		i->last[b] = b % 3;
	for (unsigned k = 3; k < 7; k++)
		memset(ei_writeset(i, k, BLOCKS) + 100 * k, 1, 50);
	memset(ei_current(i) + 2000, 1, 20);
	ei_build(i, held);
}

static void damage(const struct era_image *i, const uint8_t *data, size_t size)
{
	uint8_t block[EI_BLOCK];

	must(io_pwrite(fd, i->blocks, i->used * EI_BLOCK, 0) == 0);
	for (struct cur c = cur_of(data, size); c.left >= 12;) {
		uint64_t where = cur_le16(&c) % i->used, offset = cur_le16(&c) % (EI_BLOCK - 7);

		must(io_pread(fd, block, EI_BLOCK, where * EI_BLOCK) == 0);
		le64_put(block + offset, cur_le64(&c));
		ei_seal(block, where, ei_kind(i, where));
		must(io_pwrite(fd, block, EI_BLOCK, where * EI_BLOCK) == 0);
	}
}

static void use(struct era_meta *m)
{
	_cleanup_(bset_freep) struct bset *early = bset_new(), *late = bset_new();
	struct err e = ERR_INIT;
	struct era_super s;
	uint64_t first, count;

	if (era_meta_super(m, &s, &e) < 0 || era_meta_written(m, 1, early, &e) < 0 ||
	    era_meta_written(m, 5, late, &e) < 0)
		return;
	must(bset_covers(early, late));
	for (uint64_t at = 0; bset_next_run(early, at, &first, &count); at = first + count)
		must(first + count <= ERA_BLOCKS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];

	if (fd < 0) {
		fd = memfd_create("image", MFD_CLOEXEC);
		make(false);
		make(true);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (int view = ERA_LIVE; view <= ERA_HELD; view++) {
		_cleanup_(era_meta_freep) struct era_meta *m = NULL;
		struct err e = ERR_INIT;

		must(ftruncate(fd, 0) == 0);
		damage(image[view], data, size);
		m = era_meta_open(path, view, &e);
		if (m)
			use(m);
	}
	return 0;
}
