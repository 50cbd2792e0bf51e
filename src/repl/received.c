/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <xxhash.h>

#include "io.h"
#include "partnership.h"
#include "received.h"

static const char magic[8] = "SRRECV1\n";

#define HEADER_SIZE (sizeof(magic) + RECEIVED_DIGEST)
#define EXTENT_SIZE 18
#define EXTENTS_MAX 65536
#define FILE_MAX    (1ULL << 32) /* bytes; far above what any cut needs */

struct received {
	int fd;
	uint64_t size; /* bytes that are durable and whole */
	uint64_t granule;
	struct bset *segments;
	struct bset *touched[PARTNERSHIP_VOLUMES_MAX], *of[PARTNERSHIP_VOLUMES_MAX];
};

void received_free(struct received *r)
{
	if (!r)
		return;
	closep(&r->fd);
	bset_free(r->segments);
	for (unsigned i = 0; i < PARTNERSHIP_VOLUMES_MAX; i++) {
		bset_free(r->touched[i]);
		bset_free(r->of[i]);
	}
	free(r);
}

static int touch(struct received *r, uint64_t segment, const struct received_extent *x)
{
	uint64_t first = x->offset / r->granule;
	uint64_t end = (x->offset + x->length + r->granule - 1) / r->granule;

	if (x->volume >= PARTNERSHIP_VOLUMES_MAX || x->offset + x->length < x->offset)
		return -1;
	if (!r->touched[x->volume]) {
		r->touched[x->volume] = bset_new();
		r->of[x->volume] = bset_new();
	}
	if (bset_add(r->of[x->volume], segment, 1) < 0)
		return -1;
	return bset_add(r->touched[x->volume], first, end - first);
}

/* Takes one record in; -1 when it is torn or damaged. */
static int replay_one(struct received *r, struct cur *c)
{
	const uint8_t *start = c->p;
	uint32_t n = cur_le32(c);
	uint64_t segment = cur_le64(c);
	struct cur body;
	size_t len = 12 + (size_t)n * EXTENT_SIZE;

	if (c->bad || n > EXTENTS_MAX || !cur_bytes(c, (size_t)n * EXTENT_SIZE))
		return -1;
	if (cur_le64(c) != XXH3_64bits(start, len) || c->bad)
		return -1;
	body = cur_of(start + 12, len - 12);
	for (uint32_t i = 0; i < n; i++) {
		struct received_extent x = {.volume = cur_le16(&body)};

		x.offset = cur_le64(&body);
		x.length = cur_le64(&body);
		if (touch(r, segment, &x) < 0)
			return -1;
	}
	return bset_add(r->segments, segment, 1);
}

/* 1: the file is a log of this manifest, replayed as far as it is whole; 0: it is not. */
static int replay(struct received *r, const char *path, const uint8_t *digest, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct cur c;

	if (io_read_file(path, FILE_MAX, &b, e) < 0)
		return -1;
	if (b.len < HEADER_SIZE || memcmp(b.data, magic, sizeof(magic)) ||
	    memcmp(b.data + sizeof(magic), digest, RECEIVED_DIGEST))
		return 0;
	c = cur_of(b.data + HEADER_SIZE, b.len - HEADER_SIZE);
	r->size = HEADER_SIZE;
	while (c.left && replay_one(r, &c) == 0)
		r->size = b.len - c.left;
	return 1;
}

static struct received *received_new(uint64_t granule)
{
	struct received *r = xcalloc(1, sizeof(*r));

	r->fd = -1;
	r->granule = granule;
	r->segments = bset_new();
	return r;
}

static struct received *open_file(struct received *r, const char *path, struct err *e)
{
	r->fd = open(path, O_WRONLY | O_CLOEXEC);
	if (r->fd >= 0)
		return r;
	err_sys(e, "open %s", path);
	received_free(r);
	return NULL;
}

/* What lies behind the last whole record is left alone: the next record is written over it. */
struct received *received_open(const char *path, const uint8_t digest[static RECEIVED_DIGEST],
			       uint64_t granule, struct err *e)
{
	_cleanup_(received_freep) struct received *r = received_new(granule);

	if (access(path, F_OK) < 0 || replay(r, path, digest, e) <= 0)
		return NULL;
	return open_file(TAKE(r), path, e);
}

/* A crash before the rename leaves no log; after it, an empty one: both mean nothing received. */
struct received *received_create(const char *path, const uint8_t digest[static RECEIVED_DIGEST],
				 uint64_t granule, struct err *e)
{
	_cleanup_(received_freep) struct received *r = received_new(granule);
	uint8_t header[HEADER_SIZE];

	memcpy(header, magic, sizeof(magic));
	memcpy(header + sizeof(magic), digest, RECEIVED_DIGEST);
	r->size = HEADER_SIZE;
	if (io_replace(path, header, sizeof(header), 0600, e) < 0)
		return NULL;
	return open_file(TAKE(r), path, e);
}

void received_note(struct buf *batch, uint64_t segment, const struct received_extent *x, unsigned n)
{
	size_t start = batch->len;

	assert(n <= EXTENTS_MAX);
	buf_put_le32(batch, n);
	buf_put_le64(batch, segment);
	for (unsigned i = 0; i < n; i++) {
		buf_put_le16(batch, x[i].volume);
		buf_put_le64(batch, x[i].offset);
		buf_put_le64(batch, x[i].length);
	}
	buf_put_le64(batch, XXH3_64bits(batch->data + start, batch->len - start));
}

int received_write(struct received *r, const struct buf *batch, struct err *e)
{
	struct cur c = cur_of(batch->data, batch->len);

	if (batch->len == 0)
		return 0;
	if (io_pwrite(r->fd, batch->data, batch->len, r->size) < 0 || fdatasync(r->fd) < 0)
		return err_sys(e, "write the list of received segments");
	r->size += batch->len;
	while (c.left)
		if (replay_one(r, &c) < 0)
			return err_set(e, ERR_FAILED, "a segment lies outside every volume");
	return 0;
}

const struct bset *received_segments(const struct received *r)
{
	return r->segments;
}

const struct bset *received_segments_of(const struct received *r, unsigned volume)
{
	return volume < PARTNERSHIP_VOLUMES_MAX ? r->of[volume] : NULL;
}

const struct bset *received_touched(const struct received *r, unsigned volume)
{
	return volume < PARTNERSHIP_VOLUMES_MAX ? r->touched[volume] : NULL;
}
