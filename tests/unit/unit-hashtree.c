/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the hash tree is the one of srsync-stream(5) at every size of its tail; holes cost nothing
 * and hash like zeros; questions about it that are out of bounds are refused. */
#include <check.h>
#include <string.h>
#include <xxhash.h>

#include "fake_volume.h"
#include "hasher.h"
#include "hashes.h"
#include "js.h"

#define MIB (1ULL << 20)

static uint64_t rnd = 7;

/* The definition, word by word. */
static void by_definition(const uint8_t *bytes, uint64_t size, uint64_t seed, unsigned level,
			  uint64_t node, uint8_t out[HASHTREE_HASH])
{
	uint64_t span = level == 0 ? 4096 : level == 1 ? MIB : 256 * MIB, n = 0;
	uint64_t from = node * span, to = size - from < span ? size : from + span;
	uint8_t below[HASHTREE_FAN][HASHTREE_HASH];
	XXH128_canonical_t c;

	if (level == 0) {
		XXH128_canonicalFromHash(&c, XXH3_128bits_withSeed(bytes + from, to - from, seed));
	} else {
		for (uint64_t at = from; at < to; at += span / 256, n++)
			by_definition(bytes, size, seed, level - 1, node * 256 + n, below[n]);
		XXH128_canonicalFromHash(&c, XXH3_128bits_withSeed(below, n * 16, seed));
	}
	memcpy(out, c.digest, HASHTREE_HASH);
}

static void check_node(const struct hashslice *s, const struct fake_volume *f, uint64_t seed,
		       unsigned level, uint64_t node)
{
	const uint8_t *got = hashslice_hashes(s, level, node, 1);
	uint8_t want[HASHTREE_HASH];

	ck_assert_ptr_nonnull(got);
	by_definition(f->bytes, f->v.size, seed, level, node, want);
	ck_assert_mem_eq(got, want, HASHTREE_HASH);
}

/* Hashes the whole volume and compares every node of level 1 and 2 and some leaves. */
static void check_volume(struct fake_volume *f, uint64_t seed)
{
	_cleanup_free_ struct hashslice *s = xmalloc(sizeof(*s));
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct hashtree t;
	const struct hasher h = {.v = &f->v, .token = "token", .t = &t, .mutex = &mutex};
	_Atomic uint64_t bytes = 0;
	struct err e = ERR_INIT;

	hashtree_init(&t, seed, f->v.size);
	for (uint64_t i = 0; i < hashtree_nodes(&t, 2); i++) {
		ck_assert_msg(hasher_slice(&h, i, s, &bytes, &e) == 0, "%s", e.text);
		check_node(s, f, seed, 2, i);
		for (unsigned n = 0; n < s->nodes; n++)
			check_node(s, f, seed, 1, i * HASHTREE_FAN + n);
		check_node(s, f, seed, 0, i * HASHTREE_LEAVES + s->leaves - 1);
		ck_assert_ptr_null(hashslice_hashes(s, 0, i * HASHTREE_LEAVES, s->leaves + 1));
		ck_assert_ptr_null(hashslice_hashes(s, 2, i + 1, 1));
	}
	for (unsigned i = 0; i < f->n; i++)
		if (f->x[i].kind == VOLUME_DATA)
			ck_assert_uint_gt(bytes, 0);
}

static const uint64_t tails[] = {1,
				 511,
				 4095,
				 4096,
				 4097,
				 MIB - 1,
				 MIB,
				 MIB + 1,
				 MIB + 4096,
				 3 * MIB + 77,
				 256 * MIB - 4096,
				 256 * MIB,
				 256 * MIB + 1};

START_TEST(every_tail)
{
	uint64_t size = tails[_i], half = size / 2 / 65536 * 65536;
	struct fake_volume *holes = fake_new(size), *f = fake_new(size);

	fake_add(holes, VOLUME_HOLE, size, FAKE_ZEROS, &rnd);
	check_volume(holes, 0x1122334455667788);
	fake_add(f, VOLUME_HOLE, half, FAKE_ZEROS, &rnd);
	if (size > 2 * MIB) {
		fake_add(f, VOLUME_DATA, MIB + 512, FAKE_RANDOM, &rnd);
		fake_add(f, VOLUME_HOLE, size - half - MIB - 512 - 100, FAKE_ZEROS, &rnd);
		half = size - 100;
	}
	fake_add(f, VOLUME_DATA, size - half, FAKE_RANDOM, &rnd);
	check_volume(f, 42);
	fake_free(holes);
	fake_free(f);
}
END_TEST

START_TEST(any_map)
{
	struct fake_volume *f = fake_new(9 * MIB + 333);

	f->v.block_size = _i % 2 ? 65536 : 196608;
	f->split = _i % 3 ? 0 : 4096 * 3;
	fake_fill(f, _i < 4 ? 512 : 4096, &rnd);
	check_volume(f, _i);
	fake_free(f);
}
END_TEST

START_TEST(a_map_with_a_gap_is_an_error)
{
	_cleanup_free_ struct hashslice *s = xmalloc(sizeof(*s));
	struct fake_volume *f = fake_new(4 * MIB);
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct hashtree t;
	const struct hasher h = {.v = &f->v, .token = "token", .t = &t, .mutex = &mutex};
	_Atomic uint64_t bytes = 0;
	struct err e = ERR_INIT;

	hashtree_init(&t, 1, f->v.size);
	for (unsigned i = 0; i < 4; i++)
		fake_add(f, i % 2 ? VOLUME_HOLE : VOLUME_DATA, MIB, FAKE_TEXT, &rnd);
	f->lose = _i * MIB;
	ck_assert_int_lt(hasher_slice(&h, 0, s, &bytes, &e), 0);
	ck_assert_msg(strstr(e.text, "map of fake"), "%s", e.text);
	fake_free(f);
}
END_TEST

START_TEST(the_manual_tells_the_truth)
{
	const char *dir = getenv("srcdir");
	_cleanup_free_ char *path = xasprintf("%s/man/srsync-stream.5", dir ? dir : ".");
	_cleanup_(fclosep) FILE *f = fopen(path, "r");
	_cleanup_free_ struct hashslice *s = xmalloc(sizeof(*s));
	uint8_t bytes[4099];
	struct hashtree t;
	char line[256], hex[40];
	unsigned level, node, found = 0;

	ck_assert_msg(f != NULL, "%s", path);
	memset(bytes, 'A', 4096);
	memcpy(bytes + 4096, "end", 3);
	hashtree_init(&t, 0x5eed5eed5eed5eed, sizeof(bytes));
	hashslice_begin(s, &t, 0);
	hashtree_leaf(&t, bytes, 4096, s->leaf[0]);
	hashtree_leaf(&t, bytes + 4096, 3, s->leaf[1]);
	hashslice_end(s, &t);
	while (fgets(line, sizeof(line), f)) {
		const uint8_t *p;
		char want[40];

		if (sscanf(line, "level %u node %u %32s", &level, &node, hex) != 3)
			continue;
		p = hashslice_hashes(s, level, node, 1);
		for (unsigned i = 0; i < HASHTREE_HASH; i++)
			snprintf(want + 2 * i, 3, "%02x", p[i]);
		ck_assert_str_eq(hex, want);
		found++;
	}
	ck_assert_uint_eq(found, 4);
}
END_TEST

static const struct hashes good = {.generation = "0123456789abcdef0123456789abcdef",
				   .seq = 9,
				   .time_ms = 1767225600000,
				   .volume = 1,
				   .size = 600 * MIB + 1,
				   .seed = 0xfedcba9876543210,
				   .level = 1,
				   .ranges = 2,
				   .range = {{256, 3}, {260, 252}}};

static int again(const struct hashes *q, struct hashes *out)
{
	_cleanup_json_ json_t *j = hashes_json(q);
	_cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);
	struct err e = ERR_INIT;

	return hashes_parse(text, strlen(text), out, &e);
}

START_TEST(questions)
{
	struct hashes q;

	ck_assert_int_eq(again(&good, &q), 0);
	ck_assert_mem_eq(&q, &good, sizeof(q));
	ck_assert_uint_eq(hashes_slice(&q), 1);
	ck_assert_uint_eq(hashes_nodes(&q), 255);
}
END_TEST

static const struct {
	uint64_t size, level;
	struct hashes_range range[2];
} bad[] = {
	{600 * MIB, 3, {{0, 1}}},                   /* no such level */
	{0, 0, {{0, 1}}},                           /* nothing there */
	{600 * MIB, 2, {{3, 1}}},                   /* beyond the end */
	{600 * MIB, 2, {{0, 2}}},                   /* two slices */
	{600 * MIB, 1, {{255, 2}}},                 /* two slices */
	{600 * MIB, 1, {{0, 1}, {256, 1}}},         /* two slices */
	{600 * MIB, 1, {{5, 1}, {5, 1}}},           /* twice */
	{600 * MIB, 1, {{5, 1}, {4, 1}}},           /* descending */
	{600 * MIB, 0, {{0, 0}}},                   /* none */
	{600 * MIB, 0, {{INT64_MAX, 1}}},           /* beyond the end */
	{600 * MIB, 0, {{5, INT64_MAX}}},           /* beyond the end */
	{INT64_MAX, 0, {{0, HASHTREE_LEAVES + 1}}}, /* two slices */
};

START_TEST(bad_questions)
{
	struct hashes q = good;

	q.size = bad[_i].size;
	q.level = bad[_i].level;
	q.range[0] = bad[_i].range[0];
	q.range[1] = bad[_i].range[1];
	q.ranges = q.range[1].count ? 2 : 1;
	ck_assert_int_lt(again(&q, &q), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hashtree");
	TCase *t = tcase_create("hashtree");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 0);
	tcase_add_loop_test(t, every_tail, 0, ARRAY_SIZE(tails));
	tcase_add_loop_test(t, any_map, 0, 8);
	tcase_add_loop_test(t, a_map_with_a_gap_is_an_error, 0, 4);
	tcase_add_test(t, the_manual_tells_the_truth);
	tcase_add_test(t, questions);
	tcase_add_loop_test(t, bad_questions, 0, ARRAY_SIZE(bad));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
