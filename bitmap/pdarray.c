/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <inttypes.h>

#include "pdarray.h"
#include "pdtree.h"

enum { B_MAX = 4, B_NR = 8, B_VALUE_SIZE = 12, B_BLOCK = 16 };

/* Blocks wait until there is a batch of them to read. */
struct walk {
	struct blockio *io;
	unsigned value_size, per_block;
	uint64_t count, told; /* elements */
	pdarray_fn *fn;
	void *arg;
	uint64_t next; /* key of the next block */
	uint64_t block[BLOCKIO_BATCH];
	unsigned waiting;
	uint8_t *data; /* BLOCKIO_BATCH blocks */
};

static int bad(uint64_t block, const char *why, struct err *e)
{
	return err_set(e, ERR_FAILED, "metadata block %" PRIu64 ": %s", block, why);
}

static int check(const struct walk *w, const uint8_t *data, uint64_t where, unsigned want,
		 struct err *e)
{
	if (le32_at(data) != pd_checksum(data, PD_ARRAY))
		return bad(where, "wrong checksum", e);
	if (le64_at(data + B_BLOCK) != where)
		return bad(where, "holds another block's contents", e);
	if (le32_at(data + B_VALUE_SIZE) != w->value_size || le32_at(data + B_MAX) != w->per_block)
		return bad(where, "wrong size of elements", e);
	if (le32_at(data + B_NR) > w->per_block || le32_at(data + B_NR) < want)
		return bad(where, "wrong number of elements", e);
	return 0;
}

static int flush(struct walk *w, struct err *e)
{
	struct blockio_req req[BLOCKIO_BATCH];

	for (unsigned i = 0; i < w->waiting; i++)
		req[i] = (struct blockio_req){w->block[i], w->data + (size_t)i * BLOCKIO_SIZE};
	if (blockio_read(w->io, req, w->waiting, e) < 0)
		return -1;
	for (unsigned i = 0; i < w->waiting; i++) {
		const uint8_t *data = w->data + (size_t)i * BLOCKIO_SIZE;
		uint64_t left = w->count - w->told;
		unsigned n = left < w->per_block ? (unsigned)left : w->per_block;

		if (check(w, data, w->block[i], n, e) < 0 ||
		    w->fn(w->arg, w->told, data + PDARRAY_HEADER, n, e) < 0)
			return -1;
		w->told += n;
	}
	w->waiting = 0;
	return 0;
}

static int on_entry(void *arg, uint64_t key, const uint8_t *value, struct err *e)
{
	struct walk *w = arg;

	/* blocks beyond count are left from before it shrank, and end the walk */
	if (key * w->per_block >= w->count)
		return 1;
	if (key != w->next)
		return err_set(e, ERR_FAILED, "block %" PRIu64 " of an array is missing", w->next);
	w->next++;
	w->block[w->waiting++] = le64_at(value);
	return w->waiting == BLOCKIO_BATCH ? flush(w, e) : 0;
}

int pdarray_walk(struct blockio *io, uint64_t root, unsigned value_size, uint64_t count,
		 pdarray_fn *fn, void *arg, struct err *e)
{
	_cleanup_free_ uint8_t *data = blockio_alloc(BLOCKIO_BATCH);
	struct walk w = {.io = io,
			 .value_size = value_size,
			 .per_block = (BLOCKIO_SIZE - PDARRAY_HEADER) / value_size,
			 .count = count,
			 .fn = fn,
			 .arg = arg,
			 .data = data};
	int r = 0;

	assert(count <= UINT32_MAX);
	if (count > 0)
		r = pdtree_walk(io, root, sizeof(uint64_t), on_entry, &w, e);
	if (r < 0 || flush(&w, e) < 0)
		return -1;
	if (w.told < count)
		return err_set(e, ERR_FAILED,
			       "the array at metadata block %" PRIu64 " has less than %" PRIu64
			       " elements",
			       root, count);
	return 0;
}
