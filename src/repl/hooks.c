/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "hooks_run.h"
#include "lock.h"
#include "log.h"

/* The guard's answers are packets: the digit of an err_code (0: done), the text, a line feed, the
 * hint. Ours is one byte: thaw. */
#define ANSWER_MAX (sizeof(struct err) + 8)

static void answer(int fd, int r, const struct err *e)
{
	char text[ANSWER_MAX];
	int n = r == 0 ? snprintf(text, sizeof(text), "0\n")
		       : snprintf(text, sizeof(text), "%d%s\n%s", e->code, e->text, e->hint);

	send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

static int hear(int fd, struct err *e)
{
	char text[ANSWER_MAX], *line;
	ssize_t n;

	do
		n = recv(fd, text, sizeof(text) - 1, 0);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET)); /* it never reads our byte */
	if (n <= 0)
		return err_set(e, ERR_FAILED, "the process that runs the hooks was killed");
	text[n] = '\0';
	if (text[0] == '0')
		return 0;
	line = strchr(text, '\n');
	if (line)
		*line = '\0';
	err_set(e, (enum err_code)(text[0] - '0'), "%s", text + 1);
	return line && line[1] ? err_hint(e, "%s", line + 1) : -1;
}

/* The guard holds its socket, the lock of the hooks, and nothing else of ours. */
static void keep_only(int *fd, int *lock)
{
	int a = fcntl(*fd, F_DUPFD, 3), b = fcntl(*lock, F_DUPFD, 3);

	*fd = dup2(a, 0);
	*lock = dup2(b, 1);
	close_range(2, ~0U, 0);
	open("/dev/null", O_RDWR);
}

static int await_thaw(struct hooks *k, int fd, struct err *e)
{
	struct pollfd p = {fd, POLLIN, 0};
	int r;

	while ((r = poll(&p, 1, (int)k->limit_ms)) < 0 && errno == EINTR)
		;
	if (r > 0)
		return 0;
	err_set(e, ERR_FAILED,
		"the hooks were told to thaw %u ms after the freeze: this cut does not count",
		k->limit_ms);
	return err_hint(e, "LVM or the storage was too slow; the next cut may pass, or raise "
			   "SRSYNC_HOOK_LIMIT");
}

__attribute__((noreturn)) static void guard(struct hooks *k, int fd)
{
	struct err e = ERR_INIT, thaw = ERR_INIT;
	sigset_t all;
	int r, thawed;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "srsync-hooks");
	keep_only(&fd, &k->lock);
	r = hooks_freeze_all(k, &e);
	if (r == 0) {
		answer(fd, 0, &e);
		r = await_thaw(k, fd, &e);
	}
	thawed = hooks_thaw_all(k, &thaw);
	answer(fd, r < 0 ? r : thawed, r < 0 ? &e : &thaw);
	_exit(0);
}

static int start_guard(struct hooks *k, struct err *e)
{
	_cleanup_close_ int child = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "hooks");
	k->fd = pair[0];
	child = pair[1];
	k->pid = fork();
	if (k->pid == 0)
		guard(k, child);
	return k->pid < 0 ? err_sys(e, "start the process that runs the hooks") : 0;
}

static void reap(struct hooks *k)
{
	while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Waits while the guard of an srsync that was killed still thaws. */
static int lock(struct hooks *k, const struct host *h, const char *what, struct err *e)
{
	k->lock =
		lock_take(host_state(h, k->partnership, "hooks.lock").s, what, 2 * k->limit_ms, e);
	return k->lock < 0 ? -1 : 0;
}

int hooks_freeze(const struct host *h, const struct partnership *p, struct hooks **out,
		 struct err *e)
{
	_cleanup_(hooks_freep) struct hooks *k = hooks_find(h, p, e);

	*out = NULL;
	if (!k)
		return -1;
	if (k->n == 0)
		return 0;
	k->start_us = fmt_mono_us();
	if (lock(k, h, "hooks", e) < 0 || start_guard(k, e) < 0)
		return -1;
	if (hear(k->fd, e) < 0) {
		reap(k);
		return -1;
	}
	*out = TAKE(k);
	return 0;
}

int hooks_thaw(struct hooks *k, uint64_t *us, struct err *e)
{
	_cleanup_(hooks_freep) struct hooks *mine = k;
	int r;

	*us = 0;
	if (!mine)
		return 0;
	send(mine->fd, "T", 1, MSG_NOSIGNAL); /* if it is gone, its answer, or none, is there */
	r = hear(mine->fd, e);
	reap(mine);
	*us = fmt_mono_us() - mine->start_us;
	return r;
}

int hooks_mend(const struct host *h, const struct partnership *p, struct err *e)
{
	_cleanup_(hooks_freep) struct hooks *k = NULL;
	struct host_path mark = host_state(h, p->name, "hooks.frozen");

	if (access(mark.s, F_OK) < 0)
		return 0;
	k = hooks_find(h, p, e);
	if (!k || lock(k, h, "hooks left by a killed srsync", e) < 0)
		return -1;
	if (access(mark.s, F_OK) == 0)
		log_warn("%s: hooks were left frozen by an srsync that was killed: told to thaw",
			 p->name);
	return hooks_thaw_all(k, e);
}
