/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE /* O_DIRECT */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "aio.h"
#include "blockio.h"
#include "io.h"

struct blockio {
	int fd;
	char *path;
	uint64_t blocks; /* size of the device when last looked at */
	uint64_t count;
	struct aio *aio; /* made by the first batch */
};

uint8_t *blockio_alloc(unsigned blocks)
{
	void *p;

	if (posix_memalign(&p, BLOCKIO_SIZE, (size_t)blocks * BLOCKIO_SIZE) != 0)
		abort();
	return p;
}

static int look_at_size(struct blockio *io, struct err *e)
{
	off_t end = lseek(io->fd, 0, SEEK_END);

	if (end < 0)
		return err_sys(e, "size of %s", io->path);
	io->blocks = (uint64_t)end / BLOCKIO_SIZE;
	return 0;
}

static int open_path(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);

	if (fd < 0 && errno == EINVAL && stat(path, &st) == 0 && S_ISREG(st.st_mode))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd;
}

struct blockio *blockio_open(const char *path, struct err *e)
{
	_cleanup_(blockio_freep) struct blockio *io = xcalloc(1, sizeof(*io));
	struct stat st;

	io->path = xstrdup(path);
	io->fd = open_path(path);
	if (io->fd < 0 || fstat(io->fd, &st) < 0) {
		err_sys(e, "open %s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		err_set(e, ERR_USAGE, "%s is neither a block device nor a file", path);
		return NULL;
	}
	if (look_at_size(io, e) < 0)
		return NULL;
	return TAKE(io);
}

void blockio_free(struct blockio *io)
{
	if (!io)
		return;
	aio_free(io->aio);
	closep(&io->fd);
	free(io->path);
	free(io);
}

static int by_block(const void *a, const void *b)
{
	const struct blockio_req *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* The device may have been extended since we looked. */
static int check_bounds(struct blockio *io, uint64_t last, struct err *e)
{
	if (last >= io->blocks && look_at_size(io, e) < 0)
		return -1;
	if (last < io->blocks)
		return 0;
	return err_set(e, ERR_FAILED,
		       "block %" PRIu64 " is beyond the end of %s (%" PRIu64 " blocks)", last,
		       io->path, io->blocks);
}

/* A batch of one needs no ring, and many commands never read more. */
static int read_batch(struct blockio *io, const struct blockio_req *req, unsigned n, struct err *e)
{
	if (n == 1) {
		if (io_pread(io->fd, req->data, BLOCKIO_SIZE, req->block * BLOCKIO_SIZE) < 0)
			return err_sys(e, "block %" PRIu64, req->block);
		return 0;
	}
	if (!io->aio)
		io->aio = aio_new(BLOCKIO_BATCH);
	for (unsigned i = 0; i < n; i++)
		aio_read(io->aio, io->fd, req[i].data, BLOCKIO_SIZE, BLOCKIO_SIZE,
			 req[i].block * BLOCKIO_SIZE, NULL);
	return aio_drain(io->aio, e);
}

int blockio_read(struct blockio *io, struct blockio_req *req, unsigned n, struct err *e)
{
	assert(n <= BLOCKIO_BATCH);
	if (n == 0)
		return 0;
	qsort(req, n, sizeof(*req), by_block);
	if (check_bounds(io, req[n - 1].block, e) < 0)
		return -1;
	if (read_batch(io, req, n, e) < 0)
		return err_wrap(e, "read %s", io->path);
	io->count += n;
	return 0;
}

int blockio_read_one(struct blockio *io, uint64_t block, uint8_t *data, struct err *e)
{
	struct blockio_req req = {block, data};

	return blockio_read(io, &req, 1, e);
}

uint64_t blockio_blocks(const struct blockio *io)
{
	return io->blocks;
}

uint64_t blockio_count(const struct blockio *io)
{
	return io->count;
}

const char *blockio_path(const struct blockio *io)
{
	return io->path;
}
