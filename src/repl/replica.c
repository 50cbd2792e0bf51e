/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "io.h"
#include "log.h"
#include "redo.h"
#include "remote.h"
#include "replica_commit.h"
#include "replica_hash.h"
#include "session.h"

#define LOCK_MS 5000 /* another may just be finishing */

struct replicas {
	const struct host *host;
	pthread_mutex_t mutex; /* of the list */
	struct session *first; /* never shortened while the process lives */
	struct replica_hash *hash;
};

struct replicas *replicas_new(const struct host *h)
{
	struct replicas *r = xcalloc(1, sizeof(*r));

	r->host = h;
	r->hash = replica_hash_new(h);
	pthread_mutex_init(&r->mutex, NULL);
	return r;
}

void replicas_free(struct replicas *r)
{
	struct session *next;

	for (struct session *s = r ? r->first : NULL; s; s = next) {
		next = s->next;
		session_close(s);
		pthread_rwlock_destroy(&s->rw);
		pthread_rwlock_destroy(&s->reading);
		pthread_mutex_destroy(&s->sets);
		free(s);
	}
	replica_hash_free(r ? r->hash : NULL);
	free(r);
}

/* Questions come without end; whoever frees slots must get his turn. */
static void init_reading(pthread_rwlock_t *rw)
{
	pthread_rwlockattr_t a;

	pthread_rwlockattr_init(&a);
	pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(rw, &a);
	pthread_rwlockattr_destroy(&a);
}

/* With the mutex held; NULL: there never was one. */
static struct session *known(struct replicas *r, const char *id)
{
	struct session *s = r->first;

	while (s && strcmp(s->id, id))
		s = s->next;
	return s;
}

static struct session *find(struct replicas *r, const char *id)
{
	struct session *s;

	pthread_mutex_lock(&r->mutex);
	s = known(r, id);
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		strcpy(s->id, id);
		s->lock = -1;
		pthread_rwlock_init(&s->rw, NULL);
		init_reading(&s->reading);
		pthread_mutex_init(&s->sets, NULL);
		s->next = r->first;
		r->first = s;
	}
	pthread_mutex_unlock(&r->mutex);
	s->used_ms = fmt_now_ms();
	return s;
}

struct partnership *replica_partnership(struct replicas *r, const char *id)
{
	struct partnership *p = NULL;
	struct session *s;

	pthread_mutex_lock(&r->mutex);
	s = known(r, id);
	pthread_mutex_unlock(&r->mutex);
	if (!s || pthread_rwlock_tryrdlock(&s->rw) != 0)
		return NULL;
	if (s->open) {
		p = xmalloc(sizeof(*p));
		*p = *s->p;
	}
	pthread_rwlock_unlock(&s->rw);
	return p;
}

static void unlockp(pthread_rwlock_t **rw)
{
	pthread_rwlock_unlock(*rw);
}
#define HELD_UNTIL_RETURN(rw)                                                                      \
	_cleanup_(unlockp) __attribute__((unused)) pthread_rwlock_t *held_ = rw

static void show_progress(struct session *s)
{
	struct progress *p = &s->progress;
	double secs = (fmt_now_ms() - p->start_ms) / 1e3;

	p->segments = s->segments;
	p->bytes = s->bytes;
	p->rate = secs > 0 ? p->bytes / secs : 0;
	progress_save(s->host, s->p->name, p);
}

static void tick(struct session *s)
{
	if (pthread_rwlock_trywrlock(&s->rw))
		return;
	if (s->open && fmt_now_ms() - s->used_ms > REPLICA_IDLE_MS) {
		log_warn("%s: nothing received for %d s, cut %llu is let go; it can be resumed",
			 s->p->name, REPLICA_IDLE_MS / 1000, (unsigned long long)s->m->seq);
		session_close(s);
	} else if (s->open) {
		show_progress(s);
	}
	pthread_rwlock_unlock(&s->rw);
}

/* Sessions are never freed, so the list's mutex need not be held while one of them hangs. */
void replicas_tick(struct replicas *r)
{
	struct session *s;

	pthread_mutex_lock(&r->mutex);
	s = r->first;
	pthread_mutex_unlock(&r->mutex);
	for (; s; s = s->next)
		tick(s);
	replica_hash_tick(r->hash);
}

void replica_close(struct replicas *r, const struct partnership *p)
{
	struct session *s = find(r, p->id);

	pthread_rwlock_wrlock(&s->rw);
	session_close(s);
	pthread_rwlock_unlock(&s->rw);
}

static json_t *describe(struct session *s)
{
	json_t *j;

	pthread_mutex_lock(&s->sets);
	j = remote_replica_json(s->state, s->m ? s->m->generation : "", s->m ? s->m->seq : 0,
				s->received ? received_segments(s->received) : NULL, false);
	pthread_mutex_unlock(&s->sets);
	return j;
}

/* What is on disk, when no session has it open. */
static json_t *describe_closed(const struct host *h, const struct partnership *p, struct err *e)
{
	_cleanup_(state_freep) struct state *st = state_load(h, p->name, e);
	struct session look = {.host = h, .p = (struct partnership *)p, .state = st};
	_cleanup_(received_freep) struct received *rec = NULL;
	_cleanup_(manifest_freep) struct manifest *m = NULL;
	_cleanup_buf_ struct buf frame = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (!st)
		return NULL;
	if (io_read_file(session_file(&look, "manifest").s, MANIFEST_FRAME_MAX, &frame, &ignored) ==
	    0)
		m = manifest_decode(frame.data, frame.len, &ignored);
	if (m) {
		uint8_t digest[RECEIVED_DIGEST];

		manifest_digest(frame.data, frame.len, digest);
		rec = received_open(session_file(&look, "received").s, digest, SESSION_GRANULE,
				    &ignored);
	}
	return remote_replica_json(st, m ? m->generation : "", m ? m->seq : 0,
				   rec ? received_segments(rec) : NULL,
				   partnership_paused(h, p->name));
}

int replica_describe(struct replicas *r, const struct partnership *p, json_t **reply, struct err *e)
{
	struct session *s = find(r, p->id);

	pthread_rwlock_rdlock(&s->rw);
	*reply = s->open ? describe(s) : describe_closed(r->host, p, e);
	pthread_rwlock_unlock(&s->rw);
	return *reply ? 0 : -1;
}

/* Rule 3: identity before bytes. */
static int check_identity(const struct session *s, const struct manifest *m, struct err *e)
{
	const struct state_cut *c = state_newest(s->state);
	bool same = c ? m->base_seq == c->seq && !strcmp(m->base_generation, c->generation)
		      : m->base_seq == 0;

	if (strcmp(m->partnership, s->p->id) || m->volumes != s->p->volumes)
		return err_set(e, ERR_REFUSED,
			       "rule 3 (identity before bytes): the cut is of another "
			       "partnership");
	if (!same) {
		err_set(e, ERR_REFUSED,
			"rule 3 (identity before bytes): the cut's base is %llu of generation "
			"%.8s, the "
			"committed cut here is %llu of %.8s",
			(unsigned long long)m->base_seq, m->base_seq ? m->base_generation : "-",
			(unsigned long long)(c ? c->seq : 0), c ? c->generation : "-");
		return err_hint(e, "on the source: srsync sync %s", s->p->name);
	}
	for (unsigned i = 0; i < m->volumes; i++) {
		const struct manifest_volume *mv = &m->volume[i];

		if (strcmp(mv->uuid, s->p->volume[i].uuid))
			return err_set(e, ERR_REFUSED,
				       "rule 3 (identity before bytes): volume %s has "
				       "the uuid %s, this partnership is of %s",
				       mv->name, mv->uuid, s->p->volume[i].uuid);
		if (!c && !mv->full)
			return err_set(e, ERR_REFUSED,
				       "rule 3 (identity before bytes): nothing is "
				       "committed here, the first cut must be whole");
		if (c && mv->size < c->volume[i].size) {
			err_set(e, ERR_REFUSED,
				"sizes differ: %s shrank at the source, from %llu to %llu bytes",
				mv->name, (unsigned long long)c->volume[i].size,
				(unsigned long long)mv->size);
			return err_hint(e,
					"a replica never shrinks; make the source as large again");
		}
	}
	return 0;
}

static int grow(struct session *s, const struct manifest *m, struct err *e)
{
	int r = 0;

	pthread_rwlock_wrlock(&s->reading); /* it prepares the slots anew */
	for (unsigned i = 0; i < m->volumes && r == 0; i++)
		if (m->volume[i].size > s->v[i]->size &&
		    s->v[i]->ops->grow(s->v[i], m->volume[i].size, e) < 0)
			r = err_wrap(e, "grow %s", s->v[i]->name);
	pthread_rwlock_unlock(&s->reading);
	return r;
}

/* Rule 4's flush: the data of every head, then the notes about it. */
static int flush(void *arg, const struct buf *batch, struct err *e)
{
	struct session *s = arg;
	int r;

	for (unsigned i = 0; i < s->p->volumes; i++)
		if (!s->spooled[i] && fdatasync(s->fd[i]) < 0)
			return err_sys(e, "flush %s", s->v[i]->name);
	if (s->spool && spool_flush(s->spool, e) < 0)
		return -1;
	fault("replica.flushed");
	pthread_mutex_lock(&s->sets);
	r = received_write(s->received, batch, e);
	pthread_mutex_unlock(&s->sets);
	return r;
}

/* Every block of every volume comes from the source: nothing here needs to be what it was. */
static bool is_whole(const struct manifest *m)
{
	for (unsigned i = 0; i < m->volumes; i++)
		if (!m->volume[i].full)
			return false;
	return true;
}

/* Steps 2 to 4 of replica.h. The list of received segments goes first: it must never stand beside a
 * head that has been brought back. */
static int start_anew(struct session *s, const struct manifest *m, const void *frame, size_t len,
		      bool rewind, struct err *e)
{
	struct host_path received = session_file(s, "received");
	uint8_t digest[RECEIVED_DIGEST];

	manifest_digest(frame, len, digest);
	if (io_mkdirs(session_file(s, "").s, 0700, e) < 0 || session_drop_rest(s, e) < 0)
		return -1;
	if (unlink(received.s) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", received.s);
	if (redo_create(s, m, digest, e) < 0)
		return -1;
	if (io_replace(session_file(s, "manifest").s, frame, len, 0600, e) < 0)
		return -1;
	fault("replica.begun");
	if (rewind && session_rewind(s, false, e) < 0)
		return -1;
	fault("replica.rewound");
	s->received = received_create(received.s, digest, SESSION_GRANULE, e);
	return s->received ? 0 : -1;
}

/* Step 1, and 2 to 4 unless this very cut can be resumed. */
static int take_up(struct session *s, const struct manifest *m, const void *frame, size_t len,
		   struct err *e)
{
	_cleanup_buf_ struct buf old = BUF_INIT;
	uint8_t digest[RECEIVED_DIGEST];
	bool whole = is_whole(m);
	int was_open = session_open_cut(s, &old, e), resumable = 0;

	if (was_open < 0)
		return -1;
	manifest_digest(frame, len, digest);
	e->code = ERR_NONE;
	if (was_open && old.len == len && !memcmp(old.data, frame, len))
		s->received =
			received_open(session_file(s, "received").s, digest, SESSION_GRANULE, e);
	if (e->code != ERR_NONE)
		return -1;
	if (s->received)
		resumable = redo_resume(s, m, digest, e);
	if (resumable != 0)
		return resumable < 0 ? -1 : session_resume(s, m, e);
	received_free(TAKE(s->received));
	if (was_open)
		return start_anew(s, m, frame, len, !whole, e) < 0 ? -1
								   : session_hold(s, m, whole, e);
	return session_hold(s, m, whole, e) < 0 ? -1 : start_anew(s, m, frame, len, false, e);
}

static int start_apply(struct session *s, const struct manifest *m, struct err *e)
{
	s->apply = apply_new(SESSION_THREADS);
	s->durable = durable_new(flush, s);
	for (unsigned i = 0; i < m->volumes; i++)
		if (apply_target_init(&s->target[i], s->fd[i], m->volume[i].size,
				      s->v[i]->discard_unit, e) < 0)
			return err_wrap(e, "%s", s->v[i]->name);
	return 0;
}

static void start_progress(struct session *s)
{
	s->segments = bset_count(received_segments(s->received));
	s->bytes = 0;
	s->progress = (struct progress){.phase = "receiving",
					.seq = s->m->seq,
					.start_ms = fmt_now_ms(),
					.segments_total = s->m->segments,
					.bytes_total = s->m->data_bytes};
}

/* A committed cut that cannot be written in place is given up only for one that replaces it whole.
 */
static int settle(struct session *s, const struct manifest *m, struct err *e)
{
	struct err why = ERR_INIT;

	if (redo_settle(s, &why) == 0)
		return 0;
	if (is_whole(m) && redo_may_give_up(s)) {
		log_err(LOG_LEVEL_WARN, &why);
		return 0;
	}
	*e = why;
	return -1;
}

static int begin(struct session *s, const struct host *h, const struct partnership *p,
		 const void *frame, size_t len, struct err *e)
{
	_cleanup_(manifest_freep) struct manifest *m = manifest_decode(frame, len, e);
	const struct state_cut *c;

	if (!m)
		return -1;
	if (session_open(s, h, p, LOCK_MS, e) < 0 || settle(s, m, e) < 0)
		return -1;
	c = state_newest(s->state);
	if (state_cut_is(c, m->generation, m->seq, m->time_ms))
		return 0; /* committed already; the reply says so */
	if (check_identity(s, m, e) < 0 || grow(s, m, e) < 0 || take_up(s, m, frame, len, e) < 0 ||
	    start_apply(s, m, e) < 0)
		return -1;
	s->m = TAKE(m);
	s->open = true;
	start_progress(s);
	log_info("%s: receiving cut %llu: %llu segments, %llu of them here already", s->p->name,
		 (unsigned long long)s->m->seq, (unsigned long long)s->m->segments,
		 (unsigned long long)s->segments);
	return 0;
}

int replica_begin(struct replicas *r, const struct partnership *p, uint64_t seq,
		  const void *manifest, size_t len, json_t **reply, struct err *e)
{
	struct session *s = find(r, p->id);
	int result;

	(void)seq; /* the manifest's own number counts */
	if (partnership_paused(r->host, p->name)) {
		err_set(e, ERR_BUSY, "%s is paused at the destination", p->name);
		return err_hint(e, "there: srsync resume %s", p->name);
	}
	pthread_rwlock_wrlock(&s->rw);
	session_close(s); /* a new begin means that the old sender is gone */
	replica_hash_rest(r->hash);
	result = begin(s, r->host, p, manifest, len, e);
	if (result == 0)
		*reply = describe(s);
	if (!s->open)
		session_close(s);
	pthread_rwlock_unlock(&s->rw);
	return result;
}

/* The cut that is open must be the one meant. */
static int check_open(const struct session *s, const char *name, uint64_t seq, struct err *e)
{
	if (s->open && s->m->seq == seq)
		return 0;
	err_set(e, ERR_FAILED, "cut %llu of %s is not open", (unsigned long long)seq, name);
	return err_hint(e, "srsync sync %s on the source resumes it", name);
}

int replica_segment(struct replicas *r, const struct partnership *p, uint64_t seq, uint64_t number,
		    const void *segment, size_t len, struct err *e)
{
	struct session *s = find(r, p->id);
	_cleanup_(segment_freep) struct segment *seg = NULL;
	_cleanup_buf_ struct buf note = BUF_INIT;
	int taken;

	pthread_rwlock_rdlock(&s->rw);
	HELD_UNTIL_RETURN(&s->rw);
	if (check_open(s, p->name, seq, e) < 0 || !(seg = segment_decode(segment, len, s->m, e)))
		return -1;
	if (seg->number != number)
		return err_set(e, ERR_FAILED, "segment %llu came as number %llu",
			       (unsigned long long)seg->number, (unsigned long long)number);
	taken = s->spooled[seg->volume] ? redo_put(s, seg, segment, len, e)
					: apply_segment(s->apply, seg, &s->target[seg->volume], e);
	if (taken != 0)
		return taken < 0 ? err_wrap(e, "%s", s->v[seg->volume]->name) : 0;
	fault("replica.applied");
	replica_note(&note, seg);
	if (durable_put(s->durable, &note, e) < 0)
		return -1;
	fault("replica.noted");
	s->segments++;
	s->bytes += segment_data_bytes(seg);
	s->used_ms = fmt_now_ms();
	return 0;
}

int replica_commit(struct replicas *r, const struct partnership *p, uint64_t seq, json_t **reply,
		   struct err *e)
{
	struct session *s = find(r, p->id);
	int result;

	pthread_rwlock_wrlock(&s->rw);
	result = check_open(s, p->name, seq, e);
	if (result == 0)
		result = replica_commit_session(s, e);
	if (result == 0)
		*reply = describe(s);
	if (s->open)
		session_close(s);
	pthread_rwlock_unlock(&s->rw);
	if (result == 0)
		redo_finish_soon(r->host, p->name, REDO_WAIT_MS);
	return result;
}

int replica_rewind(struct replicas *r, const struct partnership *p, struct err *e)
{
	struct session *s = find(r, p->id);
	int result;

	pthread_rwlock_wrlock(&s->rw);
	session_close(s);
	replica_hash_rest(r->hash);
	result = session_open(s, r->host, p, LOCK_MS, e);
	/* the manifest goes last: after a crash in between, what an open cut has left in a head
	 * must not look like somebody's writes */
	if (result == 0 && (redo_settle(s, e) < 0 || session_forget_received(s, e) < 0 ||
			    session_rewind(s, true, e) < 0 || session_forget_cut(s, e) < 0))
		result = -1;
	session_close(s);
	pthread_rwlock_unlock(&s->rw);
	return result;
}

int replica_hashes(struct replicas *r, const struct partnership *p, const void *question,
		   size_t len, struct buf *answer, struct err *e)
{
	_cleanup_free_ struct hashes *q = xmalloc(sizeof(*q));

	if (hashes_parse(question, len, q, e) < 0)
		return -1;
	return replica_hash_answer(r->hash, find(r, p->id), p, q, answer, e);
}

int replica_adopt(struct replicas *r, const struct partnership *p, const struct state_cut *seed,
		  json_t **reply, struct err *e)
{
	struct session *s = find(r, p->id);
	int result;

	pthread_rwlock_wrlock(&s->rw);
	session_close(s);
	replica_hash_rest(r->hash);
	result = session_open(s, r->host, p, 0, e);
	if (result == 0)
		result = replica_adopt_session(s, seed, e);
	if (result == 0)
		*reply = describe(s);
	session_close(s);
	pthread_rwlock_unlock(&s->rw);
	return result;
}
