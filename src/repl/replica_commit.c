/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cut.h"
#include "fault.h"
#include "io.h"
#include "log.h"
#include "replica_commit.h"

/* Extents that share or touch a granule become one: only granules count, and the list stays short.
 */
void replica_note(struct buf *out, const struct segment *seg)
{
	_cleanup_free_ struct received_extent *x = xcalloc(seg->extents + 1, sizeof(*x));
	unsigned n = 0;

	for (unsigned i = 0; i < seg->extents; i++) {
		const struct segment_extent *s = &seg->extent[i];
		uint64_t end = n ? x[n - 1].offset + x[n - 1].length : 0;

		if (n && s->offset / SESSION_GRANULE <= end / SESSION_GRANULE)
			x[n - 1].length = s->offset + s->length - x[n - 1].offset;
		else
			x[n++] = (struct received_extent){seg->volume, s->offset, s->length};
	}
	received_note(out, seg->number, x, n);
}

static int check_complete(const struct session *s, struct err *e)
{
	uint64_t have = bset_count(received_segments(s->received));

	if (have == s->m->segments)
		return 0;
	err_set(e, ERR_FAILED, "cut %llu is not complete: %llu of %llu segments are here",
		(unsigned long long)s->m->seq, (unsigned long long)have,
		(unsigned long long)s->m->segments);
	return err_hint(e, "srsync sync %s on the source sends the rest", s->p->name);
}

/* The chunks of the head that a segment touched are whole in the received set: rounded outwards. */
static void to_whole_blocks(const struct bset *granules, uint32_t block_size, struct bset *out)
{
	uint64_t first = 0, n = 0;

	while (bset_next_run(granules, first + n, &first, &n)) {
		uint64_t a = first * SESSION_GRANULE / block_size;
		uint64_t b = ((first + n) * SESSION_GRANULE + block_size - 1) / block_size;

		if (bset_add(out, a, b - a) < 0)
			return;
	}
}

/* A redo volume has not been written at all. */
static int check_same(const struct session *s, unsigned i, const char *token, struct err *e)
{
	char why[256] = "";
	int same = s->v[i]->ops->held(s->v[i], token, NULL, why, sizeof(why), e);

	if (same != 0)
		return same < 0 ? -1 : 0;
	err_set(e, ERR_REFUSED, "rule 3 (identity before bytes): %s: %s", s->v[i]->name, why);
	return err_hint(e, "find the writer; then srsync sync %s --full on the source", s->p->name);
}

struct excess {
	int a, b; /* readers of the two cuts; -1: not needed so far */
	const char *was, *is;
};

/* The changed blocks from first on that nobody was to touch: a set may be larger than the truth (a
 * compressed file), so their bytes decide. 1: all are equal. */
static int is_equal(struct volume *v, struct excess *x, uint64_t first, uint64_t count,
		    struct err *e)
{
	uint64_t bs = v->block_size;
	int r;

	if (x->a < 0)
		x->a = v->ops->reader(v, x->was, e);
	if (x->a >= 0 && x->b < 0)
		x->b = v->ops->reader(v, x->is, e);
	if (x->a < 0 || x->b < 0)
		return -1;
	r = io_same(x->a, x->b, first * bs, count * bs);
	return r < 0 ? err_sys(e, "compare two cuts of %s", v->name) : r;
}

/* 1: all that is not in allowed has kept its bytes. */
static int rest_is_equal(struct volume *v, struct excess *x, const struct bset *changed,
			 const struct bset *allowed, struct err *e)
{
	uint64_t first = 0, n = 0, at, skip, skips;
	int r = 1;

	while (r == 1 && bset_next_run(changed, first + n, &first, &n)) {
		for (at = first; r == 1 && at < first + n; at = skip + skips) {
			if (!bset_next_run(allowed, at, &skip, &skips) || skip >= first + n) {
				skip = first + n;
				skips = 0;
			}
			if (skip > at)
				r = is_equal(v, x, at, skip - at, e);
		}
	}
	return r;
}

/* Step 7, rule 3: whatever differs from the committed cut must have come from the source. */
static int check_untouched(const struct session *s, unsigned i, const char *token, struct err *e)
{
	const struct state_cut *c = state_newest(s->state);
	_cleanup_(bset_freep) struct bset *changed = bset_new();
	_cleanup_(bset_freep) struct bset *allowed = bset_new();
	const struct bset *touched = received_touched(s->received, i);
	_cleanup_close_ int a = -1, b = -1;
	struct excess x = {.a = -1, .b = -1, .is = token};
	int r;

	if (!c || s->m->volume[i].full)
		return 0; /* every block of the volume came from the source */
	if (s->v[i]->ops->redo)
		return check_same(s, i, c->volume[i].token, e);
	r = s->v[i]->ops->changes(s->v[i], c->volume[i].token, token, changed, e);
	if (r != VOLUME_CHANGES_OK)
		return -1;
	if (touched)
		to_whole_blocks(touched, s->v[i]->block_size, allowed);
	if (bset_covers(allowed, changed))
		return 0;
	x.was = c->volume[i].token;
	r = rest_is_equal(s->v[i], &x, changed, allowed, e);
	a = x.a;
	b = x.b;
	if (r != 0)
		return r < 0 ? -1 : 0;
	err_set(e, ERR_REFUSED,
		"rule 3 (identity before bytes): somebody else wrote to %s while cut "
		"%llu was received",
		s->v[i]->name, (unsigned long long)s->m->seq);
	return err_hint(e, "find the writer; then srsync sync %s --rewind-target on the source",
			s->p->name);
}

static void fill(const struct session *s, const struct cut *cut, struct state_cut *c)
{
	memset(c, 0, sizeof(*c));
	strcpy(c->generation, s->m->generation);
	c->seq = s->m->seq;
	c->time_ms = s->m->time_ms;
	c->committed_ms = fmt_now_ms();
	c->pause_us = s->m->pause_us;
	c->volumes = s->m->volumes;
	for (unsigned i = 0; i < c->volumes; i++) {
		strcpy(c->volume[i].token, cut->token[i]);
		c->volume[i].size = s->m->volume[i].size;
		if (s->spooled[i])
			c->replay = STATE_REPLAY_DUE;
	}
}

/* A redo volume holds the newest cut only, and a tripwire alone would not tell it from this one. */
static void outdate(const struct session *s, struct state_cut *c)
{
	c->replay = STATE_REPLAY_NONE;
	for (unsigned i = 0; i < c->volumes && i < s->p->volumes; i++)
		if (s->v[i]->ops->redo)
			c->volume[i].token[0] = '\0';
}

/* Step 8: one rename makes the new list the truth; the retired cuts leave it at the same instant.
 */
static int record(struct session *s, const struct state_cut *c, struct state *retired,
		  struct err *e)
{
	for (unsigned k = 0; k < s->state->n; k++)
		outdate(s, s->state->cut[k]);
	state_add(s->state, c);
	while (s->state->n > s->p->keep) {
		state_add(retired, s->state->cut[0]);
		state_drop(s->state, 0);
	}
	return state_save(s->host, s->p->name, s->state, e);
}

/* Step 9 can fail without harm: the cut is committed, and the next begin clears up. */
static void clear_up(struct session *s, const struct state *retired)
{
	struct err e = ERR_INIT;

	bool due = state_newest(s->state)->replay != STATE_REPLAY_NONE;

	manifest_free(TAKE(s->m));
	/* what is due is written from these files: redo.h */
	if (!due && session_forget_cut(s, &e) < 0)
		log_err(LOG_LEVEL_WARN, &e);
	fault("commit.cleaned");
	session_unhold(s);
	pthread_rwlock_wrlock(&s->reading);
	for (unsigned k = 0; k < retired->n; k++)
		for (unsigned i = 0; i < s->p->volumes; i++)
			if (s->v[i]->ops->release(s->v[i], retired->cut[k]->volume[i].token, &e) <
			    0)
				log_err(LOG_LEVEL_WARN, &e);
	pthread_rwlock_unlock(&s->reading);
	fault("commit.released");
}

int replica_commit_session(struct session *s, struct err *e)
{
	_cleanup_free_ struct cut *cut = xcalloc(1, sizeof(*cut));
	_cleanup_(state_freep) struct state *retired = xcalloc(1, sizeof(*retired));
	_cleanup_free_ struct state_cut *c = xcalloc(1, sizeof(*c));

	if (check_complete(s, e) < 0)
		return -1;
	fault("commit.start");
	if (session_snap(s, cut, e) < 0)
		return err_wrap(e, "commit cut %llu", (unsigned long long)s->m->seq);
	fault("commit.snapped");
	for (unsigned i = 0; i < s->p->volumes; i++)
		if (check_untouched(s, i, cut->token[i], e) < 0)
			return -1; /* the new slots are garbage, freed by the next prepare */
	fill(s, cut, c);
	if (record(s, c, retired, e) < 0)
		return -1;
	fault("commit.recorded");
	log_info("%s: cut %llu is committed", s->p->name, (unsigned long long)c->seq);
	clear_up(s, retired);
	return 0;
}

/* The seed counts only as far as the source reaches: sizes may differ by LVM's rounding. */
static int name_seed(const struct session *s, const struct cut *cut, const struct state_cut *seed,
		     struct state_cut *c, struct err *e)
{
	if (seed->volumes != s->p->volumes)
		return err_set(e, ERR_REFUSED, "%s has %u volumes here, not %u", s->p->name,
			       s->p->volumes, seed->volumes);
	*c = *seed;
	c->seed = true;
	c->committed_ms = fmt_now_ms();
	for (unsigned i = 0; i < c->volumes; i++) {
		strcpy(c->volume[i].token, cut->token[i]);
		if (s->v[i]->size < c->volume[i].size)
			c->volume[i].size = s->v[i]->size;
	}
	return 0;
}

int replica_adopt_session(struct session *s, const struct state_cut *seed, struct err *e)
{
	_cleanup_free_ struct cut *cut = xcalloc(1, sizeof(*cut));
	_cleanup_free_ struct state_cut *c = xcalloc(1, sizeof(*c));
	const struct state_cut *now = state_newest(s->state);

	if (now && now->seed && state_cut_is(now, seed->generation, seed->seq, seed->time_ms))
		return 0;
	if (now)
		return err_set(e, ERR_REFUSED,
			       "rule 3 (identity before bytes): cut %llu is committed here, "
			       "so there is nothing to adopt",
			       (unsigned long long)now->seq);
	if (session_forget_cut(s, e) < 0 || session_hold(s, NULL, true, e) < 0)
		return -1;
	if (session_snap(s, cut, e) < 0)
		return err_wrap(e, "adopt the copy");
	fault("adopt.snapped");
	if (name_seed(s, cut, seed, c, e) < 0)
		return -1;
	state_add(s->state, c);
	if (state_save(s->host, s->p->name, s->state, e) < 0)
		return -1;
	fault("adopt.recorded");
	log_info("%s: the copy that is here is adopted, to compare with", s->p->name);
	return 0;
}
