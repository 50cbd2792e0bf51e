/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>

#include "durable.h"

struct durable {
	durable_flush *flush;
	void *arg;
	pthread_mutex_t mutex;
	pthread_cond_t done_cond;
	struct buf batch;   /* records that wait for the next flush */
	uint64_t handed_in; /* records so far */
	uint64_t done;      /* the first so many are durable */
	bool flushing;
	struct err broken; /* the first failure; final */
};

struct durable *durable_new(durable_flush *flush, void *arg)
{
	struct durable *d = xcalloc(1, sizeof(*d));

	d->flush = flush;
	d->arg = arg;
	pthread_mutex_init(&d->mutex, NULL);
	pthread_cond_init(&d->done_cond, NULL);
	return d;
}

void durable_free(struct durable *d)
{
	if (!d)
		return;
	pthread_mutex_destroy(&d->mutex);
	pthread_cond_destroy(&d->done_cond);
	buf_free(&d->batch);
	free(d);
}

/* Called with the mutex held, gives it up while flushing. */
static void lead(struct durable *d)
{
	_cleanup_buf_ struct buf batch = d->batch;
	uint64_t upto = d->handed_in;
	struct err e = ERR_INIT;
	int r;

	d->batch = (struct buf)BUF_INIT;
	d->flushing = true;
	pthread_mutex_unlock(&d->mutex);
	r = d->flush(d->arg, &batch, &e);
	pthread_mutex_lock(&d->mutex);
	d->flushing = false;
	d->done = upto;
	if (r < 0)
		d->broken = e;
	pthread_cond_broadcast(&d->done_cond);
}

int durable_put(struct durable *d, const struct buf *record, struct err *e)
{
	uint64_t mine;
	int r = 0;

	pthread_mutex_lock(&d->mutex);
	buf_put(&d->batch, record->data, record->len);
	mine = ++d->handed_in;
	while (d->done < mine && d->broken.code == ERR_NONE) {
		if (d->flushing)
			pthread_cond_wait(&d->done_cond, &d->mutex);
		else
			lead(d);
	}
	if (d->broken.code != ERR_NONE) {
		*e = d->broken;
		r = -1;
	}
	pthread_mutex_unlock(&d->mutex);
	return r;
}
