/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "aio.h"
#include "cleanup.h"
#include "io.h"

#define SAME_STEP (1u << 20)

int io_pread(int fd, void *p, size_t n, uint64_t offset)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pread(fd, (char *)p + done, n - done, offset + done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			errno = EIO;
		if (r <= 0)
			return -1;
		done += r;
	}
	return 0;
}

int io_pwrite(int fd, const void *p, size_t n, uint64_t offset)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pwrite(fd, (const char *)p + done, n - done, offset + done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		done += r;
	}
	return 0;
}

int io_write(int fd, const void *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = write(fd, (const char *)p + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		done += r;
	}
	return 0;
}

ssize_t io_read(int fd, void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, (char *)p + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		done += r;
	}
	return done;
}

ssize_t io_pread_end(int fd, void *p, size_t n, uint64_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(fd, (char *)p + done, n - done, offset + done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		done += r;
		if (r == 0 || done % AIO_ALIGN) /* only the end gives odd bytes */
			break;
	}
	return done;
}

int io_same(int a, int b, uint64_t offset, uint64_t length)
{
	_cleanup_free_ char *buf = aligned_alloc(AIO_ALIGN, 2 * SAME_STEP);
	uint64_t at = offset / AIO_ALIGN * AIO_ALIGN, end = offset + length;

	if (!buf)
		return -1;
	for (size_t n; at < end; at += n) {
		ssize_t ra, rb;

		n = end - at < SAME_STEP ? (end - at + AIO_ALIGN - 1) / AIO_ALIGN * AIO_ALIGN
					 : SAME_STEP;
		memset(buf, 0, 2 * SAME_STEP);
		ra = io_pread_end(a, buf, n, at);
		rb = io_pread_end(b, buf + SAME_STEP, n, at);
		if (ra < 0 || rb < 0)
			return -1;
		if (memcmp(buf, buf + SAME_STEP, n))
			return 0;
		if (ra == 0 && rb == 0)
			break;
	}
	return 1;
}

int io_read_file(const char *path, size_t max, struct buf *out, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "open %s", path);
	for (;;) {
		buf_reserve(out, 65536);
		n = io_read(fd, out->data + out->len, 65536);
		if (n < 0)
			return err_sys(e, "read %s", path);
		if (n == 0)
			return 0;
		out->len += n;
		if (out->len > max)
			return err_set(e, ERR_FAILED, "%s is larger than %zu bytes", path, max);
	}
}

int io_sync_dir_of(const char *path, struct err *e)
{
	_cleanup_free_ char *copy = xstrdup(path);
	const char *dir = dirname(copy);
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, "fsync %s", dir);
	return 0;
}

int io_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
	_cleanup_free_ char *tmp = xasprintf("%s.tmp", path);
	_cleanup_close_ int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys(e, "open %s", tmp);
	if (io_write(fd, p, n) < 0 || fsync(fd) < 0)
		return err_sys(e, "write %s", tmp);
	if (rename(tmp, path) < 0)
		return err_sys(e, "rename %s", path);
	return io_sync_dir_of(path, e);
}

int io_mkdirs(const char *path, mode_t mode, struct err *e)
{
	_cleanup_free_ char *p = xstrdup(path);

	for (char *s = p + (*p == '/');; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = '\0';
		if (mkdir(p, mode) < 0 && errno != EEXIST)
			return err_sys(e, "mkdir %s", p);
		if (!c)
			return 0;
		*s = c;
	}
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

int io_remove_tree(const char *path, struct err *e)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "remove %s", path);
	return io_sync_dir_of(path, e);
}
