/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "bitlog-tools.h"
#include "bitlog_record.h"
#include "io.h"

static char dir[256], path[512];

void make_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/bitlog.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/bitlog", dir);
}

void remove_dir(void)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(io_remove_tree(dir, &e), 0);
}

const char *log_path(void)
{
	return path;
}

void put_file(const void *p, size_t n)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "w");

	ck_assert(f && fwrite(p, 1, n, f) == n);
}

void get_file(struct buf *image)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(io_read_file(path, 1 << 30, image, &e), 0);
}

void reseal_mark(uint8_t *mark)
{
	le64_put(mark + BITLOG_MARK_BYTES - 8, XXH3_64bits(mark, BITLOG_MARK_BYTES - 8));
}

struct bitlog *open_log(const char **doubt)
{
	const char *none = NULL;
	struct err e = ERR_INIT;
	struct bitlog *l = bitlog_open(path, doubt ? doubt : &none, &e);

	ck_assert_msg(l != NULL, "%s", e.text);
	ck_assert_msg(none == NULL, "%s", none);
	return l;
}

void reopen(struct bitlog **l, const char **doubt)
{
	bitlog_free(*l);
	*l = open_log(doubt);
}

struct bitlog_cut *make_cut(uint64_t seq, uint64_t prev, uint64_t first, uint64_t count)
{
	struct bitlog_cut *c = xcalloc(1, sizeof(*c));

	strcpy(c->generation, GENERATION);
	c->seq = seq;
	c->prev_seq = prev;
	c->time_ms = 1767225600000 + seq;
	c->volumes = 2;
	for (unsigned i = 0; i < c->volumes; i++) {
		snprintf(c->volume[i].token, BITLOG_TOKEN_MAX, "token %u", (unsigned)seq);
		c->volume[i].size = 1000ULL * BLOCK;
		c->volume[i].block_size = BLOCK;
		c->volume[i].set = bset_new();
	}
	bset_add(c->volume[0].set, first, count);
	return c;
}

void append_ok(struct bitlog *l, uint64_t seq, uint64_t first, uint64_t count)
{
	const struct bitlog_cut *newest = bitlog_newest(l);
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c =
		make_cut(seq, newest ? newest->seq : 0, first, count);
	struct err e = ERR_INIT;

	ck_assert_msg(bitlog_append(l, c, &e) == 0, "%s", e.text);
}

void commit_ok(struct bitlog *l, uint64_t seq)
{
	struct err e = ERR_INIT;

	ck_assert_msg(bitlog_commit(l, GENERATION, seq, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(bitlog_committed(l)->seq, seq);
}

uint64_t pending_count(const struct bitlog *l)
{
	bool all;
	_cleanup_(bset_freep) struct bset *s = bitlog_pending(l, 0, &all);

	ck_assert(s && !all);
	return bset_count(s);
}

static void check_same(const struct bitlog_cut *a, const struct bitlog_cut *b)
{
	ck_assert(a->seq == b->seq && a->prev_seq == b->prev_seq && a->time_ms == b->time_ms &&
		  a->pause_us == b->pause_us && a->volumes == b->volumes &&
		  !strcmp(a->generation, b->generation));
	for (unsigned v = 0; v < a->volumes; v++) {
		const struct bitlog_volume *x = &a->volume[v], *y = &b->volume[v];

		ck_assert(x->size == y->size && x->block_size == y->block_size &&
			  !strcmp(x->token, y->token) && x->all == y->all && !x->set == !y->set);
		ck_assert(!x->set || (bset_covers(x->set, y->set) && bset_covers(y->set, x->set)));
	}
}

static void check_memory(const struct bitlog *l)
{
	const struct bitlog_cut *c, *before = NULL;
	unsigned i;

	for (i = 0; (c = bitlog_get(l, i)); before = c, i++) {
		ck_assert(!before || c->prev_seq == before->seq); /* 1 */
		for (unsigned v = 0; v < c->volumes; v++)
			ck_assert_int_eq(c->volume[v].all, c->volume[v].set == NULL);
	}
	ck_assert_ptr_eq(bitlog_newest(l), before);
	ck_assert_uint_le(i, BITLOG_CUTS_MAX + 1); /* 4 */
}

void bitlog_check(const struct bitlog *l)
{
	_cleanup_(bitlog_freep) struct bitlog *file = NULL;
	const char *doubt = NULL;
	unsigned i;

	check_memory(l);
	file = open_log(&doubt);
	if (doubt) /* in doubt until the next append, in memory too */
		ck_assert_ptr_null(bitlog_newest(l));
	for (i = 0; bitlog_get(l, i) && bitlog_get(file, i); i++) /* 3 */
		check_same(bitlog_get(l, i), bitlog_get(file, i));
	ck_assert(!bitlog_get(l, i) && !bitlog_get(file, i));
	ck_assert(!bitlog_committed(l) == !bitlog_committed(file));
}
