/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "bitlog_file.h"
#include "fmt.h"

void bitlog_cut_free(struct bitlog_cut *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < BITLOG_VOLUMES_MAX; i++)
		bset_free(c->volume[i].set);
	free(c);
}

static struct bset *copy_set(const struct bset *s)
{
	struct bset *copy = bset_new();

	bset_or(copy, s);
	return copy;
}

static struct bitlog_cut *copy_cut(const struct bitlog_cut *c)
{
	struct bitlog_cut *copy = xcalloc(1, sizeof(*copy));

	*copy = *c;
	for (unsigned i = 0; i < BITLOG_VOLUMES_MAX; i++)
		copy->volume[i].set =
			i < c->volumes && !c->volume[i].all ? copy_set(c->volume[i].set) : NULL;
	return copy;
}

static void empty_sets(struct bitlog_cut *c)
{
	for (unsigned i = 0; i < c->volumes; i++) {
		bset_free(c->volume[i].set);
		c->volume[i].set = bset_new();
		c->volume[i].all = false;
	}
}

void bitlog_push(struct bitlog *l, struct bitlog_cut *c)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		l->cut = xrealloc(l->cut, l->room * sizeof(*l->cut));
	}
	l->cut[l->n++] = c;
}

void bitlog_clear(struct bitlog *l)
{
	bitlog_cut_free(l->base);
	l->base = NULL;
	while (l->n > 0)
		bitlog_cut_free(l->cut[--l->n]);
}

struct bitlog *bitlog_open(const char *path, const char **doubt, struct err *e)
{
	_cleanup_(bitlog_freep) struct bitlog *l = xcalloc(1, sizeof(*l));

	l->path = xstrdup(path);
	if (bitlog_file_load(l, e) < 0)
		return NULL;
	*doubt = l->doubt;
	return TAKE(l);
}

void bitlog_free(struct bitlog *l)
{
	if (!l)
		return;
	bitlog_clear(l);
	free(l->cut);
	free(l->doubt);
	free(l->path);
	free(l);
}

const struct bitlog_cut *bitlog_newest(const struct bitlog *l)
{
	return l->n ? l->cut[l->n - 1] : l->base;
}

const struct bitlog_cut *bitlog_committed(const struct bitlog *l)
{
	return l->base;
}

const struct bitlog_cut *bitlog_get(const struct bitlog *l, unsigned i)
{
	if (l->base && i-- == 0)
		return l->base;
	return i < l->n ? l->cut[i] : NULL;
}

uint64_t bitlog_bytes(const struct bitlog *l)
{
	return l->mark.end;
}

/* Adds the set of v to one in blocks of block_size. false: everything. */
static bool add_set(struct bset *set, uint32_t block_size, const struct bitlog_volume *v)
{
	_cleanup_(bset_freep) struct bset *scaled = NULL;

	if (v->all)
		return false;
	if (v->block_size != block_size) {
		scaled = bset_rescale(v->set, v->block_size, block_size);
		if (!scaled)
			return false;
	}
	bset_or(set, scaled ? scaled : v->set);
	return true;
}

/* Adds to set, in blocks of block_size, what changed from the cut of before to the cut of v: v's
 * set, and the blocks that v has and before had not. false: everything. */
static bool add_changes(struct bset *set, uint32_t block_size, const struct bitlog_volume *before,
			const struct bitlog_volume *v)
{
	uint64_t first = before->size / block_size;
	uint64_t end = v->size / block_size + (v->size % block_size != 0);

	return add_set(set, block_size, v) &&
	       (v->size <= before->size || bset_add(set, first, end - first) == 0);
}

struct bset *bitlog_pending(const struct bitlog *l, unsigned v, bool *all)
{
	_cleanup_(bset_freep) struct bset *set = bset_new();
	const struct bitlog_cut *before = l->base, *newest = bitlog_newest(l);

	*all = true;
	if (!before || v >= before->volumes || v >= newest->volumes)
		return NULL;
	for (unsigned i = 0; i < l->n; before = l->cut[i++])
		if (v >= l->cut[i]->volumes ||
		    !add_changes(set, newest->volume[v].block_size, &before->volume[v],
				 &l->cut[i]->volume[v]))
			return NULL;
	*all = false;
	return TAKE(set);
}

/* Moves the changes of a cut into the next one: what is pending can only grow by it. */
static void carry(struct bitlog_cut *from, struct bitlog_cut *into)
{
	for (unsigned i = 0; i < from->volumes && i < into->volumes; i++) {
		struct bitlog_volume *f = &from->volume[i], *t = &into->volume[i];

		_cleanup_(bset_freep) struct bset *both = bset_new();

		t->all =
			!add_set(both, t->block_size, f) || !add_changes(both, t->block_size, f, t);
		bset_free(t->set);
		t->set = t->all ? NULL : TAKE(both);
	}
	empty_sets(from);
}

/* Bounds the log while the peer is away: all changes go into the newest cut, the older ones keep
 * their identity only, so that the peer may still turn out to have committed one of them. What the
 * peer was sent when it was last heard is among the oldest or the newest: the middle goes. */
static void compact(struct bitlog *l)
{
	unsigned side = BITLOG_CUTS_MAX / 4, drop = l->n > 2 * side ? l->n - 2 * side : 0;

	for (unsigned i = 0; i + 1 < l->n; i++)
		carry(l->cut[i], l->cut[i + 1]);
	if (drop == 0)
		return;
	for (unsigned i = side; i < side + drop; i++)
		bitlog_cut_free(l->cut[i]);
	memmove(l->cut + side, l->cut + side + drop, side * sizeof(*l->cut));
	l->n = 2 * side;
	l->cut[side]->prev_seq = l->cut[side - 1]->seq;
}

static bool too_long(const struct bitlog *l)
{
	return l->n >= BITLOG_CUTS_MAX || l->mark.end > 2 * l->mark.anew + BITLOG_SLACK;
}

static int check_follows(const struct bitlog *l, const struct bitlog_cut *c, struct err *e)
{
	const struct bitlog_cut *before = bitlog_newest(l);
	uint64_t seq = before ? before->seq : 0;

	assert(fmt_is_id(c->generation) && c->seq > 0);
	assert(c->volumes > 0 && c->volumes <= BITLOG_VOLUMES_MAX);
	if (c->prev_seq != seq)
		return err_set(e, ERR_REFUSED,
			       "rule 2: the changes are relative to cut %" PRIu64
			       ", but the newest cut in the bitmap log %s is %" PRIu64,
			       c->prev_seq, l->path, seq);
	if (before && !strcmp(before->generation, c->generation) && c->seq <= seq)
		return err_set(e, ERR_REFUSED,
			       "rule 2: cut %" PRIu64 " cannot follow cut %" PRIu64
			       " in the bitmap log %s",
			       c->seq, seq, l->path);
	for (unsigned i = 0; i < c->volumes; i++) {
		assert(c->volume[i].all || c->volume[i].set);
		assert(memchr(c->volume[i].token, 0, BITLOG_TOKEN_MAX));
		if (!bitlog_size_ok(&c->volume[i]))
			return err_set(e, ERR_FAILED,
				       "volume %u has more than 2^32 blocks of %u bytes", i,
				       c->volume[i].block_size);
	}
	return 0;
}

int bitlog_append(struct bitlog *l, const struct bitlog_cut *c, struct err *e)
{
	if (check_follows(l, c, e) < 0)
		return -1;
	if (too_long(l)) {
		compact(l);
		l->anew = true;
	}
	if (l->anew && bitlog_file_replace(l, l->base, l->cut, l->n, e) < 0)
		return -1;
	if (bitlog_file_append(l, c, e) < 0)
		return -1;
	bitlog_push(l, copy_cut(c));
	return 0;
}

static bool is_cut(const struct bitlog_cut *c, const char *generation, uint64_t seq)
{
	return c && c->seq == seq && !strcmp(c->generation, generation);
}

int bitlog_commit(struct bitlog *l, const char *generation, uint64_t seq, struct err *e)
{
	unsigned i = 0, done;

	if (is_cut(l->base, generation, seq))
		return 0;
	while (i < l->n && !is_cut(l->cut[i], generation, seq))
		i++;
	if (i == l->n)
		return err_set(e, ERR_FAILED, "cut %s/%" PRIu64 " is not in the bitmap log %s",
			       generation, seq, l->path);
	done = i + 1;
	if (bitlog_file_replace(l, l->cut[i], l->cut + done, l->n - done, e) < 0)
		return -1;
	bitlog_cut_free(l->base);
	l->base = l->cut[i];
	empty_sets(l->base);
	while (i-- > 0)
		bitlog_cut_free(l->cut[i]);
	l->n -= done;
	memmove(l->cut, l->cut + done, l->n * sizeof(*l->cut));
	return 0;
}

int bitlog_forget(struct bitlog *l, struct err *e)
{
	struct bitlog_cut *committed = l->base;

	if (!committed)
		return 0;
	if (too_long(l))
		compact(l);
	/* it stays the base of later cuts, but as one that must itself be shipped whole; when the
	 * file cannot be written now, the log in memory has forgotten all the same */
	l->anew = true;
	for (unsigned i = 0; i < committed->volumes; i++) {
		bset_free(TAKE(committed->volume[i].set));
		committed->volume[i].all = true;
	}
	l->base = NULL;
	bitlog_push(l, committed);
	memmove(l->cut + 1, l->cut, (l->n - 1) * sizeof(*l->cut));
	l->cut[0] = committed;
	return bitlog_file_replace(l, NULL, l->cut, l->n, e);
}
