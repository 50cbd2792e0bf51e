/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random era metadata by era_image, compared block by block with what it was made of; damage in
 * every block is noticed; an image by era_restore, where that is installed. */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "era_image.h"
#include "era_meta.h"
#include "io.h"
#include "thin_node.h"

static int fd;
static char path[64];

static void setup(void)
{
	fd = memfd_create("image", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	srandom(7);
}

static void teardown(void)
{
	close(fd);
}

static void put(const struct era_image *i)
{
	ck_assert_int_eq(ftruncate(fd, EI_BLOCKS * EI_BLOCK), 0);
	ck_assert_int_eq(io_pwrite(fd, i->blocks, i->used * EI_BLOCK, 0), 0);
}

static void scatter(uint8_t *bit, uint32_t bits)
{
	for (uint32_t b = 0; b < bits; b++)
		bit[b] = random() % 16 == 0;
	for (uint32_t b = bits / 3; b < bits / 2; b++)
		bit[b] = 1;
}

/* As the kernel leaves it: eras below the lowest writeset are digested, that one may be in part. */
static struct era_image *random_image(uint32_t nr, unsigned digested, unsigned archived)
{
	struct era_image *i = ei_new(nr, 3 + random() % 20);

	for (uint32_t b = 0; b < nr; b++)
		if (random() % 4 == 0)
			i->last[b] = 1 + random() % digested;
	i->era = digested + 1;
	for (unsigned k = 0; k < archived; k++)
		scatter(ei_writeset(i, digested + 1 + k, nr), nr);
	for (uint32_t b = 0; archived && b < nr / 2; b++)
		if (i->writeset[0].bit[b])
			i->last[b] = i->writeset[0].era;
	return i;
}

static int written(enum era_view view, uint32_t since, struct bset *set, struct err *e)
{
	_cleanup_(era_meta_freep) struct era_meta *m = era_meta_open(path, view, e);

	return m ? era_meta_written(m, since, set, e) : -1;
}

static void compare(const struct era_image *i, enum era_view view)
{
	for (uint32_t since = 0; since <= i->era + 1; since++) {
		_cleanup_(bset_freep) struct bset *set = bset_new();
		struct err e = ERR_INIT;
		bool current = view == ERA_LIVE;

		ck_assert_msg(written(view, since, set, &e) == 0, "%s", e.text);
		for (uint32_t b = 0; b < i->nr; b++)
			if (bset_has(set, b) != ei_written(i, since, b, current))
				ck_abort_msg("since %u: block %u", since, b);
		ck_assert_uint_le(bset_count(set), i->nr);
	}
}

START_TEST(test_random)
{
	static const uint32_t sizes[] = {1, 63, 64, 65, 1018, 1019, 2036, 33000};
	struct era_image *i = random_image(sizes[_i], 4, _i % 5);

	ei_build(i, true);
	put(i);
	compare(i, ERA_HELD);
	scatter(ei_current(i), i->nr);
	ei_build(i, false);
	put(i);
	compare(i, ERA_LIVE);
	ei_free(i);
}
END_TEST

/* The device was shrunk or has grown since a writeset was archived. */
START_TEST(test_resized)
{
	struct era_image *i = ei_new(500, 5);

	memset(ei_writeset(i, 3, 700), 1, 700);
	memset(ei_writeset(i, 4, 100), 1, 100);
	ei_build(i, true);
	put(i);
	compare(i, ERA_HELD);
	ei_free(i);
}
END_TEST

START_TEST(test_super)
{
	struct era_image *i = random_image(1000, 3, 2);
	struct era_meta *m;
	struct era_super s;
	struct err e = ERR_INIT;

	ei_build(i, true);
	put(i);
	m = era_meta_open(path, ERA_HELD, &e);
	ck_assert_msg(m != NULL, "%s", e.text);
	ck_assert_int_eq(era_meta_super(m, &s, &e), 0);
	ck_assert_uint_eq(s.era, 6);
	ck_assert_uint_eq(s.blocks, 1000);
	ck_assert_uint_eq(s.block_sectors, 128);
	ck_assert_uint_eq(s.held_root, i->held);
	ck_assert_uint_eq(s.meta_total, EI_BLOCKS);
	era_meta_free(m);
	ei_free(i);
}
END_TEST

/* Dropped, or dropped and taken again, between opening and end. */
START_TEST(test_snapshot_gone)
{
	struct era_image *i = random_image(3000, 3, 2);
	_cleanup_(bset_freep) struct bset *set = bset_new();
	struct err e = ERR_INIT;
	struct era_meta *m;

	ei_build(i, true);
	put(i);
	m = era_meta_open(path, ERA_HELD, &e);
	ck_assert_ptr_nonnull(m);
	tn_put64(i->blocks + 216, 0);
	ei_seal(i->blocks, 0, EI_SUPER);
	put(i);
	ck_assert_int_eq(era_meta_written(m, 1, set, &e), -1);
	ck_assert_int_eq(e.code, ERR_BUSY);
	tn_put64(i->blocks + 216, i->held);
	ei_seal(i->blocks, 0, EI_SUPER);
	tn_put32(i->blocks + i->held * EI_BLOCK + 184, 99);
	ei_seal(i->blocks + i->held * EI_BLOCK, i->held, EI_SUPER);
	put(i);
	ck_assert_int_eq(era_meta_written(m, 1, set, &e), -1);
	ck_assert_int_eq(e.code, ERR_BUSY);
	ck_assert_uint_eq(bset_count(set), 0);
	era_meta_free(m);
	ck_assert_int_eq(written(ERA_HELD, 1, set, &e), 0);
	ei_free(i);
}
END_TEST

/* A flipped bit anywhere in use, and fields that lie under a right checksum. */
START_TEST(test_damage)
{
	struct era_image *i = random_image(70000, 3, 2);
	struct bset *set = bset_new();
	struct err e;

	ei_build(i, true);
	put(i);
	ck_assert_int_eq(written(ERA_HELD, 0, set, &e), 0);
	for (uint64_t b = 0; b < i->used; b++) {
		uint8_t *p = i->blocks + b * EI_BLOCK + random() % EI_BLOCK,
			flip = 1 << random() % 8;

		*p ^= flip;
		put(i);
		ck_assert_msg(written(ERA_HELD, 0, set, &e) == -1, "block %lu", (unsigned long)b);
		ck_assert_int_eq(e.code, ERR_FAILED);
		*p ^= flip;
	}
	bset_free(set);
	ei_free(i);
}
END_TEST

START_TEST(test_lies)
{
	static const struct {
		uint64_t block; /* UINT64_MAX: the first array block, which is block 1 */
		unsigned offset;
		uint32_t value;
	} lies[] = {{0, 40, 2},       {0, 172, 0},        {0, 172, 129},  {0, 172, 1u << 22},
		    {0, 176, 1},      {0, 180, 1u << 31}, {0, 180, 5000}, {0, 208, 4095},
		    {0, 208, 100000}, {0, 32, 1},         {1, 12, 8},     {1, 4, 1017},
		    {1, 8, 1017},     {1, 8, 1019}};
	struct era_image *i = random_image(2000, 3, 0);
	struct bset *set = bset_new();
	struct err e;

	for (unsigned k = 0; k < sizeof(lies) / sizeof(*lies); k++) {
		ei_build(i, false);
		tn_put32(i->blocks + lies[k].block * EI_BLOCK + lies[k].offset, lies[k].value);
		ei_seal(i->blocks + lies[k].block * EI_BLOCK, lies[k].block,
			ei_kind(i, lies[k].block));
		put(i);
		ck_assert_msg(written(ERA_LIVE, 0, set, &e) == -1, "lie %u", k);
	}
	bset_free(set);
	ei_free(i);
}
END_TEST

static const char xml[] =
	"<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"200\" current_era=\"5\">\n"
	"<writeset era=\"3\" nr_bits=\"200\">\n"
	"<bit block=\"7\" value=\"true\"/><bit block=\"64\" value=\"true\"/></writeset>\n"
	"<writeset era=\"4\" nr_bits=\"200\"><bit block=\"199\" value=\"true\"/></writeset>\n"
	"<era_array>\n";

START_TEST(test_era_restore)
{
	char in[] = "/tmp/unit-era-XXXXXX", command[256];
	_cleanup_close_ int xfd = mkstemp(in),
			    out = mkostemp(strcpy(path, "/tmp/unit-erb-XXXXXX"), 0);
	FILE *f = fdopen(dup(xfd), "w");
	struct bset *set = bset_new();
	struct err e;

	ck_assert(f && out >= 0 && ftruncate(out, 4 << 20) == 0);
	fputs(xml, f);
	for (int b = 0; b < 200; b++)
		fprintf(f, "<era block=\"%d\" era=\"%d\"/>\n", b, b % 3);
	fputs("</era_array></superblock>\n", f);
	fclose(f);
	snprintf(command, sizeof(command), "era_restore -i %s -o %s >/dev/null 2>&1", in, path);
	if (system("command -v era_restore >/dev/null") == 0) {
		ck_assert_int_eq(system(command), 0);
		ck_assert_int_eq(written(ERA_LIVE, 4, set, &e), 0);
		ck_assert_uint_eq(bset_count(set), 1);
		ck_assert(bset_has(set, 199));
		ck_assert_int_eq(written(ERA_LIVE, 3, set, &e), 0);
		ck_assert_uint_eq(bset_count(set), 3);
		ck_assert_int_eq(written(ERA_LIVE, 2, set, &e), 0);
		ck_assert_uint_eq(bset_count(set), 66 + 3); /* b % 3 == 2, and 7, 64, 199 */
		ck_assert(bset_has(set, 7) && bset_has(set, 2) && !bset_has(set, 3));
	}
	unlink(in);
	unlink(path);
	bset_free(set);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("era");
	TCase *c = tcase_create("metadata");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 0);
	tcase_add_loop_test(c, test_random, 0, 8);
	tcase_add_test(c, test_resized);
	tcase_add_test(c, test_super);
	tcase_add_test(c, test_snapshot_gone);
	tcase_add_test(c, test_damage);
	tcase_add_test(c, test_lies);
	tcase_add_test(c, test_era_restore);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
