/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "thin.h"
#include "thin_diff.h"
#include "thin_map.h"

#define ATTEMPTS 3

/* 1, 0 or -1 as held(); dev gets what is in the pool now. */
static int is_held(struct thin *t, const struct thin_token *k, const struct thin_slot *s,
		   struct thin_dev *dev, char *why, size_t size, struct err *e)
{
	*dev = (struct thin_dev){.id = k->id};
	if (!s) {
		snprintf(why, size, "its slot (uuid %s) has been removed", k->uuid);
		return 0;
	}
	if (thin_find(t, dev, 1, e) < 0)
		return -1;
	if (thin_token_is(k, dev))
		return 1;
	if (!dev->present)
		snprintf(why, size, "the pool has no device behind its slot %s/%s", t->vg, s->name);
	else if (dev->creation_time != k->time)
		snprintf(why, size, "its slot %s/%s holds something else", t->vg, s->name);
	else
		snprintf(why, size, "its slot %s/%s was written to", t->vg, s->name);
	return 0;
}

int thin_held(struct volume *v, const char *token, char *name, char *why, size_t size,
	      struct err *e)
{
	struct thin *t = thin_of(v);
	const struct thin_slot *s;
	struct thin_token k;
	struct thin_dev dev;
	struct err foreign;
	int r;

	if (thin_token_parse(token, &k, &foreign) < 0) {
		snprintf(why, why ? size : 0, "it was made when the volume was of another kind");
		return 0;
	}
	s = thin_token_slot(t, &k);
	r = is_held(t, &k, s, &dev, why, why ? size : 0, e);
	if (r == 1 && name &&
	    snprintf(name, VOLUME_NAME_MAX, "%s/%s", t->vg, s->name) >= VOLUME_NAME_MAX)
		return err_set(e, ERR_FAILED, "the name of a slot is too long");
	return r;
}

/* The device of a cut that must be held; -1 with ERR_FAILED. *doubt: not held, rather than unknown.
 */
static int device_of(struct thin *t, const char *token, struct thin_dev *dev, bool *doubt,
		     struct err *e)
{
	struct thin_token k;
	char why[256] = "";
	int r;

	*doubt = false;
	if (thin_token_parse(token, &k, e) < 0)
		return -1;
	r = is_held(t, &k, thin_token_slot(t, &k), dev, why, sizeof(why), e);
	if (r == 1)
		return 0;
	*doubt = r == 0;
	return r < 0 ? -1 : err_set(e, ERR_FAILED, "a cut of %s is not held: %s", t->v.name, why);
}

struct gather {
	struct bset *set;
	uint64_t blocks; /* of the volume */
};

/* Unmapped counts as changed: what the block reads as now is looked up when it is sent. */
static int gather(void *arg, enum thin_change kind, uint64_t first, uint64_t count)
{
	struct gather *g = arg;

	(void)kind;
	if (first >= g->blocks)
		return 0; /* left from before the volume was shrunk */
	return bset_add(g->set, first, count < g->blocks - first ? count : g->blocks - first);
}

/* Metadata that was repaired or restored makes numbers in it mean something else. */
static int check_metadata(struct thin *t, struct thin_meta *m, const struct thin_dev dev[2],
			  struct err *e)
{
	struct thin_super super;

	if (thin_meta_super(m, &super, e) < 0)
		return -1;
	if (super.needs_check)
		err_set(e, ERR_FAILED, "the metadata of pool %s/%s needs a check", t->vg, t->pool);
	else if (thin_meta_block_size(m) != t->v.block_size)
		err_set(e, ERR_FAILED, "the chunk size of pool %s/%s is not what LVM says", t->vg,
			t->pool);
	else if (dev[0].creation_time > super.time || dev[1].creation_time > super.time ||
		 dev[0].transaction_id > super.transaction_id ||
		 dev[1].transaction_id > super.transaction_id)
		err_set(e, ERR_FAILED, "the metadata of pool %s/%s has gone back in time", t->vg,
			t->pool);
	else
		return VOLUME_CHANGES_OK;
	return VOLUME_CHANGES_DOUBT;
}

static int diff_once(struct thin *t, const char *from, const char *to, struct bset *set,
		     struct err *e)
{
	_cleanup_(thin_meta_freep) struct thin_meta *m = NULL;
	_cleanup_(bset_freep) struct bset *found = bset_new();
	struct gather g = {found, (t->v.size + t->v.block_size - 1) / t->v.block_size};
	struct thin_dev dev[2];
	bool doubt;
	int r;

	if (device_of(t, from, &dev[0], &doubt, e) < 0 || device_of(t, to, &dev[1], &doubt, e) < 0)
		return doubt ? VOLUME_CHANGES_DOUBT : -1;
	m = thin_metadata(t, e);
	r = m ? check_metadata(t, m, dev, e) : -1;
	if (r != VOLUME_CHANGES_OK)
		return r;
	if (thin_diff(m, &dev[0], &dev[1], gather, &g, e) != 0)
		return -1;
	bset_or(set, found);
	return VOLUME_CHANGES_OK;
}

int thin_changes(struct volume *v, const char *from, const char *to, struct bset *set,
		 struct err *e)
{
	int r = -1;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct err now = ERR_INIT;

		r = diff_once(thin_of(v), from, to, set, &now);
		if (r != VOLUME_CHANGES_OK)
			*e = now;
		if (r >= 0 || now.code != ERR_BUSY)
			break;
	}
	return r;
}

/* Turns mapped runs into data and holes of the set, joined where they touch. */
struct mapper {
	const struct thin *t;
	const struct bset *set;
	uint64_t next;   /* block up to which all has been told */
	uint64_t offset; /* bytes: what lies before it is not wanted */
	volume_extent_fn *fn;
	void *arg;
	enum volume_extent kind; /* of the range not told yet */
	uint64_t from, to;       /* bytes */
};

static int flush(struct mapper *m)
{
	uint64_t from = m->from > m->offset ? m->from : m->offset;
	uint64_t to = m->to < m->t->v.size ? m->to : m->t->v.size;

	m->from = m->to = 0;
	return from < to ? m->fn(m->arg, m->kind, from, to - from) : 0;
}

static int tell(struct mapper *m, enum volume_extent kind, uint64_t first, uint64_t count)
{
	uint64_t bs = m->t->v.block_size;
	int r = 0;

	if (m->to != first * bs || m->kind != kind)
		r = flush(m);
	if (m->to == 0)
		m->from = first * bs;
	m->kind = kind;
	m->to = (first + count) * bs;
	return r;
}

/* Blocks of the set from m->next up to end, which the pool does not map. */
static int tell_gap(struct mapper *m, uint64_t end)
{
	/* with an external origin they read as its bytes */
	enum volume_extent kind = m->t->external[0] ? VOLUME_DATA : VOLUME_HOLE;
	uint64_t first = m->next, count = end - first;
	int r = 0;

	if (!m->set)
		return count ? tell(m, kind, first, count) : 0;
	while (r == 0 && bset_next_run(m->set, m->next, &first, &count) && first < end) {
		if (count > end - first)
			count = end - first;
		r = tell(m, kind, first, count);
		m->next = first + count;
	}
	return r;
}

static int mapped(void *arg, uint64_t first, uint64_t count)
{
	struct mapper *m = arg;
	uint64_t blocks = (m->t->v.size + m->t->v.block_size - 1) / m->t->v.block_size;
	int r;

	if (first >= blocks)
		return 0;
	if (count > blocks - first)
		count = blocks - first;
	r = tell_gap(m, first);
	if (r == 0)
		r = tell(m, VOLUME_DATA, first, count);
	m->next = first + count;
	return r;
}

int thin_data_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
		  volume_extent_fn *fn, void *arg, struct err *e)
{
	struct thin *t = thin_of(v);
	struct mapper mapper = {.t = t, .set = set, .offset = offset, .fn = fn, .arg = arg};
	_cleanup_(thin_meta_freep) struct thin_meta *m = NULL;
	struct err now = ERR_INIT;
	struct thin_dev dev;
	bool doubt;
	int r;

	if (device_of(t, token, &dev, &doubt, e) < 0 || !(m = thin_metadata(t, e)))
		return -1;
	mapper.next = offset / v->block_size;
	r = thin_map(m, &dev, set, mapper.next, mapped, &mapper, &now);
	if (r == 0)
		r = tell_gap(&mapper, (v->size + v->block_size - 1) / v->block_size);
	if (r == 0)
		r = flush(&mapper);
	if (now.code != ERR_NONE)
		*e = now;
	return r;
}

int thin_table(struct thin *t, uint32_t id, struct dmdev_table *out, struct err *e)
{
	struct dmdev_table head;
	char external[32] = "";
	struct dmdev pool;

	if (dmdev_find(t->pool_dm_uuid, &pool, e) < 0)
		return -1;
	if (t->external[0] && (dmdev_table(t->dm_uuid, &head, e) < 0 ||
			       sscanf(head.params, "%*s %*s %31s", external) != 1)) {
		err_set(e, ERR_FAILED, "%s has an external origin, and is not active", t->v.name);
		return err_hint(e, "lvchange -ay %s", t->v.name);
	}
	*out = (struct dmdev_table){.sectors = t->v.size / 512, .type = "thin"};
	snprintf(out->params, sizeof(out->params), "%u:%u %" PRIu32 "%s%s", pool.major, pool.minor,
		 id, external[0] ? " " : "", external);
	return 0;
}

int thin_open_private(struct thin *t, uint32_t id, struct err *e)
{
	static atomic_uint counter;
	unsigned number = atomic_fetch_add(&counter, 1);
	struct dmdev_table table;
	char name[LVM_DM_UUID_SIZE], uuid[LVM_DM_UUID_SIZE];

	if (thin_table(t, id, &table, e) < 0)
		return -1;
	snprintf(name, sizeof(name), "srsync-%s-%d-%u", t->v.uuid, getpid(), number);
	snprintf(uuid, sizeof(uuid), THIN_PRIVATE "%d-%u", t->v.uuid, t->v.partnership, getpid(),
		 number);
	return dmdev_open_private(name, uuid, &table, e);
}

int thin_reader(struct volume *v, const char *token, struct err *e)
{
	struct thin *t = thin_of(v);
	_cleanup_close_ int fd = -1;
	struct thin_dev dev;
	bool doubt;

	if (device_of(t, token, &dev, &doubt, e) < 0)
		return -1;
	fd = thin_open_private(t, dev.id, e);
	/* from here on the pool refuses to delete it; what we opened is what we asked for if it
	 * still is */
	if (fd < 0 || device_of(t, token, &dev, &doubt, e) < 0)
		return -1;
	return take_fd(&fd);
}
