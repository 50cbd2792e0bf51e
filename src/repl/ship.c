/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "fault.h"
#include "ship.h"
#include "stop.h"
#include "watch.h"

void ship_free(struct ship *sh)
{
	if (!sh)
		return;
	manifest_free(sh->m);
	for (unsigned i = 0; i < PARTNERSHIP_VOLUMES_MAX; i++)
		bset_free(sh->set[i]);
	free(sh);
}

/* The same for every attempt at a cut, and another for the same cut planned otherwise (another
 * base, everything instead of a set), whose segments are not the same. */
static int seed(struct manifest *m, struct err *e)
{
	_cleanup_buf_ struct buf frame = BUF_INIT;

	if (manifest_encode(m, &frame, e) < 0)
		return -1;
	m->seed = XXH3_64bits(frame.data, frame.len);
	return 0;
}

static void fill_manifest(struct ship *sh, const struct state_cut *base)
{
	const struct bitlog_cut *c = bitlog_newest(sh->s->log);
	struct manifest *m = sh->m;

	strcpy(m->partnership, sh->s->p->id);
	strcpy(m->generation, c->generation);
	m->seq = c->seq;
	if (base) {
		strcpy(m->base_generation, base->generation);
		m->base_seq = base->seq;
	}
	m->time_ms = c->time_ms;
	m->pause_us = c->pause_us;
	m->volumes = c->volumes;
}

/* Of the chunks that a set touches. */
static uint64_t chunk_bytes(const struct bset *set, uint32_t block_size, const struct volume *v)
{
	_cleanup_(bset_freep) struct bset *chunks = bset_rescale(set, block_size, v->block_size);

	return chunks ? bset_count(chunks) * v->block_size : 0;
}

/* What is shipped of one volume: the pending set, what a comparison found, or everything. */
static void fill_volume(struct ship *sh, unsigned i, bool base, const struct compared *found)
{
	const struct bitlog_cut *c = bitlog_newest(sh->s->log);
	const struct partnership_volume *pv = &sh->s->p->volume[i];
	struct manifest_volume *mv = &sh->m->volume[i];
	struct volume *v = sh->s->volume[i];
	bool all;

	sh->set[i] = bitlog_pending(sh->s->log, i, &all);
	if (all || !base) {
		bset_free(sh->set[i]);
		sh->set[i] = NULL;
	}
	if (!sh->set[i] && base && found && found->set[i]) {
		sh->set[i] = bset_new();
		bset_or(sh->set[i], found->set[i]);
	}
	strcpy(mv->uuid, pv->uuid);
	strcpy(mv->name, pv->local);
	strcpy(mv->target, pv->remote);
	mv->size = c->volume[i].size;
	mv->block_size = c->volume[i].block_size;
	mv->full = sh->set[i] == NULL;
	sh->plan[i] =
		(struct plan_volume){v, c->volume[i].token, sh->set[i], mv->block_size, mv->size};
	sh->cut.changed += mv->full ? mv->size : chunk_bytes(sh->set[i], mv->block_size, v);
	sh->cut.refined += mv->full ? mv->size : bset_count(sh->set[i]) * mv->block_size;
	sh->cut.full |= mv->full;
}

struct ship *ship_new(struct source *s, const struct state_cut *base, const struct compared *found,
		      struct err *e)
{
	_cleanup_(ship_freep) struct ship *sh = xcalloc(1, sizeof(*sh));

	sh->s = s;
	sh->m = xcalloc(1, sizeof(*sh->m));
	fill_manifest(sh, base);
	for (unsigned i = 0; i < sh->m->volumes; i++)
		fill_volume(sh, i, base != NULL, found);
	sh->cut.compared = found ? found->bytes : 0;
	sh->cut.seq = sh->m->seq;
	sh->cut.time_ms = sh->m->time_ms;
	sh->cut.pause_us = sh->m->pause_us;
	if (plan_count(sh->plan, sh->m->volumes, &sh->m->segments, &sh->m->data_bytes, e) < 0) {
		err_wrap(e, "plan cut %llu", (unsigned long long)sh->m->seq);
		return NULL;
	}
	return seed(sh->m, e) < 0 ? NULL : TAKE(sh);
}

int ship_run(struct ship *sh, const struct sync_options *o, const struct pipeline_sink *sink,
	     unsigned workers, const struct bset *done, struct err *e)
{
	struct pipeline_progress g = {0};
	struct watch w = {.host = sh->s->host,
			  .name = sh->s->p->name,
			  .show = o->progress,
			  .arg = o->arg,
			  .p = {.phase = "shipping",
				.seq = sh->m->seq,
				.segments_total = sh->m->segments,
				.bytes_total = sh->m->data_bytes},
			  .bytes = &g.data_bytes,
			  .segments = &g.segments,
			  .wire = &g.sent_bytes,
			  .again = "srsync sync"};
	struct pipeline pl = {.m = sh->m,
			      .volume = sh->plan,
			      .done = done,
			      .workers = workers,
			      .level = PIPELINE_LEVEL,
			      .sink = *sink,
			      .cancel = &w.cancel};
	int r;

	if (watch_start(&w, e) < 0)
		return -1;
	r = pipeline_run(&pl, &g, e);
	watch_stop(&w);
	sh->cut.shipped = g.read_bytes;
	sh->cut.wire = g.sent_bytes;
	return r < 0 ? watch_explain(&w, e) : 0;
}

/* The sink of the network: one connection per worker. */
struct wire {
	const struct ship *sh;
	struct client *client[SHIP_STREAMS];
	pthread_mutex_t mutex; /* of free_us */
	uint64_t free_us;      /* when the rate allows the next byte */
};

/* --rate: each segment books its time on the wire, and starts when the bookings before it end. */
static void wait_for_rate(struct wire *w, size_t bytes)
{
	uint64_t rate = w->sh->s->p->rate, now = fmt_mono_us(), start;

	if (!rate)
		return;
	pthread_mutex_lock(&w->mutex);
	start = w->free_us > now ? w->free_us : now;
	w->free_us = start + bytes * 1000000 / rate;
	pthread_mutex_unlock(&w->mutex);
	if (start > now)
		stop_sleep((start - now) / 1000);
}

static int put(void *arg, unsigned worker, uint64_t number, const struct buf *segment,
	       struct err *e)
{
	struct wire *w = arg;

	wait_for_rate(w, segment->len);
	fault("ship.segment");
	return remote_segment(w->client[worker], w->sh->m->partnership, w->sh->m->seq, number,
			      segment, e);
}

/* While one is flushed at the peer, others are on their way; on a single processor two are enough.
 */
static unsigned streams(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SHIP_STREAMS : 2;
}

static int send_segments(struct ship *sh, const struct sync_options *o, const struct identity *id,
			 struct client *c, const struct bset *done, struct err *e)
{
	struct wire w = {.sh = sh, .mutex = PTHREAD_MUTEX_INITIALIZER, .client = {c}};
	struct pipeline_sink sink = {.put = put, .arg = &w};
	unsigned n = streams();
	int r = 0;

	for (unsigned i = 1; i < n && r == 0; i++)
		if (!(w.client[i] = remote_connect(sh->s->p, id, SHIP_SEGMENT_MS, e)))
			r = -1;
	if (r == 0)
		r = ship_run(sh, o, &sink, n, done, e);
	for (unsigned i = 1; i < n; i++)
		client_free(w.client[i]);
	return r;
}

static bool committed(const struct remote_replica *r, const struct manifest *m)
{
	return state_find(r->state, m->generation, m->seq, m->time_ms) != NULL;
}

/* When the answer got lost, the peer is asked whether it has committed. */
static struct remote_replica *commit(struct ship *sh, struct client *c, struct err *e)
{
	struct remote_replica *r = remote_commit(c, sh->m->partnership, sh->m->seq, e);
	struct err again;

	if (r)
		return r;
	r = remote_get(c, sh->m->partnership, &again);
	if (r && committed(r, sh->m))
		return r;
	remote_replica_free(r);
	return NULL;
}

struct remote_replica *ship_to_peer(struct ship *sh, const struct sync_options *o,
				    const struct identity *id, struct client *c, struct err *e)
{
	_cleanup_(remote_replica_freep) struct remote_replica *r = NULL;
	_cleanup_buf_ struct buf frame = BUF_INIT;

	client_set_stall(c, SHIP_ANSWER_MS);
	if (manifest_encode(sh->m, &frame, e) < 0 ||
	    !(r = remote_begin(c, sh->m->partnership, sh->m->seq, &frame, e)))
		return NULL;
	fault("ship.begun");
	if (committed(r, sh->m))
		return TAKE(r);
	if (send_segments(sh, o, id, c, r->received, e) < 0)
		return NULL;
	fault("ship.sent");
	return commit(sh, c, e);
}
