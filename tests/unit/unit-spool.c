/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the spool gives back what was put, of its own manifest only; what is torn, damaged, missing
 * or another's never passes for a segment. A log volume is one owner's until he frees it, and
 * nothing else is ever taken for one. */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "spool_log.h"

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

/* A log volume: a file stands for the device, which differs only in being opened exclusively. */

#define SEGMENTS 3
#define LOG_SIZE (SPOOL_HEAD + SEGMENTS * SPOOL_SLOT)

static const struct spool_owner web = {"0123456789abcdef0123456789abcdef", "web"};
static const struct spool_owner mail = {"fedcba9876543210fedcba9876543210", "mail"};
static struct blockdev b = {.name = "vg/log"};

static void new_log(off_t size)
{
	strcpy(b.path, path);
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(truncate(path, size), 0);
}

static enum err_code take(const struct spool_owner *o, uint64_t segments, struct spool **s)
{
	struct err e = ERR_INIT;

	*s = spool_log_take(&b, o, segments, &e);
	ck_assert((*s != NULL) == (e.code == ERR_NONE));
	ck_assert(*s || e.hint[0]);
	return e.code;
}

static struct spool *claimed(const struct spool_owner *o)
{
	struct err e = ERR_INIT;
	struct spool *s;

	ck_assert_int_eq(take(o, SEGMENTS, &s), ERR_NONE);
	ck_assert_int_eq(spool_log_claim(s, o, digest, &e), 0);
	return s;
}

static int there(const struct spool_owner *o, const uint8_t *d)
{
	struct err e = ERR_INIT;
	struct spool *s = spool_log_open(&b, o, d, &e);

	spool_free(s);
	return s != NULL;
}

START_TEST(log_life)
{
	_cleanup_buf_ struct buf f = BUF_INIT;
	struct err e = ERR_INIT;
	struct spool *s;

	new_log(LOG_SIZE);
	ck_assert(!there(&web, digest));
	s = claimed(&web);
	make_frame(&f, 2, 2, 3);
	ck_assert_int_eq(spool_put(s, 2, f.data, f.len, &e), 0);
	ck_assert_int_eq(spool_flush(s, &e), 0);
	spool_free(s);
	ck_assert(there(&web, digest) && !there(&web, other) && !there(&mail, digest));
	ck_assert_int_eq(take(&mail, 1, &s), ERR_BUSY);
	ck_assert_int_eq(spool_log_release(&b, &mail, &e), 0); /* not his */
	s = spool_log_open(&b, &web, digest, &e);
	ck_assert(s && whole(s, 2) && !whole(s, 1));
	spool_free(s);
	ck_assert_int_eq(take(&web, 1, &s), ERR_NONE); /* his own: anew */
	spool_free(s);
	ck_assert_int_eq(spool_log_release(&b, &web, &e), 0);
	ck_assert(!there(&web, digest));
	spool_free(claimed(&mail));
	ck_assert(there(&mail, digest));
}
END_TEST

START_TEST(log_size)
{
	struct err e = ERR_INIT;
	struct spool *s;

	new_log(LOG_SIZE);
	ck_assert_int_eq(take(&web, SEGMENTS + 1, &s), ERR_FAILED);
	ck_assert(!spool_log_take(&b, &web, SEGMENTS + 1, &e));
	ck_assert(strstr(e.text, "12845056 bytes") && strstr(e.text, "17125376") &&
		  strstr(e.hint, "lvextend -L 17m"));
	new_log(LOG_SIZE - 1);
	ck_assert_int_eq(take(&web, SEGMENTS, &s), ERR_FAILED);
	ck_assert_int_eq(take(&web, SEGMENTS - 1, &s), ERR_NONE);
	spool_free(s);
}
END_TEST

/* Every bit of the head counts, and what is damaged is nobody's. */
START_TEST(log_damaged)
{
	new_log(LOG_SIZE);
	for (unsigned bit = 0; bit < 128 * 8; bit += bit < 64 ? 1 : 7) {
		struct spool *s;
		uint8_t byte;
		int fd;

		new_log(LOG_SIZE);
		spool_free(claimed(&web));
		fd = open(path, O_RDWR);
		ck_assert_int_eq(io_pread(fd, &byte, 1, bit / 8), 0);
		byte ^= 1 << bit % 8;
		ck_assert_int_eq(io_pwrite(fd, &byte, 1, bit / 8), 0);
		close(fd);
		ck_assert(!there(&web, digest));
		if (bit < 64) /* the magic: as any other content */
			continue;
		ck_assert_int_eq(take(&mail, 1, &s), ERR_REFUSED);
		ck_assert_int_eq(take(&web, 1, &s), ERR_REFUSED);
	}
}
END_TEST

START_TEST(log_foreign)
{
	static const char swap[] = "SWAPSPACE2";
	const uint32_t head[3] = {1, 100, 0}; /* version, last page */
	struct spool *s;
	int fd;

	new_log(LOG_SIZE);
	fd = open(path, O_RDWR);
	ck_assert_int_eq(io_pwrite(fd, head, sizeof(head), 1024), 0);
	ck_assert_int_eq(io_pwrite(fd, swap, 10, 4096 - 10), 0);
	ck_assert_int_eq(take(&web, 1, &s), ERR_REFUSED);
	ck_assert_int_eq(io_pwrite(fd, "          ", 10, 4096 - 10), 0);
	close(fd);
	ck_assert_int_eq(take(&web, 1, &s), ERR_NONE);
	spool_free(s);
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
	tcase_add_test(t, log_life);
	tcase_add_test(t, log_size);
	tcase_add_test(t, log_damaged);
	tcase_add_test(t, log_foreign);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	unlink(path);
	return failed != 0;
}
