/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "blockio.h"
#include "era.h"
#include "era_admin.h"
#include "io.h"
#include "log.h"
#include "probe.h"

#define LOOK_US 500000

static int refuse_user(const struct dmdev *d, const char *name, const char *hint, struct err *e)
{
	char words[PROBE_WORDS_MAX];
	int r = probe_user(d->major, d->minor, words, e);

	if (r == 0 && d->open_count > 0)
		snprintf(words, sizeof(words), "open");
	else if (r <= 0)
		return r;
	err_set(e, ERR_REFUSED, "%s is in use: %s", name, words);
	return err_hint(e, "%s", hint);
}

static bool is_fit(const struct lvm_lv *lv)
{
	static const char *const types[] = {"linear", "striped", "thin"};

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(lv->segtype, types[i]))
			return true;
	return !strncmp(lv->segtype, "raid", 4);
}

static int check_volume(const struct lvm_list *l, const struct lvm_lv *lv, uint64_t block,
			struct err *e)
{
	struct dmdev d;
	char dm[LVM_DM_UUID_SIZE];

	if (lvm_has_tag(lv, ERA_TAG) || era_dev_meta(l, lv->uuid)) {
		err_set(e, ERR_REFUSED, "dm-era is attached to %s/%s already", lv->vg_name,
			lv->name);
		return err_hint(e, "see srsync era list");
	}
	if (strstr(lv->tags, "srsync."))
		return err_set(e, ERR_REFUSED, "%s/%s is a replica, a cut or metadata of srsync",
			       lv->vg_name, lv->name);
	if (!is_fit(lv))
		return err_set(e, ERR_REFUSED,
			       "%s/%s is a volume of type %s: dm-era goes above "
			       "thin and thick ones",
			       lv->vg_name, lv->name, lv->segtype);
	if (block < 4096 || block % 4096 || block > ERA_BLOCK_SECTORS * 512ULL ||
	    (lv->size + block - 1) / block > ERA_BLOCKS_MAX)
		return err_set(e, ERR_USAGE,
			       "a block of %s does not do: a multiple of 4 KiB up to "
			       "1 GiB, and less than 2^31 of them",
			       fmt_bytes(block).s);
	lvm_dm_uuid(lv, "", dm);
	if (dmdev_find(dm, &d, e) < 0)
		return -1;
	return d.exists ? refuse_user(&d, lv->name,
				      "unmount or close it first; afterwards use the "
				      "era device in its place",
				      e)
			: 0;
}

static int make_meta(const struct lvm_lv *lv, uint64_t block, struct err *e)
{
	char size[32], name[LVM_NAME_MAX + 16], of[sizeof(ERA_TAG_OF) + LVM_UUID_SIZE],
		id[FMT_ID_SIZE], id_tag[sizeof(ERA_TAG_ID) + FMT_ID_SIZE],
		block_tag[sizeof(ERA_TAG_BLOCK) + 24];

	fmt_random_id(id);
	snprintf(name, sizeof(name), "%s.srsync-era", lv->name);
	snprintf(size, sizeof(size), "%" PRIu64 "b", era_dev_meta_size(lv->size, block));
	snprintf(of, sizeof(of), "%s%s", ERA_TAG_OF, lv->uuid);
	snprintf(id_tag, sizeof(id_tag), "%s%s", ERA_TAG_ID, id);
	snprintf(block_tag, sizeof(block_tag), "%s%" PRIu64, ERA_TAG_BLOCK, block);
	if (lvm_do(e, "lvcreate", "-q", "-y", "-Wn", "-Zy", "-L", size, "-n", name, "--addtag", of,
		   "--addtag", id_tag, "--addtag", block_tag, lv->vg_name) < 0)
		return err_wrap(e, "make the era metadata of %s/%s", lv->vg_name, lv->name);
	return 0;
}

/* Zeros in block 0 make the kernel format it. */
static int clear_meta(const struct lvm_lv *meta, struct err *e)
{
	_cleanup_free_ uint8_t *zero = blockio_alloc(1);
	_cleanup_close_ int fd = -1;
	char dm[LVM_DM_UUID_SIZE], path[64];
	struct dmdev d;

	memset(zero, 0, BLOCKIO_SIZE);
	lvm_dm_uuid(meta, "", dm);
	if (dmdev_find(dm, &d, e) < 0)
		return -1;
	if (!d.exists)
		return err_set(e, ERR_FAILED, "%s/%s is not active", meta->vg_name, meta->name);
	dmdev_path(&d, path, sizeof(path));
	fd = open(path, O_WRONLY | O_DIRECT | O_EXCL | O_CLOEXEC);
	if (fd < 0 || io_pwrite(fd, zero, BLOCKIO_SIZE, 0) < 0 || fsync(fd) < 0)
		return err_sys(e, "clear %s", path);
	return 0;
}

/* From here on nobody but era_start() activates it. */
static int mark(const struct lvm_lv *lv, struct err *e)
{
	char name[2 * LVM_NAME_MAX + 2];

	snprintf(name, sizeof(name), "%s/%s", lv->vg_name, lv->name);
	return lvm_do(e, "lvchange", "-q", "-ky", "--addtag", ERA_TAG, name);
}

static int find(const char *name, struct lvm_list *l, const struct lvm_lv **lv, struct err *e)
{
	char vg[LVM_NAME_MAX], n[LVM_NAME_MAX];

	if (lvm_split_name(name, vg, n, e) < 0 || lvm_list(vg, l, e) < 0)
		return -1;
	*lv = lvm_by_name(l, n);
	if (*lv)
		return 0;
	err_set(e, ERR_FAILED, "there is no logical volume %s", name);
	return err_hint(e, "see lvs %s", vg);
}

static int lock_group(const char *name, const char *what, struct err *e)
{
	char vg[LVM_NAME_MAX], lv[LVM_NAME_MAX];

	return lvm_split_name(name, vg, lv, e) < 0 ? -1 : lvm_lock(vg, what, e);
}

static int build(const char *name, char *path, unsigned size, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	const struct lvm_lv *lv;
	struct era_dev d;
	struct dmdev dev;

	if (find(name, &l, &lv, e) < 0 || clear_meta(era_dev_meta(&l, lv->uuid), e) < 0 ||
	    mark(lv, e) < 0)
		return -1;
	lvm_list_free(&l);
	if (find(name, &l, &lv, e) < 0 || era_dev_find(&l, lv, &d, e) != 0 ||
	    era_dev_create(&d, true, e) < 0 || dmdev_find(d.dm, &dev, e) < 0)
		return -1;
	snprintf(path, size, "/dev/mapper/%s", dev.name);
	return 0;
}

static int take_apart(const char *name, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	const struct lvm_lv *lv, *meta;
	char dm[LVM_DM_UUID_SIZE], full[2 * LVM_NAME_MAX + 2];
	struct dmdev d;

	if (find(name, &l, &lv, e) < 0)
		return -1;
	meta = era_dev_meta(&l, lv->uuid);
	if (!meta && !lvm_has_tag(lv, ERA_TAG))
		return err_set(e, ERR_FAILED, "dm-era is not attached to %s", name);
	snprintf(dm, sizeof(dm), "SRSYNC-ERA-%s", lv->uuid);
	if (freeze_mend(dm, e) < 0 || dmdev_find(dm, &d, e) < 0 ||
	    (d.exists && refuse_user(&d, d.name, "unmount or close it first", e) < 0) ||
	    (d.exists && dmdev_remove(dm, e) < 0))
		return -1;
	if (meta) {
		snprintf(full, sizeof(full), "%s/%s", meta->vg_name, meta->name);
		if (lvm_do(e, "lvremove", "-q", "-f", "-y", full) < 0)
			return -1;
	}
	snprintf(full, sizeof(full), "%s/%s", lv->vg_name, lv->name);
	if (lvm_has_tag(lv, ERA_TAG) &&
	    lvm_do(e, "lvchange", "-q", "-kn", "--deltag", ERA_TAG, full) < 0)
		return -1;
	/* its table anew: it takes discards as ever */
	return d.exists ? lvm_do(e, "lvchange", "-q", "--refresh", full) : 0;
}

int era_attach(const char *name, uint64_t block, char *path, unsigned size, struct err *e)
{
	_cleanup_close_ int lock = lock_group(name, "attach dm-era", e);
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	const struct lvm_lv *lv;
	struct err undo;

	if (lock < 0 || find(name, &l, &lv, e) < 0 || check_volume(&l, lv, block, e) < 0 ||
	    make_meta(lv, block, e) < 0)
		return -1;
	if (build(name, path, size, e) == 0)
		return 0;
	if (take_apart(name, &undo) < 0)
		log_err(LOG_LEVEL_WARN, &undo);
	return err_wrap(e, "attach dm-era to %s", name);
}

int era_detach(const char *name, struct err *e)
{
	_cleanup_close_ int lock = lock_group(name, "detach dm-era", e);

	return lock < 0 || take_apart(name, e) < 0 ? -1 : 0;
}

/* --- list and start --- */

static void fill_row(const struct era_dev *d, struct era_row *row)
{
	struct era_super s;
	struct dmdev dev;
	struct err e;

	*row = (struct era_row){.block = d->block, .meta_percent = -1};
	snprintf(row->name, sizeof(row->name), "%.127s/%.127s", d->vg, d->lv);
	if (dmdev_find(d->dm, &dev, &e) == 0 && dev.exists) {
		snprintf(row->path, sizeof(row->path), "/dev/mapper/%s", dev.name);
		row->suspended = dev.suspended;
		row->discards = era_dev_discards_off(d, &e) == 0;
	}
	if (dev.exists && era_dev_super(d, &s, &e) == 0 && s.meta_total) {
		row->era = s.era;
		row->meta_percent = 100.0 * (double)s.meta_used / (double)s.meta_total;
	}
}

int era_list(era_row_fn *fn, void *arg, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	struct era_row row;
	struct era_dev d;
	struct err half;

	if (lvm_list(NULL, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		int r = era_dev_find(&l, &l.lv[i], &d, &half);

		if (r < 0)
			log_err(LOG_LEVEL_WARN, &half);
		if (r != 0)
			continue;
		fill_row(&d, &row);
		fn(arg, &row);
	}
	return 0;
}

/* A volume that is active without the device above it may have been written to. */
static int start(struct era_dev *d, struct err *e)
{
	struct dmdev dev, lv;

	if (freeze_mend(d->dm, e) < 0 || dmdev_find(d->dm, &dev, e) < 0 ||
	    dmdev_find(d->lv_dm, &lv, e) < 0)
		return -1;
	if (dev.exists)
		return 0;
	if (lv.exists) {
		if (refuse_user(&lv, d->lv,
				"what is written past the era device is not tracked: unmount or "
				"close it, then start",
				e) < 0)
			return -1;
		log_warn("%s/%s is active without its era device: changes may have been missed, "
			 "the next transfer ships everything",
			 d->vg, d->lv);
		if (era_dev_new_id(d, e) < 0)
			return -1;
	}
	return era_dev_create(d, false, e) < 0 ? -1 : 1;
}

static bool is_named(const struct era_dev *d, const char *const *names, unsigned n)
{
	char name[2 * LVM_NAME_MAX + 2];

	snprintf(name, sizeof(name), "%s/%s", d->vg, d->lv);
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return n == 0;
}

/* One round: 0 if all are up; -1 with the first that is not. */
static int start_all(const char *const *names, unsigned n, unsigned *started, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	struct err first = ERR_INIT, now;
	unsigned found = 0;
	struct era_dev d;

	if (lvm_list(NULL, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		_cleanup_close_ int lock = -1;
		int r = era_dev_find(&l, &l.lv[i], &d, &now);

		if (r > 0 || (r == 0 && !is_named(&d, names, n)))
			continue;
		found++;
		if (r == 0) {
			lock = lvm_lock(d.vg, "start dm-era", &now);
			r = lock < 0 ? -1 : start(&d, &now);
		}
		*started += r == 1;
		if (r < 0 && first.code == ERR_NONE)
			first = now;
	}
	if (first.code != ERR_NONE) {
		*e = first;
		return -1;
	}
	return found >= n ? 0
			  : err_set(e, ERR_FAILED,
				    "dm-era is not attached to all that are named, "
				    "or their group is not there");
}

int era_start(const char *const *names, unsigned n, uint64_t wait_ms, unsigned *started,
	      struct err *e)
{
	uint64_t end = fmt_mono_us() + wait_ms * 1000;
	int r;

	*started = 0;
	for (;;) {
		struct err now = ERR_INIT;

		r = start_all(names, n, started, &now);
		if (r < 0)
			*e = now;
		if (r == 0 || fmt_mono_us() >= end)
			return r;
		usleep(LOOK_US);
	}
}
