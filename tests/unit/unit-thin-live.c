/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thin metadata reader where things go wrong: damaged blocks, pools that change while they are
 * read, metadata snapshots; and what it may read at most. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io.h"
#include "thin_diff.h"
#include "thin_image.h"
#include "thin_map.h"

static struct thin_image *image;
static int fd;
static char path[64];
static uint64_t image_bytes;

/* What a walk told, in a form that two walks can be compared in. */
struct story {
	unsigned n;
	uint64_t sum;
};

static void tell(struct story *s, uint64_t kind, uint64_t first, uint64_t count)
{
	s->n++;
	s->sum = (s->sum ^ kind) * 1099511628211u;
	s->sum = (s->sum ^ first) * 1099511628211u;
	s->sum = (s->sum ^ count) * 1099511628211u;
}

static int on_change(void *arg, enum thin_change kind, uint64_t first, uint64_t count)
{
	tell(arg, kind, first, count);
	return 0;
}

static int on_run(void *arg, uint64_t first, uint64_t count)
{
	tell(arg, 9, first, count);
	return 0;
}

static void write_image(void)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	image_bytes = ti_write(image, fd);
}

static struct thin_meta *open_view(enum thin_view view)
{
	struct err e = ERR_INIT;
	struct thin_meta *m = thin_meta_open(path, view, &e);

	ck_assert_msg(m != NULL, "%s", e.text);
	return m;
}

static void find(struct thin_meta *m, struct thin_dev dev[2])
{
	struct err e = ERR_INIT;

	dev[0].id = 0;
	dev[1].id = 1;
	ck_assert_msg(thin_meta_find(m, dev, 2, &e) == 0, "%s", e.text);
	ck_assert(dev[0].present && dev[1].present);
}

/* Everything a reader does, from opening on. */
static int read_all(enum thin_view view, struct story *s, struct err *e)
{
	_cleanup_(thin_meta_freep) struct thin_meta *m = thin_meta_open(path, view, e);
	struct thin_dev dev[2] = {{.id = 0}, {.id = 1}};

	*s = (struct story){0, 0};
	if (!m || thin_meta_find(m, dev, 2, e) < 0)
		return -1;
	if (!dev[0].present || !dev[1].present)
		return err_set(e, ERR_FAILED, "not there");
	if (thin_diff(m, &dev[0], &dev[1], on_change, s, e) < 0)
		return -1;
	return thin_map(m, &dev[1], NULL, 0, on_run, s, e);
}

/* Devices 0 and 1 of n blocks, which differ in some. */
static void make_pool(unsigned fanout, unsigned n, unsigned differ)
{
	image = ti_new(fanout, 128);
	ti_create(image, 0);
	ti_fill(image, 0, n, fanout * 2 / 3);
	ti_commit(image);
	ti_snap(image, 1, 0);
	srand(differ);
	for (unsigned i = 0; i < differ; i++)
		ti_map(image, 1, rand() % n);
	ti_commit(image);
	write_image();
}

START_TEST(reads_follow_changes)
{
	/* nodes per tree: 1787. Read: each differing leaf on both sides, the way to it, the first
	 * leaf and its parent for the height, and 6 blocks to look up both devices again. */
	static const unsigned changes[][2] = {{0, 6}, {1, 6 + 8}, {10, 6 + 44}, {100, 6 + 228}};

	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
		struct thin_dev dev[2];
		struct story s = {0, 0};
		struct err e = ERR_INIT;

		make_pool(252, 300000, changes[i][0]);
		_cleanup_(thin_meta_freep) struct thin_meta *m = open_view(THIN_LIVE);

		find(m, dev);
		uint64_t before = thin_meta_stats(m).blocks;

		ck_assert_int_eq(thin_diff(m, &dev[0], &dev[1], on_change, &s, &e), 0);
		ck_assert_uint_eq(s.n, changes[i][0]);
		ck_assert_uint_le(thin_meta_stats(m).blocks - before, changes[i][1]);
		ti_free(image);
	}
}
END_TEST

START_TEST(any_flipped_bit)
{
	struct story right, s;
	struct err e = ERR_INIT;
	unsigned errors = 0, rounds = 0;

	make_pool(21, 2000, 60);
	ck_assert_int_eq(read_all(THIN_LIVE, &right, &e), 0);
	ck_assert_uint_gt(right.n, 20);
	for (uint64_t at = rand() % 64; at < image_bytes; at += 1 + rand() % 512, rounds++) {
		uint8_t byte, bad;

		ck_assert_int_eq(io_pread(fd, &byte, 1, at), 0);
		bad = byte ^ (1 << rand() % 8);
		ck_assert_int_eq(io_pwrite(fd, &bad, 1, at), 0);
		if (read_all(THIN_LIVE, &s, &e) < 0)
			errors++;
		else if (s.n != right.n || s.sum != right.sum)
			ck_abort_msg("byte %lu: a wrong answer", (unsigned long)at);
		ck_assert_int_eq(io_pwrite(fd, &byte, 1, at), 0);
	}
	ck_assert_uint_gt(errors, rounds / 4);
	ti_free(image);
}
END_TEST

/* A block in the place of another is as wrong as a damaged one, though its checksum is right. */
START_TEST(swapped_blocks)
{
	struct story right, s;
	struct err e = ERR_INIT;
	uint8_t other[TI_BLOCK], own[TI_BLOCK];

	make_pool(21, 2000, 60);
	ck_assert_int_eq(read_all(THIN_LIVE, &right, &e), 0);
	for (uint64_t b = 0; b < image_bytes / TI_BLOCK; b++) {
		uint64_t o = (b + 1 + rand() % 50) % (image_bytes / TI_BLOCK);

		ck_assert_int_eq(io_pread(fd, own, TI_BLOCK, b * TI_BLOCK), 0);
		ck_assert_int_eq(io_pread(fd, other, TI_BLOCK, o * TI_BLOCK), 0);
		ck_assert_int_eq(io_pwrite(fd, other, TI_BLOCK, b * TI_BLOCK), 0);
		if (read_all(THIN_LIVE, &s, &e) == 0)
			ck_assert(s.n == right.n && s.sum == right.sum);
		ck_assert_int_eq(io_pwrite(fd, own, TI_BLOCK, b * TI_BLOCK), 0);
	}
	ti_free(image);
}
END_TEST

/* Writes value into the superblock at offset, with a right checksum, and expects words in the
 * error. */
static void expect_super(unsigned offset, uint32_t value, const char *words)
{
	struct err e = ERR_INIT;
	uint8_t own[TI_BLOCK], block[TI_BLOCK];
	struct story s;

	ck_assert_int_eq(io_pread(fd, own, TI_BLOCK, 0), 0);
	memcpy(block, own, TI_BLOCK);
	memcpy(block + offset, &value, 4);
	ti_seal(block, 0, KIND_SUPER);
	ck_assert_int_eq(io_pwrite(fd, block, TI_BLOCK, 0), 0);
	ck_assert_int_eq(read_all(THIN_LIVE, &s, &e), -1);
	ck_assert_msg(strstr(e.text, words) != NULL, "%s", e.text);
	ck_assert_int_eq(io_pwrite(fd, own, TI_BLOCK, 0), 0);
}

START_TEST(superblocks)
{
	struct err e = ERR_INIT;
	struct thin_super super;

	make_pool(252, 1000, 5);
	expect_super(32, 1, "no thin pool superblock");
	expect_super(40, 3, "newer");
	expect_super(40, 0, "newer");
	expect_super(360, 1, "newer");
	expect_super(336, 0, "impossible");
	expect_super(336, 129, "impossible");
	expect_super(336, 2097152 + 128, "impossible");
	expect_super(340, 16, "impossible");
	expect_super(320, 1u << 30, "beyond the end");
	_cleanup_(thin_meta_freep) struct thin_meta *m = open_view(THIN_LIVE);

	ck_assert_int_eq(thin_meta_super(m, &super, &e), 0);
	ck_assert_uint_eq(super.time, 1);
	ck_assert_uint_eq(super.version, 2);
	ck_assert_uint_eq(super.transaction_id, TI_DEVICES);
	ck_assert_uint_eq(super.block_sectors, 128);
	ck_assert_uint_eq(super.data_used, 1005);
	ck_assert_uint_eq(super.data_blocks, 2005);
	ck_assert_uint_eq(super.meta_blocks, image_bytes / TI_BLOCK);
	ck_assert_uint_gt(super.meta_used, 10);
	ck_assert(!super.needs_check && super.held_root == 0);
	ck_assert_int_eq(ftruncate(fd, TI_BLOCK), 0);
	ck_assert_int_eq(thin_meta_find(m, &(struct thin_dev){.id = 0}, 1, &e), -1);
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_int_eq(thin_meta_super(m, &super, &e), -1);
	ti_free(image);
}
END_TEST

START_TEST(missing_device)
{
	struct err e = ERR_INIT;
	struct thin_dev dev[2] = {{.id = 7}, {.id = 1}};

	make_pool(252, 1000, 5);
	_cleanup_(thin_meta_freep) struct thin_meta *m = open_view(THIN_LIVE);

	ck_assert_int_eq(thin_meta_find(m, dev, 2, &e), 0);
	ck_assert(!dev[0].present && dev[1].present);
	ti_free(image);
}
END_TEST

/* --- a pool that changes while it is read --- */

static void (*meanwhile)(void);

static int change_pool(void *arg, enum thin_change kind, uint64_t first, uint64_t count)
{
	(void)kind, (void)first, (void)count;
	if (meanwhile) {
		meanwhile();
		write_image();
	}
	meanwhile = NULL;
	(*(unsigned *)arg)++;
	return 0;
}

static void map_in_third(void)
{
	ti_map(image, 2, 17);
}

static void map_in_second(void)
{
	ti_map(image, 1, 17);
}

static void delete_second(void)
{
	ti_delete(image, 1);
}

static void replace_second(void)
{
	ti_delete(image, 1);
	ti_snap(image, 1, 2);
}

static int diff_while(void (*change)(void), enum thin_view view, struct err *e)
{
	struct thin_dev dev[2];
	unsigned told = 0;
	int r;

	make_pool(252, 5000, 0);
	ti_snap(image, 2, 1);
	ti_map(image, 1, 100);
	ti_commit(image);
	if (view == THIN_HELD)
		ti_hold(image);
	write_image();
	_cleanup_(thin_meta_freep) struct thin_meta *m = open_view(view);

	find(m, dev);
	meanwhile = change;
	r = thin_diff(m, &dev[0], &dev[1], change_pool, &told, e);
	ck_assert_uint_eq(told, 1);
	ck_assert(meanwhile == NULL);
	ti_free(image);
	return r;
}

START_TEST(changing_pool)
{
	static void (*const bad[])(void) = {map_in_second, delete_second, replace_second};
	struct err e = ERR_INIT;

	ck_assert_int_eq(diff_while(NULL, THIN_LIVE, &e), 0);
	ck_assert_int_eq(diff_while(map_in_third, THIN_LIVE, &e), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		e = (struct err)ERR_INIT;
		ck_assert_int_eq(diff_while(bad[i], THIN_LIVE, &e), -1);
		ck_assert_msg(e.code == ERR_BUSY, "%s", e.text);
		e = (struct err)ERR_INIT;
		ck_assert_int_eq(diff_while(bad[i], THIN_HELD, &e), 0);
	}
}
END_TEST

static void release_held(void)
{
	image->held = 0;
}

static void replace_held(void)
{
	image->held = 0;
	ti_map(image, 1, 18);
	ti_hold(image);
}

START_TEST(metadata_snapshot)
{
	struct err e = ERR_INIT;
	struct story before, s;

	make_pool(252, 5000, 40);
	ck_assert_int_eq(read_all(THIN_HELD, &s, &e), -1);
	ck_assert(strstr(e.text, "no metadata snapshot") && strstr(e.hint, "reserve"));
	ck_assert_int_eq(read_all(THIN_LIVE, &before, &e), 0);
	ti_hold(image);
	ti_delete(image, 0);
	for (unsigned i = 0; i < 1000; i++)
		ti_map(image, 1, i);
	ti_commit(image);
	write_image();
	e = (struct err)ERR_INIT;
	ck_assert_msg(read_all(THIN_HELD, &s, &e) == 0, "%s", e.text);
	ck_assert(s.n == before.n && s.sum == before.sum);
	ti_free(image);

	ck_assert_int_eq(diff_while(release_held, THIN_HELD, &e), -1);
	ck_assert_int_eq(e.code, ERR_BUSY);
	e = (struct err)ERR_INIT;
	ck_assert_int_eq(diff_while(replace_held, THIN_HELD, &e), -1);
	ck_assert_int_eq(e.code, ERR_BUSY);
}
END_TEST

static int stop_at_third(void *arg, enum thin_change kind, uint64_t first, uint64_t count)
{
	(void)kind, (void)first, (void)count;
	return ++*(int *)arg == 3 ? 7 : 0;
}

START_TEST(stop_early)
{
	struct err e = ERR_INIT;
	struct thin_dev dev[2];
	int told = 0;

	make_pool(252, 5000, 40);
	_cleanup_(thin_meta_freep) struct thin_meta *m = open_view(THIN_LIVE);

	find(m, dev);
	ck_assert_int_eq(thin_diff(m, &dev[0], &dev[1], stop_at_third, &told, &e), 7);
	ck_assert_int_eq(told, 3);
	ti_free(image);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("thin-live");
	TCase *t = tcase_create("thin-live");
	SRunner *r;
	int failed;

	fd = memfd_create("image", 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	tcase_add_test(t, reads_follow_changes);
	tcase_add_test(t, any_flipped_bit);
	tcase_add_test(t, swapped_blocks);
	tcase_add_test(t, superblocks);
	tcase_add_test(t, missing_device);
	tcase_add_test(t, changing_pool);
	tcase_add_test(t, metadata_snapshot);
	tcase_add_test(t, stop_early);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
