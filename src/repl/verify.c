/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "compare_peer.h"
#include "fine.h"
#include "log.h"
#include "source.h"
#include "stop.h"
#include "sync.h"
#include "verify.h"
#include "watch.h"

#define LOCK_POLL_MS 50
#define FRUITLESS    5               /* rounds in a row without a cut that both hold */
#define BATCH        COMPARE_STREAMS /* slices begun at once */

struct job {
	const struct host *host;
	const char *name;
	const struct verify_options *o;
	struct verify *v;
	const struct identity *id;
	struct source *s;            /* in a round */
	struct remote_replica *peer; /* in a round */
	struct compare_net net;
	struct compare_progress g;
	struct watch w;
	unsigned volume;  /* all before are done */
	uint64_t slice;   /* of volume, likewise */
	uint64_t owed_us; /* time to let pass for --rate */
};

void verify_free(struct verify *v)
{
	for (unsigned i = 0; v && i < PARTNERSHIP_VOLUMES_MAX; i++)
		bset_free(v->differ[i]);
	free(v);
}

static int interrupted(const struct job *j, struct err *e)
{
	err_set(e, ERR_FAILED, "interrupted; %s compared so far, %s of it differ",
		fmt_bytes(j->v->bytes).s, fmt_bytes(j->v->differs).s);
	return err_hint(e, "srsync verify %s begins anew", j->name);
}

/* A sync may be at work for long; it ends some day. */
static int open_source(struct job *j, struct err *e)
{
	for (;;) {
		j->s = source_open(j->host, j->name, "srsync verify", e);
		if (j->s)
			return 0;
		if (e->code != ERR_BUSY)
			return -1;
		if (stop_sleep(LOCK_POLL_MS))
			return interrupted(j, e);
	}
}

static void end_round(struct job *j)
{
	remote_replica_free(TAKE(j->peer));
	source_free(TAKE(j->s));
}

/* The cut that both hosts hold now, or NULL. */
static const struct bitlog_cut *common_cut(const struct job *j)
{
	const struct bitlog_cut *done = bitlog_committed(j->s->log);
	const struct state_cut *theirs = state_newest(j->peer->state);
	struct err ignored;

	if (!done || done != bitlog_newest(j->s->log) ||
	    !state_cut_is(theirs, done->generation, done->seq, done->time_ms))
		return NULL;
	for (unsigned i = 0; i < done->volumes; i++) {
		struct volume *v = j->s->volume[i];

		if (v->ops->held(v, done->volume[i].token, NULL, NULL, 0, &ignored) != 1)
			return NULL;
	}
	return done;
}

static int begin_round(struct job *j, struct err *e)
{
	_cleanup_(client_freep) struct client *c = NULL;

	if (open_source(j, e) < 0)
		return -1;
	c = remote_connect(j->s->p, j->id, REMOTE_STALL_MS, e);
	j->peer = c ? remote_get(c, j->s->p->id, e) : NULL;
	return j->peer ? 0 : -1;
}

/* The set of a volume begins with its first slice. */
static void begin_volume(struct job *j, const struct bitlog_volume *bv)
{
	struct verify *v = j->v;
	unsigned i = j->volume;

	if (v->differ[i])
		return;
	v->differ[i] = bset_new();
	v->block[i] = fine_block_size(bv->size, bv->block_size);
	v->size[i] = bv->size;
}

static int compare_batch(struct job *j, const struct bitlog_cut *cut, struct err *e)
{
	const struct bitlog_volume *bv = &cut->volume[j->volume];
	const struct state_cut *theirs = state_newest(j->peer->state);
	uint64_t before = j->g.read_bytes, last;
	struct compare c;

	begin_volume(j, bv);
	compare_init(&c, &j->net, j->s->volume[j->volume], bv->token, j->volume, theirs, bv->size);
	last = c.end;
	c.granule = j->v->block[j->volume];
	c.from = j->slice;
	/* with a rate one at a time: the lock must not be held for long */
	c.end = j->slice + (j->o->rate ? 1 : BATCH);
	if (c.end > last)
		c.end = last;
	c.cancel = &j->w.cancel;
	if (c.from < c.end && compare_run(&c, j->v->differ[j->volume], &j->g, e) < 0)
		return err_wrap(e, "verify %s", j->s->volume[j->volume]->name);
	j->slice = c.end;
	if (c.end == last) {
		j->volume++;
		j->slice = 0;
	}
	if (j->o->rate)
		j->owed_us += (uint64_t)((j->g.read_bytes - before) * 1e6 / j->o->rate);
	return 0;
}

static void count(struct job *j, const struct bitlog_cut *cut)
{
	struct verify *v = j->v;

	if (!v->first_seq)
		v->first_seq = cut->seq;
	v->last_seq = cut->seq;
	v->bytes = j->g.bytes;
	v->wire = j->net.wire;
	v->differs = 0;
	for (unsigned i = 0; i < PARTNERSHIP_VOLUMES_MAX; i++)
		v->differs += v->differ[i] ? bset_count(v->differ[i]) * v->block[i] : 0;
}

static int work(struct job *j, const struct bitlog_cut *cut, struct err *e)
{
	uint64_t start = fmt_mono_us();
	int r;

	j->w.p.seq = cut->seq;
	j->w.p.bytes_total = 0;
	for (unsigned i = 0; i < cut->volumes; i++)
		j->w.p.bytes_total += cut->volume[i].size;
	if (watch_start(&j->w, e) < 0)
		return -1;
	do
		r = compare_batch(j, cut, e);
	while (r == 0 && j->volume < cut->volumes && !j->owed_us &&
	       fmt_mono_us() - start < VERIFY_ROUND_MS * 1000ULL);
	watch_stop(&j->w);
	count(j, cut);
	if (r < 0 && j->w.cancel)
		return j->w.paused ? watch_explain(&j->w, e) : interrupted(j, e);
	return r;
}

/* 1: all is compared; 0: another round; -1. */
static int one_round(struct job *j, bool *fruitless, struct err *e)
{
	const struct bitlog_cut *cut;
	int r = begin_round(j, e);

	if (r < 0)
		return -1;
	cut = common_cut(j);
	*fruitless = !cut;
	if (cut)
		r = work(j, cut, e);
	return r < 0 ? -1 : j->volume == j->s->p->volumes;
}

/* No cut is held by both: the source's newest one is not committed yet. */
static int make_common(struct job *j, struct err *e)
{
	const struct sync_options o = {0};
	_cleanup_free_ struct sync_result *r = xcalloc(1, sizeof(*r));

	if (sync_once(j->host, j->name, &o, r, e) == 0 || e->code == ERR_BUSY)
		return 0;
	return err_wrap(e, "verify needs a cut that both hosts hold");
}

/* What --rate owes is slept off without the lock. */
static int pause_round(struct job *j, struct err *e)
{
	uint64_t ms = j->owed_us / 1000;

	j->owed_us = 0;
	if (stop_sleep(ms > VERIFY_GAP_MS ? ms : VERIFY_GAP_MS))
		return interrupted(j, e);
	return 0;
}

static int all_rounds(struct job *j, struct err *e)
{
	unsigned n = 0;

	for (;;) {
		bool fruitless = false;
		int r = one_round(j, &fruitless, e);

		end_round(j);
		if (r)
			return r < 0 ? -1 : 0;
		n = fruitless ? n + 1 : 0;
		if (n == FRUITLESS) {
			err_set(e, ERR_FAILED, "no cut of %s is held by both hosts", j->name);
			return err_hint(e, "srsync sync %s, then repeat", j->name);
		}
		if ((fruitless && make_common(j, e) < 0) || pause_round(j, e) < 0)
			return -1;
	}
}

/* The blocks that differ become a record of the log that is relative to the newest cut and has its
 * very data: what is shipped next holds them, whatever the source wrote since. */
static int mark(struct job *j, struct err *e)
{
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = xcalloc(1, sizeof(*c));
	const struct bitlog_cut *newest;

	if (open_source(j, e) < 0)
		return -1;
	newest = bitlog_newest(j->s->log);
	if (!newest)
		return err_set(e, ERR_FAILED, "the bitmap log of %s is gone", j->name);
	*c = *newest;
	c->prev_seq = newest->seq;
	c->seq = newest->seq + 1;
	for (unsigned i = 0; i < c->volumes; i++) {
		struct bitlog_volume *bv = &c->volume[i];

		bv->all = false;
		bv->set = bset_rescale(j->v->differ[i], j->v->block[i], bv->block_size);
		bv->all = bv->set == NULL;
	}
	if (bitlog_append(j->s->log, c, e) < 0)
		return err_wrap(e, "mark what differs for the next cut");
	j->v->marked = true;
	return 0;
}

static int finish(struct job *j, struct err *e)
{
	struct verify *v = j->v;
	struct report_verify rv;
	int r = 0;

	v->finished_ms = fmt_now_ms();
	if (v->differs && j->o->repair)
		r = mark(j, e);
	end_round(j);
	rv = (struct report_verify){v->finished_ms, v->first_seq, v->last_seq, v->differs};
	return r < 0 ? -1 : report_verified(j->host, j->name, &rv, e);
}

struct verify *verify_run(const struct host *h, const char *name, const struct verify_options *o,
			  struct err *e)
{
	_cleanup_(verify_freep) struct verify *v = xcalloc(1, sizeof(*v));
	_cleanup_(identity_freep) struct identity *id = identity_load(h->confdir, e);
	_cleanup_(partnership_freep) struct partnership *p = partnership_load(h, name, e);
	struct job j = {.host = h, .name = name, .o = o, .v = v, .id = id};
	int r;

	if (!id || !p)
		return NULL;
	j.w = (struct watch){.host = h,
			     .name = name,
			     .show = o->progress,
			     .arg = o->arg,
			     .bytes = &j.g.bytes,
			     .segments = &j.g.slices,
			     .wire = &j.net.wire,
			     .again = "srsync verify"};
	strcpy(j.w.p.phase, "comparing");
	r = compare_net_open(&j.net, p, id, e);
	if (r == 0)
		r = all_rounds(&j, e);
	compare_net_close(&j.net);
	return r < 0 || finish(&j, e) < 0 ? NULL : TAKE(v);
}
