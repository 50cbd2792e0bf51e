/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both engines: the loop tests run once with io_uring and once with threads. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "aio.h"

#define SIZE (256u << 10)

static int temporary(int flags)
{
	char path[] = "aio-XXXXXX";
	int fd = mkostemp(path, 0), again;

	ck_assert_int_ge(fd, 0);
	again = open(path, flags); /* a file system without O_DIRECT: tested without */
	if (again < 0)
		again = open(path, flags & ~O_DIRECT);
	ck_assert_int_ge(again, 0);
	unlink(path);
	close(fd);
	return again;
}

static struct aio *engine(int threads, unsigned depth)
{
	setenv("SRSYNC_NO_URING", threads ? "1" : "0", 1);
	return aio_new(depth);
}

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (i * 2654435761u) >> 13;
}

/* Every block by a request of its own, from both ends, a few at a time. */
START_TEST(writes_and_reads_back)
{
	_cleanup_(aio_freep) struct aio *a = engine(_i, 7);
	_cleanup_close_ int fd = temporary(O_RDWR | O_DIRECT);
	uint8_t *out = aio_alloc(SIZE), *in = aio_alloc(SIZE);
	unsigned n = SIZE / AIO_ALIGN, ended = 0;
	struct err e = ERR_INIT;
	bool seen[SIZE / AIO_ALIGN] = {false};
	void *user;

	fill(out, SIZE);
	ck_assert(aio_idle(a));
	for (unsigned i = 0; i < n; i++) {
		unsigned at = (i % 2 ? i / 2 : n - 1 - i / 2) * AIO_ALIGN;

		if (!aio_room(a))
			ck_assert_int_eq(aio_next(a, &user, &e), 1);
		aio_write(a, fd, out + at, AIO_ALIGN, at, NULL);
	}
	ck_assert_int_eq(aio_drain(a, &e), 0);
	ck_assert(aio_idle(a));
	for (unsigned i = 0; i < n || !aio_idle(a);) {
		if (i < n && aio_room(a)) {
			aio_read(a, fd, in + i * AIO_ALIGN, AIO_ALIGN, AIO_ALIGN, i * AIO_ALIGN,
				 &seen[i]);
			i++;
			continue;
		}
		ck_assert_int_eq(aio_next(a, &user, &e), 1);
		ck_assert(!*(bool *)user);
		*(bool *)user = true;
		ended++;
	}
	ck_assert_uint_eq(ended, n);
	ck_assert_int_eq(aio_next(a, &user, &e), 0);
	ck_assert_int_eq(memcmp(in, out, SIZE), 0);
	aio_release(in, SIZE);
	aio_release(out, SIZE);
}
END_TEST

/* The last block of a file is shorter than a block. */
START_TEST(reads_an_odd_end)
{
	_cleanup_(aio_freep) struct aio *a = engine(_i, 4);
	_cleanup_close_ int fd = temporary(O_RDWR | O_DIRECT);
	uint8_t *p = aio_alloc(SIZE);
	struct err e = ERR_INIT;
	void *user;

	fill(p, SIZE);
	aio_write(a, fd, p, 2 * AIO_ALIGN, 0, NULL);
	ck_assert_int_eq(aio_drain(a, &e), 0);
	ck_assert_int_eq(ftruncate(fd, AIO_ALIGN + 100), 0);
	memset(p, 0, AIO_ALIGN);
	aio_read(a, fd, p, 2 * AIO_ALIGN, AIO_ALIGN + 100, 0, p);
	ck_assert_int_eq(aio_next(a, &user, &e), 1);
	ck_assert_ptr_eq(user, p);
	ck_assert_uint_eq(p[5], (uint8_t)((5 * 2654435761u) >> 13));

	aio_read(a, fd, p, 2 * AIO_ALIGN, AIO_ALIGN + 101, 0, p);
	ck_assert_int_eq(aio_next(a, &user, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "read of 4197 bytes at offset 0: No data"));
	aio_release(p, SIZE);
}
END_TEST

START_TEST(names_what_failed)
{
	_cleanup_(aio_freep) struct aio *a = engine(_i, 4);
	_cleanup_close_ int fd = temporary(O_RDONLY);
	uint8_t *p = aio_alloc(AIO_ALIGN);
	struct err e = ERR_INIT;

	aio_write(a, fd, p, AIO_ALIGN, 81920, NULL);
	aio_write(a, fd, p, AIO_ALIGN, 81920, NULL);
	ck_assert_int_eq(aio_drain(a, &e), -1);
	ck_assert_str_eq(e.text, "write of 4096 bytes at offset 81920: Bad file descriptor");
	ck_assert(aio_idle(a));
	aio_release(p, AIO_ALIGN);
}
END_TEST

/* A short read is taken up at the last whole block; without progress it fails. */
START_TEST(gives_up_without_progress)
{
	_cleanup_(aio_freep) struct aio *a = engine(_i, 1);
	uint8_t *p = aio_alloc(SIZE), *want = aio_alloc(SIZE);
	_cleanup_close_ int fd = temporary(O_RDWR);
	struct err e = ERR_INIT;

	fill(want, SIZE);
	ck_assert_int_eq(pwrite(fd, want, 3 * AIO_ALIGN + 17, 0), 3 * AIO_ALIGN + 17);
	aio_read(a, fd, p, SIZE, SIZE, 0, NULL);
	ck_assert_int_eq(aio_drain(a, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "No data"));
	ck_assert_int_eq(memcmp(p, want, 3 * AIO_ALIGN + 17), 0);
	aio_release(p, SIZE);
	aio_release(want, SIZE);
}
END_TEST

/* In place of the library's: a kernel that interrupts, and moves less than it was asked for. */
static atomic_uint tries, stingy;

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	if (stingy && tries++ % 3 == 0) {
		errno = tries % 2 ? EINTR : EAGAIN;
		return -1;
	}
	if (stingy && n > 5 * AIO_ALIGN + 99)
		n = 5 * AIO_ALIGN + 99;
	return syscall(SYS_pread64, fd, p, n, at);
}

START_TEST(goes_on_after_short_reads)
{
	_cleanup_(aio_freep) struct aio *a = engine(1, 3);
	uint8_t *p = aio_alloc(SIZE), *want = aio_alloc(SIZE);
	_cleanup_close_ int fd = temporary(O_RDWR);
	struct err e = ERR_INIT;

	fill(want, SIZE);
	ck_assert_int_eq(pwrite(fd, want, SIZE, 0), SIZE);
	stingy = 1;
	for (unsigned i = 0; i < 2; i++)
		aio_read(a, fd, p + i * SIZE / 2, SIZE / 2, SIZE / 2, i * SIZE / 2, NULL);
	ck_assert_int_eq(aio_drain(a, &e), 0);
	stingy = 0;
	ck_assert_int_eq(memcmp(p, want, SIZE), 0);
	ck_assert_uint_gt(tries, 2 * (SIZE / 2 / (6 * AIO_ALIGN)));
	aio_release(p, SIZE);
	aio_release(want, SIZE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("aio");
	TCase *t = tcase_create("aio");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, writes_and_reads_back, 0, 2);
	tcase_add_loop_test(t, reads_an_odd_end, 0, 2);
	tcase_add_loop_test(t, names_what_failed, 0, 2);
	tcase_add_loop_test(t, gives_up_without_progress, 0, 2);
	tcase_add_test(t, goes_on_after_short_reads);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
