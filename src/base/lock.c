/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

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
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char who[128];

	if (fd < 0)
		return err_sys(e, "open %s", path);
	while (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			return err_sys(e, "lock %s", path);
		if (wait_ms == 0)
			return busy(fd, path, e);
		usleep(10000);
		wait_ms -= wait_ms < 10 ? wait_ms : 10;
	}
	snprintf(who, sizeof(who), "%.90s (pid %d)\n", what, getpid());
	if (ftruncate(fd, 0) < 0 || io_pwrite(fd, who, strlen(who), 0) < 0)
		return err_sys(e, "write %s", path);
	return take_fd(&fd);
}

int lock_held(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	/* a question only: whoever asks never keeps another from taking it */
	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}
