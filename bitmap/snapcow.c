/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "blockio.h"
#include "snapcow.h"

#define MAGIC      0x70416e53 /* "SnAp" */
#define VERSION    1
#define SECTOR     512
#define ENTRY_SIZE 16

#define NOT_YET 0
#define IS_END  1

struct reader {
	struct blockio *io;
	uint8_t *data;   /* a batch of blocks */
	uint64_t per;    /* entries in an area */
	uint64_t chunks; /* in the store */
	uint64_t origin_chunks;
	uint64_t first, count; /* the run of chunks not in the set yet */
	struct bset *set;
	struct snapcow info;
};

static int damaged(struct reader *r, struct err *e, uint64_t chunk, const char *what)
{
	err_set(e, ERR_FAILED, "%s: the exception table is damaged in chunk %" PRIu64 ": %s",
		blockio_path(r->io), chunk, what);
	return err_hint(e, "remove the snapshot (lvremove); the next sync makes a new one");
}

static int read_header(struct reader *r, uint64_t origin_size, struct err *e)
{
	const char *path = blockio_path(r->io);
	uint32_t magic, valid, version;
	uint64_t chunk;
	struct cur c;

	if (blockio_read_one(r->io, 0, r->data, e) < 0)
		return -1;
	c = cur_of(r->data, BLOCKIO_SIZE);
	magic = cur_le32(&c);
	valid = cur_le32(&c);
	version = cur_le32(&c);
	chunk = (uint64_t)cur_le32(&c) * SECTOR;
	if (magic == 0)
		return err_set(e, ERR_FAILED, "%s: the exception store was never put to use", path);
	if (magic != MAGIC) {
		err_set(e, ERR_FAILED, "%s is no exception store of a classic snapshot", path);
		return err_hint(e, "name the device /dev/mapper/VG-SNAPSHOT-cow");
	}
	if (valid == 0)
		return err_set(e, ERR_FAILED,
			       "%s: the snapshot is invalid: it overflowed or met an I/O error",
			       path);
	if (valid != 1 || version != VERSION)
		return err_set(e, ERR_FAILED,
			       "%s: version %" PRIu32 " (valid %" PRIu32
			       ") of the exception store is not one this program knows",
			       path, version, valid);
	if (chunk < SNAPCOW_CHUNK_MIN || chunk > SNAPCOW_CHUNK_MAX || (chunk & (chunk - 1)))
		return err_set(e, ERR_FAILED,
			       "%s: impossible chunk size of %" PRIu64
			       " bytes in the exception store",
			       path, chunk);
	r->info.chunk_size = (uint32_t)chunk;
	r->per = chunk / ENTRY_SIZE;
	r->chunks = blockio_blocks(r->io) / (chunk / BLOCKIO_SIZE);
	r->origin_chunks = origin_size / chunk + (origin_size % chunk != 0);
	return 0;
}

static int keep_run(struct reader *r, struct err *e)
{
	if (bset_add(r->set, r->first, r->count) < 0)
		return err_sys(e, "chunk %" PRIu64, r->first);
	return 0;
}

static int add(struct reader *r, uint64_t chunk, struct err *e)
{
	r->info.entries++;
	if (r->count && chunk == r->first + r->count) {
		r->count++;
		return 0;
	}
	if (r->count && keep_run(r, e) < 0)
		return -1;
	r->first = chunk;
	r->count = 1;
	return 0;
}

static bool is_area(const struct reader *r, uint64_t chunk)
{
	return chunk % (r->per + 1) == 1;
}

/* One block of the area that begins at chunk area. */
static int take_block(struct reader *r, uint64_t area, const uint8_t *data, struct err *e)
{
	for (struct cur c = cur_of(data, BLOCKIO_SIZE); c.left >= ENTRY_SIZE;) {
		uint64_t origin = cur_le64(&c), copy = cur_le64(&c);

		if (copy == 0)
			return IS_END;
		if (origin >= r->origin_chunks)
			return damaged(r, e, area, "an entry is beyond the end of the origin");
		if (copy >= r->chunks || is_area(r, copy))
			return damaged(r, e, area, "an entry points outside the copies");
		if (r->info.entries >= r->origin_chunks)
			return damaged(r, e, area, "more entries than the origin has chunks");
		if (add(r, origin, e) < 0)
			return -1;
	}
	return NOT_YET;
}

static int read_area(struct reader *r, uint64_t area, struct err *e)
{
	uint64_t blocks = r->info.chunk_size / BLOCKIO_SIZE, at = area * blocks, n;
	struct blockio_req req[BLOCKIO_BATCH];
	int end = NOT_YET;

	for (uint64_t done = 0; done < blocks && end == NOT_YET; done += n) {
		n = blocks - done < BLOCKIO_BATCH ? blocks - done : BLOCKIO_BATCH;
		for (unsigned i = 0; i < n; i++)
			req[i] = (struct blockio_req){at + done + i, r->data + i * BLOCKIO_SIZE};
		if (blockio_read(r->io, req, (unsigned)n, e) < 0)
			return -1;
		for (unsigned i = 0; i < n && end == NOT_YET; i++)
			end = take_block(r, area, r->data + i * BLOCKIO_SIZE, e);
	}
	return end;
}

static int read_table(struct reader *r, struct err *e)
{
	int end = NOT_YET;

	for (uint64_t area = 1; end == NOT_YET; area += r->per + 1) {
		if (area >= r->chunks)
			return damaged(r, e, area, "it ends before its last entry");
		end = read_area(r, area, e);
	}
	if (end < 0)
		return -1;
	return r->count ? keep_run(r, e) : 0;
}

int snapcow_read(const char *path, uint64_t origin_size, struct bset *set, struct snapcow *out,
		 struct err *e)
{
	_cleanup_(blockio_freep) struct blockio *io = blockio_open(path, e);
	_cleanup_(bset_freep) struct bset *found = bset_new();
	_cleanup_free_ uint8_t *data = blockio_alloc(BLOCKIO_BATCH);
	struct reader r = {.io = io, .data = data, .set = found};

	if (!io || read_header(&r, origin_size, e) < 0 || read_table(&r, e) < 0)
		return -1;
	bset_or(set, found);
	*out = r.info;
	return 0;
}
