/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A group's cut of an image. The clone is taken before the freeze; what was written since then lies
 * elsewhere than in the clone, for the file system must copy on write. So while nothing moves, a
 * comparison of places finds it, and it is read into memory; after the thaw it is put into the
 * clone, which then is the image of the frozen instant. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "aio.h"
#include "file.h"
#include "io.h"

/* Memory for what is written between clone and freeze; an attempt in vain is repeated with more.
 * All of it is locked, which takes time. */
#define ARENA_FIRST (4u << 20)
#define ARENA_MAX   (64u << 20)
#define PIECES      (ARENA_MAX / FILE_BLOCK_SIZE)

int file_save_open(struct file *f, struct err *e)
{
	(void)e;
	if (f->arena_size == 0)
		f->arena_size = ARENA_FIRST;
	f->arena = aio_alloc(f->arena_size);
	f->piece = xcalloc(PIECES, sizeof(*f->piece));
	f->was = fiemap_open(f->clone);
	f->is = fiemap_open(f->image);
	f->arena_used = f->pieces = 0;
	return 0;
}

void file_save_close(struct file *f)
{
	if (f->arena)
		aio_release(f->arena, f->arena_size);
	f->arena = NULL;
	free(TAKE(f->piece));
	fiemap_close(TAKE(f->was));
	fiemap_close(TAKE(f->is));
}

struct saving {
	struct file *f;
	struct err *e;
};

static int too_much(struct file *f, struct err *e)
{
	err_set(e, ERR_BUSY,
		"more than %zu MiB of the image were written, or cannot be told from what was "
		"(compressed?), within a moment",
		f->arena_size >> 20);
	err_hint(e, "repeat when less is written; an image that is cut beside others must not be "
		    "compressed (chattr +m)");
	return -1;
}

static bool is_zeros(enum fiemap_kind kind)
{
	return kind == FIEMAP_HOLE || kind == FIEMAP_UNWRITTEN;
}

/* Whole blocks, as O_DIRECT reads them. */
static int save(void *arg, enum fiemap_kind kind, uint64_t offset, uint64_t length)
{
	struct saving *s = arg;
	struct file *f = s->f;
	uint64_t from = offset / AIO_ALIGN * AIO_ALIGN;
	uint64_t n = (offset + length - from + AIO_ALIGN - 1) / AIO_ALIGN * AIO_ALIGN;

	if (offset >= f->frozen_size)
		return 0; /* cut off by truncation */
	if (f->pieces == PIECES)
		return too_much(f, s->e);
	if (is_zeros(kind)) {
		f->piece[f->pieces++] = (struct file_piece){offset, length, false};
		return 0;
	}
	if (n > f->arena_size - f->arena_used)
		return too_much(f, s->e);
	if (io_pread_end(f->image, f->arena + f->arena_used, n, from) <
	    (ssize_t)(offset + length - from))
		return err_sys(s->e, "read the frozen image at %" PRIu64, from);
	f->piece[f->pieces++] = (struct file_piece){from, offset + length - from, true};
	f->arena_used += n;
	return 0;
}

int file_save(struct file *f, struct err *e)
{
	struct saving s = {f, e};
	struct stat was, is;

	if (fstat(f->clone, &was) < 0 || fstat(f->image, &is) < 0)
		return err_sys(e, "stat");
	f->frozen_size = is.st_size;
	return fiemap_compare(f->was, was.st_size, f->is, is.st_size, save, &s, e);
}

static int put(struct file *f, const struct file_piece *p, const uint8_t *bytes)
{
	if (p->data)
		return io_pwrite(f->clone, bytes, p->length, p->offset);
	return fallocate(f->clone, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, p->offset,
			 p->length);
}

int file_save_apply(struct file *f, struct err *e)
{
	const uint8_t *bytes = f->arena;

	if (ftruncate(f->clone, f->frozen_size) < 0)
		return err_sys(e, "truncate the clone");
	for (size_t i = 0; i < f->pieces; i++) {
		const struct file_piece *p = &f->piece[i];

		if (put(f, p, bytes) < 0)
			return err_sys(e, "bring the clone to the frozen instant");
		if (p->data)
			bytes += (p->length + AIO_ALIGN - 1) / AIO_ALIGN * AIO_ALIGN;
	}
	return fsync(f->clone) < 0 ? err_sys(e, "flush the clone") : 0;
}
