/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dm-era above a volume: attached and detached by a person, started at boot. What was decided is
 * kept in LVM's tags on the volume and its metadata volume (era.h), and nowhere else. */
#ifndef ERA_ADMIN_H
#define ERA_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define ERA_BLOCK_DEFAULT 65536 /* bytes */

/* name: vg/lv, which nobody has open. The metadata volume LV.srsync-era is made in its group. The
 * volume itself is no longer activated but by era_start(): what is written past the era device is
 * not tracked. path: of the new device. */
int era_attach(const char *name, uint64_t block, char *path, unsigned size, struct err *e);
/* Removes the device, the metadata and the tags, also of a half attached one; the data stays. */
int era_detach(const char *name, struct err *e);

struct era_row {
	char name[256];           /* vg/lv */
	char path[160];           /* of its device, or empty: not started */
	uint64_t block;           /* bytes */
	uint32_t era;             /* 0: unknown */
	double meta_percent;      /* < 0: unknown */
	bool suspended, discards; /* discards: they could pass, and blocks be missed */
};

typedef void era_row_fn(void *arg, const struct era_row *row);
int era_list(era_row_fn *fn, void *arg, struct err *e);

/* Brings up those that are named, n = 0: all that LVM knows; again and again until all are up or
 * wait_ms have passed. A failure names the first that is not up. started: how many were. */
int era_start(const char *const *names, unsigned n, uint64_t wait_ms, unsigned *started,
	      struct err *e);

#endif
