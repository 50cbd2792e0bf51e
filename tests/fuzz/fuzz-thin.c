/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damage with right checksums in the metadata of a small pool: the input is a list of 12 bytes
 * each, {block u16, offset u16, value u64}. Whatever the reader makes of it must end; and where
 * both trees can be read whole, the walk of both must agree with what is mapped in each. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io.h"
#include "thin_diff.h"
#include "thin_image.h"
#include "thin_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fd = -1;
static uint8_t *base; /* the undamaged image */
static uint64_t blocks, held;

static void must(bool b)
{
	if (!b)
		abort();
}

static void make_base(void)
{
	struct thin_image *t = ti_new(6, 128);

	ti_create(t, 0);
	ti_fill(t, 0, 150, 4);
	ti_commit(t);
	ti_snap(t, 1, 0);
	for (unsigned i = 0; i < 12; i++)
		ti_map(t, 1, i * i);
	for (unsigned i = 30; i < 60; i++)
		ti_unmap(t, 1, i);
	ti_hold(t);
	held = t->held;
	fd = memfd_create("image", MFD_CLOEXEC);
	must(fd >= 0);
	blocks = ti_write(t, fd) / TI_BLOCK;
	base = malloc(blocks * TI_BLOCK);
	must(base && io_pread(fd, base, blocks * TI_BLOCK, 0) == 0);
	ti_free(t);
}

/* Damages the image by the input. */
static void damage(const uint8_t *data, size_t size)
{
	uint8_t block[TI_BLOCK];

	for (struct cur c = cur_of(data, size); c.left >= 12;) {
		uint64_t where = cur_le16(&c) % blocks, offset = cur_le16(&c) % (TI_BLOCK - 7);

		must(io_pread(fd, block, TI_BLOCK, where * TI_BLOCK) == 0);
		le64_put(block + offset, cur_le64(&c));
		ti_seal(block, where, where == 0 || where == held ? KIND_SUPER : KIND_NODE);
		must(io_pwrite(fd, block, TI_BLOCK, where * TI_BLOCK) == 0);
	}
}

static void mend(const uint8_t *data, size_t size)
{
	for (struct cur c = cur_of(data, size); c.left >= 12; cur_le64(&c)) {
		uint64_t where = cur_le16(&c) % blocks;

		cur_le16(&c);
		must(io_pwrite(fd, base + where * TI_BLOCK, TI_BLOCK, where * TI_BLOCK) == 0);
	}
}

struct sets {
	struct bset *changed, *unmapped;
	bool beyond; /* of what a set can hold */
};

static int on_change(void *arg, enum thin_change kind, uint64_t first, uint64_t count)
{
	struct sets *s = arg;

	s->beyond |= bset_add(kind == THIN_CHANGED ? s->changed : s->unmapped, first, count) < 0;
	return 0;
}

static int on_run(void *arg, uint64_t first, uint64_t count)
{
	return bset_add(arg, first, count) < 0 ? 1 : 0;
}

/* None of a in b. */
static bool apart(const struct bset *a, const struct bset *b)
{
	uint64_t first, count;

	for (uint64_t at = 0; bset_next_run(a, at, &first, &count); at = first + count)
		for (uint64_t k = first; k < first + count; k++)
			if (bset_has(b, k))
				return false;
	return true;
}

static void check(struct sets *s, struct bset *from, struct bset *to)
{
	must(bset_covers(to, s->changed) && bset_covers(from, s->unmapped));
	must(apart(s->unmapped, to));
	bset_or(s->unmapped, to);
	must(bset_covers(s->unmapped, from));
	bset_or(s->changed, from);
	must(bset_covers(s->changed, to));
}

static void use(struct thin_meta *m, const struct thin_dev *from, const struct thin_dev *to)
{
	_cleanup_(bset_freep) struct bset *a = bset_new(), *b = bset_new(), *x = bset_new(),
					  *y = bset_new();
	struct sets s = {x, y, false};
	struct err e = ERR_INIT;

	if (thin_diff(m, from, to, on_change, &s, &e) == 0 &&
	    thin_map(m, from, NULL, 0, on_run, a, &e) == 0 &&
	    thin_map(m, to, NULL, 0, on_run, b, &e) == 0 && !s.beyond)
		check(&s, a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	char path[64];

	if (fd < 0)
		make_base();
	damage(data, size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (int view = THIN_LIVE; view <= THIN_HELD; view++) {
		_cleanup_(thin_meta_freep) struct thin_meta *m = thin_meta_open(path, view, &e);
		struct thin_dev dev[2] = {{.id = 0}, {.id = 1}};

		if (m && thin_meta_find(m, dev, 2, &e) == 0 && dev[0].present && dev[1].present) {
			use(m, &dev[0], &dev[1]);
			use(m, &dev[1], &dev[0]);
		}
	}
	mend(data, size);
	return 0;
}
