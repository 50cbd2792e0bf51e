/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "era_meta.h"
#include "pdarray.h"
#include "pdtree.h"

#define SUPER_MAGIC   2126579579
#define SUPER_VERSION 1
#define SECTOR        512
#define WRITESET_SIZE 12 /* {nr_bits u32, root u64} */
#define WORD_BITS     64
#define LOOKS         10 /* at block 0, which may be in the middle of being written */
#define LOOK_PAUSE_NS 2000000

/* Offsets within the superblock; from 44 on they are multiples of 4 only. */
enum {
	S_MAGIC = 32,
	S_VERSION = 40,
	S_META_SM = 44, /* nr_blocks u64, nr_allocated u64, ... */
	S_BLOCK = 172,
	S_META_BLOCK = 176,
	S_BLOCKS = 180,
	S_ERA = 184,
	S_CURRENT = 188, /* a writeset; root 0: none */
	S_WRITESETS = 200,
	S_ERA_ARRAY = 208,
	S_HELD = 216,
};

/* super: block 0; used: the superblock whose roots count, which is another with ERA_HELD. */
struct era_meta {
	struct blockio *io;
	enum era_view view;
	uint8_t *super, *used, *again;
	uint64_t held_root; /* ERA_HELD: as found at opening */
};

static int check_super(const uint8_t *s, uint64_t where, struct err *e)
{
	uint32_t block = le32_at(s + S_BLOCK);

	if (le64_at(s + S_MAGIC) != SUPER_MAGIC)
		return err_set(e, ERR_FAILED, "no era superblock in block %" PRIu64, where);
	if (pd_check(s, where, PD_ERA_SUPER, e) < 0)
		return -1;
	if (le32_at(s + S_VERSION) != SUPER_VERSION)
		return err_set(e, ERR_FAILED,
			       "version %" PRIu32 " of the era metadata is newer than this program "
			       "knows",
			       le32_at(s + S_VERSION));
	if (le32_at(s + S_META_BLOCK) != BLOCKIO_SIZE / SECTOR || block == 0 ||
	    block > ERA_BLOCK_SECTORS || block % ERA_BLOCK_UNIT != 0 ||
	    le32_at(s + S_BLOCKS) > ERA_BLOCKS_MAX)
		return err_set(e, ERR_FAILED, "impossible sizes in the era superblock");
	return 0;
}

static int read_super(struct era_meta *m, struct err *e)
{
	struct timespec pause = {0, LOOK_PAUSE_NS};
	int r = -1;

	for (int i = 0; i < LOOKS && r < 0; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		if (blockio_read_one(m->io, 0, m->super, e) < 0)
			return -1;
		r = check_super(m->super, 0, e);
	}
	return r;
}

static int wrap(struct era_meta *m, int r, struct err *e)
{
	if (r < 0) {
		err_wrap(e, "era metadata %s", blockio_path(m->io));
		err_hint(e, "see whether era_check, run while the device is not active, finds the "
			    "same");
	}
	return r;
}

static int open_view(struct era_meta *m, enum era_view view, struct err *e)
{
	if (read_super(m, e) < 0)
		return -1;
	if (view == ERA_LIVE) {
		memcpy(m->used, m->super, BLOCKIO_SIZE);
		return 0;
	}
	m->held_root = le64_at(m->super + S_HELD);
	if (m->held_root == 0) {
		err_set(e, ERR_FAILED, "there is no metadata snapshot");
		return err_hint(e, "take one first: dmsetup message DEVICE 0 take_metadata_snap");
	}
	if (blockio_read_one(m->io, m->held_root, m->used, e) < 0)
		return -1;
	return check_super(m->used, m->held_root, e);
}

struct era_meta *era_meta_open(const char *path, enum era_view view, struct err *e)
{
	_cleanup_(era_meta_freep) struct era_meta *m = xcalloc(1, sizeof(*m));

	m->io = blockio_open(path, e);
	if (!m->io)
		return NULL;
	m->view = view;
	m->super = blockio_alloc(1);
	m->used = blockio_alloc(1);
	m->again = blockio_alloc(1);
	if (wrap(m, open_view(m, view, e), e) < 0)
		return NULL;
	return TAKE(m);
}

void era_meta_free(struct era_meta *m)
{
	if (!m)
		return;
	blockio_free(m->io);
	free(m->super);
	free(m->used);
	free(m->again);
	free(m);
}

int era_meta_super(struct era_meta *m, struct era_super *out, struct err *e)
{
	const uint8_t *s = m->super;

	if (wrap(m, read_super(m, e), e) < 0)
		return -1;
	*out = (struct era_super){
		.era = le32_at(s + S_ERA),
		.block_sectors = le32_at(s + S_BLOCK),
		.blocks = le32_at(s + S_BLOCKS),
		.held_root = le64_at(s + S_HELD),
		.meta_total = le64_at(s + S_META_SM),
		.meta_used = le64_at(s + S_META_SM + 8),
	};
	return 0;
}

/* Blocks in ascending order become runs. */
struct gather {
	struct era_meta *m;
	struct bset *set;
	uint32_t since, blocks; /* of the device: what lies beyond was cut off it */
	uint64_t first, count;
	uint64_t lowest; /* era in the tree */
};

static int end_run(struct gather *g, struct err *e)
{
	uint64_t count = g->count;

	g->count = 0;
	if (count && bset_add(g->set, g->first, count) < 0)
		return err_set(e, ERR_FAILED, "more blocks than a set can hold");
	return 0;
}

static int add(struct gather *g, uint64_t block, struct err *e)
{
	if (block >= g->blocks)
		return 0;
	if (g->count && block == g->first + g->count) {
		g->count++;
		return 0;
	}
	if (end_run(g, e) < 0)
		return -1;
	g->first = block;
	g->count = 1;
	return 0;
}

static int on_words(void *arg, uint64_t first, const uint8_t *values, unsigned n, struct err *e)
{
	struct gather *g = arg;

	for (unsigned i = 0; i < n; i++) {
		uint64_t word = le64_at(values + 8 * (size_t)i);

		for (; word; word &= word - 1)
			if (add(g, (first + i) * WORD_BITS + (unsigned)__builtin_ctzll(word), e) <
			    0)
				return -1;
	}
	return 0;
}

static int add_writeset(struct gather *g, const uint8_t *writeset, struct err *e)
{
	uint32_t bits = le32_at(writeset);

	if (pdarray_walk(g->m->io, le64_at(writeset + 4), sizeof(uint64_t),
			 ((uint64_t)bits + WORD_BITS - 1) / WORD_BITS, on_words, g, e) < 0)
		return -1;
	return end_run(g, e);
}

static int on_writeset(void *arg, uint64_t era, const uint8_t *value, struct err *e)
{
	struct gather *g = arg;

	if (era > UINT32_MAX)
		return err_set(e, ERR_FAILED, "an era of %" PRIu64 " is impossible", era);
	if (era < g->lowest)
		g->lowest = era;
	if (era < g->since)
		return 0;
	return add_writeset(g, value, e) < 0 ? err_wrap(e, "writeset of era %" PRIu64, era) : 0;
}

static int on_eras(void *arg, uint64_t first, const uint8_t *values, unsigned n, struct err *e)
{
	struct gather *g = arg;

	for (unsigned i = 0; i < n; i++)
		if (le32_at(values + 4 * (size_t)i) >= g->since && add(g, first + i, e) < 0)
			return -1;
	return 0;
}

static int gather(struct gather *g, struct err *e)
{
	const uint8_t *s = g->m->used;

	if (pdtree_walk(g->m->io, le64_at(s + S_WRITESETS), WRITESET_SIZE, on_writeset, g, e) < 0)
		return -1;
	if (g->m->view == ERA_LIVE && le64_at(s + S_CURRENT + 4) != 0 &&
	    add_writeset(g, s + S_CURRENT, e) < 0)
		return err_wrap(e, "writeset of the current era");
	if (g->lowest <= g->since)
		return 0;
	if (pdarray_walk(g->m->io, le64_at(s + S_ERA_ARRAY), sizeof(uint32_t), g->blocks, on_eras,
			 g, e) < 0)
		return err_wrap(e, "array of eras");
	return end_run(g, e);
}

/* What was read counts only if it was pinned all the time. */
static int confirm(struct era_meta *m, struct err *e)
{
	uint64_t where = m->view == ERA_HELD ? m->held_root : 0;

	if (read_super(m, e) < 0 || blockio_read_one(m->io, where, m->again, e) < 0)
		return -1;
	if (le64_at(m->super + S_HELD) == (where ? where : le64_at(m->used + S_HELD)) &&
	    memcmp(m->again, m->used, BLOCKIO_SIZE) == 0)
		return 0;
	err_set(e, ERR_BUSY, "%s while it was read",
		where ? "the metadata snapshot was dropped or replaced" : "the metadata changed");
	return err_hint(e, "start again; see that no other program uses the metadata snapshot");
}

int era_meta_written(struct era_meta *m, uint32_t since, struct bset *set, struct err *e)
{
	_cleanup_(bset_freep) struct bset *found = bset_new();
	struct gather g = {.m = m,
			   .set = found,
			   .since = since,
			   .blocks = le32_at(m->used + S_BLOCKS),
			   .lowest = UINT64_MAX};
	struct err failure = ERR_INIT;
	int r = gather(&g, &failure);

	if (wrap(m, confirm(m, e), e) < 0)
		return -1;
	if (r < 0) {
		*e = failure;
		return wrap(m, r, e);
	}
	bset_or(set, found);
	return 0;
}
