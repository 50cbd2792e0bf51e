/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "aio.h"
#include "apply.h"
#include "io.h"
#include "segment_pack.h"

#define DEPTH      64
#define ZEROS_SIZE APPLY_ZEROS_MAX

/* What one thread needs. */
struct worker {
	struct worker *next;
	struct apply *a;
	struct aio *aio;
	struct segment_unpacker *unpacker;
	uint8_t *data; /* SEGMENT_DATA_MAX bytes; NULL until needed */
	struct apply_counts counts;
};

struct apply {
	pthread_mutex_t mutex;
	pthread_cond_t released;
	unsigned left; /* workers that may yet be made */
	struct worker *idle;
	uint8_t *zeros; /* ZEROS_SIZE bytes, never written */
	struct apply_counts counts;
};

/* A segment on its way to its target. */
struct job {
	struct worker *w;
	const struct apply_target *t;
	struct err *e;
	int cached; /* an image file through the page cache; -1: not needed so far */
};

struct apply *apply_new(unsigned threads)
{
	struct apply *a = xcalloc(1, sizeof(*a));

	assert(threads > 0);
	pthread_mutex_init(&a->mutex, NULL);
	pthread_cond_init(&a->released, NULL);
	a->left = threads;
	a->zeros = aio_alloc(ZEROS_SIZE);
	return a;
}

void apply_free(struct apply *a)
{
	struct worker *next;

	for (struct worker *w = a ? a->idle : NULL; w; w = next) {
		next = w->next;
		aio_free(w->aio);
		segment_unpacker_free(w->unpacker);
		aio_release(w->data, SEGMENT_DATA_MAX);
		free(w);
	}
	if (!a)
		return;
	aio_release(a->zeros, ZEROS_SIZE);
	pthread_cond_destroy(&a->released);
	pthread_mutex_destroy(&a->mutex);
	free(a);
}

static struct worker *worker_new(struct apply *a)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	w->a = a;
	w->aio = aio_new(DEPTH);
	w->unpacker = segment_unpacker_new();
	return w;
}

static struct worker *acquire(struct apply *a)
{
	struct worker *w;

	pthread_mutex_lock(&a->mutex);
	while (!a->idle && !a->left)
		pthread_cond_wait(&a->released, &a->mutex);
	w = a->idle;
	if (w)
		a->idle = w->next;
	else
		a->left--;
	pthread_mutex_unlock(&a->mutex);
	return w ? w : worker_new(a);
}

static void release(struct worker *w)
{
	struct apply *a = w->a;
	struct apply_counts *to = &a->counts, *from = &w->counts;

	pthread_mutex_lock(&a->mutex);
	to->writes += from->writes;
	to->write_bytes += from->write_bytes;
	to->zeroings += from->zeroings;
	to->zero_bytes += from->zero_bytes;
	to->discards += from->discards;
	to->discard_bytes += from->discard_bytes;
	*from = (struct apply_counts){0};
	w->next = a->idle;
	a->idle = w;
	pthread_cond_signal(&a->released);
	pthread_mutex_unlock(&a->mutex);
}

void apply_counts(struct apply *a, struct apply_counts *out)
{
	pthread_mutex_lock(&a->mutex);
	*out = a->counts;
	pthread_mutex_unlock(&a->mutex);
}

int apply_target_init(struct apply_target *t, int fd, uint64_t size, uint64_t unit, struct err *e)
{
	struct stat st;
	uint64_t have;
	int align = AIO_ALIGN;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat the target");
	have = st.st_size;
	if (S_ISBLK(st.st_mode) &&
	    (ioctl(fd, BLKGETSIZE64, &have) < 0 || ioctl(fd, BLKSSZGET, &align) < 0))
		return err_sys(e, "ask for the size of the target");
	if (have < size)
		return err_set(e, ERR_FAILED,
			       "the target has %" PRIu64 " bytes, fewer than the cut's %" PRIu64,
			       have, size);
	*t = (struct apply_target){.fd = fd, .size = size, .align = align};
	t->block_device = S_ISBLK(st.st_mode);
	t->unit = t->block_device ? unit : APPLY_FILE_UNIT;
	if (t->block_device && size % align)
		return err_set(e, ERR_FAILED,
			       "the cut's size is not a multiple of the target's %d bytes", align);
	return 0;
}

/* An image file through the page cache, which the caller's fdatasync() flushes too: the odd bytes
 * at its end, since O_DIRECT takes whole blocks only, and small pieces, which the file system then
 * gathers: each page of a clone that is written gets a place of its own, at a price by itself. */
static int write_cached(struct job *j, const uint8_t *p, size_t n, uint64_t offset)
{
	char path[64];

	if (j->cached < 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", j->t->fd);
		j->cached = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (j->cached < 0 || io_pwrite(j->cached, p, n, offset) < 0)
		return err_sys(j->e, "write of %zu bytes at offset %" PRIu64, n, offset);
	return 0;
}

/* p is aligned, and stays as it is until the ring is drained. */
static int write_bytes(struct job *j, const uint8_t *p, size_t n, uint64_t offset)
{
	size_t odd = n % j->t->align;
	void *user;

	if (!j->t->block_device && n < APPLY_FILE_SMALL)
		odd = n;
	if (odd && write_cached(j, p + n - odd, odd, offset + n - odd) < 0)
		return -1;
	if (n == odd)
		return 0;
	if (!aio_room(j->w->aio) && aio_next(j->w->aio, &user, j->e) < 0)
		return -1;
	aio_write(j->w->aio, j->t->fd, p, n - odd, offset, NULL);
	return 0;
}

static int write_data(struct job *j, const uint8_t *p, const struct segment_extent *x)
{
	j->w->counts.writes++;
	j->w->counts.write_bytes += x->length;
	return write_bytes(j, p, x->length, x->offset);
}

static int write_zeros(struct job *j, uint64_t from, uint64_t to)
{
	uint64_t range[2] = {from, to - from};

	if (from == to)
		return 0;
	j->w->counts.zeroings++;
	j->w->counts.zero_bytes += to - from;
	if (to - from > APPLY_ZEROS_MAX && j->t->block_device) {
		if (ioctl(j->t->fd, BLKZEROOUT, range) == 0)
			return 0;
		return err_sys(j->e, "zeroing of %" PRIu64 " bytes at offset %" PRIu64, to - from,
			       from);
	}
	for (uint64_t n; from < to; from += n) {
		n = to - from < ZEROS_SIZE ? to - from : ZEROS_SIZE;
		if (write_bytes(j, j->w->a->zeros, n, from) < 0)
			return -1;
	}
	return 0;
}

/* 1: done; 0: the target cannot, zeros must be written. */
static int discard(struct job *j, uint64_t from, uint64_t to)
{
	uint64_t range[2] = {from, to - from};
	int r = j->t->block_device ? ioctl(j->t->fd, BLKDISCARD, range)
				   : fallocate(j->t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					       from, to - from);

	if (r < 0 && errno == EOPNOTSUPP)
		return 0;
	if (r < 0)
		return err_sys(j->e, "discard of %" PRIu64 " bytes at offset %" PRIu64, to - from,
			       from);
	j->w->counts.discards++;
	j->w->counts.discard_bytes += to - from;
	return 1;
}

/* Whole units are discarded where that gives zeros; what is left at both ends is written. */
static int clear(struct job *j, const struct segment_extent *x)
{
	uint64_t unit = j->t->unit, end = x->offset + x->length, low, high;
	int r;

	if (!unit || x->length < unit)
		return write_zeros(j, x->offset, end);
	low = (x->offset + unit - 1) / unit * unit;
	high = end / unit * unit;
	if (low >= high)
		return write_zeros(j, x->offset, end);
	r = discard(j, low, high);
	if (r < 0)
		return -1;
	if (r == 0)
		return write_zeros(j, x->offset, end);
	if (write_zeros(j, x->offset, low) < 0)
		return -1;
	return write_zeros(j, high, end);
}

static int write_all(struct job *j, const struct segment *s, const uint8_t *p)
{
	for (unsigned i = 0; i < s->extents; i++) {
		const struct segment_extent *x = &s->extent[i];

		if (x->kind != SEGMENT_DATA) {
			if (clear(j, x) < 0)
				return -1;
			continue;
		}
		if (write_data(j, p, x) < 0)
			return -1;
		p += x->length;
	}
	return 0;
}

/* The segment's data, aligned for O_DIRECT: in the frame itself where it lies so, or unpacked. */
static const uint8_t *data_of(struct worker *w, const struct segment *s, struct err *e)
{
	if (s->pack == SEGMENT_RAW && (uintptr_t)s->stored % AIO_ALIGN == 0)
		return s->stored;
	if (!w->data)
		w->data = aio_alloc(SEGMENT_DATA_MAX);
	return segment_unpack(w->unpacker, s, w->data, e) < 0 ? NULL : w->data;
}

static int apply(struct job *j, const struct segment *s)
{
	const struct segment_extent *last = &s->extent[s->extents - 1];
	struct err later = ERR_INIT;
	const uint8_t *data;
	int r, drained;

	if (last->offset + last->length > j->t->size)
		return err_set(j->e, ERR_FAILED, "segment: it goes beyond the target's end");
	data = data_of(j->w, s, j->e);
	if (!data)
		return -1;
	r = write_all(j, s, data);
	drained = aio_drain(j->w->aio, r < 0 ? &later : j->e);
	return r < 0 ? r : drained;
}

int apply_segment(struct apply *a, const struct segment *s, const struct apply_target *t,
		  struct err *e)
{
	struct job j = {acquire(a), t, e, -1};
	int r = apply(&j, s);

	closep(&j.cached);
	release(j.w);
	return r;
}
