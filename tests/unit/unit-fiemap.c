/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of extents and the comparison of clones against files of single blocks whose bytes are
 * known, told in batches of any size; answers that make no sense. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fiemap.h"

#define BLOCKS 200
#define BS     4096ULL

/* A block of a file: what holds it, and what it reads as. */
struct block {
	enum fiemap_kind kind;
	uint64_t place; /* in blocks; the bytes at a place never change */
	unsigned value; /* of a loose block */
};

struct image {
	struct block block[BLOCKS];
	uint64_t size; /* bytes */
	unsigned batch;
};

static unsigned bytes_of(const struct image *m, unsigned i)
{
	const struct block *b = &m->block[i];

	if (i * BS >= m->size)
		return ~0U; /* there is no such block */
	return b->kind == FIEMAP_DATA ? b->place + 1 : b->kind == FIEMAP_LOOSE ? b->value : 0;
}

static bool joins(const struct block *a, const struct block *b)
{
	return a->kind == b->kind && (a->kind == FIEMAP_LOOSE || a->place + 1 == b->place) &&
	       rand() % 8;
}

static uint32_t flags_of(enum fiemap_kind kind)
{
	static const uint32_t loose[] = {
		FIEMAP_EXTENT_UNKNOWN,     FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN,
		FIEMAP_EXTENT_DATA_INLINE, FIEMAP_EXTENT_ENCODED,
		FIEMAP_EXTENT_NOT_ALIGNED, FIEMAP_EXTENT_DATA_TAIL,
		FIEMAP_EXTENT_ENCODED,     0x40000000};

	return kind == FIEMAP_UNWRITTEN ? FIEMAP_EXTENT_UNWRITTEN
	       : kind == FIEMAP_LOOSE   ? loose[rand() % ARRAY_SIZE(loose)]
	       : rand() % 2             ? FIEMAP_EXTENT_SHARED
					: 0;
}

/* As a file system answers: whole extents, also one that begins before what is asked for. */
static int fetch(void *arg, struct fiemap *m)
{
	const struct image *im = arg;
	unsigned n = 0, most = im->batch < m->fm_extent_count ? im->batch : m->fm_extent_count;

	for (unsigned i = 0, k; i < BLOCKS && n < most; i = k) {
		k = i + 1;
		if (im->block[i].kind == FIEMAP_HOLE)
			continue;
		while (k < BLOCKS && joins(&im->block[k - 1], &im->block[k]))
			k++;
		if (k * BS <= m->fm_start || i * BS >= m->fm_start + m->fm_length)
			continue;
		m->fm_extents[n++] =
			(struct fiemap_extent){.fe_logical = i * BS,
					       .fe_length = (k - i) * BS,
					       .fe_physical = im->block[i].place * BS,
					       .fe_flags = flags_of(im->block[i].kind)};
	}
	m->fm_mapped_extents = n;
	return 0;
}

static void write_some(struct image *m, uint64_t *next_place)
{
	for (unsigned k = rand() % 12; k > 0; k--) {
		unsigned first = rand() % BLOCKS, n = rand() % 20;
		enum fiemap_kind kind = rand() % 4;

		for (unsigned i = first; i < first + n && i < BLOCKS; i++)
			m->block[i] = (struct block){kind, (*next_place)++, 1000000 + rand() % 3};
		*next_place += rand() % 2;
	}
}

struct seen {
	const struct image *b;
	bool changed[BLOCKS + 1];
	uint64_t end;
};

static int differ(void *arg, enum fiemap_kind kind, uint64_t offset, uint64_t length)
{
	struct seen *s = arg;

	ck_assert(length > 0 && offset >= s->end);
	s->end = offset + length;
	for (uint64_t i = offset / BS; i * BS < s->end; i++) {
		s->changed[i] = true;
		ck_assert(kind == FIEMAP_LOOSE || s->end > s->b->size ||
			  kind == s->b->block[i].kind);
	}
	return 0;
}

static bool same_place(const struct block *a, const struct block *b)
{
	bool zeros = a->kind <= FIEMAP_UNWRITTEN && b->kind <= FIEMAP_UNWRITTEN;

	return zeros || (a->kind == FIEMAP_DATA && b->kind == FIEMAP_DATA && a->place == b->place);
}

START_TEST(test_clones)
{
	struct image a = {0}, b;
	struct seen seen = {.b = &b};
	struct err e = ERR_INIT;
	struct fiemap_reader *ra, *rb;
	uint64_t place = 1;

	srand(_i);
	a.size = (rand() % BLOCKS) * BS + rand() % BS;
	a.batch = 1 + rand() % 20;
	write_some(&a, &place);
	b = a;
	write_some(&b, &place);
	if (rand() % 3 == 0)
		b.size = (rand() % BLOCKS) * BS + rand() % BS;
	ra = fiemap_open_fetch(fetch, &a);
	rb = fiemap_open_fetch(fetch, &b);
	ck_assert_int_eq(fiemap_compare(ra, a.size, rb, b.size, differ, &seen, &e), 0);
	for (unsigned i = 0; i < BLOCKS; i++) {
		ck_assert_msg(bytes_of(&a, i) == bytes_of(&b, i) || seen.changed[i],
			      "seed %d: block %u is missed", _i, i);
		if (i * BS + BS <= a.size && i * BS + BS <= b.size)
			ck_assert(seen.changed[i] != same_place(&a.block[i], &b.block[i]));
	}
	/* a second walk of the same readers asks anew */
	memset(&seen, 0, sizeof(seen));
	seen.b = &a;
	ck_assert_int_eq(fiemap_compare(rb, b.size, ra, a.size, differ, &seen, &e), 0);
	fiemap_close(ra);
	fiemap_close(rb);
}
END_TEST

/* From anywhere on, the runs are the blocks. */
START_TEST(test_seek)
{
	struct image a = {.size = BLOCKS * BS, .batch = 7};
	struct err e = ERR_INIT;
	struct fiemap_reader *r = fiemap_open_fetch(fetch, &a);
	struct fiemap_run run;
	uint64_t place = 1;

	srand(_i);
	write_some(&a, &place);
	for (unsigned k = 0; k < 20; k++) {
		uint64_t at = rand() % a.size, n = 0;

		fiemap_seek(r, at, a.size);
		while (n++ < 5 && fiemap_next(r, &run, &e) == 1) {
			ck_assert(run.offset >= at && run.length > 0);
			for (uint64_t i = (at + BS - 1) / BS; i * BS < run.offset; i++)
				ck_assert(a.block[i].kind == FIEMAP_HOLE);
			at = run.offset;
			ck_assert(a.block[at / BS].kind == run.kind);
			if (run.kind != FIEMAP_LOOSE)
				ck_assert(run.place == a.block[at / BS].place * BS + at % BS);
			at = run.offset + run.length;
		}
	}
	ck_assert(e.code == ERR_NONE);
	fiemap_close(r);
}
END_TEST

static const struct {
	unsigned n;
	struct fiemap_extent x[2];
} bad[] = {
	{1, {{.fe_logical = 0, .fe_length = 0}}},
	{1, {{.fe_logical = UINT64_MAX - 10, .fe_length = 4096}}},
	{1, {{.fe_logical = 4096, .fe_length = UINT64_MAX}}},
	{1, {{.fe_logical = 0, .fe_physical = UINT64_MAX - 10, .fe_length = 4096}}},
	{2, {{.fe_logical = 0, .fe_length = 8192}, {.fe_logical = 4096, .fe_length = 4096}}},
	{2, {{.fe_logical = 8192, .fe_length = 4096}, {.fe_logical = 0, .fe_length = 4096}}},
	{FIEMAP_BATCH + 1, {{.fe_logical = 0, .fe_length = 4096}}},
};

static int fetch_bad(void *arg, struct fiemap *m)
{
	const typeof(bad[0]) *b = arg;

	m->fm_mapped_extents = b->n;
	memcpy(m->fm_extents, b->x, sizeof(b->x));
	return 0;
}

START_TEST(test_refused)
{
	struct fiemap_reader *r = fiemap_open_fetch(fetch_bad, (void *)&bad[_i]);
	struct fiemap_run run;
	struct err e = ERR_INIT;

	fiemap_seek(r, 0, 1 << 20);
	ck_assert_int_eq(fiemap_next(r, &run, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "FIEMAP"));
	fiemap_close(r);
}
END_TEST

static int fetch_first(void *arg, struct fiemap *m)
{
	(void)arg;
	m->fm_mapped_extents = 1;
	m->fm_extents[0] = (struct fiemap_extent){.fe_logical = 0, .fe_length = 4096};
	return 0;
}

/* A file system that tells the same extent for ever. */
START_TEST(test_no_progress)
{
	struct fiemap_reader *r = fiemap_open_fetch(fetch_first, NULL);
	struct fiemap_run run;
	struct err e = ERR_INIT;

	fiemap_seek(r, 0, 1 << 20);
	ck_assert_int_eq(fiemap_next(r, &run, &e), 1);
	ck_assert_int_eq(fiemap_next(r, &run, &e), -1);
	fiemap_close(r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fiemap");
	TCase *t = tcase_create("fiemap");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, test_clones, 0, 100);
	tcase_add_loop_test(t, test_seek, 0, 20);
	tcase_add_loop_test(t, test_refused, 0, ARRAY_SIZE(bad));
	tcase_add_test(t, test_no_progress);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
