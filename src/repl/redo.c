/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "redo.h"
#include "fault.h"
#include "io.h"
#include "log.h"
#include "redo_place.h"

#define TABLES 8192 /* bytes a segment, for its table of extents and the file system's blocks */

static bool any_spooled(const struct session *s)
{
	for (unsigned i = 0; i < s->p->volumes; i++)
		if (s->spooled[i])
			return true;
	return false;
}

/* An upper bound: what compresses, and zeros, take less. */
static uint64_t space_for(const struct session *s, const struct manifest *m)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < m->volumes; i++)
		size += s->spooled[i] ? m->volume[i].size : 0;
	return (size < m->data_bytes ? size : m->data_bytes) + m->segments * TABLES;
}

int redo_resume(struct session *s, const struct manifest *m, const uint8_t *digest, struct err *e)
{
	struct err none = ERR_INIT;

	if (!any_spooled(s))
		return 1;
	s->spool = redo_place_open(s, digest, &none);
	if (!s->spool && none.code != ERR_NONE)
		*e = none;
	if (!s->spool)
		return none.code != ERR_NONE ? -1 : 0;
	return redo_place_room(s, s->spool, m, space_for(s, m), e) < 0 ? -1 : 1;
}

int redo_create(struct session *s, const struct manifest *m, const uint8_t *digest, struct err *e)
{
	if (!any_spooled(s))
		return 0;
	if (redo_place_drop(s, e) < 0)
		return -1;
	s->spool = redo_place_create(s, m, digest, space_for(s, m), e);
	return s->spool ? io_sync_dir_of(session_file(s, "spool").s, e) : -1;
}

bool redo_may_give_up(struct session *s)
{
	struct err why = ERR_INIT;

	if (redo_place_reach(s, &why) < 0 || session_hold(s, NULL, true, &why) < 0)
		return false;
	session_unhold(s);
	return true;
}

int redo_put(struct session *s, const struct segment *seg, const void *frame, size_t len,
	     struct err *e)
{
	bool durable;

	pthread_mutex_lock(&s->sets);
	durable = bset_has(received_segments(s->received), seg->number);
	pthread_mutex_unlock(&s->sets);
	if (durable)
		return 1;
	return spool_put(s->spool, seg->number, frame, len, e);
}

/* What steps c to f work on: the files of open/, all of the committed cut. */
struct replay {
	struct session *s;
	struct state_cut *c;
	struct manifest *m;
	struct received *received;
	struct spool *spool;
};

static void replay_free(struct replay *r)
{
	manifest_free(r->m);
	received_free(r->received);
	spool_free(r->spool);
}

static int load(struct replay *r, struct err *e)
{
	_cleanup_buf_ struct buf frame = BUF_INIT;
	uint8_t digest[MANIFEST_DIGEST];
	struct err none = ERR_INIT;

	if (io_read_file(session_file(r->s, "manifest").s, MANIFEST_FRAME_MAX, &frame, e) < 0 ||
	    !(r->m = manifest_decode(frame.data, frame.len, e)))
		return -1;
	if (!state_cut_is(r->c, r->m->generation, r->m->seq, r->m->time_ms) ||
	    r->m->volumes != r->s->p->volumes)
		return err_set(e, ERR_FAILED, "its manifest has been replaced by another");
	manifest_digest(frame.data, frame.len, digest);
	r->received =
		received_open(session_file(r->s, "received").s, digest, SESSION_GRANULE, &none);
	if (!r->received || bset_count(received_segments(r->received)) != r->m->segments)
		return err_set(e, ERR_FAILED, "the list of its segments is damaged%s%s",
			       none.code != ERR_NONE ? ": " : "", none.text);
	none.code = ERR_NONE;
	r->spool = redo_place_open(r->s, digest, &none);
	if (!r->spool && none.code != ERR_NONE) {
		*e = none; /* it may only be away */
		return -1;
	}
	if (!r->spool)
		return err_set(e, ERR_FAILED, "its spool %s is lost",
			       session_file(r->s, "spool").s);
	return 0;
}

static int write_one(struct replay *r, unsigned i, uint64_t number, struct buf *frame,
		     struct err *e)
{
	_cleanup_(segment_freep) struct segment *seg = NULL;

	if (spool_get(r->spool, number, frame, e) < 0 ||
	    !(seg = segment_decode(frame->data, frame->len, r->m, e)))
		return -1;
	if (seg->number != number || seg->volume != i)
		return err_set(e, ERR_FAILED, "the spool holds another segment as number %llu",
			       (unsigned long long)number);
	if (apply_segment(r->s->apply, seg, &r->s->target[i], e) < 0)
		return -1;
	fault("redo.written");
	return 0;
}

/* Step d of one volume, and its token for e. */
static int write_volume(struct replay *r, unsigned i, struct err *e)
{
	const struct bset *set = received_segments_of(r->received, i);
	_cleanup_buf_ struct buf frame = BUF_INIT;
	uint64_t first = 0, n = 0;
	struct volume *v = r->s->v[i];

	if (apply_target_init(&r->s->target[i], r->s->fd[i], r->m->volume[i].size, v->discard_unit,
			      e) < 0)
		return -1;
	while (set && bset_next_run(set, first + n, &first, &n))
		for (uint64_t k = 0; k < n; k++)
			if (write_one(r, i, first + k, &frame, e) < 0)
				return -1;
	if (fdatasync(r->s->fd[i]) < 0)
		return err_sys(e, "flush");
	return v->ops->proof(v, r->c->volume[i].token, e);
}

/* Before the first byte is written all frames are read once: what is damaged must show while the
 * device is still whole. */
static int check_volume(struct replay *r, unsigned i, struct err *e)
{
	const struct bset *set = received_segments_of(r->received, i);
	_cleanup_buf_ struct buf frame = BUF_INIT;
	uint64_t first = 0, n = 0;

	while (set && bset_next_run(set, first + n, &first, &n)) {
		for (uint64_t k = 0; k < n; k++) {
			struct segment *seg = NULL;

			if (spool_get(r->spool, first + k, &frame, e) < 0 ||
			    !(seg = segment_decode(frame.data, frame.len, r->m, e)))
				return -1;
			segment_free(seg);
		}
	}
	return 0;
}

static int each(struct replay *r, int (*step)(struct replay *r, unsigned i, struct err *e),
		struct err *e)
{
	for (unsigned i = 0; i < r->s->p->volumes; i++)
		if (r->s->v[i]->ops->redo && step(r, i, e) < 0)
			return err_wrap(e, "%s", r->s->v[i]->name);
	return 0;
}

/* Step c's proof: a device that was never written by us must be what it was. */
static int hold_volume(struct replay *r, unsigned i, struct err *e)
{
	struct volume *v = r->s->v[i];

	return v->ops->hold(v, r->c->volume[i].token, r->c->replay == STATE_REPLAY_BEGUN,
			    &r->s->fd[i], e);
}

static int mark(struct replay *r, enum state_replay replay, struct err *e)
{
	r->c->replay = replay;
	return state_save(r->s->host, r->s->p->name, r->s->state, e);
}

static int replay(struct replay *r, struct err *e)
{
	if (load(r, e) < 0 || each(r, check_volume, e) < 0 || each(r, hold_volume, e) < 0)
		return -1;
	fault("redo.held");
	if (r->c->replay == STATE_REPLAY_DUE && mark(r, STATE_REPLAY_BEGUN, e) < 0)
		return -1;
	fault("redo.begun");
	if (each(r, write_volume, e) < 0)
		return -1;
	fault("redo.flushed");
	return mark(r, STATE_REPLAY_NONE, e);
}

static void show(const struct session *s, const struct state_cut *c)
{
	struct progress p = {.phase = "writing", .seq = c->seq, .start_ms = fmt_now_ms()};

	progress_save(s->host, s->p->name, &p);
}

int redo_settle(struct session *s, struct err *e)
{
	struct state_cut *c = s->state->n ? s->state->cut[s->state->n - 1] : NULL;
	_cleanup_(replay_free) struct replay r = {.s = s, .c = c};
	int bad;

	if (!c || c->replay == STATE_REPLAY_NONE)
		return 0;
	show(s, c);
	s->apply = apply_new(1);
	bad = replay(&r, e);
	session_unhold(s);
	apply_free(TAKE(s->apply));
	progress_clear(s->host, s->p->name);
	if (bad < 0) {
		err_wrap(e, "cut %llu of %s is committed, but not yet written in place",
			 (unsigned long long)c->seq, s->p->name);
		return err_hint(e, "srsync sync %s --full on the source writes all of it anew",
				s->p->name);
	}
	fault("redo.recorded");
	log_info("%s: cut %llu is written in place", s->p->name, (unsigned long long)c->seq);
	spool_free(TAKE(r.spool)); /* a log volume is opened by one at a time */
	return session_forget_cut(s, e);
}
