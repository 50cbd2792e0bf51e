/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "cleanup.h"
#include "io.h"
#include "lock.h"

static int busy(int fd, const char *path, struct err *e)
{
	char who[128] = "";
	ssize_t n = pread(fd, who, sizeof(who) - 1, 0);

	who[n > 0 ? n : 0] = '\0';
	who[strcspn(who, "\n")] = '\0';
	return err_set(e, ERR_BUSY, "busy: %s is held by %s", path, *who ? who : "another process");
}

int lock_take(const char *path, const char *what, unsigned wait_ms, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char who[128];
	int n;

	if (fd < 0)
		return err_sys(e, "open %s", path);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, "lock %s", path);
		if (wait_ms == 0)
			return busy(fd, path, e);
		usleep(10000);
		wait_ms -= wait_ms < 10 ? wait_ms : 10;
	}
	n = snprintf(who, sizeof(who), "%s (pid %d)\n", what, getpid());
	if (ftruncate(fd, 0) < 0 || io_pwrite(fd, who, n, 0) < 0)
		return err_sys(e, "write %s", path);
	return take_fd(&fd);
}

int lock_held(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}
