/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"

int file_held(struct volume *v, const char *token, char *name, char *why, size_t size,
	      struct err *e)
{
	struct file *f = file_of(v);
	char slot[NAME_MAX + 1], words[256];
	_cleanup_close_ int fd = -1;
	struct file_id id;

	fd = file_slot_open(f, token, slot, &id, words, sizeof(words), e);
	if (fd < 0 && !words[0])
		return -1;
	if (fd < 0 && why)
		snprintf(why, size, "%s", words);
	if (fd >= 0 && name &&
	    snprintf(name, VOLUME_NAME_MAX, "%s/%s", f->dir, slot) >= VOLUME_NAME_MAX)
		return err_set(e, ERR_FAILED, "the path of a slot is too long");
	return fd >= 0;
}

/* The slot of a cut that must be held. *doubt: not held, rather than unknown. */
static int open_cut(struct file *f, const char *token, struct file_id *id, bool *doubt,
		    struct err *e)
{
	char slot[NAME_MAX + 1], why[256];
	int fd = file_slot_open(f, token, slot, id, why, sizeof(why), e);

	*doubt = fd < 0 && why[0];
	if (*doubt)
		return err_set(e, ERR_FAILED, "a cut of %s is not held: %s", f->v.name, why);
	return fd;
}

struct gather {
	struct bset *set;
	uint64_t size, block_size;
};

static int gather(void *arg, enum fiemap_kind kind, uint64_t offset, uint64_t length)
{
	struct gather *g = arg;
	uint64_t first = offset / g->block_size, end = offset + length;

	(void)kind;
	if (offset >= g->size)
		return 0;
	if (end > g->size)
		end = g->size;
	return bset_add(g->set, first, (end - 1) / g->block_size - first + 1);
}

static int untouched(struct file *f, int fd, const struct file_id *id, struct err *e)
{
	struct file_id now;

	if (file_id_of(fd, &now, e) < 0)
		return -1;
	if (file_id_is(&now, id))
		return VOLUME_CHANGES_OK;
	err_set(e, ERR_FAILED, "a cut of %s was touched meanwhile", f->v.name);
	return VOLUME_CHANGES_DOUBT;
}

int file_changes(struct volume *v, const char *from, const char *to, struct bset *set,
		 struct err *e)
{
	struct file *f = file_of(v);
	_cleanup_(bset_freep) struct bset *found = bset_new();
	_cleanup_(fiemap_closep) struct fiemap_reader *ra = NULL, *rb = NULL;
	_cleanup_close_ int a = -1, b = -1;
	struct file_id ia, ib;
	struct gather g;
	bool doubt;
	int r;

	a = open_cut(f, from, &ia, &doubt, e);
	if (a >= 0)
		b = open_cut(f, to, &ib, &doubt, e);
	if (a < 0 || b < 0)
		return doubt ? VOLUME_CHANGES_DOUBT : -1;
	ra = fiemap_open(a);
	rb = fiemap_open(b);
	g = (struct gather){found, ib.size, v->block_size};
	if (fiemap_compare(ra, ia.size, rb, ib.size, gather, &g, e) != 0)
		return -1;
	r = untouched(f, a, &ia, e);
	if (r == VOLUME_CHANGES_OK)
		r = untouched(f, b, &ib, e);
	if (r == VOLUME_CHANGES_OK)
		bset_or(set, found);
	return r;
}

/* Joins what it is told into maximal ranges. */
struct mapper {
	struct fiemap_reader *r;
	struct fiemap_run run; /* the one at or beyond where the walk is; length 0: no more */
	uint64_t size;
	volume_extent_fn *fn;
	void *arg;
	struct err *e;
	enum volume_extent kind; /* of the range not told yet */
	uint64_t from, to;
};

static int flush(struct mapper *m)
{
	uint64_t from = m->from, n = m->to - m->from;

	m->from = m->to = 0;
	return n ? m->fn(m->arg, m->kind, from, n) : 0;
}

static int tell(struct mapper *m, enum volume_extent kind, uint64_t from, uint64_t to)
{
	int r = 0;

	if (from == to)
		return 0;
	if (m->to != from || m->kind != kind)
		r = flush(m);
	if (m->to == 0)
		m->from = from;
	m->kind = kind;
	m->to = to;
	return r;
}

/* Loads the run that ends beyond at. What lies far away is not walked over, but sought. */
static int load(struct mapper *m, uint64_t at)
{
	int r = 1;

	while (r == 1 && m->run.offset + m->run.length <= at) {
		if (m->run.offset + m->run.length < at)
			fiemap_seek(m->r, at, m->size);
		r = fiemap_next(m->r, &m->run, m->e);
	}
	if (r == 0)
		m->run = (struct fiemap_run){FIEMAP_HOLE, m->size, 0, 0};
	return r < 0 ? -1 : 0;
}

static int tell_range(struct mapper *m, uint64_t at, uint64_t end)
{
	int r = 0;

	for (uint64_t n; at < end && r == 0; at = n) {
		bool hole;

		if (m->run.length && m->run.offset + m->run.length <= at && load(m, at) < 0)
			return -1;
		hole = at < m->run.offset || m->run.length == 0;
		n = hole ? m->run.offset : m->run.offset + m->run.length;
		if (m->run.length == 0 || n > end)
			n = end;
		r = tell(m, hole || m->run.kind == FIEMAP_UNWRITTEN ? VOLUME_HOLE : VOLUME_DATA, at,
			 n);
	}
	return r;
}

static int walk(struct mapper *m, const struct bset *set, uint64_t block_size, uint64_t offset)
{
	uint64_t first = offset / block_size, count = 0;
	int r = load(m, offset);

	if (r < 0 || !set)
		return r < 0 ? -1 : tell_range(m, offset, m->size);
	while (r == 0 && bset_next_run(set, first + count, &first, &count)) {
		uint64_t from = first * block_size, to = (first + count) * block_size;

		if (from >= m->size)
			break;
		r = tell_range(m, from > offset ? from : offset, to < m->size ? to : m->size);
	}
	return r;
}

int file_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
	     volume_extent_fn *fn, void *arg, struct err *e)
{
	struct file *f = file_of(v);
	_cleanup_(fiemap_closep) struct fiemap_reader *reader = NULL;
	_cleanup_close_ int fd = -1;
	struct mapper m = {.fn = fn, .arg = arg, .e = e};
	struct file_id id;
	bool doubt;
	int r;

	fd = open_cut(f, token, &id, &doubt, e);
	if (fd < 0)
		return -1;
	if (offset >= id.size)
		return 0;
	reader = fiemap_open(fd);
	m.r = reader;
	m.size = id.size;
	fiemap_seek(reader, offset, id.size);
	r = walk(&m, set, v->block_size, offset);
	return r == 0 ? flush(&m) : r;
}

int file_reader(struct volume *v, const char *token, struct err *e)
{
	struct file_id id;
	bool doubt;

	return open_cut(file_of(v), token, &id, &doubt, e);
}
