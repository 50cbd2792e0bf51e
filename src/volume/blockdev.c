/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "blockdev.h"
#include "dmdev.h"
#include "lvm.h"
#include "tags.h"

#define LVM_PREFIX "LVM-"
#define BY_ID      "/dev/disk/by-id/"

/* Empty: no device-mapper device. */
static void dm_uuid_of(dev_t dev, char out[static LVM_DM_UUID_SIZE])
{
	_cleanup_free_ char *path =
		xasprintf("/sys/dev/block/%u:%u/dm/uuid", major(dev), minor(dev));
	_cleanup_(fclosep) FILE *f = fopen(path, "re");

	if (!f || !fgets(out, LVM_DM_UUID_SIZE, f))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static int locate(const char *uuid, struct blockdev *b, struct err *e)
{
	struct dmdev d;

	if (dmdev_find(uuid, &d, e) < 0)
		return -1;
	snprintf(b->stable, sizeof(b->stable), "%s", uuid);
	if (!d.exists)
		return 0;
	dmdev_path(&d, b->path, sizeof(b->path));
	b->dev = makedev(d.major, d.minor);
	if (!b->name[0])
		snprintf(b->name, sizeof(b->name), "/dev/mapper/%s", d.name);
	return 0;
}

static int take_lv(const struct lvm_lv *lv, struct blockdev *b, struct err *e)
{
	char uuid[LVM_DM_UUID_SIZE];

	lvm_dm_uuid(lv, "", uuid);
	snprintf(b->name, sizeof(b->name), "%.120s/%.120s", lv->vg_name, lv->name);
	b->tagged = tags_any(lv);
	return locate(uuid, b, e);
}

static int find_uuid(const char *uuid, struct blockdev *b, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	char lv_uuid[LVM_DM_UUID_SIZE];

	if (!strncmp(uuid, LVM_PREFIX, strlen(LVM_PREFIX))) {
		if (lvm_list(NULL, &l, e) < 0)
			return -1;
		for (size_t i = 0; i < l.n; i++) {
			lvm_dm_uuid(&l.lv[i], "", lv_uuid);
			if (!strcmp(lv_uuid, uuid))
				return take_lv(&l.lv[i], b, e);
		}
	}
	if (locate(uuid, b, e) < 0)
		return -1;
	if (b->path[0])
		return 0;
	return err_set(e, ERR_FAILED, "there is no device with the uuid %s now", uuid);
}

static int find_lv(const char *name, struct blockdev *b, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	char vg[LVM_NAME_MAX], lv[LVM_NAME_MAX];
	const struct lvm_lv *found;

	if (lvm_split_name(name, vg, lv, e) < 0)
		return 1;
	if (lvm_list(vg, &l, e) < 0)
		return -1;
	found = lvm_by_name(&l, lv);
	if (!found)
		return err_set(e, ERR_FAILED, "there is no logical volume %s/%s", vg, lv);
	return take_lv(found, b, e);
}

/* A disk's number, and so its plain path, may be another's after a reboot: udev's name of it, if
 * there is one. */
static void name_disk(const char *path, struct blockdev *b)
{
	_cleanup_(closedirp) DIR *d = opendir(BY_ID);
	struct dirent *ent;
	struct stat st;

	snprintf(b->name, sizeof(b->name), "%s", path);
	snprintf(b->path, sizeof(b->path), "%s", path);
	snprintf(b->stable, sizeof(b->stable), "%s", path);
	if (!strncmp(path, BY_ID, strlen(BY_ID)))
		return;
	while (d && (ent = readdir(d))) {
		if (fstatat(dirfd(d), ent->d_name, &st, 0) < 0 || !S_ISBLK(st.st_mode) ||
		    st.st_rdev != b->dev || strlen(ent->d_name) > sizeof(b->stable) / 2)
			continue;
		snprintf(b->stable, sizeof(b->stable), BY_ID "%.127s", ent->d_name);
		return;
	}
}

int blockdev_find(const char *name, struct blockdev *b, struct err *e)
{
	char uuid[LVM_DM_UUID_SIZE];
	struct stat st;

	*b = (struct blockdev){.dev = 0};
	if (!strchr(name, '/'))
		return find_uuid(name, b, e);
	if (name[0] != '/')
		return find_lv(name, b, e);
	if (stat(name, &st) < 0) {
		int missing = err_sys(e, "%s", name);
		struct err other = ERR_INIT;

		/* an LV that is not active has no path */
		return strncmp(name, "/dev/", 5) ? 1 : find_lv(name, b, &other) == 0 ? 0 : missing;
	}
	if (!S_ISBLK(st.st_mode)) {
		err_set(e, ERR_USAGE, "%s is not a block device", name);
		return 1;
	}
	dm_uuid_of(st.st_rdev, uuid);
	if (uuid[0])
		return find_uuid(uuid, b, e);
	b->dev = st.st_rdev;
	name_disk(name, b);
	return 0;
}

bool blockdev_same(const struct blockdev *a, const struct blockdev *b)
{
	return !strcmp(a->stable, b->stable) || (a->path[0] && b->path[0] && a->dev == b->dev);
}
