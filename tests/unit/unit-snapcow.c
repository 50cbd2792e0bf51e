/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the exception table of a classic snapshot is read exactly, over several areas and in any
 * order; a store that is invalid, foreign, half-written or damaged is refused with words and adds
 * nothing. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "snapcow.h"
#include "snapcow_image.h"

#define CHUNK  4096u
#define PER    256 /* entries in an area of that */
#define ORIGIN (4000ULL * CHUNK)

static int image(const uint64_t *chunk, uint64_t n, uint32_t chunk_size, char path[static 64])
{
	int fd = memfd_create("cow", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	si_write(fd, chunk_size, chunk, n);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static void reads(const uint64_t *chunk, uint64_t n, uint32_t chunk_size)
{
	_cleanup_(bset_freep) struct bset *set = bset_new(), *want = bset_new();
	_cleanup_close_ int fd = -1;
	struct err e = ERR_INIT;
	struct snapcow info;
	char path[64];

	fd = image(chunk, n, chunk_size, path);
	for (uint64_t i = 0; i < n; i++)
		bset_add(want, chunk[i], 1);
	ck_assert_msg(snapcow_read(path, 4000ULL * chunk_size, set, &info, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(info.chunk_size, chunk_size);
	ck_assert_uint_eq(info.entries, n);
	ck_assert(bset_covers(set, want) && bset_covers(want, set));
}

START_TEST(tables)
{
	static const uint64_t few[] = {7, 8, 9, 62, 3999, 0};
	uint64_t many[3 * PER];

	reads(NULL, 0, CHUNK);
	reads(few, ARRAY_SIZE(few), CHUNK);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (i * 1237u) % 3989u;
	reads(many, PER - 1, CHUNK);
	reads(many, PER, CHUNK); /* full: the empty area behind it ends the table */
	reads(many, PER + 1, CHUNK);
	reads(many, 3 * PER, CHUNK);
	reads(few, 4, 65536);
	reads(few, 4, 524288); /* more blocks in an area than in a batch */
}
END_TEST

START_TEST(large_area)
{
	uint64_t many[20000];

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = i;
	{
		_cleanup_(bset_freep) struct bset *set = bset_new();
		_cleanup_close_ int fd = -1;
		struct err e = ERR_INIT;
		struct snapcow info;
		char path[64];

		fd = image(many, ARRAY_SIZE(many), 524288, path);
		ck_assert_int_eq(snapcow_read(path, ARRAY_SIZE(many) * 524288ULL, set, &info, &e),
				 0);
		ck_assert_uint_eq(bset_count(set), ARRAY_SIZE(many));
	}
}
END_TEST

struct damage {
	uint64_t at;
	uint32_t value;
	const char *says;
};

static const struct damage damages[] = {
	{0, 0, "never put to use"},
	{0, 0x30784c, "no exception store"},
	{4, 0, "invalid"},
	{4, 2, "version"},
	{8, 2, "version"},
	{12, 0, "impossible chunk size"},
	{12, 4, "impossible chunk size"},
	{12, 12, "impossible chunk size"},
	{12, 2048, "impossible chunk size"},
	{12, 0xffffffff, "impossible chunk size"},
	{CHUNK + 16, 4000, "beyond the end of the origin"},
	{CHUNK + 20, 1, "beyond the end of the origin"},
	{CHUNK + 24, 1, "outside the copies"},   /* the table itself */
	{CHUNK + 24, 258, "outside the copies"}, /* the second area */
	{CHUNK + 24, 9999, "outside the copies"},
	{CHUNK + 28, 1, "outside the copies"},
};

static void refused(const char *path, uint64_t origin, const char *says)
{
	_cleanup_(bset_freep) struct bset *set = bset_new();
	struct err e = ERR_INIT;
	struct snapcow info;

	ck_assert_int_eq(snapcow_read(path, origin, set, &info, &e), -1);
	ck_assert_msg(strstr(e.text, says) != NULL, "\"%s\" is not in: %s", says, e.text);
	ck_assert_uint_eq(bset_count(set), 0);
}

START_TEST(nothing_off_is_believed)
{
	uint64_t many[300];
	_cleanup_close_ int fd = -1;
	char path[64];

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = 2 * i;
	fd = image(many, ARRAY_SIZE(many), CHUNK, path);
	si_put32(fd, damages[_i].at, damages[_i].value);
	refused(path, ORIGIN, damages[_i].says);
}
END_TEST

START_TEST(cut_short)
{
	uint64_t many[PER];
	_cleanup_close_ int fd = -1;
	char path[64];

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = i;
	fd = image(many, PER, CHUNK, path);
	/* a full area without one behind it */
	ck_assert_int_eq(ftruncate(fd, (off_t)(2 + PER) * CHUNK), 0);
	refused(path, ORIGIN, "ends before its last entry");
	ck_assert_int_eq(ftruncate(fd, CHUNK), 0);
	refused(path, ORIGIN, "ends before its last entry");
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	refused(path, ORIGIN, "beyond the end");
	/* more entries than there can be */
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	si_write(fd, CHUNK, (const uint64_t[]){0, 1, 1}, 3);
	refused(path, 2 * CHUNK, "more entries");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("snapcow");
	TCase *t = tcase_create("snapcow");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, tables);
	tcase_add_test(t, large_area);
	tcase_add_loop_test(t, nothing_off_is_believed, 0, ARRAY_SIZE(damages));
	tcase_add_test(t, cut_short);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
