/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the token of a plain volume's cut is exactly one text; a snapshot's store holds the whole
 * volume where there is room for two, and never asks for more than there is. */
#include <check.h>
#include <string.h>

#include "plain.h"

#define SNAP   "SUVT8C-PPSe-4ks3-1aH5-Tu3M-xM1B-fedFMw"
#define ORIGIN "yThjoG-GnKm-F6x0-7vwV-0sE7-Z0KW-530amu"
#define MIB    (1ULL << 20)
#define EXTENT (4 * MIB)

START_TEST(tokens)
{
	static const char good[] = "plain:" SNAP ":" ORIGIN ":67108864";
	static const char *const bad[] = {
		"",
		"plain:",
		"plain:" SNAP ":" ORIGIN,
		"plain:" SNAP ":" ORIGIN ":",
		"plain:" SNAP ":" ORIGIN ":1:2",
		"plain:" SNAP ":" ORIGIN ":1 ",
		"plain:" SNAP ":" ORIGIN ":01",
		"plain:" SNAP ":" ORIGIN ":-1",
		"plain:" SNAP ":" ORIGIN ":18446744073709551616",
		"plain:" SNAP "x:" ORIGIN ":1",
		"thin:" SNAP ":" ORIGIN ":1",
	};
	char again[VOLUME_TOKEN_MAX];
	struct err e = ERR_INIT;
	struct plain_token k;

	ck_assert_int_eq(plain_token_parse(good, &k, &e), 0);
	ck_assert_str_eq(k.uuid, SNAP);
	ck_assert_str_eq(k.origin, ORIGIN);
	ck_assert_uint_eq(k.size, 67108864);
	plain_token_print(&k, again);
	ck_assert_str_eq(again, good);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(plain_token_parse(bad[i], &k, &e) == -1, "taken: %s", bad[i]);
}
END_TEST

START_TEST(sizes)
{
	/* 64 MiB and a table are 17 extents */
	ck_assert_uint_eq(plain_store_size(64 * MIB, EXTENT, 136 * MIB, 0), 68 * MIB);
	ck_assert_uint_eq(plain_store_size(64 * MIB, EXTENT, 68 * MIB, 68 * MIB), 68 * MIB);
	/* room for one only: a third, which leaves room for the next */
	ck_assert_uint_eq(plain_store_size(64 * MIB, EXTENT, 132 * MIB, 0), 44 * MIB);
	ck_assert_uint_eq(plain_store_size(64 * MIB, EXTENT, 88 * MIB, 44 * MIB), 44 * MIB);
	ck_assert_uint_eq(plain_store_size(64 * MIB, EXTENT, 20 * MIB, 0), 16 * MIB);
	ck_assert_uint_eq(plain_store_size(64 * MIB, EXTENT, 16 * MIB, 0), 16 * MIB);
	ck_assert_uint_eq(plain_store_size(64 * MIB, EXTENT, 15 * MIB, 500 * MIB), 0);
	ck_assert_uint_eq(plain_store_size(64 * MIB, EXTENT, 0, 0), 0);
	ck_assert_uint_eq(plain_store_size(64 * MIB, 0, 136 * MIB, 0), 0);
}
END_TEST

/* Every chunk of the volume, the header, the tables and an empty one behind them fit. */
START_TEST(whole_cannot_overflow)
{
	for (uint64_t origin = EXTENT; origin < 1ULL << 48; origin = origin * 3 + EXTENT) {
		uint64_t room = 1ULL << 60, per = PLAIN_CHUNK / 16;
		uint64_t size = plain_store_size(origin, EXTENT, room, 0);
		uint64_t chunks = (origin + PLAIN_CHUNK - 1) / PLAIN_CHUNK;

		ck_assert_uint_ge(size / PLAIN_CHUNK, 1 + chunks + chunks / per + 1);
		ck_assert_uint_eq(size % EXTENT, 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plain");
	TCase *t = tcase_create("plain");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, tokens);
	tcase_add_test(t, sizes);
	tcase_add_test(t, whole_cannot_overflow);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
