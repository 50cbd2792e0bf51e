/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the pacing keeps the age of the committed cut below the RPO, backs off when the peer is
 * away, and never throws a half-shipped cut away without need. */
#include <check.h>

#include "pace.h"

#define NOW 1000000000LL

static struct pace_facts healthy(void)
{
	return (struct pace_facts){.now = NOW, .rpo = 60000, .last_cut = NOW, .ship_time = 10000};
}

START_TEST(first_cut_is_due_at_once)
{
	struct pace_facts f = {.now = NOW, .rpo = 60000};

	ck_assert_int_eq(pace_next(&f).action, PACE_SYNC);
}
END_TEST

/* Plays cuts one after the other: at no instant may the committed cut be older than the RPO. (When
 * shipping takes more than half the RPO, nothing can keep it: cut and ship do not overlap.) */
START_TEST(age_stays_below_the_rpo)
{
	struct pace_facts f = healthy();
	int64_t committed = f.last_cut;

	for (int i = 0; i < 1000; i++) {
		struct pace p = pace_next(&f);
		int64_t ship = 1000 + (i * 7919) % 27000; /* up to half the RPO, varying */

		if (p.action == PACE_WAIT) {
			ck_assert_int_gt(p.at, f.now);
			f.now = p.at;
			continue;
		}
		ck_assert_int_eq(p.action, PACE_SYNC);
		f.last_cut = f.now;
		f.ship_time = 28000; /* as bad as it gets */
		f.now += ship;
		ck_assert_int_le(f.now - committed, f.rpo);
		committed = f.last_cut;
	}
}
END_TEST

START_TEST(never_faster_than_the_minimum)
{
	struct pace_facts f = healthy();
	struct pace p;

	f.ship_time = 90000; /* longer than the RPO: back to back, but not spinning */
	p = pace_next(&f);
	ck_assert_int_eq(p.action, PACE_WAIT);
	ck_assert_int_eq(p.at, NOW + PACE_MIN_MS);
}
END_TEST

START_TEST(backs_off_and_stops_growing)
{
	struct pace_facts f = healthy();
	int64_t last = 0;

	f.last_try = NOW;
	for (f.failures = 1; f.failures < 40; f.failures++) {
		struct pace p = pace_next(&f);

		ck_assert_int_eq(p.action, PACE_WAIT);
		ck_assert_int_ge(p.at - NOW, last);
		ck_assert_int_le(p.at - NOW, PACE_BACKOFF_MAX_MS);
		last = p.at - NOW;
	}
	ck_assert_int_eq(last, PACE_BACKOFF_MAX_MS);
	f.failures = 1;
	ck_assert_int_eq(pace_next(&f).at, NOW + PACE_BACKOFF_MS);
}
END_TEST

START_TEST(finishes_a_partial_cut_unless_space_is_low)
{
	struct pace_facts f = healthy();

	f.pending = f.partial = true;
	ck_assert_int_eq(pace_next(&f).action, PACE_RESUME);
	f.space_low = true;
	ck_assert_int_eq(pace_next(&f).action, PACE_SYNC);
	f.space_low = f.partial = false;
	ck_assert_int_eq(pace_next(&f).action, PACE_SYNC);
}
END_TEST

START_TEST(a_clock_set_back_stops_nothing)
{
	struct pace_facts f = healthy();

	f.last_cut = NOW + 86400000;
	ck_assert_int_eq(pace_next(&f).action, PACE_SYNC);
	f.last_cut = NOW;
	f.failures = 3;
	f.last_try = NOW + 86400000;
	ck_assert_int_eq(pace_next(&f).action, PACE_SYNC);
}
END_TEST

START_TEST(pause_waits)
{
	struct pace_facts f = healthy();

	f.pending = f.paused = true;
	ck_assert_int_eq(pace_next(&f).action, PACE_WAIT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pace");
	TCase *t = tcase_create("pace");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, first_cut_is_due_at_once);
	tcase_add_test(t, age_stays_below_the_rpo);
	tcase_add_test(t, never_faster_than_the_minimum);
	tcase_add_test(t, backs_off_and_stops_growing);
	tcase_add_test(t, finishes_a_partial_cut_unless_space_is_low);
	tcase_add_test(t, a_clock_set_back_stops_nothing);
	tcase_add_test(t, pause_waits);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
