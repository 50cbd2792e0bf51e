/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "pipeline_run.h"
#include "segment_pack.h"

#define WATCH_MS 100 /* how late a cancel may be seen */

/* Around a slot's data, which is aligned: the head before, the checksum or a read's last whole
 * block behind. */
#define SLOT_BEFORE ((SEGMENT_HEAD_MAX + AIO_ALIGN - 1) / AIO_ALIGN * AIO_ALIGN)
#define SLOT_SIZE   (SLOT_BEFORE + SEGMENT_DATA_MAX + AIO_ALIGN)

struct slot *pipeline_get(struct run *r, struct queue *q, bool wait)
{
	struct slot *s = NULL;

	pthread_mutex_lock(&r->mutex);
	while (wait && !r->stop && !q->n && !q->closed)
		pthread_cond_wait(&q->changed, &r->mutex);
	if (!r->stop && q->n) {
		s = q->slot[q->first];
		q->first = (q->first + 1) % PIPELINE_SLOTS_MAX;
		q->n--;
	}
	pthread_mutex_unlock(&r->mutex);
	return s;
}

void pipeline_put(struct run *r, struct queue *q, struct slot *s)
{
	pthread_mutex_lock(&r->mutex);
	assert(q->n < PIPELINE_SLOTS_MAX);
	q->slot[(q->first + q->n++) % PIPELINE_SLOTS_MAX] = s;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&r->mutex);
}

void pipeline_close(struct run *r, struct queue *q)
{
	pthread_mutex_lock(&r->mutex);
	q->closed = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&r->mutex);
}

static void fail_locked(struct run *r, const struct err *e)
{
	if (r->stop)
		return;
	r->stop = true;
	r->err = *e;
	pthread_cond_broadcast(&r->free.changed);
	pthread_cond_broadcast(&r->planned.changed);
	pthread_cond_broadcast(&r->ready.changed);
	pthread_cond_broadcast(&r->turned);
}

void pipeline_fail(struct run *r, const struct err *e)
{
	pthread_mutex_lock(&r->mutex);
	fail_locked(r, e);
	pthread_mutex_unlock(&r->mutex);
}

struct planner {
	struct run *r;
	uint64_t turn;                 /* of the next segment that is not skipped */
	uint64_t segments, data_bytes; /* planned so far */
};

static int changed(struct err *e)
{
	return err_set(e, ERR_FAILED,
		       "the cut's map is not what it was when its manifest was made");
}

static void skip(struct run *r, const struct segment *s)
{
	r->g->segments++;
	r->g->data_bytes += s->raw_len;
}

static int on_segment(void *arg, const struct segment *s, struct err *e)
{
	struct planner *pl = arg;
	const struct pipeline *p = pl->r->p;
	struct slot *slot;

	if (s->number >= p->m->segments)
		return changed(e);
	pl->segments++;
	pl->data_bytes += s->raw_len;
	if (p->done && bset_has(p->done, s->number)) {
		skip(pl->r, s);
		return 0;
	}
	slot = pipeline_get(pl->r, &pl->r->free, true);
	if (!slot)
		return err_set(e, ERR_FAILED, "stopped"); /* by another error, which is kept */
	slot->turn = pl->turn++;
	memcpy(&slot->plan, s, offsetof(struct segment, extent));
	memcpy(slot->plan.extent, s->extent, s->extents * sizeof(s->extent[0]));
	pipeline_put(pl->r, &pl->r->planned, slot);
	return 0;
}

static void plan(struct run *r)
{
	struct planner pl = {.r = r};
	const struct manifest *m = r->p->m;
	struct err e = ERR_INIT;
	int bad = plan_walk(r->p->volume, m->volumes, on_segment, &pl, &e);

	if (!bad && (pl.segments != m->segments || pl.data_bytes != m->data_bytes))
		bad = changed(&e);
	if (bad)
		pipeline_fail(r, &e);
	pipeline_close(r, &r->planned);
}

/* false: stopped. */
static bool await_turn(struct run *r, const struct slot *s)
{
	bool mine;

	pthread_mutex_lock(&r->mutex);
	while (!r->stop && r->p->sink.in_order && r->turn != s->turn)
		pthread_cond_wait(&r->turned, &r->mutex);
	mine = !r->stop;
	pthread_mutex_unlock(&r->mutex);
	return mine;
}

static void end_turn(struct run *r)
{
	pthread_mutex_lock(&r->mutex);
	r->turn++;
	pthread_cond_broadcast(&r->turned);
	pthread_mutex_unlock(&r->mutex);
}

static int ship(struct run *r, unsigned worker, struct segment_packer *k, struct slot *s,
		struct err *e)
{
	const struct pipeline_sink *sink = &r->p->sink;
	uint64_t number = s->plan.number, start;
	struct buf frame;

	r->g->zero_bytes += segment_pack(k, &s->plan, s->data, r->p->m->seed, &frame);
	if (!await_turn(r, s))
		return err_set(e, ERR_FAILED, "stopped"); /* by another error, which is kept */
	start = fmt_mono_us();
	if (sink->put(sink->arg, worker, number, &frame, e) < 0)
		return -1;
	end_turn(r);
	/* puts in turn take up the time of all workers */
	segment_packer_handed_over(
		k, (fmt_mono_us() - start) * (sink->in_order ? r->p->workers : 1), frame.len);
	r->g->sent_bytes += frame.len;
	skip(r, &s->plan);
	return 0;
}

static void work(struct run *r, unsigned worker)
{
	_cleanup_(segment_packer_freep) struct segment_packer *k = segment_packer_new(r->p->level);
	struct err e = ERR_INIT;
	struct slot *s;

	while ((s = pipeline_get(r, &r->ready, true)) != NULL) {
		if (ship(r, worker, k, s, &e) < 0)
			pipeline_fail(r, &e);
		else
			pipeline_put(r, &r->free, s);
	}
}

/* Threads 0 and 1 plan and read, the others are the workers. */
struct thread {
	struct run *r;
	unsigned index;
	pthread_t id;
};

#define THREADS_MAX (2 + PIPELINE_WORKERS_MAX)

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	struct run *r = t->r;
	struct timespec cpu;

	if (t->index == 0)
		plan(r);
	else if (t->index == 1)
		pipeline_read(r);
	else
		work(r, t->index - 2);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	r->g->cpu_us += cpu.tv_sec * 1000000ULL + cpu.tv_nsec / 1000;
	pthread_mutex_lock(&r->mutex);
	r->running--;
	pthread_cond_signal(&r->ended);
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

static void watch(struct run *r)
{
	const atomic_bool *cancel = r->p->cancel;
	struct err e = ERR_INIT;

	pthread_mutex_lock(&r->mutex);
	while (r->running) {
		struct timespec t;

		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += WATCH_MS * 1000000;
		t.tv_sec += t.tv_nsec / 1000000000;
		t.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&r->ended, &r->mutex, &t);
		if (cancel && *cancel && r->running && !r->stop) {
			err_set(&e, ERR_FAILED, "cancelled");
			fail_locked(r, &e);
		}
	}
	pthread_mutex_unlock(&r->mutex);
}

static void run_threads(struct run *r)
{
	struct thread t[THREADS_MAX];
	unsigned n = 2 + r->p->workers, started = 0;
	struct err e = ERR_INIT;
	int error = 0;

	r->running = n;
	while (started < n && !error) {
		t[started] = (struct thread){.r = r, .index = started};
		error = pthread_create(&t[started].id, NULL, thread_main, &t[started]);
		started += !error;
	}
	if (error) {
		errno = error;
		err_sys(&e, "start a thread");
		pthread_mutex_lock(&r->mutex);
		r->running -= n - started;
		fail_locked(r, &e);
		pthread_mutex_unlock(&r->mutex);
	}
	watch(r);
	for (unsigned i = 0; i < started; i++)
		pthread_join(t[i].id, NULL);
}

static int open_readers(struct run *r, struct err *e)
{
	for (unsigned i = 0; i < r->p->m->volumes; i++) {
		const struct plan_volume *pv = &r->p->volume[i];

		r->fd[i] = pv->v->ops->reader(pv->v, pv->token, e);
		if (r->fd[i] < 0)
			return err_wrap(e, "open the cut of %s", pv->v->name);
	}
	return 0;
}

static void init(struct run *r, struct slot *slots, uint8_t *memory, unsigned n)
{
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->free.changed, NULL);
	pthread_cond_init(&r->planned.changed, NULL);
	pthread_cond_init(&r->ready.changed, NULL);
	pthread_cond_init(&r->turned, NULL);
	pthread_cond_init(&r->ended, NULL);
	for (unsigned i = 0; i < MANIFEST_VOLUMES_MAX; i++)
		r->fd[i] = -1;
	for (unsigned i = 0; i < n; i++) {
		slots[i].data = memory + (size_t)i * SLOT_SIZE + SLOT_BEFORE;
		pipeline_put(r, &r->free, &slots[i]);
	}
}

static void fini(struct run *r)
{
	for (unsigned i = 0; i < MANIFEST_VOLUMES_MAX; i++)
		closep(&r->fd[i]);
	pthread_cond_destroy(&r->free.changed);
	pthread_cond_destroy(&r->planned.changed);
	pthread_cond_destroy(&r->ready.changed);
	pthread_cond_destroy(&r->turned);
	pthread_cond_destroy(&r->ended);
	pthread_mutex_destroy(&r->mutex);
}

int pipeline_run(const struct pipeline *p, struct pipeline_progress *g, struct err *e)
{
	unsigned n = p->workers + 1; /* one at each worker, one being read */
	_cleanup_free_ struct slot *slots = xcalloc(n, sizeof(slots[0]));
	uint8_t *memory = aio_alloc((size_t)n * SLOT_SIZE);
	struct run r = {.p = p, .g = g};
	int result;

	assert(p->workers >= 1 && p->workers <= PIPELINE_WORKERS_MAX);
	init(&r, slots, memory, n);
	result = open_readers(&r, e);
	if (result == 0)
		run_threads(&r);
	if (r.stop) {
		*e = r.err;
		result = -1;
	}
	fini(&r);
	aio_release(memory, (size_t)n * SLOT_SIZE);
	return result;
}
