/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The identity of a block device that is no LV, as
 *
 *   WORD-HASH[-pNUMBER-START]
 *
 * WORD says what HASH (XXH3-64) is of: "dm" (uuid of a device-mapper device), "wwid" (what the
 * drive says that it is: SCSI, NVMe), "serial" (virtio, MMC, NVMe of old), the best there is. A
 * partition is its drive's, with its number and first sector. "dev" is the device number, the last
 * resort: it tells a disk only as long as nothing is plugged otherwise, and the size and the
 * tripwire in the token have to tell the rest. Nothing that is written on the volume counts: it is
 * the replica's. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <xxhash.h>

#include "raw.h"

/* The first line of a file below the device's folder in sysfs; false: none, or it is empty. */
static bool read_line(const char *dir, const char *file, char *out, size_t size)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, file);
	_cleanup_(fclosep) FILE *f = fopen(path, "re");

	if (!f || !fgets(out, (int)size, f))
		return false;
	out[strcspn(out, "\n")] = '\0';
	return out[strspn(out, " ")] != '\0';
}

static void drive(const char *dir, dev_t dev, char *uuid, size_t size)
{
	static const struct {
		const char *word, *file;
	} source[] = {{"dm", "dm/uuid"},           {"wwid", "wwid"},
		      {"wwid", "device/wwid"},     {"serial", "serial"},
		      {"serial", "device/serial"}, {"serial", "device/cid"}};
	char line[512];

	for (unsigned i = 0; i < ARRAY_SIZE(source); i++) {
		if (!read_line(dir, source[i].file, line, sizeof(line)))
			continue;
		snprintf(uuid, size, "%s-%016llx", source[i].word,
			 (unsigned long long)XXH3_64bits(line, strlen(line)));
		return;
	}
	snprintf(uuid, size, "dev-%u-%u", major(dev), minor(dev));
}

int raw_identify(dev_t dev, char uuid[static VOLUME_UUID_MAX],
		 char dm_uuid[static LVM_DM_UUID_SIZE], struct err *e)
{
	char number[8], start[24], link[64], dir[PATH_MAX], whole[28];

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	if (!realpath(link, dir))
		return err_sys(e, "%s", link);
	if (!read_line(dir, "dm/uuid", dm_uuid, LVM_DM_UUID_SIZE))
		dm_uuid[0] = '\0';
	if (!read_line(dir, "partition", number, sizeof(number))) {
		drive(dir, dev, uuid, VOLUME_UUID_MAX);
		return 0;
	}
	if (!read_line(dir, "start", start, sizeof(start)))
		return err_set(e, ERR_FAILED, "%s/start cannot be read", dir);
	*strrchr(dir, '/') = '\0'; /* the drive's folder */
	drive(dir, dev, whole, sizeof(whole));
	snprintf(uuid, VOLUME_UUID_MAX, "%s-p%s-%s", whole, number, start);
	return 0;
}
