/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine for kernels without io_uring: a few threads take requests off one list, move the bytes
 * by pread or pwrite, and put them on another. */
#include <errno.h>
#include <pthread.h>

#include "aio_engine.h"

#define THREADS 4

struct list {
	struct aio_req *first, **last;
};

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t work, ended;
	struct list todo, done;
	bool stop;
	unsigned threads;
	pthread_t thread[THREADS];
};

static void put(struct list *l, struct aio_req *r)
{
	r->next = NULL;
	*l->last = r;
	l->last = &r->next;
}

static struct aio_req *take(struct list *l)
{
	struct aio_req *r = l->first;

	if (!r)
		return NULL;
	l->first = r->next;
	if (!l->first)
		l->last = &l->first;
	return r;
}

void aio_move(struct aio_req *r)
{
	uint8_t *p = r->p + r->done;
	size_t n = r->len - r->done;
	off_t at = r->offset + r->done;

	r->result = r->write ? pwrite(r->fd, p, n, at) : pread(r->fd, p, n, at);
	if (r->result < 0)
		r->result = -errno;
}

static void *work(void *arg)
{
	struct pool *p = arg;
	struct aio_req *r;

	pthread_mutex_lock(&p->mutex);
	while (!p->stop) {
		r = take(&p->todo);
		if (!r) {
			pthread_cond_wait(&p->work, &p->mutex);
			continue;
		}
		pthread_mutex_unlock(&p->mutex);
		aio_move(r);
		pthread_mutex_lock(&p->mutex);
		put(&p->done, r);
		pthread_cond_signal(&p->ended);
	}
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

static void stop(void *state)
{
	struct pool *p = state;

	pthread_mutex_lock(&p->mutex);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->mutex);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->ended);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

static void *start(unsigned depth)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->todo.last = &p->todo.first;
	p->done.last = &p->done.first;
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->ended, NULL);
	while (p->threads < THREADS && p->threads < depth &&
	       pthread_create(&p->thread[p->threads], NULL, work, p) == 0)
		p->threads++;
	if (p->threads)
		return p;
	stop(p);
	return NULL;
}

static void queue(void *state, struct aio_req *r)
{
	struct pool *p = state;

	pthread_mutex_lock(&p->mutex);
	put(&p->todo, r);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->mutex);
}

static struct aio_req *wait(void *state)
{
	struct pool *p = state;
	struct aio_req *r;

	pthread_mutex_lock(&p->mutex);
	while ((r = take(&p->done)) == NULL)
		pthread_cond_wait(&p->ended, &p->mutex);
	pthread_mutex_unlock(&p->mutex);
	return r;
}

const struct aio_engine aio_threads = {start, stop, queue, wait};
