/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A block device that is no volume of a partnership: found by name, and found again after a reboot,
 * when device numbers and the paths of disks may be others. */
#ifndef BLOCKDEV_H
#define BLOCKDEV_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"
#include "volume.h"

struct blockdev {
	char name[VOLUME_NAME_MAX];   /* for people: vg/lv, or a path */
	char stable[VOLUME_NAME_MAX]; /* names it for ever: uuid of a device-mapper device, udev's
				       * path by id, at worst the path that was given */
	char path[VOLUME_NAME_MAX];   /* to open it; empty: an LV that is not active */
	dev_t dev;                    /* while it has a path */
	bool tagged;                  /* an LV that belongs to a partnership, by its tags */
};

/* name: VG/LV, an absolute path, or what stable said. Activates nothing. 1: it names a file or a
 * folder, or nothing that could be a device. */
int blockdev_find(const char *name, struct blockdev *b, struct err *e);
bool blockdev_same(const struct blockdev *a, const struct blockdev *b);

#endif
