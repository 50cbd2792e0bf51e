/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: a token of the file kind names one state of one file; a text that is not exactly one is
 * refused. */
#include <check.h>
#include <string.h>

#include "file.h"

#define FS "00112233445566778899aabbccddeeff"

static const struct file_id id = {.inode = 134,
				  .generation = 4294967295,
				  .size = 1ULL << 40,
				  .ctime_ns = 1795645003081037246};

START_TEST(there_and_back)
{
	char text[VOLUME_TOKEN_MAX], fs[33];
	struct err e = ERR_INIT;
	struct file_id k;

	file_token_print(FS, &id, text);
	ck_assert_str_eq(text, "file:" FS ":134:4294967295:1099511627776:1795645003081037246");
	ck_assert_int_eq(file_token_parse(text, fs, &k, &e), 0);
	ck_assert_str_eq(fs, FS);
	ck_assert(file_id_is(&k, &id));
}
END_TEST

START_TEST(every_field_counts)
{
	struct file_id k[4] = {id, id, id, id};

	k[0].inode++;
	k[1].generation--;
	k[2].size++;
	k[3].ctime_ns++;
	for (unsigned i = 0; i < ARRAY_SIZE(k); i++)
		ck_assert(!file_id_is(&k[i], &id));
}
END_TEST

static const char *const bad[] = {
	"",
	"file:",
	"thin:" FS ":1:2:3:4",
	"file:" FS ":1:2:3",
	"file:" FS ":1:2:3:4:5",
	"file:" FS ":1:2:3:4 ",
	"file:" FS ": 1:2:3:4",
	"file:" FS ":-1:2:3:4",
	"file:" FS ":+1:2:3:4",
	"file:" FS ":01:2:3:4",
	"file:" FS ":99999999999999999999:2:3:4",
	"file:" FS "0:1:2:3:4",
	"file:XX:1:2:3:4",
};

START_TEST(refused)
{
	struct err e = ERR_INIT;
	struct file_id k;
	char fs[33];

	ck_assert_int_eq(file_token_parse(bad[_i], fs, &k, &e), -1);
	ck_assert(e.code == ERR_FAILED);
}
END_TEST

/* Blocks stay within what a set can hold, with room to grow. */
START_TEST(block_size)
{
	struct file f = {0};

	file_set_size(&f, 1000);
	ck_assert_uint_eq(f.v.block_size, FILE_BLOCK_SIZE);
	file_set_size(&f, 1ULL << 50);
	ck_assert(f.v.size / f.v.block_size < BSET_MAX_BLOCKS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("file-token");
	TCase *t = tcase_create("file-token");
	SRunner *runner;
	int failed;

	tcase_add_test(t, there_and_back);
	tcase_add_test(t, every_field_counts);
	tcase_add_loop_test(t, refused, 0, ARRAY_SIZE(bad));
	tcase_add_test(t, block_size);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
