/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One instant of a group: freeze all, snapshot all, thaw all, with a watchdog process started
 * before the first freeze that thaws when we die or take longer than limit_ms (rule 7). */
#ifndef CUT_H
#define CUT_H

#include "volume.h"

#define CUT_LIMIT_MS 5000 /* the stated limit of rule 7 */

#define CUT_VOLUMES_MAX 64

struct cut {
	char token[CUT_VOLUMES_MAX][VOLUME_TOKEN_MAX]; /* one per volume, in order */
	int64_t time_ms;                               /* wall clock at the instant */
	uint32_t pause_us; /* longest time any volume's writes were held */
};

/* All or none: on failure every volume is thawed, and what was snapped is garbage that is freed at
 * once if possible, else by the next prepare. At the target the same call commits the held heads:
 * flush, then snapshot. */
int cut_group(struct volume *const *v, unsigned n, struct cut *out, struct err *e);

#endif
