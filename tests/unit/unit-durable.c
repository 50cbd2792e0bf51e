/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: nobody returns before a flush that began after his record was handed in; many share one
 * flush; a failed flush fails everybody, for good. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "durable.h"

#define THREADS 8
#define ROUNDS  200

static atomic_uint flushes, running, written;
static atomic_uint durable_count; /* changed by the flusher only: never two at once */
static atomic_bool fail;

static int flush(void *arg, const struct buf *batch, struct err *e)
{
	unsigned now = written; /* what a real flush would make durable */

	(void)arg;
	ck_assert_uint_eq(atomic_fetch_add(&running, 1), 0);
	usleep(200);
	flushes++;
	durable_count = now;
	ck_assert_uint_gt(batch->len, 0);
	atomic_fetch_sub(&running, 1);
	return fail ? err_set(e, ERR_FAILED, "disk gone") : 0;
}

static void *writer(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		unsigned mine = atomic_fetch_add(&written, 1) + 1;
		struct err e;

		buf_put_u8(&b, i);
		ck_assert_int_eq(durable_put(arg, &b, &e), 0);
		ck_assert_uint_ge(durable_count, mine);
	}
	return NULL;
}

START_TEST(group_commit)
{
	struct durable *d = durable_new(flush, NULL);
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, writer, d);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(written, THREADS * ROUNDS);
	ck_assert_uint_lt(flushes, THREADS * ROUNDS / 2); /* they were shared */
	durable_free(d);
}
END_TEST

START_TEST(failure_is_final)
{
	struct durable *d = durable_new(flush, NULL);
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e;

	buf_put_u8(&b, 1);
	ck_assert_int_eq(durable_put(d, &b, &e), 0);
	fail = true;
	ck_assert_int_eq(durable_put(d, &b, &e), -1);
	fail = false;
	ck_assert_int_eq(durable_put(d, &b, &e), -1);
	ck_assert_str_eq(e.text, "disk gone");
	durable_free(d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("durable");
	TCase *t = tcase_create("durable");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, group_commit);
	tcase_add_test(t, failure_is_final);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
