/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens of cuts under dm-era, the tags that say what is attached, the size of metadata. */
#include <check.h>
#include <string.h>

#include "era.h"

#define ID   "00112233445566778899aabbccddeeff"
#define UUID "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg"
#define META "hhhhhh-bbbb-cccc-dddd-eeee-ffff-gggggg"

START_TEST(test_token)
{
	static const char good[] = "era:7:" ID ":" META ":1048576:thin:x:1:2:3:4";
	static const char *const bad[] = {
		"",
		"thin:x:1:2:3:4",
		"era:7:" ID ":" META ":1048576:",
		"era:07:" ID ":" META ":1048576:x",
		"era:-7:" ID ":" META ":1048576:x",
		"era: 7:" ID ":" META ":1048576:x",
		"era:4294967296:" ID ":" META ":1048576:x",
		"era:7:0011:" META ":1048576:x",
		"era:7:" ID ":" META ":99999999999999999999:x",
		"era:7:" ID ":" META ":+1:x",
	};
	char again[VOLUME_TOKEN_MAX], longest[VOLUME_TOKEN_MAX + 100];
	struct era_token k;
	struct err e;

	ck_assert_int_eq(era_token_parse(good, &k, &e), 0);
	ck_assert_uint_eq(k.era, 7);
	ck_assert_uint_eq(k.size, 1048576);
	ck_assert_str_eq(k.lower, "thin:x:1:2:3:4");
	ck_assert_int_eq(era_token_print(&k, again, &e), 0);
	ck_assert_str_eq(again, good);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(era_token_parse(bad[i], &k, &e) == -1, "%s", bad[i]);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, good, sizeof(good) - 1);
	ck_assert_int_eq(era_token_parse(longest, &k, &e), -1);
	memset(k.lower, 'x', sizeof(k.lower) - 1);
	k.lower[sizeof(k.lower) - 1] = '\0';
	ck_assert_int_eq(era_token_print(&k, again, &e), -1);
}
END_TEST

static struct lvm_lv volume(const char *name, const char *uuid, const char *tags)
{
	struct lvm_lv lv = {.size = 64 << 20};

	strcpy(lv.vg_name, "vg");
	strcpy(lv.vg_uuid, UUID);
	strcpy(lv.name, name);
	strcpy(lv.uuid, uuid);
	strcpy(lv.tags, tags);
	return lv;
}

static int find(const char *tags, const char *meta_tags, struct era_dev *d)
{
	struct lvm_lv lv[2] = {volume("data", UUID, tags),
			       volume("data.srsync-era", META, meta_tags)};
	struct lvm_list l = {lv, 2};
	struct err e;

	return era_dev_find(&l, &lv[0], d, &e);
}

START_TEST(test_tags)
{
	static const char good[] =
		"mine,srsync.era=" UUID ",srsync.era.block=16384,srsync.era.id=" ID;
	struct era_dev d;

	ck_assert_int_eq(find("x,srsync.era,y", good, &d), 0);
	ck_assert_str_eq(d.meta_uuid, META);
	ck_assert_str_eq(d.id, ID);
	ck_assert_str_eq(d.dm, "SRSYNC-ERA-" UUID);
	ck_assert_uint_eq(d.block, 16384);
	ck_assert_int_eq(find("", "", &d), 1);
	ck_assert_int_eq(find("srsync.erase", "", &d), 1);
	ck_assert_int_eq(find("", good, &d), -1);
	ck_assert_int_eq(find("srsync.era", "", &d), -1);
	ck_assert_int_eq(find("srsync.era", "srsync.era=" UUID, &d), -1);
	ck_assert_int_eq(find("srsync.era", "srsync.era=" UUID ",srsync.era.id=" ID, &d), -1);
	ck_assert_int_eq(find("srsync.era",
			      "srsync.era=" UUID ",srsync.era.id=" ID ",srsync.era.block=5000", &d),
			 -1);
	ck_assert_int_eq(
		find("srsync.era",
		     "srsync.era=" UUID ",srsync.era.id=" ID ",srsync.era.block=4398046511104", &d),
		-1);
}
END_TEST

/* The array and a writeset of 10 TiB at 64 KiB alone take 664 MiB. */
START_TEST(test_meta_size)
{
	ck_assert_uint_eq(era_dev_meta_size(1 << 20, 65536), 16 << 20);
	ck_assert_uint_ge(era_dev_meta_size(10ULL << 40, 65536), 3 * 664ULL << 20);
	ck_assert_uint_le(era_dev_meta_size(10ULL << 40, 65536), 4 * 664ULL << 20);
	ck_assert_uint_eq(era_dev_meta_size(10ULL << 40, 65536) % (1 << 20), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("era-dev");
	TCase *c = tcase_create("era");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, test_token);
	tcase_add_test(c, test_tags);
	tcase_add_test(c, test_meta_size);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
