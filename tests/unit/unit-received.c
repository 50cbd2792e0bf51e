/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the list of received segments believes only whole records of its own manifest, at whatever
 * byte it was torn and whichever bit was flipped. */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "received.h"

static const uint8_t digest[RECEIVED_DIGEST] = "0123456789abcdef";
static const uint8_t other[RECEIVED_DIGEST] = "0123456789abcdeF";
static char path[] = "received.XXXXXX";

static struct received *reopen(const uint8_t *d, bool create)
{
	struct err e = ERR_INIT;
	struct received *r =
		create ? received_create(path, d, 65536, &e) : received_open(path, d, 65536, &e);

	ck_assert_int_eq(e.code, ERR_NONE);
	return r;
}

static void note(struct received *r, uint64_t segment, uint64_t offset, uint64_t length)
{
	const struct received_extent x = {1, offset, length};
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e;

	received_note(&b, segment, &x, 1);
	ck_assert_int_eq(received_write(r, &b, &e), 0);
}

START_TEST(remembers)
{
	struct received *r;

	unlink(path);
	ck_assert_ptr_null(reopen(digest, false));
	r = reopen(digest, true);
	note(r, 7, 100, 65536); /* touches granules 0 and 1 */
	note(r, 3, 10 * 65536, 65536);
	received_free(r);
	ck_assert_ptr_null(reopen(other, false));
	r = reopen(digest, false);
	ck_assert_uint_eq(bset_count(received_segments(r)), 2);
	ck_assert(bset_has(received_segments(r), 7) && bset_has(received_segments(r), 3));
	ck_assert_uint_eq(bset_count(received_touched(r, 1)), 3);
	ck_assert(bset_has(received_touched(r, 1), 1));
	ck_assert_ptr_null(received_touched(r, 0));
	received_free(r);
	r = reopen(digest, true); /* anew, though it is the same manifest */
	ck_assert_uint_eq(bset_count(received_segments(r)), 0);
	received_free(r);
	r = reopen(other, true); /* another manifest: empty */
	ck_assert_uint_eq(bset_count(received_segments(r)), 0);
	received_free(r);
}
END_TEST

static void make(struct buf *whole)
{
	struct received *r;
	struct err e;

	unlink(path);
	r = reopen(digest, true);
	for (uint64_t i = 0; i < 4; i++)
		note(r, i, i << 20, 1 << 20);
	received_free(r);
	ck_assert_int_eq(io_read_file(path, 1 << 20, whole, &e), 0);
}

static void store(const struct buf *b, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(io_write(fd, b->data, len), 0);
	close(fd);
}

START_TEST(torn_at_every_byte)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	const size_t header = 24, record = 12 + 18 + 8;

	make(&b);
	ck_assert_uint_eq(b.len, header + 4 * record);
	for (size_t len = header; len <= b.len; len++) {
		struct received *r;

		store(&b, len);
		r = reopen(digest, false);
		ck_assert_uint_eq(bset_count(received_segments(r)), (len - header) / record);
		note(r, 100, 0, 512); /* goes on behind the last whole record */
		received_free(r);
		r = reopen(digest, false);
		ck_assert_uint_eq(bset_count(received_segments(r)), (len - header) / record + 1);
		received_free(r);
	}
}
END_TEST

START_TEST(flipped_at_every_bit)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	make(&b);
	for (size_t bit = 24 * 8; bit < b.len * 8; bit++) {
		struct received *r;

		b.data[bit / 8] ^= 1 << bit % 8;
		store(&b, b.len);
		b.data[bit / 8] ^= 1 << bit % 8;
		r = reopen(digest, false);
		/* the records before the damaged one count, it and the rest do not */
		ck_assert_uint_eq(bset_count(received_segments(r)), (bit / 8 - 24) / 38);
		received_free(r);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("received");
	TCase *t = tcase_create("received");
	SRunner *r = srunner_create(s);
	int failed;

	close(mkstemp(path));
	tcase_set_timeout(t, 60);
	tcase_add_test(t, remembers);
	tcase_add_test(t, torn_at_every_byte);
	tcase_add_test(t, flipped_at_every_bit);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	unlink(path);
	return failed != 0;
}
