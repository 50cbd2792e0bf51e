/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where this host keeps its things. confdir holds what a person decides, statedir what srsync
 * knows; srsync-state(5) lists the files. */
#ifndef HOST_H
#define HOST_H

#include "err.h"

#define HOST_PATH_MAX 512
#define HOST_CONFDIR  "/etc/srsync"
#define HOST_STATEDIR "/var/lib/srsync"
#define HOST_PORT     8730 /* of srsync serve */

struct host {
	char confdir[HOST_PATH_MAX / 2];
	char statedir[HOST_PATH_MAX / 2];
	char spool[HOST_PATH_MAX / 2]; /* where new spools go: redo_place.h; empty: statedir */
};

/* The folders by option (may be NULL), else environment (SRSYNC_CONFDIR, SRSYNC_STATEDIR), else the
 * defaults above; the spool by SRSYNC_SPOOL. Does not create them. */
int host_init(struct host *h, const char *confdir, const char *statedir, struct err *e);

struct host_path {
	char s[HOST_PATH_MAX];
};

/* confdir/a, statedir/NAME/file */
struct host_path host_conf(const struct host *h, const char *file);
struct host_path host_state(const struct host *h, const char *partnership, const char *file);

#endif
