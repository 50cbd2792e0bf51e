/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "fmt.h"
#include "io.h"
#include "program.h"

#define OUT_MAX_DEFAULT (16u << 20)
#define PROGRAM_CANNOT  127 /* as a shell says it */

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

/* The environment with the extra words, which stand first: those of the same name are dropped. */
static char **child_env(const char *const *extra)
{
	size_t n = 0, k = 0, own = 0;
	char **all;

	while (environ[n])
		n++;
	while (extra && extra[own])
		own++;
	all = xcalloc(n + own + 1, sizeof(all[0]));
	for (; k < own; k++)
		all[k] = (char *)extra[k];
	for (size_t i = 0; i < n; i++) {
		bool ours = false;

		for (size_t j = 0; j < own && !ours; j++)
			ours = !strncmp(environ[i], extra[j], strcspn(extra[j], "=") + 1);
		if (!ours)
			all[k++] = environ[i];
	}
	return all;
}

/* No fork(): srsync serve is large, and a copy of its page tables is dear. 0, or an errno. */
static int launch(const struct program *s, int in, int out, int err, pid_t *pid)
{
	_cleanup_free_ char **env = child_env(s->env);
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, pipe;
	int r;

	sigemptyset(&none);
	sigemptyset(&pipe);
	/* when we stop waiting, our ends of the pipes close: that must not kill it either */
	if (!s->never_kill)
		sigaddset(&pipe, SIGPIPE);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, err, 2);
	r = posix_spawnp(pid, s->argv[0], &fa, &attr, (char *const *)s->argv, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	return r;
}

static int start(const struct program *s, struct child *c, struct err *e)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, r = -1;
	bool piped = !pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC) && !pipe2(err, O_CLOEXEC);

	*c = (struct child){-1, -1, in[1], out[0], err[0], 0};
	if (piped)
		errno = r = launch(s, in[0], out[1], err[1], &c->pid);
	if (r == 0)
		c->ended = pidfd_open(c->pid, 0);
	if (c->ended < 0)
		err_sys(e, "start %s", s->argv[0]);
	closep(&in[0]);
	closep(&out[1]);
	closep(&err[1]);
	if (c->ended < 0) {
		child_close(c);
		if (r == 0 && kill(-c->pid, SIGKILL) == 0) /* it has hardly begun */
			waitpid(c->pid, NULL, 0);
		return r > 0 && r != EAGAIN && r != ENOMEM ? PROGRAM_CANNOT : -1;
	}
	/* else a child that does not read would block us while we block it */
	fcntl(c->in, F_SETFL, O_NONBLOCK);
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	fcntl(c->err, F_SETFL, O_NONBLOCK);
	return 0;
}

static void feed(const struct program *s, struct child *c)
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

static int pump(const struct program *s, struct child *c, struct buf *out, struct buf *errout,
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

int program_run(const struct program *s, struct buf *out, struct buf *errout, struct err *e)
{
	struct child c;
	int status, failed, r = start(s, &c, e);

	if (r == PROGRAM_CANNOT && errout)
		buf_put(errout, e->text, strlen(e->text));
	if (r)
		return r;
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
