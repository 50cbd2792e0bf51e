/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "hasher.h"
#include "replica_hash.h"

/* A volume that is opened for reading its cuts. Valid for one token: a later cut may be larger. */
struct opened {
	struct volume *v; /* NULL: unused */
	char token[VOLUME_TOKEN_MAX];
	pthread_mutex_t mutex; /* of v */
	unsigned users;
	uint64_t used; /* of the clock of struct replica_hash */
};

/* What a slice is of. */
struct key {
	char id[FMT_ID_SIZE], token[VOLUME_TOKEN_MAX];
	uint64_t volume, size, seed, slice;
	int64_t newest_ms; /* commit of the newest cut: a redo volume changes with it */
};

struct kept {
	enum { NOTHING, READING, READY } state;
	struct key key;
	struct hashslice *s; /* owned, once it was needed */
	uint64_t used;
};

struct replica_hash {
	const struct host *host;
	pthread_mutex_t mutex; /* of all that follows */
	pthread_cond_t changed;
	uint64_t clock;
	int64_t used_ms; /* wall clock of the last question; 0: nothing is kept */
	unsigned reading;
	struct kept kept[REPLICA_HASH_SLICES];
	struct opened opened[REPLICA_HASH_VOLUMES];
};

struct replica_hash *replica_hash_new(const struct host *h)
{
	struct replica_hash *r = xcalloc(1, sizeof(*r));

	r->host = h;
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->changed, NULL);
	for (unsigned i = 0; i < REPLICA_HASH_VOLUMES; i++)
		pthread_mutex_init(&r->opened[i].mutex, NULL);
	return r;
}

void replica_hash_free(struct replica_hash *r)
{
	for (unsigned i = 0; r && i < REPLICA_HASH_SLICES; i++)
		free(r->kept[i].s);
	for (unsigned i = 0; r && i < REPLICA_HASH_VOLUMES; i++)
		volume_free(r->opened[i].v);
	free(r);
}

/* The cut must be a committed one now. */
static int find_cut(const struct host *h, const struct partnership *p, const struct hashes *q,
		    struct key *k, struct err *e)
{
	_cleanup_(state_freep) struct state *state = state_load(h, p->name, e);
	const struct state_cut *c;

	if (!state)
		return -1;
	c = state_find(state, q->generation, q->seq, q->time_ms);
	if (c && state_newest(state)->replay) {
		err_set(e, ERR_BUSY, "a cut is being written in place");
		return err_hint(e, "repeat when srsync status there says that it is done");
	}
	if (!c) {
		err_set(e, ERR_BUSY, "cut %llu was retired meanwhile", (unsigned long long)q->seq);
		return err_hint(e, "repeat; keep more cuts if it happens often");
	}
	if (q->volume >= c->volumes || q->volume >= p->volumes)
		return err_set(e, ERR_REFUSED, "cut %llu has no volume %llu",
			       (unsigned long long)q->seq, (unsigned long long)q->volume);
	if (q->size > c->volume[q->volume].size)
		return err_set(e, ERR_REFUSED, "cut %llu of %s has %llu bytes, not %llu",
			       (unsigned long long)q->seq, p->volume[q->volume].local,
			       (unsigned long long)c->volume[q->volume].size,
			       (unsigned long long)q->size);
	memset(k, 0, sizeof(*k));
	strcpy(k->id, p->id);
	strcpy(k->token, c->volume[q->volume].token);
	k->volume = q->volume;
	k->size = q->size;
	k->seed = q->seed;
	k->slice = hashes_slice(q);
	k->newest_ms = state_newest(state)->committed_ms;
	return 0;
}

/* The volume of this token, opened by an earlier question. Under the mutex. */
static struct opened *find_opened(struct replica_hash *r, const char *token)
{
	for (unsigned i = 0; i < REPLICA_HASH_VOLUMES; i++)
		if (r->opened[i].v && !strcmp(r->opened[i].token, token))
			return &r->opened[i];
	return NULL;
}

/* A place for it; at most as many are in use as slices are read. Under the mutex. */
static struct opened *place_for_volume(struct replica_hash *r)
{
	struct opened *best = NULL;

	for (unsigned i = 0; i < REPLICA_HASH_VOLUMES; i++) {
		struct opened *o = &r->opened[i];

		if (!o->users && (!best || !o->v || (best->v && o->used < best->used)))
			best = o;
	}
	return best;
}

_Static_assert(REPLICA_HASH_VOLUMES > REPLICA_HASH_READING, "a place is always free");
_Static_assert(REPLICA_HASH_SLICES > REPLICA_HASH_READING, "a place is always free");

/* Opening asks LVM, which takes a while: others wait, and then find it opened. */
static struct opened *take_volume(struct replica_hash *r, const struct partnership *p,
				  const struct key *k, struct err *e)
{
	struct opened *o;

	pthread_mutex_lock(&r->mutex);
	o = find_opened(r, k->token);
	if (!o) {
		o = place_for_volume(r);
		volume_free(TAKE(o->v));
		strcpy(o->token, k->token);
		o->v = volume_open(p->volume[k->volume].local, VOLUME_TARGET, p->id, e);
	}
	if (o->v) {
		o->users++;
		o->used = ++r->clock;
	}
	pthread_mutex_unlock(&r->mutex);
	return o->v ? o : NULL;
}

/* After a failure it is opened anew the next time: what it knows of LVM may be old. */
static void let_go(struct replica_hash *r, struct opened *o, bool failed)
{
	pthread_mutex_lock(&r->mutex);
	if (failed)
		o->token[0] = '\0';
	o->users--;
	pthread_mutex_unlock(&r->mutex);
}

static int hash(struct replica_hash *r, const struct partnership *p, const struct key *k,
		struct hashslice *out, struct err *e)
{
	struct opened *o = take_volume(r, p, k, e);
	_Atomic uint64_t bytes = 0;
	struct hashtree tree;
	int result;

	if (!o)
		return -1;
	hashtree_init(&tree, k->seed, k->size);
	result = hasher_slice(
		&(struct hasher){.v = o->v, .token = k->token, .t = &tree, .mutex = &o->mutex},
		k->slice, out, &bytes, e);
	let_go(r, o, result < 0);
	return result;
}

/* Under the mutex. */
static struct kept *find_kept(struct replica_hash *r, const struct key *k)
{
	for (unsigned i = 0; i < REPLICA_HASH_SLICES; i++)
		if (r->kept[i].state != NOTHING && !memcmp(&r->kept[i].key, k, sizeof(*k)))
			return &r->kept[i];
	return NULL;
}

static struct kept *place_for_slice(struct replica_hash *r)
{
	struct kept *best = NULL;

	for (unsigned i = 0; i < REPLICA_HASH_SLICES; i++) {
		struct kept *c = &r->kept[i];

		if (c->state != READING && (!best || c->used < best->used))
			best = c;
	}
	return best;
}

/* Hashes the slice into a place of its own, without the mutex. */
static int fill(struct replica_hash *r, const struct partnership *p, const struct key *k,
		struct err *e)
{
	struct kept *c = place_for_slice(r);
	int result;

	c->state = READING;
	c->key = *k;
	if (!c->s)
		c->s = xmalloc(sizeof(*c->s));
	r->reading++;
	pthread_mutex_unlock(&r->mutex);
	result = hash(r, p, k, c->s, e);
	pthread_mutex_lock(&r->mutex);
	r->reading--;
	c->state = result < 0 ? NOTHING : READY;
	c->used = result < 0 ? 0 : ++r->clock;
	pthread_cond_broadcast(&r->changed);
	return result;
}

/* Under the mutex, which is given up meanwhile. */
static struct kept *get(struct replica_hash *r, const struct partnership *p, const struct key *k,
			struct err *e)
{
	for (;;) {
		struct kept *c = find_kept(r, k);

		if (c && c->state == READY) {
			c->used = ++r->clock;
			return c;
		}
		if (c || r->reading == REPLICA_HASH_READING)
			pthread_cond_wait(&r->changed, &r->mutex);
		else if (fill(r, p, k, e) < 0)
			return NULL;
	}
}

/* Under the mutex. */
static void close_redo(struct replica_hash *r)
{
	for (unsigned i = 0; i < REPLICA_HASH_VOLUMES; i++) {
		struct opened *o = &r->opened[i];

		if (o->v && !o->users && o->v->ops->redo)
			volume_free(TAKE(o->v));
	}
}

void replica_hash_rest(struct replica_hash *r)
{
	pthread_mutex_lock(&r->mutex);
	close_redo(r);
	pthread_mutex_unlock(&r->mutex);
}

void replica_hash_tick(struct replica_hash *r)
{
	pthread_mutex_lock(&r->mutex);
	close_redo(r);
	if (r->reading == 0 && r->used_ms && fmt_now_ms() - r->used_ms > REPLICA_HASH_IDLE_MS) {
		r->used_ms = 0;
		for (unsigned i = 0; i < REPLICA_HASH_SLICES; i++) {
			r->kept[i].state = NOTHING;
			free(TAKE(r->kept[i].s));
		}
		for (unsigned i = 0; i < REPLICA_HASH_VOLUMES; i++)
			volume_free(TAKE(r->opened[i].v));
	}
	pthread_mutex_unlock(&r->mutex);
}

static int copy(const struct kept *c, const struct hashes *q, struct buf *out, struct err *e)
{
	for (unsigned i = 0; i < q->ranges; i++) {
		const uint8_t *h =
			hashslice_hashes(c->s, q->level, q->range[i].first, q->range[i].count);

		if (!h)
			return err_set(e, ERR_FAILED, "a range of hashes is out of bounds");
		buf_put(out, h, q->range[i].count * HASHTREE_HASH);
	}
	return 0;
}

/* A volume without snapshots is written in place after the state says so: if it still says the
 * same, what was read is the cut. */
static int still_there(struct replica_hash *r, const struct partnership *p, const struct hashes *q,
		       const struct key *before, struct err *e)
{
	struct key now;

	if (find_cut(r->host, p, q, &now, e) < 0)
		return -1;
	if (!memcmp(&now, before, sizeof(now)))
		return 0;
	err_set(e, ERR_BUSY, "a cut was committed meanwhile");
	return err_hint(e, "repeat");
}

int replica_hash_answer(struct replica_hash *r, struct session *s, const struct partnership *p,
			const struct hashes *q, struct buf *out, struct err *e)
{
	struct kept *c = NULL;
	struct key k;
	int result = -1;

	pthread_rwlock_rdlock(&s->reading);
	if (find_cut(r->host, p, q, &k, e) == 0) {
		pthread_mutex_lock(&r->mutex);
		r->used_ms = fmt_now_ms();
		c = get(r, p, &k, e);
		if (c)
			result = copy(c, q, out, e);
		pthread_mutex_unlock(&r->mutex);
		if (result == 0)
			result = still_there(r, p, q, &k, e);
	}
	pthread_rwlock_unlock(&s->reading);
	return result;
}
