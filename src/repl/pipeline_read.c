/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads run ahead as far as there are slots; extents of several segments are in flight at once.
 * They may end in any order and are passed on in the plan's. */
#include "pipeline_run.h"

#define DEPTH 64

struct reader {
	struct run *r;
	struct aio *aio;
	struct slot *fifo[PIPELINE_SLOTS_MAX]; /* begun and not passed on */
	unsigned first, n;
	struct slot *at; /* the newest, while its reads are being queued */
	unsigned extent; /* the next of it */
	size_t filled;   /* bytes of its data that are queued */
};

static void begin(struct reader *d, struct slot *s)
{
	s->pending = 0;
	s->issued = false;
	d->fifo[(d->first + d->n++) % PIPELINE_SLOTS_MAX] = s;
	d->at = s;
	d->extent = 0;
	d->filled = 0;
}

/* Queues the next extent's read; after the last one there is no slot at hand. */
static void issue(struct reader *d)
{
	struct slot *s = d->at;
	const struct segment_extent *x = &s->plan.extent[d->extent];

	if (x->kind == SEGMENT_DATA) {
		size_t whole = (x->length + AIO_ALIGN - 1) / AIO_ALIGN * AIO_ALIGN;

		aio_read(d->aio, d->r->fd[s->plan.volume], s->data + d->filled, whole, x->length,
			 x->offset, s);
		d->filled += x->length;
		s->pending++;
	}
	if (++d->extent == s->plan.extents) {
		s->issued = true;
		d->at = NULL;
	}
}

static void pass_on(struct reader *d)
{
	while (d->n) {
		struct slot *s = d->fifo[d->first];

		if (!s->issued || s->pending)
			return;
		d->first = (d->first + 1) % PIPELINE_SLOTS_MAX;
		d->n--;
		d->r->g->read_bytes += s->plan.raw_len;
		pipeline_put(d->r, &d->r->ready, s);
	}
}

/* Queues reads while there are slots and room. Waits for a slot only with nothing to read. */
static void issue_all(struct reader *d)
{
	while (aio_room(d->aio)) {
		if (!d->at) {
			struct slot *s = pipeline_get(d->r, &d->r->planned, aio_idle(d->aio));

			if (!s)
				return;
			begin(d, s);
		}
		issue(d);
		if (aio_idle(d->aio))
			pass_on(d); /* a segment without data must not wait for the next one */
	}
}

static int reap(struct reader *d, struct err *e)
{
	void *user;
	int r = aio_next(d->aio, &user, e);

	if (r > 0)
		((struct slot *)user)->pending--;
	if (r < 0)
		err_wrap(e, "cut of %s",
			 d->r->p->volume[((struct slot *)user)->plan.volume].v->name);
	return r;
}

void pipeline_read(struct run *r)
{
	struct reader d = {.r = r, .aio = aio_new(DEPTH)};
	struct err e = ERR_INIT;
	int result;

	do {
		issue_all(&d);
		result = reap(&d, &e);
		pass_on(&d);
	} while (result > 0);
	if (result < 0)
		pipeline_fail(r, &e);
	aio_free(d.aio); /* waits: nothing writes into a slot after this */
	pipeline_close(r, &r->ready);
}
