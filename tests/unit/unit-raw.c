/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the tripwire of a raw volume sees every byte of the places it covers, whatever the size,
 * and its tokens are read back exactly or refused. */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "raw.h"

#define MIB (1ULL << 20)

static int make(uint64_t size)
{
	char path[] = "raw-XXXXXX";
	int fd = mkostemp(path, 0);

	unlink(path);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void sum(int fd, uint64_t size, char hash[static 33])
{
	struct err e;

	ck_assert_int_eq(raw_sum(fd, size, hash, &e), 0);
	ck_assert_uint_eq(strlen(hash), 32);
}

/* Does the sum change with this byte? */
static bool sees(int fd, uint64_t size, uint64_t at)
{
	char before[33], after[33];
	uint8_t was, now;

	sum(fd, size, before);
	ck_assert_int_eq(io_pread(fd, &was, 1, at), 0);
	now = was ^ 1;
	ck_assert_int_eq(io_pwrite(fd, &now, 1, at), 0);
	sum(fd, size, after);
	ck_assert_int_eq(io_pwrite(fd, &was, 1, at), 0);
	return strcmp(before, after) != 0;
}

START_TEST(covers)
{
	const uint64_t size = 90 * MIB + 512;
	_cleanup_close_ int fd = make(size);

	ck_assert(sees(fd, size, 0) && sees(fd, size, 1024)); /* partition table, ext4 */
	ck_assert(sees(fd, size, 65536) && sees(fd, size, 256 * 1024 - 1));  /* btrfs */
	ck_assert(sees(fd, size, size - 1) && sees(fd, size, size - 65536)); /* GPT, md */
	for (uint64_t i = 1; i <= 8; i++)
		ck_assert(sees(fd, size, size / 9 * i / 4096 * 4096 + 100));
	ck_assert(!sees(fd, size, 30 * MIB + 77 * 4096)); /* a tripwire is no proof */
}
END_TEST

START_TEST(small_and_grown)
{
	static const uint64_t sizes[] = {512, 4096, 65536, 65536 + 512, 300000 / 512 * 512, MIB};
	char a[33], b[33];

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_close_ int fd = make(4 * MIB);

		ck_assert(sees(fd, sizes[i], 0) && sees(fd, sizes[i], sizes[i] - 1));
		ck_assert(!sees(fd, sizes[i], sizes[i])); /* what was grown does not count */
		sum(fd, sizes[i], a);
		sum(fd, sizes[i] + 512, b);
		ck_assert_str_ne(a, b); /* the size does, also of zeros */
	}
}
END_TEST

START_TEST(tokens)
{
	static const char *const bad[] = {
		"",
		"raw:",
		"thin:a:1:2:3:4",
		"raw:dev-8-1:100:0123456789abcdef0123456789abcde",
		"raw:dev-8-1:100:0123456789abcdef0123456789abcdef0",
		"raw:dev-8-1:100:0123456789ABCDEF0123456789abcdef",
		"raw:dev-8-1:-1:0123456789abcdef0123456789abcdef",
		"raw:dev-8-1: 1:0123456789abcdef0123456789abcdef",
		"raw:dev-8-1:99999999999999999999999:0123456789abcdef0123456789abcdef",
		"raw::100:0123456789abcdef0123456789abcdef",
		"raw:a/b:100:0123456789abcdef0123456789abcdef",
	};
	const char *good = "raw:wwid-0123456789abcdef-p12-2048:18446744073709551615:"
			   "0123456789abcdef0123456789abcdef";
	char again[VOLUME_TOKEN_MAX];
	struct raw_token t;
	struct err e;

	ck_assert_int_eq(raw_token_parse(good, &t, &e), 0);
	ck_assert_str_eq(t.uuid, "wwid-0123456789abcdef-p12-2048");
	raw_token_print(&t, again);
	ck_assert_str_eq(again, good);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(raw_token_parse(bad[i], &t, &e), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("raw");
	TCase *t = tcase_create("raw");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, covers);
	tcase_add_test(t, small_and_grown);
	tcase_add_test(t, tokens);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
