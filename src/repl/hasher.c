/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "aio.h"
#include "bset.h"
#include "fmt.h"
#include "hasher.h"

#define READ_LEAVES 128u                          /* of one read at most: 512 KiB */
#define READ_BYTES  (READ_LEAVES * HASHTREE_LEAF) /* bytes */
#define DEPTH       8                             /* reads in flight */

struct piece { /* one read */
	unsigned first;
	uint64_t bytes;
	uint8_t *p;
	struct piece *next; /* free */
};

struct work {
	const struct hasher *h;
	struct hashslice *s;
	struct err *e;
	uint64_t start, end;               /* bytes of the volume: the slice */
	uint64_t told;                     /* up to here the map has spoken */
	uint8_t data[HASHTREE_LEAVES / 8]; /* bit per leaf: it is read */
	unsigned next;                     /* leaf */
	int fd;
	struct aio *aio;
	uint8_t *memory;
	struct piece piece[DEPTH], *free;
	uint64_t began_us, done;
};

static bool has_data(const struct work *w, unsigned leaf)
{
	return w->data[leaf / 8] >> leaf % 8 & 1;
}

/* Marks the leaves that an extent of data touches. */
static int on_extent(void *arg, enum volume_extent kind, uint64_t offset, uint64_t length)
{
	struct work *w = arg;
	uint64_t from = offset > w->start ? offset : w->start;
	uint64_t to = offset + length < w->end ? offset + length : w->end;

	if (from >= to)
		return 0;
	if (from != w->told)
		return err_set(w->e, ERR_FAILED, "map of %s: %" PRIu64 " follows %" PRIu64,
			       w->h->v->name, from, w->told);
	w->told = to;
	for (uint64_t i = (from - w->start) / HASHTREE_LEAF;
	     kind == VOLUME_DATA && i * HASHTREE_LEAF < to - w->start; i++)
		w->data[i / 8] |= 1u << i % 8;
	return 0;
}

/* The map is asked for this slice's blocks only; its ends may lie within a block. */
static int read_map(struct work *w)
{
	struct volume *v = w->h->v;
	_cleanup_(bset_freep) struct bset *set = bset_new();
	uint64_t first = w->start / v->block_size, last = (w->end - 1) / v->block_size;
	int r;

	if (bset_add(set, first, last - first + 1) < 0)
		return err_set(w->e, ERR_FAILED, "%s has too many blocks", v->name);
	pthread_mutex_lock(w->h->mutex);
	r = v->ops->map(v, w->h->token, set, first * v->block_size, on_extent, w, w->e);
	pthread_mutex_unlock(w->h->mutex);
	if (r == 0 && w->told != w->end)
		return err_set(w->e, ERR_FAILED,
			       "map of %s ends at %" PRIu64 ", before the slice's end", v->name,
			       w->told);
	return r;
}

static void skip_holes(struct work *w)
{
	while (w->next < w->s->leaves && !has_data(w, w->next))
		w->next++;
}

/* Queues reads of runs of data as long as there is memory. */
static void issue(struct work *w)
{
	for (skip_holes(w); w->free && w->next < w->s->leaves; skip_holes(w)) {
		struct piece *p = w->free;
		uint64_t at = w->start + (uint64_t)w->next * HASHTREE_LEAF;
		unsigned n = 0;

		while (n < READ_LEAVES && w->next + n < w->s->leaves && has_data(w, w->next + n))
			n++;
		w->free = p->next;
		p->first = w->next;
		p->bytes = (uint64_t)n * HASHTREE_LEAF;
		if (p->bytes > w->end - at)
			p->bytes = w->end - at;
		aio_read(w->aio, w->fd, p->p, (size_t)n * HASHTREE_LEAF, p->bytes, at, p);
		w->next += n;
	}
}

static void hash(struct work *w, struct piece *p)
{
	for (uint64_t at = 0, n; at < p->bytes; at += n) {
		n = p->bytes - at < HASHTREE_LEAF ? p->bytes - at : HASHTREE_LEAF;
		hashtree_leaf(w->h->t, p->p + at, n, w->s->leaf[p->first + at / HASHTREE_LEAF]);
	}
	w->done += p->bytes;
	p->next = w->free;
	w->free = p;
}

static bool cancelled(const struct work *w)
{
	return w->h->cancel && *w->h->cancel;
}

/* Sleeps while this call is ahead of its rate, in bits, so that a cancel is soon seen. */
static void wait_for_rate(const struct work *w)
{
	while (w->h->rate && !cancelled(w)) {
		uint64_t due = w->began_us + (uint64_t)(w->done * 1e6 / w->h->rate);
		uint64_t now = fmt_mono_us();

		if (now >= due)
			return;
		usleep(due - now < 50000 ? due - now : 50000);
	}
}

static int read_all(struct work *w, _Atomic uint64_t *bytes)
{
	void *user;
	int r;

	do {
		wait_for_rate(w);
		if (cancelled(w))
			return err_set(w->e, ERR_FAILED, "cancelled");
		issue(w);
		r = aio_next(w->aio, &user, w->e);
		if (r > 0) {
			*bytes += ((struct piece *)user)->bytes;
			hash(w, user);
		}
	} while (r > 0);
	return r < 0 ? err_wrap(w->e, "cut of %s", w->h->v->name) : 0;
}

static int read_data(struct work *w, _Atomic uint64_t *bytes)
{
	struct volume *v = w->h->v;
	int r;

	pthread_mutex_lock(w->h->mutex);
	w->fd = v->ops->reader(v, w->h->token, w->e);
	pthread_mutex_unlock(w->h->mutex);
	if (w->fd < 0)
		return -1;
	w->aio = aio_new(DEPTH);
	w->memory = aio_alloc(DEPTH * READ_BYTES);
	for (unsigned i = 0; i < DEPTH; i++) {
		w->piece[i].p = w->memory + (size_t)i * READ_BYTES;
		w->piece[i].next = w->free;
		w->free = &w->piece[i];
	}
	r = read_all(w, bytes);
	aio_free(w->aio); /* waits: then the memory is nobody's */
	aio_release(w->memory, DEPTH * READ_BYTES);
	close(w->fd);
	return r;
}

int hasher_slice(const struct hasher *h, uint64_t slice, struct hashslice *out,
		 _Atomic uint64_t *bytes, struct err *e)
{
	_cleanup_free_ struct work *w = xcalloc(1, sizeof(*w));

	w->h = h;
	w->s = out;
	w->e = e;
	w->start = w->told = slice * HASHTREE_SLICE;
	w->end = w->start + hashtree_span(h->t, 2, slice);
	w->began_us = fmt_mono_us();
	hashslice_begin(out, h->t, slice);
	if (read_map(w) != 0)
		return -1;
	skip_holes(w);
	if (w->next < out->leaves && read_data(w, bytes) < 0)
		return -1;
	hashslice_end(out, h->t);
	return 0;
}
