/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the spool gives back what was put, of its own manifest only; what is torn, damaged, missing
 * or another's never passes for a segment. */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "spool.h"

static const uint8_t digest[MANIFEST_DIGEST] = "0123456789abcdef";
static const uint8_t other[MANIFEST_DIGEST] = "0123456789abcdeF";
static struct manifest m = {.seed = 7, .segments = 100, .volumes = 1};
static char path[] = "spool.XXXXXX";

static void make_frame(struct buf *out, uint64_t number, uint8_t byte, unsigned pages)
{
	struct segment s = {.number = number, .extents = 1};

	buf_reset(out);
	s.raw_len = s.stored_len = pages * 4096;
	s.extent[0] = (struct segment_extent){number * 65536, s.raw_len, SEGMENT_DATA};
	segment_put_head(&s, out);
	for (unsigned i = 0; i < s.raw_len; i++)
		buf_put_u8(out, byte);
	for (unsigned i = 0; i < SEGMENT_SUM; i++)
		buf_put_u8(out, 0);
	segment_seal(out->data, out->len, m.seed);
}

static struct spool *filled(const uint64_t *number, unsigned n)
{
	struct err e = ERR_INIT;
	struct spool *s = spool_create(path, digest, &e);
	_cleanup_buf_ struct buf f = BUF_INIT;

	ck_assert_msg(s != NULL, "%s", e.text);
	for (unsigned i = 0; i < n; i++) {
		make_frame(&f, number[i], (uint8_t)number[i], 3);
		ck_assert_int_eq(spool_put(s, number[i], f.data, f.len, &e), 0);
	}
	ck_assert_int_eq(spool_flush(s, &e), 0);
	return s;
}

/* 1: there and whole, as segment_decode says. */
static int whole(struct spool *s, uint64_t number)
{
	_cleanup_buf_ struct buf got = BUF_INIT, want = BUF_INIT;
	struct segment *seg = NULL;
	struct err e = ERR_INIT;

	if (spool_get(s, number, &got, &e) == 0)
		seg = segment_decode(got.data, got.len, &m, &e);
	if (!seg)
		return 0;
	segment_free(seg);
	make_frame(&want, number, (uint8_t)number, 3);
	ck_assert(got.len == want.len && !memcmp(got.data, want.data, got.len));
	return 1;
}

START_TEST(gives_back)
{
	const uint64_t number[] = {5, 0, 99};
	struct spool *s = filled(number, 3);
	struct err e = ERR_INIT;
	struct stat st;

	for (uint64_t i = 0; i < 101; i++)
		ck_assert_int_eq(whole(s, i), i == 5 || i == 0 || i == 99);
	ck_assert_uint_lt(spool_used(s), 1 << 20); /* it is sparse */
	spool_free(s);
	s = spool_open(path, digest, &e);
	ck_assert_ptr_nonnull(s);
	ck_assert(whole(s, 5) && whole(s, 99));
	spool_free(s);
	ck_assert_ptr_null(spool_open(path, other, &e));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600); /* it holds a volume's bytes */
	s = spool_create(path, digest, &e);         /* anew */
	ck_assert_int_eq(whole(s, 5), 0);
	spool_free(s);
	unlink(path);
	ck_assert_ptr_null(spool_open(path, digest, &e));
	ck_assert_int_eq(e.code, ERR_NONE);
}
END_TEST

START_TEST(torn_and_damaged)
{
	const uint64_t number[] = {1, 2};
	const uint64_t at = SPOOL_HEAD + 2 * SPOOL_SLOT, len = 32 + 20 + 3 * 4096 + 16;

	for (uint64_t cut = 0; cut <= len; cut += cut < 60 || cut > len - 20 ? 1 : 501) {
		struct spool *s = filled(number, 2);

		ck_assert_int_eq(truncate(path, at + cut), 0);
		ck_assert_int_eq(whole(s, 2), cut == len);
		ck_assert_int_eq(whole(s, 1), 1);
		spool_free(s);
	}
	for (uint64_t byte = 0; byte < len; byte += byte < 60 ? 1 : 333) {
		struct spool *s = filled(number, 2);
		int fd = open(path, O_RDWR);
		uint8_t b;

		ck_assert_int_eq(io_pread(fd, &b, 1, at + byte), 0);
		b ^= 0x10;
		ck_assert_int_eq(io_pwrite(fd, &b, 1, at + byte), 0);
		close(fd);
		ck_assert_int_eq(whole(s, 2), 0);
		spool_free(s);
	}
}
END_TEST

START_TEST(room)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(spool_room(path, 4096, &e), 0);
	ck_assert_int_eq(spool_room(path, 1ULL << 60, &e), -1);
	ck_assert(strstr(e.text, fmt_bytes(1ULL << 60).s) && e.hint[0]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spool");
	TCase *t = tcase_create("spool");
	SRunner *r = srunner_create(s);
	int failed;

	m.volume[0].size = 1ULL << 40;
	close(mkstemp(path));
	tcase_set_timeout(t, 120);
	tcase_add_test(t, gives_back);
	tcase_add_test(t, torn_and_damaged);
	tcase_add_test(t, room);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	unlink(path);
	return failed != 0;
}
