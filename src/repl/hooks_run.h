/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside hooks: the files, one call, and the list of those that are frozen. */
#ifndef HOOKS_RUN_H
#define HOOKS_RUN_H

#include <limits.h>

#include "hooks.h"

struct hooks {
	char dir[HOST_PATH_MAX], mark[HOST_PATH_MAX];
	char partnership[PEER_NAME_SIZE];
	char *volumes; /* names, a line each */
	unsigned limit_ms, n;
	char name[HOOKS_MAX][NAME_MAX + 1]; /* in order */

	/* the guard */
	pid_t pid;
	int fd, lock;
	uint64_t start_us;
};

/* Finds and checks the files. The caller frees it with hooks_free(). */
struct hooks *hooks_find(const struct host *h, const struct partnership *p, struct err *e);
void hooks_free(struct hooks *k);
DEFINE_FREEP(hooks_free, struct hooks);

/* Safe in a process forked from one with threads: glibc keeps its allocator usable there. */
int hooks_freeze_all(struct hooks *k, struct err *e); /* stops at the first that fails */
int hooks_thaw_all(struct hooks *k, struct err *e);   /* those of the mark, the last first */

#endif
