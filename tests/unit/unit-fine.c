/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: of the changed chunks exactly the pages stay that differ or were not compared; when it is
 * tried follows from what it brought. */
#include <check.h>
#include <string.h>
#include <unistd.h>

#include "fake_volume.h"
#include "fine.h"
#include "refine.h"

#define PAGE FINE_PAGE

static uint64_t rnd;

struct setup {
	struct fake_volume *f;
	uint8_t *base; /* bytes of the base cut, as long as the volume */
	struct bset *chunks;
	struct refine r;
	uint64_t ticks, done, stop; /* stop: tick so often, 0: for ever */
};

static bool tick(void *arg, uint64_t done)
{
	struct setup *s = arg;

	ck_assert_uint_gt(done, s->done);
	s->done = done;
	return ++s->ticks != s->stop;
}

/* The base is the cut with some pages altered, a byte of each. */
static void make(struct setup *s, uint64_t size, uint64_t unit)
{
	*s = (struct setup){.f = fake_new(size), .base = xcalloc(1, size), .chunks = bset_new()};
	fake_fill(s->f, unit, &rnd);
	s->f->v.block_size = 65536;
	memcpy(s->base, s->f->bytes, size);
	for (unsigned i = 0; i < size / PAGE / 5; i++)
		s->base[fake_random(&rnd) % size] ^= 1;
	s->f->base = fake_file(size, 0);
	fake_write(s->f->base, s->base, size, 0);
	for (unsigned i = 0; i < 20; i++)
		bset_add(s->chunks, fake_random(&rnd) % (size / 65536 + 1),
			 1 + fake_random(&rnd) % 9);
	s->r = (struct refine){&s->f->v, "base", "cut", size, s->chunks, tick, s};
}

static void done(struct setup *s)
{
	close(s->f->base);
	bset_free(s->chunks);
	free(s->base);
	fake_free(s->f);
}

static bool has_data(const struct fake_volume *f, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->x[i].kind == VOLUME_DATA && f->x[i].offset < to &&
		    from < f->x[i].offset + f->x[i].length)
			return true;
	return false;
}

/* The page was read on both sides, and the sides were equal. */
static bool proven(const struct setup *s, uint64_t page)
{
	uint64_t from = page * PAGE, to = from + PAGE;

	return to <= s->r.base_size && to <= s->f->v.size && has_data(s->f, from, to) &&
	       !memcmp(s->base + from, s->f->bytes + from, PAGE);
}

START_TEST(keeps_what_differs)
{
	static const uint64_t units[] = {512, 4096, 65536};
	_cleanup_(bset_freep) struct bset *fine = NULL;
	uint64_t size = (6u << 20) + (_i % 4 == 3 ? 512 * 5 : 0), wrong = 0;
	struct err e = ERR_INIT;
	struct setup s;

	rnd = _i;
	make(&s, size, units[_i % 3]);
	if (_i % 5 == 4)
		s.r.base_size = fake_random(&rnd) % size;
	if (_i % 2)
		s.f->split = 512 * 77;
	fine = refine_run(&s.r, &e);
	ck_assert_msg(fine != NULL, "%s", e.text);
	for (uint64_t i = 0; i < size / PAGE + 100; i++)
		wrong += bset_has(fine, i) != (bset_has(s.chunks, i / 16) && !proven(&s, i));
	ck_assert_uint_eq(wrong, 0);
	ck_assert(s.ticks > 0 || s.r.base_size < size);
	done(&s);
}
END_TEST

START_TEST(gives_up)
{
	struct err e = ERR_INIT;
	struct setup s;

	rnd = 7;
	make(&s, 32u << 20, 65536);
	s.stop = 3;
	ck_assert_ptr_null(refine_run(&s.r, &e));
	ck_assert_str_eq(e.text, "stopped");
	s.stop = s.done = 0;
	s.f->lost = true;
	ck_assert_ptr_null(refine_run(&s.r, &e));
	ck_assert_str_eq(e.text, "it is lost");
	s.f->lost = false;
	s.f->unreadable = true;
	s.done = 0;
	ck_assert_ptr_null(refine_run(&s.r, &e));
	ck_assert_msg(strstr(e.text, "read of") != NULL, "%s", e.text);
	done(&s);
}
END_TEST

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

START_TEST(policy)
{
	struct fine_history h = {0};

	ck_assert(fine_wanted(FINE_ON, &h, 3 * GIB, 4 * GIB));
	ck_assert(!fine_wanted(FINE_ON, &h, 0, 4 * GIB));
	ck_assert(!fine_wanted(FINE_OFF, &h, MIB, 4 * GIB));
	ck_assert(!fine_wanted(FINE_AUTO, &h, 0, 4 * GIB));
	ck_assert(fine_wanted(FINE_AUTO, &h, GIB, 4 * GIB)); /* nothing known */
	ck_assert(!fine_wanted(FINE_AUTO, &h, GIB + 1, 4 * GIB));
	fine_learn(&h, GIB, GIB * 9 / 10);
	ck_assert(!fine_wanted(FINE_AUTO, &h, GIB, 4 * GIB));
	ck_assert(fine_wanted(FINE_AUTO, &h, 16 * MIB, 4 * GIB)); /* small */
	h.skipped = FINE_PROBE - 1;
	ck_assert(!fine_wanted(FINE_AUTO, &h, GIB, 4 * GIB));
	h.skipped++;
	ck_assert(fine_wanted(FINE_AUTO, &h, GIB, 4 * GIB));
	h.failed = true;
	fine_learn(&h, GIB, GIB / 16);
	ck_assert(h.skipped == 0 && !h.failed);
	ck_assert(fine_wanted(FINE_AUTO, &h, GIB, 4 * GIB)); /* two seen: 1/3 of 0.9, 2/3 of 1/16 */
	for (unsigned i = 0; i < 3; i++)
		fine_learn(&h, GIB, GIB);
	ck_assert(!fine_wanted(FINE_AUTO, &h, GIB, 4 * GIB));
}
END_TEST

START_TEST(words_and_grain)
{
	enum fine_mode m;

	for (unsigned i = FINE_AUTO; i <= FINE_OFF; i++)
		ck_assert(fine_parse(fine_word(i), &m) && m == i);
	ck_assert(!fine_parse("", &m) && !fine_parse("On", &m));
	ck_assert_uint_eq(fine_block_size(16ULL << 40, 65536), PAGE);
	ck_assert_uint_eq(fine_block_size((16ULL << 40) + 1, 65536), 65536);
	ck_assert_uint_eq(fine_block_size(GIB, 512), 512);
	ck_assert_uint_eq(fine_block_size(GIB, PAGE), PAGE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fine");
	TCase *t = tcase_create("fine");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, keeps_what_differs, 0, 20);
	tcase_add_test(t, gives_up);
	tcase_add_test(t, policy);
	tcase_add_test(t, words_and_grain);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
