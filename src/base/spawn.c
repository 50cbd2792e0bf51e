/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "fmt.h"
#include "io.h"
#include "spawn.h"

#define OUT_MAX_DEFAULT (16u << 20)

struct child {
	pid_t pid;
	int ended;        /* pidfd: readable when it has ended */
	int in, out, err; /* our ends; -1 when closed */
	size_t in_done;
};

static void child_close(struct child *c)
{
	closep(&c->ended);
	closep(&c->in);
	closep(&c->out);
	closep(&c->err);
}

/* In the child: our pipes on 0, 1, 2, the extra environment, and off. */
static void exec_child(const struct spawn *s, int in, int out, int err)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* when we stop waiting, our ends of the pipes close: that must not kill it either */
	signal(SIGPIPE, s->never_kill ? SIG_IGN : SIG_DFL);
	setpgid(0, 0);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(127);
	for (const char *const *v = s->env; v && *v; v++)
		putenv((char *)*v);
	execvp(s->argv[0], (char *const *)s->argv);
	dprintf(2, "%s: %s\n", s->argv[0], strerror(errno));
	_exit(127);
}

static int start(const struct spawn *s, struct child *c, struct err *e)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
	int bad = pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC);

	if (!bad)
		c->pid = fork();
	if (!bad && c->pid == 0)
		exec_child(s, in[0], out[1], err[1]);
	*c = (struct child){bad ? -1 : c->pid, -1, in[1], out[0], err[0], 0};
	closep(&in[0]);
	closep(&out[1]);
	closep(&err[1]);
	if (c->pid > 0) {
		setpgid(c->pid, c->pid); /* both do: whoever is first, a kill finds the group */
		c->ended = pidfd_open(c->pid, 0);
	}
	if (c->ended < 0) {
		err_sys(e, "start %s", s->argv[0]);
		child_close(c);
		if (c->pid > 0 && kill(-c->pid, SIGKILL) == 0) /* it has hardly begun */
			waitpid(c->pid, NULL, 0);
		return -1;
	}
	/* else a child that does not read would block us while we block it */
	fcntl(c->in, F_SETFL, O_NONBLOCK);
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	fcntl(c->err, F_SETFL, O_NONBLOCK);
	return 0;
}

static void feed(const struct spawn *s, struct child *c)
{
	ssize_t n = 0;

	if (c->in_done < s->input_len)
		n = write(c->in, (const char *)s->input + c->in_done, s->input_len - c->in_done);
	if (n > 0)
		c->in_done += n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || c->in_done == s->input_len) {
		close(c->in); /* EPIPE too: a child may end without reading all of it */
		c->in = -1;
	}
}

/* Moves what is ready on one of the child's outputs: 1 if there was something, 0 if not (closed at
 * its end), -1 if it is too much. */
static int drain(int *fd, struct buf *into, size_t max)
{
	char tmp[65536];
	ssize_t n = *fd < 0 ? 0 : read(*fd, tmp, sizeof(tmp));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return errno == EINTR;
	if (n <= 0) {
		closep(fd);
		*fd = -1;
		return 0;
	}
	if (into && into->len + n > max)
		return -1;
	if (into)
		buf_put(into, tmp, n);
	return 1;
}

/* What the child had written when it ended. Somebody in the background may go on writing. */
static int drain_rest(int *fd, struct buf *into, size_t max)
{
	int r = into ? 1 : 0;

	while (r > 0)
		r = drain(fd, into, max);
	return r;
}

static int pump(const struct spawn *s, struct child *c, struct buf *out, struct buf *errout,
		struct err *e)
{
	size_t max = s->out_max ? s->out_max : OUT_MAX_DEFAULT;
	uint64_t end = fmt_mono_us() + s->timeout_ms * 1000ULL;
	bool ended = false;

	while (!ended) {
		struct pollfd p[4] = {{c->in, POLLOUT, 0},
				      {c->out, POLLIN, 0},
				      {c->err, POLLIN, 0},
				      {c->ended, POLLIN, 0}};
		int64_t left = (int64_t)(end - fmt_mono_us()) / 1000;

		if (s->timeout_ms && left <= 0)
			return err_set(e, ERR_BUSY, "%s did not end within %u ms", s->argv[0],
				       s->timeout_ms);
		if (poll(p, 4, s->timeout_ms ? (int)left : -1) < 0 && errno != EINTR)
			return err_sys(e, "wait for %s", s->argv[0]);
		ended = p[3].revents;
		if (p[0].revents)
			feed(s, c);
		if ((p[1].revents && drain(&c->out, out, max) < 0) ||
		    (p[2].revents && drain(&c->err, errout, max) < 0) ||
		    (ended &&
		     (drain_rest(&c->out, out, max) < 0 || drain_rest(&c->err, errout, max) < 0)))
			return err_set(e, ERR_FAILED, "%s printed more than %zu bytes", s->argv[0],
				       max);
	}
	return 0;
}

int spawn_run(const struct spawn *s, struct buf *out, struct buf *errout, struct err *e)
{
	struct child c;
	int status, failed;

	if (start(s, &c, e) < 0)
		return -1;
	failed = pump(s, &c, out, errout, e) < 0;
	child_close(&c);
	if (failed && s->never_kill)
		return -1; /* its end is reaped by init or never: better than a half-done change */
	if (failed)
		kill(-c.pid, SIGKILL);
	while (waitpid(c.pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for %s", s->argv[0]);
	if (failed)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
