/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The era device itself.
 *
 * dm-era is told of a discard that spans several of its blocks once, and marks the first only. So
 * no discard may pass. A setting of the queue (discard_max_bytes) could be changed and changed back
 * behind our back. But a table loaded while the volume below takes no discards has none in its hard
 * limits (discard_max_hw_bytes), which nothing changes but the next load of a table; and a load by
 * somebody else, while the volume below takes discards again, is seen in them. Assumed is only that
 * nobody loads tables twice by hand to hide that. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "blockio.h"
#include "cut.h"
#include "era.h"
#include "io.h"
#include "log.h"
#include "watchdog.h"

#define ARRAY_PER_BLOCK 1018       /* eras in a metadata block */
#define BITS_PER_BLOCK  (509 * 64) /* of a writeset */
#define WRITESETS       4          /* not digested yet */
#define META_FIXED      64         /* blocks: trees, space maps */
#define META_SLACK      3
#define META_MIN        (16ULL << 20)
#define META_UNIT       (1ULL << 20)

uint64_t era_dev_meta_size(uint64_t size, uint64_t block)
{
	uint64_t n = (size + block - 1) / block, blocks;

	blocks = n / ARRAY_PER_BLOCK + 1 + WRITESETS * (n / BITS_PER_BLOCK + 1) + META_FIXED;
	n = (META_SLACK * blocks * BLOCKIO_SIZE + META_UNIT - 1) / META_UNIT * META_UNIT;
	return n < META_MIN ? META_MIN : n;
}

const struct lvm_lv *era_dev_meta(const struct lvm_list *l, const char *uuid)
{
	char tag[sizeof(ERA_TAG_OF) + LVM_UUID_SIZE];

	snprintf(tag, sizeof(tag), "%s%s", ERA_TAG_OF, uuid);
	for (size_t i = 0; i < l->n; i++)
		if (lvm_has_tag(&l->lv[i], tag))
			return &l->lv[i];
	return NULL;
}

/* What follows prefix in the tag that begins with it; empty: there is none, or it is too long. */
static void tag_value(const struct lvm_lv *lv, const char *prefix, char *out, size_t size)
{
	size_t n = strlen(prefix), len;

	out[0] = '\0';
	for (const char *p = lv->tags; p; p = strchr(p, ',')) {
		p += *p == ',';
		len = strcspn(p, ",");
		if (!strncmp(p, prefix, n) && len > n && len - n < size)
			snprintf(out, size, "%.*s", (int)(len - n), p + n);
	}
}

static int half(const struct lvm_lv *lv, const char *why, struct err *e)
{
	err_set(e, ERR_FAILED, "dm-era is half attached to %s/%s: %s", lv->vg_name, lv->name, why);
	return err_hint(e, "srsync era detach %s/%s, then attach it anew", lv->vg_name, lv->name);
}

int era_dev_find(const struct lvm_list *l, const struct lvm_lv *lv, struct era_dev *out,
		 struct err *e)
{
	const struct lvm_lv *meta = era_dev_meta(l, lv->uuid);
	struct err off;
	char block[24];

	if (!lvm_has_tag(lv, ERA_TAG))
		return meta ? half(lv, "it lacks its tag", e) : 1;
	if (!meta)
		return half(lv, "its metadata volume is gone", e);
	*out = (struct era_dev){.size = lv->size};
	strcpy(out->vg, lv->vg_name);
	strcpy(out->lv, lv->name);
	strcpy(out->uuid, lv->uuid);
	strcpy(out->segtype, lv->segtype);
	strcpy(out->meta, meta->name);
	strcpy(out->meta_uuid, meta->uuid);
	snprintf(out->dm, sizeof(out->dm), "SRSYNC-ERA-%s", lv->uuid);
	lvm_dm_uuid(lv, "", out->lv_dm);
	lvm_dm_uuid(meta, "", out->meta_dm);
	tag_value(meta, ERA_TAG_ID, out->id, sizeof(out->id));
	tag_value(meta, ERA_TAG_BLOCK, block, sizeof(block));
	if (!fmt_is_id(out->id) ||
	    fmt_parse_u64(block, 4096, ERA_BLOCK_SECTORS * 512ULL, &out->block, &off) < 0 ||
	    out->block % 4096)
		return half(lv, "the tags of its metadata volume are damaged", e);
	return 0;
}

struct era_meta *era_dev_metadata(const struct era_dev *d, enum era_view view, struct err *e)
{
	struct dmdev meta;
	char path[64];

	if (dmdev_find(d->meta_dm, &meta, e) < 0)
		return NULL;
	if (!meta.exists) {
		err_set(e, ERR_FAILED, "the metadata volume %s/%s is not active", d->vg, d->meta);
		err_hint(e, "srsync era start %s/%s", d->vg, d->lv);
		return NULL;
	}
	dmdev_path(&meta, path, sizeof(path));
	return era_meta_open(path, view, e);
}

int era_dev_super(const struct era_dev *d, struct era_super *out, struct err *e)
{
	_cleanup_(era_meta_freep) struct era_meta *m = era_dev_metadata(d, ERA_LIVE, e);

	return m ? era_meta_super(m, out, e) : -1;
}

/* --- discards --- */

static void sys_path(const struct dmdev *d, const char *name, char *out, size_t size)
{
	snprintf(out, size, "/sys/dev/block/%u:%u/%s", d->major, d->minor, name);
}

static int read_number(const struct dmdev *d, const char *name, uint64_t *out, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char path[96], text[32];

	sys_path(d, name, path, sizeof(path));
	if (io_read_file(path, sizeof(text) - 1, &b, e) < 0)
		return -1;
	snprintf(text, sizeof(text), "%.*s", (int)b.len, b.data ? (const char *)b.data : "");
	text[strcspn(text, "\n")] = '\0';
	return fmt_parse_u64(text, 0, UINT64_MAX, out, e);
}

static int write_limit(const struct dmdev *d, uint64_t value, struct err *e)
{
	char path[96], text[32];
	_cleanup_close_ int fd = -1;
	int n = snprintf(text, sizeof(text), "%" PRIu64, value);

	sys_path(d, "queue/discard_max_bytes", path, sizeof(path));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || io_write(fd, text, n) < 0 ? err_sys(e, "write %s", path) : 0;
}

int era_dev_discards_off(const struct era_dev *d, struct err *e)
{
	struct dmdev dev;
	uint64_t most;

	if (dmdev_find(d->dm, &dev, e) < 0)
		return -1;
	if (!dev.exists)
		return err_set(e, ERR_FAILED, "there is no era device above %s/%s", d->vg, d->lv);
	return read_number(&dev, "queue/discard_max_hw_bytes", &most, e) < 0 ? -1 : most == 0;
}

/* Runs fn, which puts a table in place, while the volume below takes no discards. */
static int without_discards(const struct era_dev *d,
			    int (*fn)(const struct era_dev *d, const struct dmdev_table *t,
				      struct err *e),
			    const struct dmdev_table *t, struct err *e)
{
	struct err other;
	struct dmdev lv;
	uint64_t was, unit;
	int r;

	if (dmdev_find(d->lv_dm, &lv, e) < 0 ||
	    read_number(&lv, "queue/discard_max_bytes", &was, e) < 0 ||
	    read_number(&lv, "queue/discard_granularity", &unit, e) < 0 ||
	    (was && write_limit(&lv, 0, e) < 0))
		return -1;
	r = fn(d, t, e);
	/* the kernel's own default may be larger than what it lets be written */
	was = was > UINT32_MAX ? UINT32_MAX : was;
	if (was && write_limit(&lv, unit ? was & ~(unit - 1) : was, &other) < 0)
		log_err(LOG_LEVEL_WARN, &other);
	if (r == 0)
		r = era_dev_discards_off(d, e);
	if (r == 0)
		return err_set(e, ERR_FAILED,
			       "this kernel lets discards pass dm-era, which loses "
			       "track of them");
	return r < 0 ? -1 : 0;
}

/* --- tables --- */

static int table_of(const struct era_dev *d, struct dmdev_table *out, struct err *e)
{
	struct dmdev lv, meta;
	uint64_t sectors;

	if (dmdev_find(d->lv_dm, &lv, e) < 0 || dmdev_find(d->meta_dm, &meta, e) < 0)
		return -1;
	if (!lv.exists || !meta.exists) {
		err_set(e, ERR_FAILED, "%s/%s is not active", d->vg, lv.exists ? d->meta : d->lv);
		return err_hint(e, "srsync era start %s/%s", d->vg, d->lv);
	}
	if (read_number(&lv, "size", &sectors, e) < 0)
		return -1;
	*out = (struct dmdev_table){.sectors = sectors, .type = "era"};
	snprintf(out->params, sizeof(out->params), "%u:%u %u:%u %" PRIu64, meta.major, meta.minor,
		 lv.major, lv.minor, d->block / 512);
	return 0;
}

static int create(const struct era_dev *d, const struct dmdev_table *t, struct err *e)
{
	struct dmdev lv;
	char name[sizeof(lv.name) + 8];

	if (dmdev_find(d->lv_dm, &lv, e) < 0)
		return -1;
	snprintf(name, sizeof(name), "%s-era", lv.name);
	return dmdev_create(name, d->dm, t, e);
}

/* The kernel would format metadata that is all zeros, which must not happen to what has been in
 * use: eras would begin anew. */
static int check_metadata(const struct era_dev *d, struct err *e)
{
	struct era_super s;

	if (era_dev_super(d, &s, e) < 0)
		err_wrap(e, "%s/%s", d->vg, d->lv);
	else if (s.block_sectors * 512ULL != d->block)
		err_set(e, ERR_FAILED, "the metadata of %s/%s has blocks of another size", d->vg,
			d->lv);
	else
		return 0;
	return err_hint(e, "srsync era detach %s/%s, then attach it: the next transfer ships all",
			d->vg, d->lv);
}

int era_dev_create(const struct era_dev *d, bool fresh, struct err *e)
{
	char lv[2 * LVM_NAME_MAX + 2], meta[2 * LVM_NAME_MAX + 2];
	struct dmdev_table t;
	struct err other;

	snprintf(lv, sizeof(lv), "%s/%s", d->vg, d->lv);
	snprintf(meta, sizeof(meta), "%s/%s", d->vg, d->meta);
	if (lvm_do(e, "lvchange", "-q", "-ay", "-K", lv, meta) < 0 ||
	    (!fresh && check_metadata(d, e) < 0) || table_of(d, &t, e) < 0)
		return -1;
	if (without_discards(d, create, &t, e) == 0)
		return 0;
	dmdev_remove(d->dm, &other); /* if it is there at all */
	return -1;
}

/* The one order that dm-era bears: it reads its metadata when a table is loaded. */
static int swap(const struct era_dev *d, const struct dmdev_table *t, struct err *e)
{
	char words[LVM_DM_UUID_SIZE + 8];
	struct freeze f = FREEZE_INIT;
	struct watchdog *dog;
	struct err late;
	int r = -1, thawed;

	snprintf(words, sizeof(words), "dm %s\n", d->dm);
	dog = watchdog_start(words, CUT_LIMIT_MS, e);
	if (!dog)
		return -1;
	if (freeze_open(&f, d->dm, e) == 0 && watchdog_arm(dog, e) == 0)
		r = freeze_begin(&f, e);
	if (r == 0)
		r = dmdev_load(d->dm, t, e);
	thawed = freeze_end(&f, r == 0 ? e : &late);
	if (watchdog_stop(dog, thawed == 0, r == 0 && thawed == 0 ? e : &late) < 0 || thawed < 0)
		r = -1;
	freeze_close(&f);
	return r;
}

/* Metadata cannot grow: dm-era keeps the size that it was formatted with. */
static int check_room(const struct era_dev *d, uint64_t size, struct err *e)
{
	struct era_super s;

	if (era_dev_super(d, &s, e) < 0)
		return -1;
	if (era_dev_meta_size(size, d->block) / META_SLACK <= s.meta_total * BLOCKIO_SIZE)
		return 0;
	err_set(e, ERR_REFUSED, "%s/%s has outgrown its era metadata of %s", d->vg, d->lv,
		fmt_bytes(s.meta_total * BLOCKIO_SIZE).s);
	return err_hint(e, "srsync era detach, then attach: the next transfer ships everything");
}

int era_dev_new_id(struct era_dev *d, struct err *e)
{
	char meta[2 * LVM_NAME_MAX + 2], old[sizeof(ERA_TAG_ID) + FMT_ID_SIZE],
		new[sizeof(ERA_TAG_ID) + FMT_ID_SIZE];

	snprintf(meta, sizeof(meta), "%s/%s", d->vg, d->meta);
	snprintf(old, sizeof(old), "%s%s", ERA_TAG_ID, d->id);
	fmt_random_id(d->id);
	snprintf(new, sizeof(new), "%s%s", ERA_TAG_ID, d->id);
	return lvm_do(e, "lvchange", "-q", "--deltag", old, "--addtag", new, meta);
}

static int check_table(const struct era_dev *d, const struct dmdev_table *is,
		       const struct dmdev_table *want, struct err *e)
{
	if (!strcmp(is->type, want->type) &&
	    !strncmp(is->params, want->params, strlen(want->params)))
		return 0;
	err_set(e, ERR_FAILED,
		"the era device above %s/%s is not one that srsync made: its table "
		"is \"%s %.200s\"",
		d->vg, d->lv, is->type, is->params);
	return err_hint(e, "srsync era detach %s/%s, then attach it anew", d->vg, d->lv);
}

int era_dev_keep(struct era_dev *d, struct err *e)
{
	struct dmdev_table is, want;
	struct dmdev dev;
	int off;

	if (freeze_mend(d->dm, e) < 0 || dmdev_find(d->dm, &dev, e) < 0)
		return -1;
	if (!dev.exists) {
		err_set(e, ERR_FAILED, "dm-era is attached to %s/%s, but its device is not there",
			d->vg, d->lv);
		return err_hint(e, "srsync era start %s/%s", d->vg, d->lv);
	}
	if (dmdev_table(d->dm, &is, e) < 0 || table_of(d, &want, e) < 0 ||
	    check_table(d, &is, &want, e) < 0)
		return -1;
	off = era_dev_discards_off(d, e);
	if (off < 0 || (off && is.sectors == want.sectors))
		return off < 0 ? -1 : 0;
	if (!off) {
		log_warn("%s/%s: somebody has loaded a table into its era device that lets "
			 "discards pass: changes may have been missed",
			 d->vg, d->lv);
		if (era_dev_new_id(d, e) < 0)
			return -1;
	}
	if (is.sectors > want.sectors)
		return err_set(e, ERR_REFUSED, "%s/%s is smaller than the era device above it",
			       d->vg, d->lv);
	return check_room(d, want.sectors * 512, e) < 0 ? -1 : without_discards(d, swap, &want, e);
}
