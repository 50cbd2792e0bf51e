/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "dmcall.h"
#include "fmt.h"
#include "volume.h"
#include "watchdog.h"

enum { MSG_READY = 'R', MSG_ARM = 'A', MSG_DONE = 'D' };
enum { END_STOPPED = 0, END_ORPHANED = 1, END_LATE = 2 }; /* exit status */

struct watchdog {
	pid_t pid;
	int fd, control;
	unsigned limit_ms, n;
	struct {
		struct dmcall status, resume;
	} device[WATCHDOG_DEVICES_MAX];
	unsigned folders;
	struct {
		char path[VOLUME_NAME_MAX];
		int fd;
	} folder[WATCHDOG_DEVICES_MAX];
};

static void keep_only(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	if (low > 0)
		close_range(0, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

/* What must work while a device is frozen is done once before: its code is then in memory, where
 * mlockall keeps it. Resuming runs the same code as asking for the status. */
static void rehearse(struct watchdog *w)
{
	int block_size;

	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	for (unsigned i = 0; i < w->n; i++)
		dmcall_run(w->control, &w->device[i].status);
	for (unsigned i = 0; i < w->folders; i++)
		ioctl(w->folder[i].fd, FIGETBSZ, &block_size);
}

__attribute__((noreturn)) static void release(struct watchdog *w, int end)
{
	for (unsigned i = 0; i < w->folders; i++)
		ioctl(w->folder[i].fd, FITHAW, 0);
	for (unsigned i = 0; i < w->n; i++)
		dmcall_run(w->control, &w->device[i].resume);
	_exit(end);
}

/* In the child: what comes from the parent is closed. */
static bool open_folders(struct watchdog *w)
{
	for (unsigned i = 0; i < w->folders; i++) {
		w->folder[i].fd = open(w->folder[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (w->folder[i].fd < 0)
			return false;
	}
	return true;
}

static int time_left(uint64_t end)
{
	int64_t left = (int64_t)(end - fmt_mono_us());

	return end == 0 ? -1 : left > 0 ? (int)(left / 1000) + 1 : 0;
}

/* The child. Only calls that are safe after a fork of a program with threads. */
__attribute__((noreturn)) static void watch(struct watchdog *w, int fd)
{
	struct pollfd p = {fd, POLLIN, 0};
	uint64_t end = 0;
	sigset_t all;
	char c = MSG_READY;
	int r;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	close(w->fd);
	keep_only(fd, w->control);
	if (!open_folders(w))
		_exit(END_STOPPED);
	rehearse(w);
	if (send(fd, &c, 1, MSG_NOSIGNAL) != 1)
		_exit(END_STOPPED);
	for (;;) {
		r = poll(&p, 1, time_left(end));
		if (r == 0)
			release(w, END_LATE);
		if (r < 0)
			continue;
		if (read(fd, &c, 1) != 1) {
			if (end)
				release(w, END_ORPHANED);
			_exit(END_STOPPED);
		}
		if (c == MSG_DONE)
			_exit(END_STOPPED);
		end = fmt_mono_us() + w->limit_ms * 1000ULL;
	}
}

static int parse_line(struct watchdog *w, const char *line, size_t n)
{
	char uuid[DM_UUID_LEN];
	int used = 0;

	if (w->n < WATCHDOG_DEVICES_MAX && sscanf(line, "dm %128s%n", uuid, &used) == 1 &&
	    (size_t)used == n) {
		dmcall_status(&w->device[w->n].status, uuid);
		dmcall_resume(&w->device[w->n].resume, uuid);
		w->n++;
		return 0;
	}
	if (strncmp(line, "fs /", 4) || n - 3 >= VOLUME_NAME_MAX ||
	    w->folders == WATCHDOG_DEVICES_MAX)
		return -1;
	memcpy(w->folder[w->folders++].path, line + 3, n - 3);
	return 0;
}

static int parse(struct watchdog *w, const char *words, struct err *e)
{
	size_t n;

	for (const char *p = words; *p; p += n + 1) {
		n = strcspn(p, "\n");
		if (p[n] != '\n' || parse_line(w, p, n) < 0)
			return err_set(e, ERR_FAILED, "watchdog: cannot watch \"%s\"", p);
	}
	return 0;
}

static void watchdog_free(struct watchdog *w)
{
	if (!w)
		return;
	closep(&w->fd);
	closep(&w->control);
	if (w->pid > 0)
		while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
			;
	free(w);
}
DEFINE_FREEP(watchdog_free, struct watchdog);

static int await_ready(struct watchdog *w, struct err *e)
{
	struct pollfd p = {w->fd, POLLIN, 0};
	char c = 0;

	if (poll(&p, 1, (int)w->limit_ms) != 1 || read(w->fd, &c, 1) != 1 || c != MSG_READY)
		return err_set(e, ERR_FAILED, "the watchdog process does not start");
	return 0;
}

struct watchdog *watchdog_start(const char *words, unsigned limit_ms, struct err *e)
{
	_cleanup_(watchdog_freep) struct watchdog *w = xcalloc(1, sizeof(*w));
	_cleanup_close_ int child = -1;
	int pair[2];

	w->fd = w->control = -1;
	w->limit_ms = limit_ms;
	if (parse(w, words, e) < 0 || (w->n && (w->control = dmcall_open(e)) < 0))
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		err_sys(e, "watchdog");
		return NULL;
	}
	w->fd = pair[0];
	child = pair[1];
	w->pid = fork();
	if (w->pid == 0)
		watch(w, child);
	if (w->pid < 0) {
		err_sys(e, "start the watchdog");
		return NULL;
	}
	return await_ready(w, e) < 0 ? NULL : TAKE(w);
}

int watchdog_arm(struct watchdog *w, struct err *e)
{
	char c = MSG_ARM;

	if (send(w->fd, &c, 1, MSG_NOSIGNAL) != 1)
		return err_sys(e, "the watchdog process is gone");
	return 0;
}

int watchdog_stop(struct watchdog *w, bool thawed, struct err *e)
{
	__attribute__((unused)) _cleanup_(watchdog_freep) struct watchdog *mine = w;
	char c = MSG_DONE;
	int status;

	/* a failed send means that it has ended, and its status says how */
	if (thawed && send(w->fd, &c, 1, MSG_NOSIGNAL) != 1)
		thawed = false;
	close(w->fd);
	w->fd = -1;
	while (waitpid(w->pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for the watchdog");
	w->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == END_STOPPED)
		return 0;
	if (!WIFEXITED(status))
		return err_set(e, ERR_FAILED, "the watchdog process was killed");
	err_set(e, ERR_FAILED,
		"rule 7 (thaw always happens): the watchdog released the volumes, %u ms after the "
		"freeze "
		"began: this cut does not count",
		w->limit_ms);
	return err_hint(e, "the storage or this host was too slow; the next cut may pass");
}
