/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fault.h"
#include "io.h"
#include "js.h"
#include "log.h"
#include "remote.h"
#include "ship.h"
#include "stop.h"
#include "stream.h"
#include "sync.h"

#define LOCK_POLL_MS      50
#define SPACE_LOW_PERCENT 85 /* of a pool; at 95 no cut is taken any more */

/* One attempt: the source, the peer if it answers, and what is known of both. */
struct attempt {
	const struct host *host;
	const struct sync_options *options;
	struct source *s;
	struct identity *id;
	struct client *client;
	struct remote_replica *peer; /* NULL: it does not answer */
	struct err peer_error;
	uint64_t cut_us; /* how long the cut took that is shipped next; 0: it was taken earlier */
};

static void attempt_free(struct attempt *a)
{
	remote_replica_free(a->peer);
	client_free(a->client);
	identity_free(a->id);
	source_free(a->s);
}

static bool same_cut(const struct bitlog_cut *b, const struct state_cut *c)
{
	return b && state_cut_is(c, b->generation, b->seq, b->time_ms);
}

static bool is_pending(const struct source *s)
{
	const struct bitlog_cut *newest = bitlog_newest(s->log);
	const struct bitlog_cut *done = bitlog_committed(s->log);

	return newest && (!done || done->seq != newest->seq);
}

/* Keeps what the peer said it holds, for show, cuts and the number of the next cut. */
static int remember(struct source *s, const struct state *peer, struct err *e)
{
	while (s->state->n)
		state_drop(s->state, s->state->n - 1);
	for (unsigned i = 0; i < peer->n; i++)
		state_add(s->state, peer->cut[i]);
	return state_save(s->host, s->p->name, s->state, e);
}

static int unknown_base(const struct source *s, const struct state_cut *theirs, struct err *e)
{
	err_set(e, ERR_REFUSED,
		"rule 3 (identity before bytes): the peer has committed cut %llu of generation "
		"%.8s, "
		"which this source never logged",
		(unsigned long long)theirs->seq, theirs->generation);
	return err_hint(e, "if this source holds the right data: srsync sync %s --full",
			s->p->name);
}

/* Brings the log to what the peer has committed. A commit whose answer got lost shows up here. */
static int reconcile(struct attempt *a, struct err *e)
{
	struct source *s = a->s;
	const struct state_cut *theirs = state_newest(a->peer->state),
			       *known = state_newest(s->state);
	const struct bitlog_cut *b, *done = bitlog_committed(s->log);
	bool logged = same_cut(done, theirs);

	if (logged)
		return remember(s, a->peer->state, e);
	for (unsigned i = 0; theirs && (b = bitlog_get(s->log, i)); i++)
		logged |= same_cut(b, theirs);
	if (logged) {
		if (bitlog_commit(s->log, theirs->generation, theirs->seq, e) < 0)
			return -1;
	} else if (theirs && !theirs->seed && !a->options->full &&
		   !state_cut_is(known, theirs->generation, theirs->seq, theirs->time_ms)) {
		return unknown_base(s, theirs, e);
	} else if (done || theirs) {
		if (!theirs || !theirs->seed)
			log_warn("%s: the peer's committed cut is not the base of the log: "
				 "the next transfer compares with it by hash",
				 s->p->name);
		if (bitlog_forget(s->log, e) < 0)
			return -1;
	}
	return remember(s, a->peer->state, e);
}

/* create --seeded: before the first cut, what the targets hold becomes the base to compare with. */
static int adopt(struct attempt *a, struct err *e)
{
	const struct source *s = a->s;
	_cleanup_free_ struct state_cut *seed = xcalloc(1, sizeof(*seed));
	struct remote_replica *after;

	if (!s->p->seeded || a->peer->state->n > 0)
		return 0;
	fmt_random_id(seed->generation);
	seed->seq = 1;
	seed->time_ms = fmt_now_ms();
	seed->volumes = s->p->volumes;
	for (unsigned i = 0; i < seed->volumes; i++)
		seed->volume[i].size = s->volume[i]->size;
	after = remote_adopt(a->client, s->p->id, seed, e);
	if (!after)
		return err_wrap(e, "adopt the copy at the peer");
	remote_replica_free(a->peer);
	a->peer = after;
	fault("sync.adopted");
	return 0;
}

static int contact(struct attempt *a, struct err *e)
{
	a->client = remote_connect(
		a->s->p, a->id, a->s->p->seeded ? SHIP_ANSWER_MS : REMOTE_STALL_MS, &a->peer_error);
	if (a->client && a->options->rewind_target && remote_rewind(a->client, a->s->p->id, e) < 0)
		return -1;
	if (a->client)
		a->peer = remote_get(a->client, a->s->p->id, &a->peer_error);
	if (a->peer)
		return adopt(a, e) < 0 ? -1 : reconcile(a, e);
	if (a->peer_error.code == ERR_PEER)
		return 0; /* away: a cut can be taken and logged all the same */
	*e = a->peer_error;
	return -1;
}

static bool still_held(const struct source *s, const struct bitlog_cut *c)
{
	struct err ignored;

	for (unsigned i = 0; i < s->p->volumes; i++)
		if (s->volume[i]->ops->held(s->volume[i], c->volume[i].token, NULL, NULL, 0,
					    &ignored) != 1)
			return false;
	return true;
}

/* Is the newest cut half-way at the peer, so that finishing it is cheaper than a new one? */
static bool resumable(const struct attempt *a)
{
	const struct bitlog_cut *newest = bitlog_newest(a->s->log);

	return a->peer && is_pending(a->s) && newest->seq == a->peer->open_seq &&
	       !strcmp(newest->generation, a->peer->open_generation) &&
	       bset_count(a->peer->received) > 0 && still_held(a->s, newest);
}

/* statedir/NAME/shipping holds the number of a cut whose transfer has begun: it is worth finishing
 * after an outage, so no new cut takes its place meanwhile. */
static int mark_shipping(const struct source *s, uint64_t seq, struct err *e)
{
	_cleanup_free_ char *line = xasprintf("%llu\n", (unsigned long long)seq);

	return io_replace(host_state(s->host, s->p->name, "shipping").s, line, strlen(line), 0600,
			  e);
}

static bool shipping_begun(const struct source *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err ignored;

	if (!is_pending(s) ||
	    io_read_file(host_state(s->host, s->p->name, "shipping").s, 32, &b, &ignored) < 0)
		return false;
	buf_put_u8(&b, 0);
	return strtoull((char *)b.data, NULL, 10) == bitlog_newest(s->log)->seq;
}

/* resume: the peer holds a part of this very cut. Then what was found is believed, if a comparison
 * began it; else everything goes on to be shipped. */
static struct ship *plan(struct attempt *a, bool resume, struct err *e)
{
	_cleanup_(compared_freep) struct compared *found = NULL;

	if (!a->options->full &&
	    compared_find(a->s, a->peer, a->id, a->options, resume, &found, e) < 0)
		return NULL;
	return ship_new(a->s, state_newest(a->peer->state), found, e);
}

static int ship(struct attempt *a, bool resume, struct sync_result *out, struct err *e)
{
	struct source *s = a->s;
	uint64_t start = fmt_mono_us();
	_cleanup_(ship_freep) struct ship *sh = plan(a, resume, e);
	struct remote_replica *after;

	if (!sh || mark_shipping(s, sh->m->seq, e) < 0)
		return -1;
	out->partial = true;
	after = ship_to_peer(sh, a->options, a->id, a->client, e);
	if (!after)
		return -1;
	fault("sync.committed");
	remote_replica_free(a->peer);
	a->peer = after;
	if (bitlog_commit(s->log, sh->m->generation, sh->m->seq, e) < 0 ||
	    remember(s, after->state, e) < 0)
		return -1;
	compared_forget(s);
	fault("sync.pruned");
	out->pending = out->partial = false;
	out->cut = sh->cut;
	out->cut.hooks_us = a->cut_us ? s->hooks_us : 0;
	out->cut.finished_ms = fmt_now_ms();
	out->cut.took_ms = (fmt_mono_us() - start + a->cut_us) / 1000;
	return report_add(s->host, s->p->name, &out->cut, e);
}

/* Short of space, so that the snapshot of a half-shipped cut is better replaced by a newer one? */
static bool space_low(const struct source *s)
{
	for (unsigned i = 0; i < s->p->volumes; i++) {
		struct volume_health hl = {0};
		struct err ignored;

		if (s->volume[i]->ops->health(s->volume[i], &hl, &ignored) == 0 &&
		    hl.data_percent > SPACE_LOW_PERCENT)
			return true;
	}
	return false;
}

static int take_cut(struct attempt *a, struct sync_result *out, struct err *e)
{
	struct progress p = {.phase = "cutting", .start_ms = fmt_now_ms()};
	int r;

	progress_save(a->host, a->s->p->name, &p);
	a->cut_us = fmt_mono_us();
	r = source_cut(a->s, e);
	a->cut_us = fmt_mono_us() - a->cut_us;
	progress_clear(a->host, a->s->p->name);
	out->pending = is_pending(a->s);
	return r;
}

static int work(struct attempt *a, struct sync_result *out, struct err *e)
{
	bool resume;

	if (contact(a, e) < 0)
		return -1;
	if (a->options->full) {
		compared_forget(a->s);
		if (bitlog_forget(a->s->log, e) < 0)
			return -1;
	}
	if (!a->peer && (shipping_begun(a->s) || a->options->resume_only) && !space_low(a->s)) {
		*e = a->peer_error;
		return err_wrap(e, "the pending cut is half-way and waits");
	}
	resume = resumable(a);
	if (resume && ship(a, true, out, e) < 0)
		return -1;
	if (resume && a->options->resume_only)
		return 0;
	if (take_cut(a, out, e) < 0)
		return -1;
	if (a->peer)
		return ship(a, false, out, e);
	*e = a->peer_error;
	return err_wrap(e, "cut %llu is logged and waits",
			(unsigned long long)bitlog_newest(a->s->log)->seq);
}

static int open_source(struct attempt *a, const char *name, struct err *e)
{
	uint64_t until = fmt_mono_us() + a->options->wait_ms * 1000ULL;

	do {
		a->s = source_open(a->host, name, "srsync sync", e);
		if (a->s)
			return 0;
	} while (e->code == ERR_BUSY && fmt_mono_us() < until && !stop_sleep(LOCK_POLL_MS));
	return -1;
}

static int open_attempt(struct attempt *a, const char *name, struct err *e)
{
	if (open_source(a, name, e) < 0)
		return -1;
	if (partnership_paused(a->host, name)) {
		err_set(e, ERR_FAILED, "%s is paused", name);
		return err_hint(e, "srsync resume %s", name);
	}
	a->id = identity_load(a->host->confdir, e);
	return a->id ? 0 : -1;
}

static int put_frame(void *arg, unsigned worker, uint64_t number, const struct buf *segment,
		     struct err *e)
{
	(void)worker, (void)number;
	return stream_write_segment(*(int *)arg, segment, e);
}

/* Without a report the base is what the log says is committed: its sets are relative to that. */
static bool known_base(const struct attempt *a, struct state_cut *out)
{
	const struct bitlog_cut *done = bitlog_committed(a->s->log);
	const struct state_cut *theirs = a->peer ? state_newest(a->peer->state) : NULL;

	if (theirs)
		*out = *theirs;
	else if (!a->peer && done)
		*out = (struct state_cut){.seq = done->seq, .time_ms = done->time_ms};
	else
		return false;
	if (!theirs)
		strcpy(out->generation, done->generation);
	return true;
}

static int write_stream(struct attempt *a, int fd, struct sync_result *out, struct err *e)
{
	_cleanup_free_ struct state_cut *base = xcalloc(1, sizeof(*base));
	const struct pipeline_sink sink = {.put = put_frame, .arg = &fd, .in_order = true};
	_cleanup_(ship_freep) struct ship *sh =
		ship_new(a->s, known_base(a, base) ? base : NULL, NULL, e);
	const struct bset *done = resumable(a) ? a->peer->received : NULL;

	if (!sh || stream_write_begin(fd, sh->m, e) < 0 ||
	    ship_run(sh, a->options, &sink, PIPELINE_WORKERS, done, e) < 0 ||
	    stream_write_end(fd, sh->m, sh->m->segments - (done ? bset_count(done) : 0), e) < 0)
		return -1;
	out->cut = sh->cut;
	out->pending = true;
	return 0;
}

static int read_report(struct attempt *a, const char *path, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (io_read_file(path, JS_FILE_MAX, &b, e) < 0)
		return -1;
	a->peer = remote_replica_parse(b.data, b.len, e);
	return a->peer ? reconcile(a, e) : err_wrap(e, "%s", path);
}

int sync_to_stream(const struct host *h, const char *name, const char *report,
		   const struct sync_options *o, int fd, struct sync_result *out, struct err *e)
{
	_cleanup_(attempt_free) struct attempt a = {.host = h, .options = o};

	memset(out, 0, sizeof(*out));
	if (open_attempt(&a, name, e) < 0 || (report && read_report(&a, report, e) < 0))
		return -1;
	if (o->full && bitlog_forget(a.s->log, e) < 0)
		return -1;
	if (!resumable(&a) && take_cut(&a, out, e) < 0)
		return -1;
	return write_stream(&a, fd, out, e);
}

int sync_once(const struct host *h, const char *name, const struct sync_options *o,
	      struct sync_result *out, struct err *e)
{
	_cleanup_(attempt_free) struct attempt a = {.host = h, .options = o};
	struct err ignored;
	int r = open_attempt(&a, name, e);
	const struct bitlog_cut *newest;

	memset(out, 0, sizeof(*out));
	if (r == 0) {
		out->pending = is_pending(a.s);
		r = work(&a, out, e);
		newest = bitlog_newest(a.s->log);
		out->newest_cut_ms = newest ? newest->time_ms : 0;
		out->space_low = space_low(a.s);
	}
	if (r < 0 && e->code != ERR_BUSY)
		report_failed(h, name, e, &ignored);
	return r;
}
