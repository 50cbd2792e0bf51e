/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files: whole reads and writes, atomic replacement. */
#ifndef IO_H
#define IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* The whole range or -1 with errno; a read past the end is EIO. */
int io_pread(int fd, void *p, size_t n, uint64_t offset);
int io_pwrite(int fd, const void *p, size_t n, uint64_t offset);
int io_write(int fd, const void *p, size_t n); /* at the file's position: pipes, sockets */
/* Reads up to n bytes until the end of the file; the count, or -1 with errno. */
ssize_t io_read(int fd, void *p, size_t n);
ssize_t io_pread_end(int fd, void *p, size_t n, uint64_t offset); /* O_DIRECT: all of it aligned */
/* Do two files or devices hold the same bytes there? What lies beyond an end counts as zeros; the
 * range is widened to what O_DIRECT takes. 1, 0, or -1 with errno. */
int io_same(int a, int b, uint64_t offset, uint64_t length);

/* The whole file into out (appended). A file larger than max bytes is an error. A missing file is
 * an error with errno ENOENT. */
int io_read_file(const char *path, size_t max, struct buf *out, struct err *e);

/* Replaces path: write path.tmp, fsync, rename, fsync of the directory. After a crash the path has
 * the old content or the new, and path.tmp may be left, which the next call overwrites. */
int io_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *e);
int io_sync_dir_of(const char *path, struct err *e);

int io_mkdirs(const char *path, mode_t mode, struct err *e); /* as mkdir -p */
int io_remove_tree(const char *path, struct err *e); /* and flushes; a missing path is fine */

#endif
