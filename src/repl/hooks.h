/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of the administrator's around a cut: the files of confdir/freeze.d, run in the order of
 * their names with the words "freeze PARTNERSHIP" before the volumes are frozen, and in reverse
 * order with "thaw PARTNERSHIP" when they are thawed. srsync(8), HOOKS, is the contract.
 *
 * Whoever was told to freeze is told to thaw, once (rule 7): a process of its own, the guard, runs
 * them all. When our end of its socket closes, or we are late, it thaws by itself. statedir/NAME/
 * hooks.frozen names, a line each, those whose freeze has begun and whose thaw has not ended: with
 * it the next start does what is left, should the guard have been killed too. hooks.lock is held by
 * the guard, so that nobody begins before it has ended. */
#ifndef HOOKS_H
#define HOOKS_H

#include "partnership.h"

#define HOOKS_MAX      64
#define HOOKS_LIMIT_MS 30000 /* of one call, and of the cut between; SRSYNC_HOOK_LIMIT */

struct hooks;

/* Tells all to freeze. *out is what hooks_thaw() needs, NULL if there are no hooks. When one fails,
 * those that had begun have been told to thaw. ERR_REFUSED names a file that is not safe to run. */
int hooks_freeze(const struct host *h, const struct partnership *p, struct hooks **out,
		 struct err *e);
/* Tells all to thaw, also if one fails, and frees k. *us: microseconds from the first freeze to the
 * last thaw. -1 also if the guard has thawed before this call: the cut was not under the hooks. */
int hooks_thaw(struct hooks *k, uint64_t *us, struct err *e);
/* Tells those to thaw that a killed srsync has left frozen. */
int hooks_mend(const struct host *h, const struct partnership *p, struct err *e);

#endif
