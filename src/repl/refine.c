/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "aio.h"
#include "fault.h"
#include "fine.h"
#include "refine.h"

enum { BASE, CUT, SIDES };

struct piece {
	uint8_t *side[SIDES]; /* REFINE_PIECE bytes each */
	uint64_t offset;
	uint32_t length;
	unsigned pending; /* reads in flight */
};

struct compare {
	const struct refine *r;
	struct err *e;
	int fd[SIDES];
	struct aio *aio;
	struct piece piece[REFINE_PIECES];
	struct bset *fine;
	uint64_t end;  /* bytes: whole pages that both cuts have */
	uint64_t next; /* end of the last page taken up */
	uint64_t done; /* bytes compared */
};

/* Takes the pages that are equal out of the set, run by run. */
static int judge(struct compare *c, const struct piece *p)
{
	uint32_t at = 0, from;

	while (at < p->length) {
		for (from = at;
		     at < p->length && !memcmp(p->side[BASE] + at, p->side[CUT] + at, FINE_PAGE);)
			at += FINE_PAGE;
		bset_remove(c->fine, (p->offset + from) / FINE_PAGE, (at - from) / FINE_PAGE);
		at += FINE_PAGE; /* it differs */
	}
	c->done += p->length;
	if (c->r->tick && !c->r->tick(c->r->arg, c->done))
		return err_set(c->e, ERR_FAILED, "stopped");
	return 0;
}

/* Waits for one read. 0: there is none. */
static int reap(struct compare *c)
{
	void *user;
	int r = aio_next(c->aio, &user, c->e);
	struct piece *p = user;

	if (r > 0 && --p->pending == 0 && judge(c, p) < 0)
		return -1;
	return r;
}

static struct piece *free_piece(struct compare *c)
{
	for (;;) {
		for (unsigned i = 0; i < REFINE_PIECES; i++)
			if (c->piece[i].pending == 0)
				return &c->piece[i];
		if (reap(c) < 0)
			return NULL;
	}
}

static int compare_range(struct compare *c, uint64_t from, uint64_t to)
{
	for (; from < to; from += REFINE_PIECE) {
		struct piece *p = free_piece(c);

		if (!p)
			return -1;
		p->offset = from;
		p->length = to - from < REFINE_PIECE ? to - from : REFINE_PIECE;
		for (p->pending = 0; p->pending < SIDES; p->pending++)
			aio_read(c->aio, c->fd[p->pending], p->side[p->pending], p->length,
				 p->length, p->offset, p);
	}
	return 0;
}

/* Whole pages around an extent of the new cut, each once. */
static int on_extent(void *arg, enum volume_extent kind, uint64_t offset, uint64_t length)
{
	struct compare *c = arg;
	uint64_t from = offset / FINE_PAGE * FINE_PAGE;
	uint64_t to = (offset + length + FINE_PAGE - 1) / FINE_PAGE * FINE_PAGE;

	from = from > c->next ? from : c->next;
	to = to < c->end ? to : c->end;
	if (kind == VOLUME_HOLE || from >= to)
		return 0;
	c->next = to;
	return compare_range(c, from, to);
}

static int open_sides(struct compare *c)
{
	struct volume *v = c->r->v;

	c->fd[BASE] = v->ops->reader(v, c->r->base, c->e);
	if (c->fd[BASE] >= 0)
		c->fd[CUT] = v->ops->reader(v, c->r->cut, c->e);
	return c->fd[CUT] < 0 ? -1 : 0;
}

static int compare_all(struct compare *c)
{
	struct volume *v = c->r->v;
	int r = open_sides(c);

	fault("refine.opened");
	if (r == 0)
		r = v->ops->map(v, c->r->cut, c->r->chunks, 0, on_extent, c, c->e);
	while (r == 0 && !aio_idle(c->aio))
		r = reap(c) < 0 ? -1 : 0;
	return r ? -1 : 0;
}

/* What was read must have been the cuts to the end. */
static int still_held(const struct refine *r, struct err *e)
{
	const char *token[SIDES] = {r->base, r->cut};
	char why[128] = "";

	for (unsigned i = 0; i < SIDES; i++) {
		int held = r->v->ops->held(r->v, token[i], NULL, why, sizeof(why), e);

		if (held != 1)
			return held < 0 ? -1 : err_set(e, ERR_FAILED, "%s", why);
	}
	return 0;
}

struct bset *refine_run(const struct refine *r, struct err *e)
{
	size_t n = (size_t)REFINE_PIECES * SIDES * REFINE_PIECE;
	uint64_t both = r->base_size < r->v->size ? r->base_size : r->v->size;
	_cleanup_(bset_freep) struct bset *fine =
		bset_rescale(r->chunks, r->v->block_size, FINE_PAGE);
	struct compare c = {.r = r, .e = e, .fd = {-1, -1}, .fine = fine};
	uint8_t *memory;
	int result;

	if (!fine) {
		err_set(e, ERR_FAILED, "%s has more than 2^32 pages", r->v->name);
		return NULL;
	}
	c.end = both / FINE_PAGE * FINE_PAGE;
	memory = aio_alloc(n);
	for (unsigned i = 0; i < REFINE_PIECES * SIDES; i++)
		c.piece[i / SIDES].side[i % SIDES] = memory + (size_t)i * REFINE_PIECE;
	c.aio = aio_new(REFINE_PIECES * SIDES);
	result = compare_all(&c);
	aio_free(c.aio); /* waits: nothing writes into memory after this */
	aio_release(memory, n);
	closep(&c.fd[BASE]);
	closep(&c.fd[CUT]);
	return result < 0 || still_held(r, e) < 0 ? NULL : TAKE(fine);
}
