/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bitmap log against a model that knows the content of every block at every cut: whatever
 * happens to the log, what it says is pending covers what differs, or it says that it is in doubt.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bitlog-tools.h"
#include "bitlog_record.h"
#include "fault.h"

#define VOLUMES 2
#define BLOCKS  300 /* the largest size of a volume */
#define CUTS    600

void fault(const char *name)
{
	(void)name;
}

struct state {
	unsigned blocks[VOLUMES]; /* size */
	unsigned content[VOLUMES][BLOCKS];
};

struct model {
	struct bitlog *l;
	struct state now, at[CUTS];      /* at: by sequence number */
	uint64_t seq, newest, committed; /* 0: none */
	unsigned writes;
};

static void write_some(struct model *m)
{
	for (unsigned v = 0; v < VOLUMES; v++) {
		if (rand() % 8 == 0) { /* what is cut off does not come back */
			m->now.blocks[v] = 1 + rand() % BLOCKS;
			for (unsigned b = m->now.blocks[v]; b < BLOCKS; b++)
				m->now.content[v][b] = 0;
		}
		for (unsigned n = rand() % 20; n > 0; n--)
			m->now.content[v][rand() % m->now.blocks[v]] = ++m->writes;
	}
}

/* What a tracker says: the blocks that both cuts have and that differ, and a few more; in blocks of
 * block_size. */
static struct bset *track(const struct state *a, const struct state *b, unsigned v,
			  uint32_t block_size)
{
	_cleanup_(bset_freep) struct bset *s = bset_new();

	for (unsigned i = 0; i < BLOCKS; i++)
		if ((i < a->blocks[v] && i < b->blocks[v] &&
		     a->content[v][i] != b->content[v][i]) ||
		    rand() % 100 == 0)
			bset_add(s, i, 1);
	return bset_rescale(s, BLOCK, block_size);
}

static struct bitlog_cut *next_cut(struct model *m)
{
	static const uint32_t sizes[] = {BLOCK, BLOCK, BLOCK / 16, 3 * BLOCK};
	struct bitlog_cut *c = make_cut(++m->seq, m->newest, 0, 0);

	write_some(m);
	m->at[m->seq] = m->now;
	for (unsigned v = 0; v < VOLUMES; v++) {
		bset_free(c->volume[v].set);
		c->volume[v].size = (uint64_t)m->now.blocks[v] * BLOCK - rand() % 2;
		c->volume[v].block_size = sizes[rand() % ARRAY_SIZE(sizes)];
		c->volume[v].all = rand() % 30 == 0;
		c->volume[v].set = c->volume[v].all ? NULL
						    : track(&m->at[m->newest], &m->now, v,
							    c->volume[v].block_size);
	}
	return c;
}

/* Bytes of the log before and after an append; what a crash leaves of it is a mixture: part of the
 * record, or all of it and part of the mark, that is the order in which they are made durable. */
static void crash(const struct buf *old, struct buf *new)
{
	size_t mark = memcmp(old->data, new->data, BITLOG_MARK_BYTES) ? 0 : BITLOG_MARK_ROOM;
	size_t cut = rand() % (BITLOG_MARK_BYTES + 1);

	if (rand() % 2) {
		memcpy(new->data + mark + cut, old->data + mark + cut, BITLOG_MARK_BYTES - cut);
		put_file(new->data, new->len);
		return;
	}
	memcpy(new->data, old->data, old->len);
	for (size_t i = old->len; i < new->len; i += 1 + rand() % 64)
		new->data[i] = rand();
	put_file(new->data, new->len - rand() % (new->len - old->len));
}

static void op_append(struct model *m, bool crashing)
{
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = next_cut(m);
	_cleanup_buf_ struct buf old = BUF_INIT, new = BUF_INIT;
	struct err e = ERR_INIT;
	uint64_t before = bitlog_bytes(m->l);

	if (before)
		get_file(&old);
	ck_assert_msg(bitlog_append(m->l, c, &e) == 0, "%s", e.text);
	get_file(&new);
	if (crashing && old.len > 0 && new.len > old.len &&
	    !memcmp(old.data + BITLOG_FIRST, new.data + BITLOG_FIRST, old.len - BITLOG_FIRST)) {
		crash(&old, &new);
		reopen(&m->l, NULL);
		ck_assert(bitlog_newest(m->l) || m->newest == 0);
	} else {
		ck_assert_uint_eq(bitlog_newest(m->l)->seq, m->seq);
	}
	ck_assert(!bitlog_newest(m->l) || bitlog_newest(m->l)->seq == m->seq ||
		  bitlog_newest(m->l)->seq == m->newest);
	m->newest = bitlog_newest(m->l) ? bitlog_newest(m->l)->seq : 0;
}

static void op_commit(struct model *m)
{
	unsigned n = 0;

	while (bitlog_get(m->l, n))
		n++;
	if (n == 0)
		return;
	m->committed = bitlog_get(m->l, rand() % n)->seq;
	commit_ok(m->l, m->committed);
}

static void op_forget(struct model *m)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(bitlog_forget(m->l, &e), 0);
	m->committed = 0;
}

/* A bit flips or the end is lost while nobody looks. */
static void op_damage(struct model *m)
{
	_cleanup_buf_ struct buf image = BUF_INIT;
	uint64_t end = bitlog_bytes(m->l);
	const char *doubt;

	if (end == 0)
		return;
	get_file(&image);
	if (rand() % 4 == 0)
		image.len = rand() % end;
	else if (rand() % 2)
		image.data[rand() % 2 * BITLOG_MARK_ROOM + rand() % BITLOG_MARK_BYTES] ^=
			1 << rand() % 8;
	else
		image.data[rand() % end] ^= 1 << rand() % 8;
	put_file(image.data, image.len);
	reopen(&m->l, &doubt);
	if (doubt)
		m->newest = m->committed = 0;
	else if (bitlog_newest(m->l) && bitlog_newest(m->l)->seq == m->seq)
		m->newest = m->seq; /* the cut of an interrupted append may come back, whole */
}

/* The whole of block i of BLOCK bytes. */
static bool has(const struct bset *s, uint32_t block_size, uint64_t i)
{
	uint64_t at = i * BLOCK;

	while (at < (i + 1) * BLOCK && bset_has(s, at / block_size))
		at += block_size;
	return at >= (i + 1) * BLOCK;
}

static void check_volume(const struct model *m, unsigned v)
{
	const struct state *a = &m->at[m->committed], *b = &m->at[m->newest];
	_cleanup_(bset_freep) struct bset *s = NULL;
	unsigned missed = 0;
	bool all;

	s = bitlog_pending(m->l, v, &all);
	ck_assert_int_eq(all, s == NULL);
	ck_assert(all || m->committed);
	for (unsigned i = 0; s && i < b->blocks[v]; i++)
		if ((i >= a->blocks[v] || a->content[v][i] != b->content[v][i]) &&
		    !has(s, bitlog_newest(m->l)->volume[v].block_size, i))
			missed++;
	ck_assert_uint_eq(missed, 0);
}

static void check(const struct model *m)
{
	const struct bitlog_cut *newest = bitlog_newest(m->l), *c = bitlog_committed(m->l);

	ck_assert_uint_eq(newest ? newest->seq : 0, m->newest);
	ck_assert_uint_eq(c ? c->seq : 0, m->committed);
	bitlog_check(m->l);
	for (unsigned v = 0; v < VOLUMES; v++)
		check_volume(m, v);
}

START_TEST(test_model)
{
	struct model *m = xcalloc(1, sizeof(*m));
	bool away = _i % 3 == 0; /* the peer commits seldom: long logs */

	srand(_i + 1);
	for (unsigned v = 0; v < VOLUMES; v++)
		m->now.blocks[v] = BLOCKS / 2;
	m->l = open_log(NULL);
	while (m->seq < CUTS - 1) {
		unsigned dice = rand() % 100;

		if (dice < 50 || (away && dice < 90))
			op_append(m, dice % 10 == 0);
		else if (away ? dice == 90 && rand() % 4 == 0 : dice < 80)
			op_commit(m);
		else if (dice < 97)
			reopen(&m->l, m->newest ? NULL : &(const char *){NULL});
		else if (dice == 97 && !away)
			op_forget(m);
		else if (rand() % (away ? 50 : 4) == 0)
			op_damage(m);
		check(m);
	}
	bitlog_free(m->l);
	free(m);
}
END_TEST

static void append_sized(struct bitlog *l, unsigned seq, uint64_t size, uint32_t block_size)
{
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = make_cut(seq, seq - 1, 3, 2);
	struct err e = ERR_INIT;

	c->volume[0].size = size;
	c->volume[0].block_size = block_size;
	ck_assert_int_eq(bitlog_append(l, c, &e), 0);
}

/* So many blocks of the newest cut's, from first to last. */
static void check_blocks(const struct bitlog *l, uint64_t first, uint64_t last, uint64_t count)
{
	bool all;
	_cleanup_(bset_freep) struct bset *s = bitlog_pending(l, 0, &all);

	ck_assert(s && !all && bset_has(s, first) && bset_has(s, last));
	ck_assert_uint_eq(bset_count(s), count);
}

/* A log of an older srsync has chunks where a newer one has pages, and a volume may grow until its
 * pages have no numbers. Sets are rounded outwards; what does not fit any more is everything. */
START_TEST(test_block_sizes)
{
	_cleanup_(bitlog_freep) struct bitlog *l = open_log(NULL);

	append_sized(l, 1, 9 * BLOCK, BLOCK);
	commit_ok(l, 1);
	append_sized(l, 2, 9 * BLOCK, BLOCK);
	check_blocks(l, 3, 4, 2);
	append_sized(l, 3, 9 * BLOCK, BLOCK / 16);
	check_blocks(l, 3, 79, 2 + 32);
	append_sized(l, 4, 9 * BLOCK + 1, BLOCK / 16);
	check_blocks(l, 3, 144, 2 + 32 + 1);
	append_sized(l, 5, 9 * BLOCK + 1, 5 * BLOCK);
	reopen(&l, NULL);
	check_blocks(l, 0, 4, 4); /* 0, and 1 by growth */
	commit_ok(l, 3);
	check_blocks(l, 0, 4, 4);
	append_sized(l, 6, 10 * BLOCK, 1);
	check_blocks(l, 3, 25 * BLOCK - 1, 2 + 2 * 4096 + 11 * BLOCK);
	append_sized(l, 7, 10 * BLOCK, UINT32_MAX);
	check_blocks(l, 0, 4, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bitlog-model");
	TCase *t = tcase_create("bitlog-model");
	const char *rounds = getenv("SRSYNC_TEST_ROUNDS");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 600);
	tcase_add_checked_fixture(t, make_dir, remove_dir);
	tcase_add_loop_test(t, test_model, 0, rounds ? atoi(rounds) : 6);
	tcase_add_test(t, test_block_sizes);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
