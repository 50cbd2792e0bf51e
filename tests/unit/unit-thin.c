/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random pools by thin_image, compared block by block with plain arrays: what differs, what is
 * mapped, and how many metadata blocks were read to find out. */
#define _GNU_SOURCE
#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bset.h"
#include "thin_diff.h"
#include "thin_image.h"
#include "thin_map.h"

#define KEYS 3000
#define DEVS 6

static uint64_t model[DEVS][KEYS]; /* data block + 1; 0: unmapped */
static struct thin_image *image;
static int fd;
static char path[64];
static uint64_t surplus, walks; /* blocks read beyond what differs, over all walks */

enum { SAME = 0, CHANGED = 1, UNMAPPED = 2 };
static uint8_t told[KEYS];
static uint64_t told_end; /* where the next range may begin */
static int told_kind;

static void mark(uint64_t first, uint64_t count, int kind)
{
	bool apart = first > told_end || (first == told_end && kind != told_kind);

	/* no ck_assert_... where it is called often: each writes a word to libcheck's file */
	if (count == 0 || first + count > KEYS || (told_end && !apart))
		ck_abort_msg("range %lu+%lu after %lu", (unsigned long)first, (unsigned long)count,
			     (unsigned long)told_end);
	memset(told + first, kind, count);
	told_end = first + count;
	told_kind = kind;
}

static int on_change(void *arg, enum thin_change kind, uint64_t first, uint64_t count)
{
	(void)arg;
	mark(first, count, kind == THIN_CHANGED ? CHANGED : UNMAPPED);
	return 0;
}

static int on_run(void *arg, uint64_t first, uint64_t count)
{
	(void)arg;
	mark(first, count, CHANGED);
	return 0;
}

static void forget_told(void)
{
	memset(told, SAME, sizeof(told));
	told_end = 0;
}

/* --- random changes --- */

static void map_run(unsigned id, uint64_t key, uint64_t count)
{
	for (; count-- && key < KEYS; key++)
		model[id][key] = ti_map(image, id, key) + 1;
}

static void unmap_run(unsigned id, uint64_t key, uint64_t count)
{
	for (; count-- && key < KEYS; key++) {
		if (model[id][key])
			ti_unmap(image, id, key);
		model[id][key] = 0;
	}
}

static void change_devices(unsigned id)
{
	unsigned origin = rand() % DEVS;

	if (image->dev[id].present) {
		ti_delete(image, id);
		memset(model[id], 0, sizeof(model[id]));
	} else if (image->dev[origin].present) {
		ti_snap(image, id, origin);
		memcpy(model[id], model[origin], sizeof(model[id]));
	} else {
		ti_create(image, id);
	}
}

static void change(void)
{
	unsigned id = rand() % DEVS, key = rand() % KEYS;

	if (rand() % 8 == 0)
		change_devices(id);
	if (rand() % 4 == 0)
		ti_commit(image);
	if (!image->dev[id].present)
		return;
	switch (rand() % 8) {
	case 0: map_run(id, key, rand() % 400); break;
	case 1: unmap_run(id, key, rand() % 400); break;
	case 2: unmap_run(id, 0, rand() % 20 ? 0 : KEYS); break;
	case 3: unmap_run(id, key, 1); break;
	default: map_run(id, key, 1 + rand() % 3);
	}
}

static void start_pool(unsigned seed)
{
	static const unsigned fanouts[] = {3, 6, 9, 21, 252};

	srand(seed);
	memset(model, 0, sizeof(model));
	image = ti_new(fanouts[seed % 5], 128 * (1 + rand() % 5));
	image->ragged = rand() % 2;
	ti_create(image, 0);
	map_run(0, 0, rand() % KEYS);
}

/* --- what a walk may read --- */

static unsigned reached[TI_BLOCKS];

/* Counts nodes below block that are not marked by; marks them. */
static unsigned reach(uint64_t block, unsigned by, unsigned not_by)
{
	const uint8_t *n = image->blocks + block * TI_BLOCK;
	uint32_t flags, nr, max;
	unsigned count = 1;
	uint64_t child;

	if (not_by && reached[block] == not_by)
		return 0;
	reached[block] = by;
	memcpy(&flags, n + 4, 4);
	memcpy(&nr, n + 16, 4);
	memcpy(&max, n + 20, 4);
	for (unsigned i = 0; flags == 1 && i < nr; i++) {
		memcpy(&child, n + 32 + 8 * (max + i), 8);
		count += reach(child, by, not_by);
	}
	return count;
}

/* Nodes that are in one of two trees only. */
static unsigned different_nodes(unsigned a, unsigned b)
{
	static unsigned stamp;
	unsigned only;

	stamp += 4;
	reach(image->dev[a].root, stamp + 1, 0);
	only = reach(image->dev[b].root, stamp + 2, stamp + 1);
	reach(image->dev[b].root, stamp + 3, 0);
	return only + reach(image->dev[a].root, stamp + 4, stamp + 3);
}

/* --- comparisons --- */

static struct thin_meta *open_image(struct thin_dev dev[DEVS])
{
	struct err e = ERR_INIT;
	struct thin_meta *m;

	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ti_write(image, fd);
	m = thin_meta_open(path, THIN_LIVE, &e);
	ck_assert_msg(m != NULL, "%s", e.text);
	for (unsigned i = 0; i < DEVS; i++)
		dev[i].id = i;
	ck_assert_msg(thin_meta_find(m, dev, DEVS, &e) == 0, "%s", e.text);
	for (unsigned i = 0; i < DEVS; i++) {
		ck_assert_int_eq(dev[i].present, image->dev[i].present);
		if (!dev[i].present)
			continue;
		ck_assert_uint_eq(dev[i].root, image->dev[i].root);
		ck_assert_uint_eq(dev[i].mapped_blocks, image->dev[i].mapped);
		ck_assert_uint_eq(dev[i].creation_time, image->dev[i].creation);
		ck_assert_uint_eq(dev[i].snapshotted_time, image->dev[i].snapshotted);
		ck_assert_uint_eq(dev[i].transaction_id, i + 1);
	}
	return m;
}

static int expected(unsigned a, unsigned b, unsigned key)
{
	if (model[a][key] == model[b][key])
		return SAME;
	return model[b][key] ? CHANGED : UNMAPPED;
}

static void compare(struct thin_meta *m, const struct thin_dev *dev, unsigned a, unsigned b)
{
	struct err e = ERR_INIT;
	uint64_t before = thin_meta_stats(m).blocks, reads, differ = different_nodes(a, b);

	forget_told();
	ck_assert_msg(thin_diff(m, &dev[a], &dev[b], on_change, NULL, &e) == 0, "%s", e.text);
	for (unsigned k = 0; k < KEYS; k++)
		if (told[k] != expected(a, b, k))
			ck_abort_msg("devices %u %u, block %u: %d", a, b, k, told[k]);
	reads = thin_meta_stats(m).blocks - before - 6; /* 6: to look both up again */
	if (differ == 0)
		ck_assert_uint_eq(reads, 0);
	walks++;
	surplus += reads > differ ? reads - differ : 0;
	ck_assert_msg(reads <= differ + 16, "%lu reads, %lu nodes differ", (unsigned long)reads,
		      (unsigned long)differ);
}

static void compare_map(struct thin_meta *m, const struct thin_dev *dev, unsigned a)
{
	_cleanup_(bset_freep) struct bset *set = bset_new();
	bool all = rand() % 3 == 0;
	uint64_t from = rand() % 2 ? 0 : rand() % KEYS;
	struct err e = ERR_INIT;

	for (unsigned i = rand() % 20; i > 0; i--)
		ck_assert_int_eq(bset_add(set, rand() % KEYS, rand() % 200), 0);
	forget_told();
	ck_assert_msg(thin_map(m, &dev[a], all ? NULL : set, from, on_run, NULL, &e) == 0, "%s",
		      e.text);
	for (unsigned k = 0; k < KEYS; k++)
		if (told[k] != (k >= from && model[a][k] && (all || bset_has(set, k))))
			ck_abort_msg("device %u, block %u: %d", a, k, told[k]);
}

static void compare_all(void)
{
	struct thin_dev dev[DEVS];
	_cleanup_(thin_meta_freep) struct thin_meta *m = open_image(dev);

	for (unsigned a = 0; a < DEVS; a++) {
		if (!dev[a].present)
			continue;
		compare_map(m, dev, a);
		for (unsigned b = 0; b < DEVS; b++)
			if (dev[b].present)
				compare(m, dev, a, b);
	}
}

START_TEST(random_pools)
{
	const char *more = getenv("SRSYNC_TEST_SEEDS"); /* for a longer run by hand */
	unsigned seeds = more ? atoi(more) : 40;

	for (unsigned seed = 0; seed < seeds; seed++) {
		start_pool(seed);
		for (unsigned round = 0; round < 6; round++) {
			for (unsigned i = rand() % 60; i > 0; i--)
				change();
			compare_all();
		}
		ti_free(image);
	}
	printf("%lu walks, %lu blocks read beyond those that differ\n", (unsigned long)walks,
	       (unsigned long)surplus);
}
END_TEST

/* Without io_uring the same blocks come by threads. */
START_TEST(without_ring)
{
	setenv("SRSYNC_NO_URING", "1", 1);
	start_pool(4);
	for (unsigned i = 0; i < 300; i++)
		change();
	compare_all();
	ti_free(image);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("thin");
	TCase *t = tcase_create("thin");
	SRunner *r;
	int failed;

	mallopt(M_TRIM_THRESHOLD,
		64 << 20); /* thousands of walks: do not fault in their memory anew */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	fd = memfd_create("image", 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	tcase_add_test(t, random_pools);
	tcase_add_test(t, without_ring);
	tcase_set_timeout(t, 0);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
