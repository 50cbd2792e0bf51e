/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bset against a plain array of flags, its encoding, and outside bytes that must be refused. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bset.h"

#define SPAN (4u << 16) /* blocks that the model covers: four containers */

static struct bset *round_trip(const struct bset *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT, again = BUF_INIT;
	struct err e = ERR_INIT;
	struct bset *d;
	struct cur c;

	bset_encode(s, &b);
	c = cur_of(b.data, b.len);
	d = bset_decode(&c, &e);
	ck_assert_msg(d != NULL, "%s", e.text);
	ck_assert_uint_eq(c.left, 0);
	ck_assert(bset_covers(s, d) && bset_covers(d, s));
	bset_encode(d, &again);
	ck_assert_uint_eq(again.len, b.len);
	ck_assert_int_eq(memcmp(again.data, b.data, b.len), 0);
	return d;
}

/* Every answer of s about base .. base+SPAN agrees with the flags. One assertion each: they are
 * slow in this library. */
static void check_model(const struct bset *s, const bool *flag, uint64_t base)
{
	_cleanup_free_ bool *run = calloc(SPAN + 1, 1);
	uint64_t n = 0, first, count, pos = base, wrong = 0;

	for (unsigned i = 0; i < SPAN; i++) {
		n += flag[i];
		wrong += bset_has(s, base + i) != flag[i];
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(bset_count(s), n);
	while (bset_next_run(s, pos, &first, &count)) {
		ck_assert(first >= pos && count > 0 && first + count <= base + SPAN);
		memset(run + (first - base), 1, count);
		pos = first + count;
		wrong += pos < base + SPAN && flag[pos - base]; /* not maximal */
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_int_eq(memcmp(run, flag, SPAN), 0);
}

/* A walk from any block, also from within a run, starts at that block. */
static void check_from(const struct bset *s, const bool *flag, uint64_t base)
{
	for (unsigned k = 0; k < 300; k++) {
		unsigned from = rand() % SPAN, a = from, z;
		uint64_t first, count;
		bool found = bset_next_run(s, base + from, &first, &count);

		while (a < SPAN && !flag[a])
			a++;
		for (z = a; z < SPAN && flag[z];)
			z++;
		ck_assert_int_eq(found, a < SPAN);
		ck_assert(!found || (first == base + a && count == z - a));
	}
}

static void random_removes(struct bset *s, bool *flag, uint64_t base)
{
	for (unsigned k = rand() % 1000; k > 0; k--) {
		unsigned first = rand() % SPAN, n = rand() % (1u << rand() % 16);

		n = n < SPAN - first ? n : SPAN - first;
		bset_remove(s, base + first, n);
		memset(flag + first, 0, n);
	}
}

static void random_adds(struct bset *s, bool *flag, uint64_t base)
{
	unsigned longest = 1u << rand() % 18, adds = rand() % 3000;

	for (unsigned k = 0; k < adds; k++) {
		unsigned first = rand() % SPAN, n = rand() % longest;

		n = n < SPAN - first ? n : SPAN - first;
		ck_assert_int_eq(bset_add(s, base + first, n), 0);
		memset(flag + first, 1, n);
	}
}

START_TEST(test_model)
{
	static const uint64_t bases[] = {0, 65536, 1u << 31, BSET_MAX_BLOCKS - SPAN};
	uint64_t base = bases[_i % ARRAY_SIZE(bases)];
	_cleanup_(bset_freep) struct bset *a = bset_new(), *b = bset_new(), *d = NULL;
	_cleanup_free_ bool *fa = calloc(SPAN, 1), *fb = calloc(SPAN, 1);

	srand(_i + 1);
	random_adds(a, fa, base);
	check_model(a, fa, base);
	random_adds(b, fb, base);
	ck_assert(bset_covers(a, a));
	bset_or(a, b);
	ck_assert(bset_covers(a, b));
	ck_assert_int_eq(bset_covers(b, a), bset_count(a) == bset_count(b));
	for (unsigned i = 0; i < SPAN; i++)
		fa[i] |= fb[i];
	check_model(a, fa, base);
	random_removes(a, fa, base);
	check_model(a, fa, base);
	check_from(a, fa, base);
	d = round_trip(a);
	check_model(d, fa, base);
	check_model(b, fb, base);
}
END_TEST

START_TEST(test_edges)
{
	_cleanup_(bset_freep) struct bset *s = bset_new(), *d = NULL;
	uint64_t first, count;

	ck_assert(!bset_next_run(s, 0, &first, &count));
	ck_assert_int_eq(bset_add(s, BSET_MAX_BLOCKS, 0), 0);
	ck_assert_uint_eq(bset_count(s), 0);
	ck_assert_int_eq(bset_add(s, BSET_MAX_BLOCKS, 1), -1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(bset_add(s, BSET_MAX_BLOCKS - 1, 2), -1);
	ck_assert_int_eq(bset_add(s, 2, UINT64_MAX), -1);
	ck_assert_uint_eq(bset_count(s), 0);
	ck_assert_int_eq(bset_add(s, BSET_MAX_BLOCKS - 1, 1), 0);
	ck_assert(bset_next_run(s, 0, &first, &count));
	ck_assert(first == BSET_MAX_BLOCKS - 1 && count == 1);
	ck_assert(!bset_next_run(s, BSET_MAX_BLOCKS, &first, &count));
	ck_assert(!bset_has(s, BSET_MAX_BLOCKS) && !bset_has(s, 0));
	ck_assert_int_eq(bset_add(s, 0, BSET_MAX_BLOCKS), 0);
	ck_assert_uint_eq(bset_count(s), BSET_MAX_BLOCKS);
	ck_assert(bset_next_run(s, 5, &first, &count));
	ck_assert(first == 5 && count == BSET_MAX_BLOCKS - 5);
	d = round_trip(s);
	ck_assert_uint_eq(bset_count(d), BSET_MAX_BLOCKS);
}
END_TEST

/* Every byte of s is in the other, and no block of that is without one. */
START_TEST(test_rescale)
{
	static const uint32_t sizes[] = {1, 512, 4096, 65536, 3 * 65536, 1u << 20};
	uint32_t from = sizes[_i / ARRAY_SIZE(sizes)], to = sizes[_i % ARRAY_SIZE(sizes)];
	_cleanup_(bset_freep) struct bset *s = bset_new(), *d = NULL, *model = bset_new();
	uint64_t step = from % to ? 1 : from / to; /* faster */
	uint64_t at = 0, first, count;

	srand(_i);
	for (unsigned k = 0; k < 200; k++)
		bset_add(s, rand() % 4000, rand() % 50);
	d = bset_rescale(s, from, to);
	while (bset_next_run(s, at, &first, &count))
		for (at = first; at < first + count; at++)
			for (uint64_t b = at * from / to; b * to < (at + 1) * from; b += step)
				bset_add(model, b, step);
	ck_assert(bset_covers(d, model) && bset_covers(model, d));
}
END_TEST

START_TEST(test_rescale_edges)
{
	_cleanup_(bset_freep) struct bset *s = bset_new(), *coarse = NULL, *fine = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT;

	bset_add(s, BSET_MAX_BLOCKS - 1, 1);
	coarse = bset_rescale(s, UINT32_MAX, UINT32_MAX);
	ck_assert(bset_has(coarse, BSET_MAX_BLOCKS - 1));
	ck_assert_ptr_null(bset_rescale(s, UINT32_MAX, UINT32_MAX - 1));
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_ptr_null(bset_rescale(s, 2, 1));
	bset_free(TAKE(coarse));
	coarse = bset_rescale(s, 4096, UINT32_MAX);
	ck_assert(bset_count(coarse) == 1 && bset_has(coarse, 4096));
	/* all of 1 TiB, in pages: 8 bytes per 256 MiB */
	bset_free(TAKE(s));
	s = bset_new();
	bset_add(s, 0, 1u << 20);
	fine = bset_rescale(s, 1u << 20, 4096);
	ck_assert_uint_eq(bset_count(fine), 1u << 28);
	bset_encode(fine, &b);
	ck_assert_uint_eq(b.len, 4 + 8 * 4096);
}
END_TEST

/* Runs up to 2047, a bitmap from 2048 on: the encoding never exceeds 8196 bytes a container. */
START_TEST(test_smaller_form)
{
	static const struct {
		unsigned runs;
		size_t bytes;
	} tab[] = {{1, 4 + 4 + 4},
		   {2047, 4 + 4 + 2047 * 4},
		   {2048, 4 + 4 + 8192},
		   {2049, 4 + 4 + 8192}};

	for (size_t k = 0; k < ARRAY_SIZE(tab); k++) {
		_cleanup_(bset_freep) struct bset *s = bset_new(), *d = NULL;
		_cleanup_buf_ struct buf b = BUF_INIT;

		for (unsigned i = 0; i < tab[k].runs; i++)
			bset_add(s, 65536 + 3 * i, 2);
		bset_encode(s, &b);
		ck_assert_uint_eq(b.len, tab[k].bytes);
		d = round_trip(s);
	}
}
END_TEST

static const struct {
	const char *why, *bytes;
	size_t n;
} refused[] = {
	{"no count", "\1\0\0", 3},
	{"more containers than blocks", "\1\0\1\0", 4},
	{"container missing", "\1\0\0\0", 4},
	{"half a container head", "\1\0\0\0\0\0\1", 7},
	{"half a run", "\1\0\0\0\0\0\1\0\5\0\6", 11},
	{"run backwards", "\1\0\0\0\0\0\1\0\6\0\5\0", 12},
	{"runs overlap", "\1\0\0\0\0\0\2\0\1\0\4\0\4\0\7\0", 16},
	{"runs adjacent", "\1\0\0\0\0\0\2\0\1\0\4\0\5\0\7\0", 16},
	{"second run below the first", "\1\0\0\0\0\0\2\0\5\0\6\0\1\0\2\0", 16},
	{"run after the last block", "\1\0\0\0\0\0\2\0\1\0\377\377\0\0\0\0", 16},
	{"same container twice", "\2\0\0\0\7\0\1\0\0\0\0\0\7\0\1\0\2\0\2\0", 20},
	{"containers descending", "\2\0\0\0\7\0\1\0\0\0\0\0\6\0\1\0\2\0\2\0", 20},
	{"too many runs", "\1\0\0\0\0\0\0\10", 8},
	{"half a bitmap", "\1\0\0\0\0\0\0\0\1", 9},
};

START_TEST(test_refused)
{
	/* exact memory, so that the sanitizer sees a read past the end */
	_cleanup_free_ uint8_t *p = malloc(refused[_i].n);
	struct err e = ERR_INIT;
	struct cur c;

	memcpy(p, refused[_i].bytes, refused[_i].n);
	c = cur_of(p, refused[_i].n);
	ck_assert_msg(bset_decode(&c, &e) == NULL, "accepted: %s", refused[_i].why);
	ck_assert_int_eq(e.code, ERR_FAILED);
	ck_assert(strlen(e.text) > 0);
}
END_TEST

/* A bitmap of fewer than 2048 runs has a shorter form: one set, one encoding. */
START_TEST(test_refused_bitmap)
{
	uint8_t bytes[8 + 8192] = {1};
	struct err e = ERR_INIT;
	struct cur c = cur_of(bytes, sizeof(bytes));

	ck_assert_ptr_null(bset_decode(&c, &e));
	memset(bytes + 8, 0xff, 8192);
	c = cur_of(bytes, sizeof(bytes));
	ck_assert_ptr_null(bset_decode(&c, &e));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bset");
	TCase *t = tcase_create("bset");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, test_model, 0, 40);
	tcase_add_test(t, test_edges);
	tcase_add_loop_test(t, test_rescale, 0, 36);
	tcase_add_test(t, test_rescale_edges);
	tcase_add_test(t, test_smaller_form);
	tcase_add_loop_test(t, test_refused, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, test_refused_bitmap);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
