/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: a token names one state of one device; a text that is not exactly one is refused. */
#include <check.h>
#include <string.h>

#include "thin.h"

#define UUID "SUVT8C-PPSe-4ks3-1aH5-Tu3M-xM1B-fedFMw"

static const struct thin_slot slot = {.uuid = UUID,
				      .seen = {.id = 7,
					       .present = true,
					       .creation_time = 9,
					       .root = 1ULL << 40,
					       .mapped_blocks = 5}};

START_TEST(there_and_back)
{
	char text[VOLUME_TOKEN_MAX];
	struct err e = ERR_INIT;
	struct thin_token k;

	thin_token_print(&slot, text);
	ck_assert_str_eq(text, "thin:" UUID ":7:9:1099511627776:5");
	ck_assert_int_eq(thin_token_parse(text, &k, &e), 0);
	ck_assert_str_eq(k.uuid, UUID);
	ck_assert(thin_token_is(&k, &slot.seen));
}
END_TEST

START_TEST(every_field_counts)
{
	char text[VOLUME_TOKEN_MAX];
	struct err e = ERR_INIT;
	struct thin_token k;
	struct thin_dev d;

	thin_token_print(&slot, text);
	ck_assert_int_eq(thin_token_parse(text, &k, &e), 0);
	d = slot.seen, d.present = false;
	ck_assert(!thin_token_is(&k, &d));
	d = slot.seen, d.id++;
	ck_assert(!thin_token_is(&k, &d));
	d = slot.seen, d.creation_time++;
	ck_assert(!thin_token_is(&k, &d));
	d = slot.seen, d.root++;
	ck_assert(!thin_token_is(&k, &d));
	d = slot.seen, d.mapped_blocks++;
	ck_assert(!thin_token_is(&k, &d));
	d = slot.seen, d.snapshotted_time++; /* a snapshot of it leaves it as it is */
	ck_assert(thin_token_is(&k, &d));
}
END_TEST

START_TEST(nothing_else_is_one)
{
	static const char *const bad[] = {
		"",
		"thin:",
		"thin:" UUID ":7:9:1",
		"thin:" UUID ":7:9:1:5:6",
		"thin:" UUID ":7:9:1:5 ",
		"thin:" UUID ":7:9: 1:5",
		"thin:" UUID ":07:9:1:5",
		"thin:" UUID ":-7:9:1:5",
		"thin:" UUID ":+7:9:1:5",
		"thin:" UUID ":4294967303:9:1:5", /* 7 in 32 bits */
		"thin:" UUID ":7:9:18446744073709551616:5",
		"thin:" UUID "x:7:9:1:5",
		"thick:" UUID ":7:9:1:5",
	};
	struct thin_token k;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		ck_assert_msg(thin_token_parse(bad[i], &k, &e) == -1, "taken: %s", bad[i]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("thin-token");
	TCase *t = tcase_create("thin-token");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, there_and_back);
	tcase_add_test(t, every_field_counts);
	tcase_add_test(t, nothing_else_is_one);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
