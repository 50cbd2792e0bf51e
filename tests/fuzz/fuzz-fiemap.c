/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a file system's answers about two clones: refused, or ranges in ascending order. The
 * input is a length of the answers' first half, two sizes, and extents: offset, length, place,
 * flags. */
#include <stdlib.h>

#include "buf.h"
#include "fiemap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
	if (!b)
		abort();
}

/* Some extents at a time, whatever was asked for. */
static int fetch(void *arg, struct fiemap *m)
{
	struct cur *c = arg;
	unsigned n = 1 + c->left % 5;

	for (m->fm_mapped_extents = 0; m->fm_mapped_extents < n && c->left >= 28;
	     m->fm_mapped_extents++) {
		struct fiemap_extent *x = &m->fm_extents[m->fm_mapped_extents];

		x->fe_logical = cur_le64(c);
		x->fe_length = cur_le64(c);
		x->fe_physical = cur_le64(c);
		x->fe_flags = cur_le32(c);
	}
	return 0;
}

struct walk {
	uint64_t end, last;
};

static int differ(void *arg, enum fiemap_kind kind, uint64_t offset, uint64_t length)
{
	struct walk *w = arg;

	must(kind <= FIEMAP_LOOSE && length > 0 && offset >= w->end);
	must(offset < w->last && length <= w->last - offset);
	w->end = offset + length;
	return 0;
}

static void compare(const uint8_t *p, size_t size, size_t half, uint64_t size_a, uint64_t size_b)
{
	struct cur a = cur_of(p, half), b = cur_of(p + half, size - half);
	struct walk w = {.last = size_a > size_b ? size_a : size_b};
	struct fiemap_reader *ra = fiemap_open_fetch(fetch, &a);
	struct fiemap_reader *rb = fiemap_open_fetch(fetch, &b);
	struct err e = ERR_INIT;
	int r = fiemap_compare(ra, size_a, rb, size_b, differ, &w, &e);

	must((r < 0) == (e.code != ERR_NONE));
	fiemap_close(ra);
	fiemap_close(rb);
}

static void walk(const uint8_t *p, size_t size, uint64_t file)
{
	struct cur c = cur_of(p, size);
	struct fiemap_reader *r = fiemap_open_fetch(fetch, &c);
	struct fiemap_run run;
	struct err e = ERR_INIT;
	uint64_t end = file / 3;
	int got;

	fiemap_seek(r, end, file);
	while ((got = fiemap_next(r, &run, &e)) == 1) {
		must(run.kind != FIEMAP_HOLE && run.length > 0 && run.offset >= end);
		must(run.offset < file && run.length <= file - run.offset);
		end = run.offset + run.length;
	}
	must((got < 0) == (e.code != ERR_NONE));
	fiemap_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cur c = cur_of(data, size);
	size_t half = cur_le16(&c);
	uint64_t size_a = cur_le64(&c) >> 1, size_b = cur_le64(&c) >> 1;

	if (c.bad || half > c.left)
		return 0;
	walk(c.p, c.left, size_a);
	compare(c.p, c.left, half, size_a, size_b);
	return 0;
}
