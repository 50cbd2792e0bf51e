/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bitmap log: what it keeps, and what every crash and every damaged bit of its file means. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <xxhash.h>

#include "bitlog-tools.h"
#include "bitlog_record.h"
#include "fault.h"
#include "fmt.h"

static const char *crash_at; /* the fault point at which this process ends */

void fault(const char *name)
{
	if (crash_at && !strcmp(name, crash_at))
		_exit(9);
}

/* A log with cut 1 committed and cuts 2 and 3 behind it. */
static struct bitlog *three_cuts(void)
{
	struct bitlog *l = open_log(NULL);

	append_ok(l, 1, 0, 100);
	commit_ok(l, 1);
	append_ok(l, 2, 10, 5);
	append_ok(l, 3, 20, 3);
	return l;
}

static void check_three(const struct bitlog *l, uint64_t newest)
{
	_cleanup_(bset_freep) struct bset *s = NULL;
	bool all;

	bitlog_check(l);
	ck_assert_uint_eq(bitlog_committed(l)->seq, 1);
	ck_assert_uint_eq(bitlog_newest(l)->seq, newest);
	s = bitlog_pending(l, 0, &all);
	ck_assert(!all && s);
	ck_assert_uint_eq(bset_count(s), newest == 4 ? 9 : newest == 3 ? 8 : 5);
	ck_assert(bset_has(s, 10) && bset_has(s, 14) && !bset_has(s, 15));
}

START_TEST(test_fresh)
{
	_cleanup_(bitlog_freep) struct bitlog *l = open_log(NULL);
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = make_cut(8, 7, 0, 1);
	struct err e = ERR_INIT;
	bool all = false;

	ck_assert_ptr_null(bitlog_newest(l));
	ck_assert_ptr_null(bitlog_committed(l));
	ck_assert_ptr_null(bitlog_get(l, 0));
	ck_assert_uint_eq(bitlog_bytes(l), 0);
	ck_assert_ptr_null(bitlog_pending(l, 0, &all));
	ck_assert(all);
	ck_assert_int_eq(bitlog_append(l, c, &e), -1); /* relative to a cut the log knows not */
	ck_assert_int_eq(e.code, ERR_REFUSED);
	ck_assert_int_eq(bitlog_commit(l, GENERATION, 7, &e), -1);
	ck_assert_int_eq(bitlog_forget(l, &e), 0);
	ck_assert_int_eq(access(log_path(), F_OK), -1);
}
END_TEST

START_TEST(test_life)
{
	_cleanup_(bitlog_freep) struct bitlog *l = three_cuts();
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *again = make_cut(3, 3, 0, 1);
	struct err e = ERR_INIT;
	bool all;

	check_three(l, 3);
	ck_assert_int_eq(bitlog_append(l, again, &e), -1); /* a sequence number twice */
	reopen(&l, NULL);
	check_three(l, 3);
	ck_assert_ptr_eq(bitlog_get(l, 0), bitlog_committed(l));
	ck_assert_uint_eq(bitlog_get(l, 1)->seq, 2);
	ck_assert_ptr_eq(bitlog_get(l, 2), bitlog_newest(l));
	ck_assert_ptr_null(bitlog_get(l, 3));
	ck_assert_str_eq(bitlog_newest(l)->volume[0].token, "token 3");
	commit_ok(l, 1);
	ck_assert_int_eq(bitlog_commit(l, GENERATION, 9, &e), -1);
	ck_assert_int_eq(bitlog_commit(l, "ffffffffffffffffffffffffffffffff", 2, &e), -1);
	commit_ok(l, 3);
	ck_assert_ptr_eq(bitlog_newest(l), bitlog_committed(l));
	ck_assert_ptr_null(bitlog_get(l, 1));
	ck_assert_int_eq(bitlog_commit(l, GENERATION, 2, &e), -1); /* pruned */
	append_ok(l, 4, 7, 1);
	ck_assert_int_eq(bitlog_forget(l, &e), 0);
	reopen(&l, NULL);
	ck_assert_ptr_null(bitlog_committed(l));
	ck_assert_uint_eq(bitlog_newest(l)->seq, 4);
	ck_assert(bitlog_get(l, 0)->seq == 3 && bitlog_get(l, 0)->volume[0].all);
	ck_assert_ptr_null(bitlog_pending(l, 0, &all));
	commit_ok(l, 3);
	ck_assert_uint_eq(pending_count(l), 1);
}
END_TEST

/* Growth is shipped also where no set names it, also after a shrink in between. */
START_TEST(test_sizes)
{
	static const uint64_t size[] = {0, 10 * BLOCK, 5 * BLOCK + 1, 12 * BLOCK + 1};
	_cleanup_(bitlog_freep) struct bitlog *l = open_log(NULL);
	struct err e = ERR_INIT;
	bool all;

	for (unsigned seq = 1; seq <= 3; seq++) {
		_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = make_cut(seq, seq - 1, 1, 1);

		c->volume[0].size = size[seq];
		ck_assert_int_eq(bitlog_append(l, c, &e), 0);
		if (seq == 1)
			commit_ok(l, 1);
	}
	for (int pass = 0; pass < 2; pass++) {
		_cleanup_(bset_freep) struct bset *s = bitlog_pending(l, 0, &all);
		uint64_t first, count;

		ck_assert(bset_next_run(s, 2, &first, &count));
		ck_assert(first == 5 && count == 8);
		reopen(&l, NULL);
	}
	{
		_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = make_cut(4, 3, 0, 1);

		c->volume[0].size = (BSET_MAX_BLOCKS << 16) + 1;
		ck_assert_int_eq(bitlog_append(l, c, &e), -1);
		c->volume[0].size = BSET_MAX_BLOCKS << 16;
		c->volume[0].block_size = 2 * BLOCK;
		ck_assert_int_eq(bitlog_append(l, c, &e), 0);
	}
}
END_TEST

/* The hex example of srsync-bitlog(5), read from the page itself. */
START_TEST(test_manual_page)
{
	_cleanup_(fclosep) FILE *page = fopen(TOP_SRCDIR "/man/srsync-bitlog.5", "r");
	_cleanup_(bitlog_freep) struct bitlog *l = NULL;
	_cleanup_buf_ struct buf image = BUF_INIT;
	_cleanup_(bset_freep) struct bset *s = NULL;
	const struct bitlog_cut *c;
	char line[256];
	bool all;

	while (fgets(line, sizeof(line), page)) {
		size_t at = strtoul(line, NULL, 16);
		char *p = line + 8;

		if (strspn(line, "0123456789abcdef") != 8)
			continue;
		while (image.len < at)
			buf_put_u8(&image, 0);
		for (unsigned i = 0; i < 16; i++)
			buf_put_u8(&image, strtoul(p, &p, 16));
	}
	ck_assert_uint_eq(image.len, 0x20c0);
	put_file(image.data, image.len);
	l = open_log(NULL);
	ck_assert_uint_eq(bitlog_bytes(l), 0x20c0);
	c = bitlog_committed(l);
	ck_assert(c && c->seq == 7 && c->pause_us == 8000);
	ck_assert_str_eq(c->generation, "00112233445566778899aabbccddeeff");
	ck_assert_str_eq(c->volume[0].token, "thin:a:3:41");
	c = bitlog_newest(l);
	ck_assert(c->seq == 8 && c->prev_seq == 7 && c->volume[0].size == 1 << 30);
	ck_assert_str_eq(fmt_time(c->time_ms).s, "2026-01-01T00:01:00.000Z");
	s = bitlog_pending(l, 0, &all);
	ck_assert(bset_count(s) == 3 && bset_has(s, 16) && bset_has(s, 17) && bset_has(s, 256));
}
END_TEST

/* Both images differ by one append: old has records to its end, new one more and one mark. */
static void two_images(struct buf *old, struct buf *new)
{
	_cleanup_(bitlog_freep) struct bitlog *l = three_cuts();

	get_file(old);
	append_ok(l, 4, 30, 1);
	get_file(new);
}

START_TEST(test_torn_record)
{
	_cleanup_buf_ struct buf old = BUF_INIT, new = BUF_INIT;

	two_images(&old, &new);
	for (size_t cut = old.len; cut <= new.len; cut++) {
		_cleanup_(bitlog_freep) struct bitlog *l = NULL;
		_cleanup_buf_ struct buf torn = BUF_INIT;

		buf_put(&torn, old.data, old.len);
		buf_put(&torn, new.data + old.len, cut - old.len);
		while (cut % 3 == 0 && torn.len < new.len) /* or the size came first */
			buf_put_u8(&torn, 0);
		put_file(torn.data, torn.len);
		l = open_log(NULL);
		check_three(l, 3);
		append_ok(l, 4, 40, 1);
		reopen(&l, NULL);
		check_three(l, 4);
	}
}
END_TEST

START_TEST(test_torn_mark)
{
	_cleanup_buf_ struct buf old = BUF_INIT, new = BUF_INIT;
	size_t at = 0;

	two_images(&old, &new);
	if (!memcmp(old.data, new.data, BITLOG_MARK_BYTES))
		at = BITLOG_MARK_ROOM;
	for (size_t cut = 0; cut <= BITLOG_MARK_BYTES; cut++) {
		_cleanup_(bitlog_freep) struct bitlog *l = NULL;
		_cleanup_buf_ struct buf torn = BUF_INIT;
		bool untouched = !memcmp(old.data + at, new.data + at, cut);

		buf_put(&torn, new.data, new.len);
		memcpy(torn.data + at + cut, old.data + at + cut, BITLOG_MARK_BYTES - cut);
		put_file(torn.data, torn.len);
		l = open_log(NULL);
		check_three(l, untouched ? 3 : 4);
		append_ok(l, untouched ? 4 : 5, 40, 1);
		reopen(&l, NULL);
		ck_assert_uint_eq(bitlog_newest(l)->seq, untouched ? 4 : 5);
	}
}
END_TEST

/* Any bit: the log says doubt or says exactly what it said before. In a record, always doubt. */
START_TEST(test_flipped_bit)
{
	_cleanup_buf_ struct buf image = BUF_INIT;
	struct bitlog *made = three_cuts();
	unsigned doubts = 0;

	bitlog_free(made);
	get_file(&image);
	for (size_t at = 0; at < image.len; at++) {
		if (at % BITLOG_MARK_ROOM >= BITLOG_MARK_BYTES + 8 && at < BITLOG_FIRST)
			continue; /* zeros without meaning */
		for (unsigned bit = 0; bit < 8; bit++) {
			_cleanup_(bitlog_freep) struct bitlog *l = NULL;
			const char *doubt;

			image.data[at] ^= 1 << bit;
			put_file(image.data, image.len);
			image.data[at] ^= 1 << bit;
			l = open_log(&doubt);
			ck_assert_msg(doubt || at < BITLOG_FIRST, "byte %zu bit %u", at, bit);
			if (doubt)
				ck_assert_ptr_null(bitlog_newest(l));
			else
				check_three(l, 3);
			doubts += doubt != NULL;
		}
	}
	ck_assert_uint_ge(doubts, 8 * (image.len - BITLOG_FIRST));
}
END_TEST

START_TEST(test_truncated)
{
	_cleanup_buf_ struct buf image = BUF_INIT;
	struct bitlog *made = three_cuts();

	bitlog_free(made);
	get_file(&image);
	for (size_t n = 0; n < image.len; n += n + 1 < BITLOG_FIRST ? 61 : 1) {
		_cleanup_(bitlog_freep) struct bitlog *l = NULL;
		const char *doubt;

		put_file(image.data, n);
		l = open_log(&doubt);
		ck_assert_msg(doubt != NULL, "accepted %zu of %zu bytes", n, image.len);
		ck_assert_ptr_null(bitlog_newest(l));
	}
}
END_TEST

/* Lost sectors, zeroed. The last is two faults at once: no rollback to the older end. */
static const struct {
	size_t at, n; /* from the start of the file */
	size_t tail;  /* and so many bytes at its end */
} zeroed[] = {
	{0, BITLOG_FIRST, 0}, {0, 0, 64}, {BITLOG_FIRST, 64, 0}, {0, 512, 16}, {4096, 512, 16}};

START_TEST(test_zeroed)
{
	_cleanup_(bitlog_freep) struct bitlog *l = three_cuts();
	_cleanup_buf_ struct buf image = BUF_INIT;
	const char *doubt;

	get_file(&image);
	memset(image.data + zeroed[_i].at, 0, zeroed[_i].n);
	memset(image.data + image.len - zeroed[_i].tail, 0, zeroed[_i].tail);
	put_file(image.data, image.len);
	reopen(&l, &doubt);
	ck_assert_ptr_nonnull(doubt);
	ck_assert_ptr_null(bitlog_newest(l));
}
END_TEST

/* Every checksum right, the meaning not: the last record (cut 3, relative to 2) is forged. */
static const struct {
	const char *why;
	size_t at; /* of a byte in the last record; 0: none */
	uint8_t value;
	uint64_t sum; /* added to the mark's */
	bool refused;
} forged[] = {
	{"nothing", 0, 0, 0, false},
	{"follows cut 1", 32, 1, 0, true},
	{"a second committed", 4, 2, 0, true},
	{"unknown type", 4, 3, 0, true},
	{"cut 0", 24, 0, 0, true},
	{"no volumes", 52, 0, 0, true},
	{"65 volumes", 52, 65, 0, true},
	{"another record", 0, 0, 1, true},
};

START_TEST(test_forged)
{
	_cleanup_(bitlog_freep) struct bitlog *l = open_log(NULL);
	_cleanup_buf_ struct buf image = BUF_INIT;
	uint64_t sum, last;
	uint8_t *mark, *r;
	const char *doubt;
	size_t n;

	append_ok(l, 1, 0, 1);
	append_ok(l, 2, 0, 1);
	last = bitlog_bytes(l);
	append_ok(l, 3, 0, 1);
	get_file(&image);
	mark = image.data + BITLOG_MARK_ROOM; /* of count 3 */
	n = image.len - last - 8;
	if (le64_at(mark + 24) != image.len)
		mark = image.data;
	r = image.data + last;
	if (forged[_i].at)
		r[forged[_i].at] = forged[_i].value;
	sum = XXH3_64bits_withSeed(r, n, le64_at(r - 8));
	le64_put(r + n, sum);
	le64_put(mark + 40, sum + forged[_i].sum);
	reseal_mark(mark);
	put_file(image.data, image.len);
	reopen(&l, &doubt);
	ck_assert_msg((doubt != NULL) == forged[_i].refused, "%s", forged[_i].why);
}
END_TEST

START_TEST(test_after_damage)
{
	_cleanup_free_ char *kept = xasprintf("%s.damaged", log_path());
	_cleanup_(bitlog_freep) struct bitlog *l = three_cuts();
	const char *doubt;

	put_file("nonsense", 8);
	reopen(&l, &doubt);
	ck_assert_ptr_nonnull(doubt);
	ck_assert_int_eq(access(kept, F_OK), -1);
	append_ok(l, 1, 0, 1);
	ck_assert_int_eq(access(kept, F_OK), 0);
	reopen(&l, NULL);
	ck_assert_uint_eq(bitlog_newest(l)->seq, 1);
	ck_assert_ptr_null(bitlog_committed(l));
}
END_TEST

START_TEST(test_newer_version)
{
	struct bitlog_mark m = {.count = 0, .end = BITLOG_FIRST};
	uint8_t image[BITLOG_FIRST] = {0};
	const char *doubt = NULL;
	struct err e = ERR_INIT;

	bitlog_mark_encode(&m, image);
	image[8] = 2;
	reseal_mark(image);
	put_file(image, sizeof(image));
	ck_assert_ptr_null(bitlog_open(log_path(), &doubt, &e));
	ck_assert(strstr(e.text, "newer"));
}
END_TEST

/* Kills a process at each step, then opens. */
static const struct {
	const char *point;
	bool commit; /* commit of cut 2, else append of cut 4 */
	uint64_t committed, newest;
} kills[] = {
	{"bitlog.append.written", false, 1, 3}, {"bitlog.append.synced", false, 1, 3},
	{"bitlog.append.marked", false, 1, 4},  {"bitlog.prune.written", true, 1, 3},
	{"bitlog.prune.renamed", true, 2, 3},
};

START_TEST(test_killed)
{
	_cleanup_(bitlog_freep) struct bitlog *l = three_cuts();
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		crash_at = kills[_i].point;
		if (kills[_i].commit)
			commit_ok(l, 2);
		else
			append_ok(l, 4, 30, 1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 9);
	reopen(&l, NULL);
	bitlog_check(l);
	ck_assert_uint_eq(bitlog_committed(l)->seq, kills[_i].committed);
	ck_assert_uint_eq(bitlog_newest(l)->seq, kills[_i].newest);
	commit_ok(l, 2); /* repeated, over what was left */
	append_ok(l, 5, 50, 1);
	reopen(&l, NULL);
	ck_assert_uint_eq(bitlog_committed(l)->seq, 2);
	ck_assert_uint_eq(bitlog_newest(l)->seq, 5);
}
END_TEST

static void limit_files(rlim_t bytes)
{
	struct rlimit r = {bytes, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* A full disk: the log stays as it was, in memory and in the file, and goes on later. */
START_TEST(test_no_space)
{
	_cleanup_(bitlog_freep) struct bitlog *l = three_cuts();
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = make_cut(4, 3, 40, 1);
	_cleanup_free_ char *tmp = xasprintf("%s.tmp", log_path());
	struct err e = ERR_INIT;

	limit_files(bitlog_bytes(l) + 10);
	ck_assert_int_eq(bitlog_append(l, c, &e), -1);
	check_three(l, 3);
	limit_files(BITLOG_FIRST + 10);
	ck_assert_int_eq(bitlog_commit(l, GENERATION, 2, &e), -1);
	ck_assert_int_eq(access(tmp, F_OK), -1);
	check_three(l, 3);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(bitlog_append(l, c, &e), 0);
	reopen(&l, NULL);
	check_three(l, 4);
}
END_TEST

/* Too large for a record: everything counts as changed, never less. */
START_TEST(test_record_max)
{
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = make_cut(2, 1, 0, 1), *d = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT;
	uint64_t sum = 5, seed = 5;
	enum bitlog_type type;
	struct err e = ERR_INIT;

	for (unsigned i = 0; i < 100; i++)
		bset_add(c->volume[0].set, 7 * i, 1);
	bitlog_record_encode(BITLOG_CUT, c, 300, &sum, &b);
	ck_assert_uint_le(b.len, 300);
	d = bitlog_record_decode(b.data, b.len, &seed, &type, &e);
	ck_assert_msg(d != NULL, "%s", e.text);
	ck_assert(d->volume[0].all && d->volume[1].all && seed == sum);
}
END_TEST

START_TEST(test_peer_away)
{
	_cleanup_(bitlog_freep) struct bitlog *l = open_log(NULL);
	unsigned n;

	append_ok(l, 1, 0, 1);
	commit_ok(l, 1);
	for (uint64_t seq = 2; seq < 1000; seq++) {
		append_ok(l, seq, seq, 1);
		for (n = 0; bitlog_get(l, n); n++)
			;
		ck_assert_uint_le(n, BITLOG_CUTS_MAX + 1);
		ck_assert_uint_eq(pending_count(l), seq - 1);
	}
	reopen(&l, NULL);
	bitlog_check(l);
	ck_assert_uint_eq(pending_count(l), 998);
	commit_ok(l, 3); /* one of the oldest: its own change may be shipped again, no other less */
	ck_assert_uint_ge(pending_count(l), 996);
	commit_ok(l, 998);
	ck_assert_uint_eq(pending_count(l), 1);
}
END_TEST

START_TEST(test_large_sets)
{
	_cleanup_(bitlog_freep) struct bitlog *l = open_log(NULL);
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = make_cut(1, 0, 0, 1);
	struct err e = ERR_INIT;
	uint64_t blocks, largest = 0;

	for (unsigned i = 0; i < 512 * 2048; i++)
		bset_add(c->volume[0].set, 32 * i, 1);
	blocks = bset_count(c->volume[0].set);
	ck_assert_int_eq(bitlog_append(l, c, &e), 0);
	commit_ok(l, 1);
	for (unsigned i = 0; i < 16; i++) {
		c->prev_seq = c->seq++;
		ck_assert_int_eq(bitlog_append(l, c, &e), 0);
		reopen(&l, NULL); /* one process per cut */
		largest = bitlog_bytes(l) > largest ? bitlog_bytes(l) : largest;
	}
	ck_assert_uint_ge(largest, BITLOG_SLACK);
	ck_assert_uint_le(largest, 2 * BITLOG_SLACK);
	reopen(&l, NULL);
	bitlog_check(l);
	ck_assert_uint_eq(pending_count(l), blocks);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, test_fresh);
	tcase_add_test(t, test_life);
	tcase_add_test(t, test_sizes);
	tcase_add_test(t, test_manual_page);
	tcase_add_test(t, test_torn_record);
	tcase_add_test(t, test_torn_mark);
	tcase_add_test(t, test_flipped_bit);
	tcase_add_test(t, test_truncated);
	tcase_add_loop_test(t, test_zeroed, 0, ARRAY_SIZE(zeroed));
	tcase_add_loop_test(t, test_forged, 0, ARRAY_SIZE(forged));
	tcase_add_test(t, test_after_damage);
	tcase_add_test(t, test_newer_version);
	tcase_add_loop_test(t, test_killed, 0, ARRAY_SIZE(kills));
	tcase_add_test(t, test_no_space);
	tcase_add_test(t, test_record_max);
	tcase_add_test(t, test_peer_away);
	tcase_add_test(t, test_large_sets);
}

int main(void)
{
	Suite *suite = suite_create("bitlog");
	TCase *t = tcase_create("bitlog");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 300);
	tcase_add_checked_fixture(t, make_dir, remove_dir);
	add_tests(t);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
