/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fault.h"

static atomic_int passed;

static void list(const char *name)
{
	const char *path = getenv("SRSYNC_FAULT_LIST");
	_cleanup_close_ int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;

	if (fd >= 0)
		dprintf(fd, "%s\n", name);
}

void fault(const char *name)
{
	const char *want = getenv("SRSYNC_FAULT"), *file;
	size_t n = strlen(name);

	list(name);
	if (!want || strncmp(want, name, n) || (want[n] && want[n] != ':'))
		return;
	if (atomic_fetch_add(&passed, 1) + 1 != (want[n] ? atoi(want + n + 1) : 1))
		return;
	file = strstr(want, ":stop:");
	if (!file) {
		kill(getpid(), SIGKILL);
		return;
	}
	close(open(file + strlen(":stop:"), O_WRONLY | O_CREAT, 0600));
	kill(getpid(), SIGSTOP);
}
