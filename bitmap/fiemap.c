/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cleanup.h"
#include "fiemap.h"

/* Bytes of such an extent are not those at its place, or the place is not known. */
#define LOOSE                                                                                      \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED |                  \
	 FIEMAP_EXTENT_DATA_ENCRYPTED | FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE |    \
	 FIEMAP_EXTENT_DATA_TAIL)
/* What else we know; a flag that is not here may mean anything. */
#define KNOWN                                                                                      \
	(LOOSE | FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_MERGED |             \
	 FIEMAP_EXTENT_SHARED)

struct fiemap_reader {
	fiemap_fetch_fn *fetch;
	void *arg;
	int fd;
	bool end;          /* the file has no more extents */
	uint64_t at, size; /* bytes: all before at has been told */
	unsigned n, next;  /* extents in the batch; the one to look at */
	struct fiemap *batch;
};

static int ask(void *arg, struct fiemap *m)
{
	return ioctl(*(int *)arg, FS_IOC_FIEMAP, m);
}

struct fiemap_reader *fiemap_open_fetch(fiemap_fetch_fn *fetch, void *arg)
{
	struct fiemap_reader *r = xcalloc(1, sizeof(*r));

	r->fetch = fetch;
	r->arg = arg;
	r->batch = xcalloc(1, sizeof(*r->batch) + FIEMAP_BATCH * sizeof(*r->batch->fm_extents));
	return r;
}

struct fiemap_reader *fiemap_open(int fd)
{
	struct fiemap_reader *r = fiemap_open_fetch(ask, NULL);

	r->fd = fd;
	r->arg = &r->fd;
	return r;
}

void fiemap_close(struct fiemap_reader *r)
{
	if (!r)
		return;
	free(r->batch);
	free(r);
}

void fiemap_seek(struct fiemap_reader *r, uint64_t offset, uint64_t size)
{
	/* going forward, what is at hand serves on */
	if (offset <= r->at || size != r->size) {
		r->n = r->next = 0;
		r->end = false;
	}
	r->at = offset;
	r->size = size;
}

static int odd(const struct fiemap_extent *x, const char *what, struct err *e)
{
	return err_set(e, ERR_FAILED,
		       "the file system's list of extents (FIEMAP) makes no sense: %s at %" PRIu64
		       ", length %" PRIu64,
		       what, (uint64_t)x->fe_logical, (uint64_t)x->fe_length);
}

/* Ascending, no overlap, and no number that overflows. */
static int check(const struct fiemap *m, struct err *e)
{
	uint64_t end = 0;

	if (m->fm_mapped_extents > FIEMAP_BATCH)
		return err_set(e, ERR_FAILED,
			       "the file system's list of extents (FIEMAP) has %u extents, %u were "
			       "asked for",
			       m->fm_mapped_extents, FIEMAP_BATCH);
	for (unsigned i = 0; i < m->fm_mapped_extents; i++) {
		const struct fiemap_extent *x = &m->fm_extents[i];

		if (x->fe_length == 0)
			return odd(x, "an empty extent", e);
		if (x->fe_length > INT64_MAX || x->fe_logical > INT64_MAX - x->fe_length)
			return odd(x, "an extent beyond any file", e);
		if (i > 0 && x->fe_logical < end)
			return odd(x, "an overlap", e);
		if (x->fe_physical > UINT64_MAX - x->fe_length && !(x->fe_flags & LOOSE))
			return odd(x, "a place beyond any file system", e);
		end = x->fe_logical + x->fe_length;
	}
	return 0;
}

static int fetch(struct fiemap_reader *r, struct err *e)
{
	const struct fiemap_extent *last;
	struct fiemap *m = r->batch;

	*m = (struct fiemap){.fm_start = r->at,
			     .fm_length = r->size - r->at,
			     .fm_flags = FIEMAP_FLAG_SYNC,
			     .fm_extent_count = FIEMAP_BATCH};
	r->n = r->next = 0;
	if (r->fetch(r->arg, m) < 0)
		return err_sys(e, "ask for the extents of a file (FIEMAP)");
	if (check(m, e) < 0)
		return -1;
	r->n = m->fm_mapped_extents;
	r->end = r->n == 0;
	last = &m->fm_extents[r->end ? 0 : r->n - 1];
	if (!r->end && last->fe_logical + last->fe_length <= r->at)
		return odd(last, "an extent before those asked for", e);
	return 0;
}

/* Cuts x off at both sides. false: it lies before what is wanted. */
static bool clip(const struct fiemap_reader *r, const struct fiemap_extent *x,
		 struct fiemap_run *out)
{
	uint64_t from = x->fe_logical, to = from + x->fe_length, place = x->fe_physical;

	if (to <= r->at)
		return false;
	if (from < r->at) {
		place += r->at - from;
		from = r->at;
	}
	if (to > r->size)
		to = r->size;
	if (x->fe_flags & LOOSE || x->fe_flags & ~KNOWN)
		*out = (struct fiemap_run){FIEMAP_LOOSE, from, to - from, 0};
	else
		*out = (struct fiemap_run){x->fe_flags & FIEMAP_EXTENT_UNWRITTEN ? FIEMAP_UNWRITTEN
										 : FIEMAP_DATA,
					   from, to - from, place};
	return true;
}

/* The flag of the last extent is not relied on: an answer without extents is the end. */
int fiemap_next(struct fiemap_reader *r, struct fiemap_run *out, struct err *e)
{
	while (r->at < r->size && !r->end) {
		while (r->next < r->n) {
			const struct fiemap_extent *x = &r->batch->fm_extents[r->next++];

			if (x->fe_logical >= r->size)
				return r->end = true, 0;
			if (!clip(r, x, out))
				continue;
			r->at = out->offset + out->length;
			return 1;
		}
		if (fetch(r, e) < 0)
			return -1;
	}
	return 0;
}

/* One side of a comparison: the run at or after where the walk is. */
struct side {
	struct fiemap_reader *r;
	struct fiemap_run run; /* kind FIEMAP_HOLE: up to the end of its length */
	bool ahead;            /* a run beyond the hole is known already */
	struct fiemap_run after;
};

static int load(struct side *s, uint64_t at, uint64_t size, struct err *e)
{
	int r = s->ahead ? 1 : fiemap_next(s->r, &s->after, e);

	if (r < 0)
		return -1;
	s->ahead = r == 1;
	if (s->ahead && s->after.offset == at) {
		s->run = s->after;
		s->ahead = false;
	} else {
		s->run = (struct fiemap_run){FIEMAP_HOLE, at,
					     (s->ahead ? s->after.offset : size) - at, 0};
	}
	return 0;
}

static bool is_zeros(const struct fiemap_run *r)
{
	return r->kind == FIEMAP_HOLE || r->kind == FIEMAP_UNWRITTEN;
}

/* Do both hold the same bytes at this offset, which lies in both? */
static bool equal(const struct fiemap_run *a, const struct fiemap_run *b, uint64_t at)
{
	if (is_zeros(a) || is_zeros(b))
		return is_zeros(a) && is_zeros(b);
	return a->kind == FIEMAP_DATA && b->kind == FIEMAP_DATA &&
	       a->place + (at - a->offset) == b->place + (at - b->offset);
}

int fiemap_compare(struct fiemap_reader *a, uint64_t size_a, struct fiemap_reader *b,
		   uint64_t size_b, fiemap_differ_fn *fn, void *arg, struct err *e)
{
	uint64_t size = size_a < size_b ? size_a : size_b, n;
	struct side sa = {.r = a}, sb = {.r = b};
	int r = 0;

	fiemap_seek(a, 0, size);
	fiemap_seek(b, 0, size);
	for (uint64_t at = 0; at < size && r == 0; at += n) {
		if (sa.run.offset + sa.run.length == at && load(&sa, at, size, e) < 0)
			return -1;
		if (sb.run.offset + sb.run.length == at && load(&sb, at, size, e) < 0)
			return -1;
		n = sa.run.offset + sa.run.length - at;
		if (n > sb.run.offset + sb.run.length - at)
			n = sb.run.offset + sb.run.length - at;
		if (!equal(&sa.run, &sb.run, at))
			r = fn(arg, sb.run.kind, at, n);
	}
	if (r == 0 && size_a != size_b)
		r = fn(arg, size_b > size_a ? FIEMAP_LOOSE : FIEMAP_HOLE, size,
		       (size_a > size_b ? size_a : size_b) - size);
	return r;
}
