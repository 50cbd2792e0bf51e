/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "pdtree.h"
#include "thin_meta.h"

#define SUPER_MAGIC    27022010
#define SUPER_VERSIONS 2 /* 1 and 2 have the same layout */
#define SECTOR         512
#define CHUNK_UNIT     128     /* sectors; a chunk is a multiple of it */
#define CHUNK_MAX      2097152 /* sectors: 1 GiB */
#define DETAILS_SIZE   24
#define LOOKS          100 /* at a busy pool, LOOK_PAUSE apart */
#define LOOK_PAUSE_NS  2000000

/* Offsets within the superblock. */
enum {
	S_FLAGS = 4,
	S_MAGIC = 32,
	S_VERSION = 40,
	S_TIME = 44,
	S_TRANSACTION = 48,
	S_HELD = 56,
	S_DATA_SM = 64,  /* nr_blocks u64, nr_allocated u64, ... */
	S_META_SM = 192, /* the same */
	S_MAPPING_ROOT = 320,
	S_DETAILS_ROOT = 328,
	S_CHUNK = 336,
	S_META_BLOCK = 340,
	S_INCOMPAT = 360,
};

/* super: block 0; used: the superblock whose roots count, which is another with THIN_HELD. */
struct thin_meta {
	struct blockio *io;
	enum thin_view view;
	uint8_t *super, *again, *used;
	uint64_t held_root; /* THIN_HELD: as found at opening */
	uint8_t *held;      /* and what it held then */
	uint32_t block_size;
};

static int check_super(const uint8_t *s, uint64_t where, struct err *e)
{
	uint32_t chunk = le32_at(s + S_CHUNK), version = le32_at(s + S_VERSION);

	if (le64_at(s + S_MAGIC) != SUPER_MAGIC) {
		err_set(e, ERR_FAILED, "no thin pool superblock in block %" PRIu64, where);
		return err_hint(e, "name the pool's metadata device, /dev/mapper/VG-POOL_tmeta");
	}
	if (pd_check(s, where, PD_THIN_SUPER, e) < 0)
		return -1;
	if (version < 1 || version > SUPER_VERSIONS || le32_at(s + S_INCOMPAT) != 0)
		return err_set(e, ERR_FAILED,
			       "version %" PRIu32 " or features %#" PRIx32
			       " of the thin pool are newer than this program knows",
			       version, le32_at(s + S_INCOMPAT));
	if (le32_at(s + S_META_BLOCK) != BLOCKIO_SIZE / SECTOR || chunk == 0 || chunk > CHUNK_MAX ||
	    chunk % CHUNK_UNIT != 0)
		return err_set(e, ERR_FAILED, "impossible block sizes in the thin pool superblock");
	return 0;
}

static int read_super(struct thin_meta *m, struct err *e)
{
	if (blockio_read_one(m->io, 0, m->super, e) < 0)
		return -1;
	return check_super(m->super, 0, e);
}

static int held_gone(struct err *e)
{
	err_set(e, ERR_BUSY, "the metadata snapshot was released or replaced while it was read");
	return err_hint(e,
			"start again; see that no other program uses the pool's metadata snapshot");
}

/* Reads block 0 into super, and into used the superblock to go by. */
static int read_view(struct thin_meta *m, struct err *e)
{
	if (read_super(m, e) < 0)
		return -1;
	if (m->view == THIN_LIVE) {
		memcpy(m->used, m->super, BLOCKIO_SIZE);
		return 0;
	}
	if (le64_at(m->super + S_HELD) != m->held_root)
		return held_gone(e);
	if (blockio_read_one(m->io, m->held_root, m->used, e) < 0)
		return -1;
	if (m->held && memcmp(m->used, m->held, BLOCKIO_SIZE) != 0)
		return held_gone(e);
	return check_super(m->used, m->held_root, e);
}

/* 1: nothing was committed since read_view(), or nothing that matters. */
static int same_view(struct thin_meta *m, struct err *e)
{
	if (blockio_read_one(m->io, 0, m->again, e) < 0)
		return -1;
	if (m->view == THIN_LIVE)
		return memcmp(m->again, m->super, BLOCKIO_SIZE) == 0;
	if (le64_at(m->again + S_HELD) != m->held_root)
		return held_gone(e);
	if (blockio_read_one(m->io, m->held_root, m->again, e) < 0)
		return -1;
	return memcmp(m->again, m->used, BLOCKIO_SIZE) == 0 ? 1 : held_gone(e);
}

typedef int look_fn(struct thin_meta *m, void *arg, struct err *e);

/* Runs fn on one state of the metadata. A failure in it counts only if the state stayed the same:
 * else what looked broken may have been a block in the middle of its next use. */
static int look(struct thin_meta *m, look_fn *fn, void *arg, struct err *e)
{
	struct timespec pause = {0, LOOK_PAUSE_NS};

	for (int i = 0; i < LOOKS; i++) {
		struct err failure = ERR_INIT;
		int r = read_view(m, &failure);

		if (r == 0)
			r = fn(m, arg, &failure);
		int same = same_view(m, e);

		if (same < 0)
			return -1;
		if (same && r < 0)
			*e = failure;
		if (same)
			return r;
		nanosleep(&pause, NULL);
	}
	err_set(e, ERR_BUSY, "the pool's metadata changed each time it was read");
	return err_hint(e, "try again when fewer snapshots are made or removed in the pool");
}

static int wrap(struct thin_meta *m, int r, struct err *e)
{
	if (r < 0) {
		err_wrap(e, "thin metadata %s", blockio_path(m->io));
		err_hint(e, "see whether thin_check, run on the inactive pool, finds the same");
	}
	return r;
}

static int fill_super(struct thin_meta *m, void *arg, struct err *e)
{
	struct thin_super *out = arg;
	const uint8_t *s = m->super;

	(void)e;
	*out = (struct thin_super){
		.version = le32_at(s + S_VERSION),
		.time = le32_at(s + S_TIME),
		.transaction_id = le64_at(s + S_TRANSACTION),
		.held_root = le64_at(s + S_HELD),
		.needs_check = le32_at(s + S_FLAGS) & 1,
		.block_sectors = le32_at(s + S_CHUNK),
		.data_blocks = le64_at(s + S_DATA_SM),
		.data_used = le64_at(s + S_DATA_SM + 8),
		.meta_blocks = le64_at(s + S_META_SM),
		.meta_used = le64_at(s + S_META_SM + 8),
	};
	return 0;
}

int thin_meta_super(struct thin_meta *m, struct thin_super *out, struct err *e)
{
	return wrap(m, look(m, fill_super, out, e), e);
}

static int open_view(struct thin_meta *m, struct err *e)
{
	struct thin_super super;

	if (look(m, fill_super, &super, e) < 0)
		return -1;
	m->block_size = super.block_sectors * SECTOR;
	return 0;
}

static int open_held(struct thin_meta *m, struct err *e)
{
	if (open_view(m, e) < 0)
		return -1;
	m->held_root = le64_at(m->super + S_HELD);
	if (m->held_root == 0) {
		err_set(e, ERR_FAILED, "the pool has no metadata snapshot");
		return err_hint(e,
				"reserve one first: dmsetup message POOL 0 reserve_metadata_snap");
	}
	m->view = THIN_HELD;
	if (open_view(m, e) < 0)
		return -1;
	m->held = blockio_alloc(1);
	memcpy(m->held, m->used, BLOCKIO_SIZE);
	return 0;
}

struct thin_meta *thin_meta_open(const char *path, enum thin_view view, struct err *e)
{
	_cleanup_(thin_meta_freep) struct thin_meta *m = xcalloc(1, sizeof(*m));

	m->io = blockio_open(path, e);
	if (!m->io)
		return NULL;
	m->view = THIN_LIVE;
	m->super = blockio_alloc(1);
	m->again = blockio_alloc(1);
	m->used = blockio_alloc(1);
	if (wrap(m, view == THIN_HELD ? open_held(m, e) : open_view(m, e), e) < 0)
		return NULL;
	return TAKE(m);
}

void thin_meta_free(struct thin_meta *m)
{
	if (!m)
		return;
	blockio_free(m->io);
	free(m->super);
	free(m->again);
	free(m->used);
	free(m->held);
	free(m);
}

static int find_one(struct thin_meta *m, struct thin_dev *dev, struct err *e)
{
	uint8_t root[8], d[DETAILS_SIZE];
	int mapped, described;

	mapped = pdtree_lookup(m->io, le64_at(m->used + S_MAPPING_ROOT), dev->id, sizeof(root),
			       root, e);
	if (mapped < 0)
		return -1;
	described =
		pdtree_lookup(m->io, le64_at(m->used + S_DETAILS_ROOT), dev->id, sizeof(d), d, e);
	if (described < 0)
		return -1;
	if (mapped != described)
		return err_set(e, ERR_FAILED, "device %" PRIu32 " is in one of two trees only",
			       dev->id);
	*dev = (struct thin_dev){.id = dev->id};
	if (!mapped)
		return 0;
	dev->present = true;
	dev->root = le64_at(root);
	dev->mapped_blocks = le64_at(d);
	dev->transaction_id = le64_at(d + 8);
	dev->creation_time = le32_at(d + 16);
	dev->snapshotted_time = le32_at(d + 20);
	return 0;
}

struct find {
	struct thin_dev *dev;
	unsigned n;
};

static int find_all(struct thin_meta *m, void *arg, struct err *e)
{
	struct find *f = arg;

	for (unsigned i = 0; i < f->n; i++)
		if (find_one(m, &f->dev[i], e) < 0)
			return -1;
	return 0;
}

int thin_meta_find(struct thin_meta *m, struct thin_dev *dev, unsigned n, struct err *e)
{
	struct find f = {dev, n};

	assert(n <= THIN_FIND_MAX);
	return wrap(m, look(m, find_all, &f, e), e);
}

/* snapshotted_time is left out: a further snapshot of the device changes it, and no mapping. */
static bool same_dev(const struct thin_dev *a, const struct thin_dev *b)
{
	return a->present == b->present && a->root == b->root &&
	       a->mapped_blocks == b->mapped_blocks && a->transaction_id == b->transaction_id &&
	       a->creation_time == b->creation_time;
}

int thin_meta_confirm(struct thin_meta *m, const struct thin_dev *dev, unsigned n, int r,
		      struct err *e)
{
	struct thin_dev now[THIN_FIND_MAX];
	struct err failure = ERR_INIT;

	assert(n <= THIN_FIND_MAX);
	memcpy(now, dev, n * sizeof(*dev));
	if (thin_meta_find(m, now, n, &failure) < 0) {
		if (r >= 0)
			*e = failure;
		return -1;
	}
	for (unsigned i = 0; i < n; i++) {
		if (same_dev(&dev[i], &now[i]))
			continue;
		err_set(e, ERR_BUSY, "metadata of thin device %" PRIu32 " changed under the walk",
			dev[i].id);
		return err_hint(
			e, "start again; devices must be neither written nor removed meanwhile");
	}
	return e->code == ERR_NONE ? r : wrap(m, r, e);
}

uint32_t thin_meta_block_size(const struct thin_meta *m)
{
	return m->block_size;
}

struct thin_stats thin_meta_stats(const struct thin_meta *m)
{
	uint64_t n = blockio_count(m->io);

	return (struct thin_stats){n, n * BLOCKIO_SIZE};
}

struct blockio *thin_meta_io(struct thin_meta *m)
{
	return m->io;
}
