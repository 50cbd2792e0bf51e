/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <string.h>

#include "compare.h"

struct run {
	const struct compare *c;
	struct hashtree tree;
	struct compare_progress *g;
	struct bset *differ;
	pthread_mutex_t volume; /* of c->v */
	pthread_mutex_t mutex;  /* of what follows */
	uint64_t next;          /* slice that nobody has taken */
	bool failed;
	struct err err; /* the first */
	atomic_bool stop;
};

struct worker {
	struct run *r;
	unsigned number;
	pthread_t thread;
	struct hashslice *mine;
	struct hashes q;
	struct buf answer;
};

static int ask(struct worker *w, struct err *e)
{
	const struct compare_peer *peer = &w->r->c->peer;
	uint64_t want = hashes_nodes(&w->q) * HASHTREE_HASH;

	buf_reset(&w->answer);
	w->r->g->asked++;
	if (peer->ask(peer->arg, w->number, &w->q, &w->answer, e) < 0)
		return -1;
	if (w->answer.len == want)
		return 0;
	return err_set(e, ERR_FAILED, "the peer answered with %zu bytes of hashes, not %llu",
		       w->answer.len, (unsigned long long)want);
}

/* Begins a question about nodes of this level. */
static void question(struct worker *w, unsigned level, uint64_t first, uint64_t count)
{
	w->q = w->r->c->cut;
	w->q.level = level;
	w->q.ranges = 1;
	w->q.range[0] = (struct hashes_range){first, count};
}

static int ask_top(struct worker *w, uint64_t slice, struct err *e)
{
	question(w, 2, slice, 1);
	return ask(w, e);
}

static int hash_mine(struct worker *w, uint64_t slice, struct err *e)
{
	const struct compare *c = w->r->c;
	const struct hasher h = {.v = c->v,
				 .token = c->token,
				 .t = &w->r->tree,
				 .mutex = &w->r->volume,
				 .cancel = c->cancel,
				 .rate = c->rate / COMPARE_STREAMS};

	return hasher_slice(&h, slice, w->mine, &w->r->g->read_bytes, e);
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	return !memcmp(a, b, HASHTREE_HASH);
}

static int mark(struct worker *w, uint64_t leaf, struct err *e)
{
	const struct run *r = w->r;
	uint64_t from = leaf * HASHTREE_LEAF, n = hashtree_span(&r->tree, 0, leaf);
	uint64_t first = from / r->c->granule, last = (from + n - 1) / r->c->granule;
	int bad;

	pthread_mutex_lock(&w->r->mutex);
	bad = bset_add(r->differ, first, last - first + 1);
	pthread_mutex_unlock(&w->r->mutex);
	return bad ? err_set(e, ERR_FAILED, "block %llu is beyond what a set can hold",
			     (unsigned long long)last)
		   : 0;
}

/* The answer's nodes of level 1 that differ become a question for their leaves. */
static void choose_leaves(struct worker *w)
{
	uint64_t slice = w->mine->number, base = slice * HASHTREE_LEAVES;
	unsigned n = 0;

	question(w, 0, 0, 0);
	for (unsigned i = 0; i < w->mine->nodes; i++) {
		unsigned first = i * HASHTREE_FAN, left = w->mine->leaves - first;

		if (!same(w->mine->node[i], w->answer.data + (size_t)i * HASHTREE_HASH))
			w->q.range[n++] = (struct hashes_range){
				base + first, left < HASHTREE_FAN ? left : HASHTREE_FAN};
	}
	w->q.ranges = n;
}

static int mark_leaves(struct worker *w, struct err *e)
{
	const uint8_t *theirs = w->answer.data;

	for (unsigned i = 0; i < w->q.ranges; i++) {
		uint64_t first = w->q.range[i].first, n = w->q.range[i].count;
		const uint8_t *mine = hashslice_hashes(w->mine, 0, first, n);

		assert(mine);
		for (uint64_t k = 0; k < n; k++, mine += HASHTREE_HASH, theirs += HASHTREE_HASH)
			if (!same(mine, theirs) && mark(w, first + k, e) < 0)
				return -1;
	}
	return 0;
}

/* Something in this slice differs: two more round trips tell which leaves. */
static int go_down(struct worker *w, struct err *e)
{
	question(w, 1, w->mine->number * HASHTREE_FAN, w->mine->nodes);
	if (ask(w, e) < 0)
		return -1;
	choose_leaves(w);
	if (w->q.ranges && ask(w, e) == 0)
		return mark_leaves(w, e);
	return w->q.ranges ? -1
			   : err_set(e, ERR_FAILED,
				     "the peer's hashes of slice %llu contradict each other",
				     (unsigned long long)w->mine->number);
}

static int settle(struct worker *w, uint64_t slice, struct err *e)
{
	bool peer_first = w->number % 2;

	if (peer_first && ask_top(w, slice, e) < 0)
		return -1;
	if (hash_mine(w, slice, e) < 0 || (!peer_first && ask_top(w, slice, e) < 0))
		return -1;
	if (!same(w->mine->top, w->answer.data) && go_down(w, e) < 0)
		return -1;
	w->r->g->slices++;
	w->r->g->bytes += hashtree_span(&w->r->tree, 2, slice);
	return 0;
}

static bool take(struct run *r, uint64_t *slice)
{
	bool more;

	pthread_mutex_lock(&r->mutex);
	if (r->c->cancel && *r->c->cancel)
		r->stop = true;
	more = !r->stop && r->next < r->c->end;
	*slice = more ? r->next++ : 0;
	pthread_mutex_unlock(&r->mutex);
	return more;
}

static void fail(struct run *r, const struct err *e)
{
	pthread_mutex_lock(&r->mutex);
	if (!r->failed)
		r->err = *e;
	r->failed = true;
	r->stop = true;
	pthread_mutex_unlock(&r->mutex);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct err e = ERR_INIT;
	uint64_t slice;

	w->mine = xmalloc(sizeof(*w->mine));
	while (take(w->r, &slice))
		if (settle(w, slice, &e) < 0)
			fail(w->r, &e);
	free(w->mine);
	buf_free(&w->answer);
	return NULL;
}

int compare_run(const struct compare *c, struct bset *differ, struct compare_progress *g,
		struct err *e)
{
	_cleanup_free_ struct worker *w = xcalloc(COMPARE_STREAMS, sizeof(*w));
	struct run r = {.c = c,
			.g = g,
			.differ = differ,
			.next = c->from,
			.volume = PTHREAD_MUTEX_INITIALIZER,
			.mutex = PTHREAD_MUTEX_INITIALIZER};
	unsigned started = 0;

	assert(c->granule);
	hashtree_init(&r.tree, c->cut.seed, c->cut.size);
	for (; started < COMPARE_STREAMS; started++) {
		w[started].r = &r;
		w[started].number = started;
		if (pthread_create(&w[started].thread, NULL, work, &w[started]))
			break;
	}
	if (!started)
		return err_sys(e, "start a thread");
	for (unsigned i = 0; i < started; i++)
		pthread_join(w[i].thread, NULL);
	if (r.failed)
		*e = r.err;
	else if (r.stop)
		return err_set(e, ERR_FAILED, "cancelled");
	return r.failed ? -1 : 0;
}
