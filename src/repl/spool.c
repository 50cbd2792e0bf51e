/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "io.h"
#include "spool.h"

static const char magic[8] = SPOOL_MAGIC;

#define HEADER_SIZE (sizeof(magic) + MANIFEST_DIGEST)

struct spool {
	int fd;
	char *path;
};

void spool_free(struct spool *s)
{
	if (!s)
		return;
	closep(&s->fd);
	free(s->path);
	free(s);
}

struct spool *spool_of(int fd, const char *name)
{
	struct spool *s = xcalloc(1, sizeof(*s));

	s->fd = fd;
	s->path = xstrdup(name);
	return s;
}

int spool_fd(const struct spool *s)
{
	return s->fd;
}

const char *spool_name(const struct spool *s)
{
	return s->path;
}

static int failed(const struct spool *s, const char *what, struct err *e)
{
	int cause = errno;

	err_sys(e, "%s the spool %s", what, s->path);
	if (cause != ENOSPC && cause != EDQUOT && cause != EFBIG)
		return -1;
	return err_hint(e, "make space there: the next sync goes on where this one stopped; or "
			   "choose another place with srsync --spool WHERE serve");
}

struct spool *spool_open(const char *path, const uint8_t digest[static MANIFEST_DIGEST],
			 struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t header[HEADER_SIZE];

	if (fd < 0 && errno != ENOENT)
		err_sys(e, "open %s", path);
	if (fd < 0 || io_pread(fd, header, sizeof(header), 0) < 0 ||
	    memcmp(header, magic, sizeof(magic)) ||
	    memcmp(header + sizeof(magic), digest, MANIFEST_DIGEST))
		return NULL;
	return spool_of(take_fd(&fd), path);
}

/* A crash before the rename leaves the older file, which is of no use to anybody by then. */
struct spool *spool_create(const char *path, const uint8_t digest[static MANIFEST_DIGEST],
			   struct err *e)
{
	uint8_t head[SPOOL_HEAD] = {0};

	memcpy(head, magic, sizeof(magic));
	memcpy(head + sizeof(magic), digest, MANIFEST_DIGEST);
	if (io_replace(path, head, sizeof(head), 0600, e) < 0)
		return NULL;
	return spool_open(path, digest, e);
}

int spool_put(struct spool *s, uint64_t number, const void *frame, size_t len, struct err *e)
{
	if (io_pwrite(s->fd, frame, len, SPOOL_HEAD + number * SPOOL_SLOT) == 0)
		return 0;
	return failed(s, "write", e);
}

int spool_flush(struct spool *s, struct err *e)
{
	return fdatasync(s->fd) < 0 ? failed(s, "flush", e) : 0;
}

static int not_there(const struct spool *s, uint64_t number, struct err *e)
{
	return err_set(e, ERR_FAILED, "the spool %s has no segment %" PRIu64, s->path, number);
}

int spool_get(struct spool *s, uint64_t number, struct buf *out, struct err *e)
{
	uint64_t at = SPOOL_HEAD + number * SPOOL_SLOT;
	uint8_t head[SEGMENT_HEAD];
	size_t len;

	if (io_pread(s->fd, head, sizeof(head), at) < 0)
		return errno == EIO ? not_there(s, number, e) : failed(s, "read", e);
	len = segment_frame_size(head);
	if (!len)
		return not_there(s, number, e);
	buf_reset(out);
	buf_reserve(out, len);
	if (io_pread(s->fd, out->data, len, at) < 0)
		return failed(s, "read", e);
	out->len = len;
	return 0;
}

uint64_t spool_used(const struct spool *s)
{
	struct stat st;

	return fstat(s->fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

int spool_room(const char *path, uint64_t bytes, struct err *e)
{
	_cleanup_free_ char *copy = xstrdup(path);
	const char *dir = dirname(copy);
	struct statvfs fs;
	uint64_t have;

	if (statvfs(dir, &fs) < 0)
		return err_sys(e, "look at the spool's folder %s", dir);
	have = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (bytes <= have)
		return 0;
	err_set(e, ERR_FAILED,
		"the spool %s has %s free, and the cut may need %s: a destination without "
		"snapshots receives it whole before it is written",
		dir, fmt_bytes(have).s, fmt_bytes(bytes).s);
	return err_hint(e, SPOOL_ELSEWHERE);
}
