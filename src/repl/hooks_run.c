/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "hooks_run.h"
#include "io.h"
#include "program.h"

#define SAID_LINES 3
#define SAID_MAX   300
#define OUTPUT_MAX (1u << 20)
#define LIMIT_MIN  100
#define LIMIT_MAX  3600000

void hooks_free(struct hooks *k)
{
	if (!k)
		return;
	closep(&k->fd);
	closep(&k->lock);
	free(k->volumes);
	free(k);
}

/* Editors and package managers leave such files beside the real ones. */
static int is_hook(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && d->d_name[n - 1] != '~' && !strstr(d->d_name, ".dpkg-") &&
	       !strstr(d->d_name, ".rpm");
}

/* It is run as we are, so nobody else may decide what it does. */
static int check_owner(const char *path, const struct stat *st, struct err *e)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		err_set(e, ERR_REFUSED, "hook %s is not run: it belongs to user %u", path,
			st->st_uid);
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		err_set(e, ERR_REFUSED, "hook %s is not run: others than its owner can write to it",
			path);
	else
		return 0;
	return err_hint(e, "look what is in it; then chown root %s and chmod go-w %s", path, path);
}

/* 1: to be run. */
static int check(const struct hooks *k, const char *name, struct err *e)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", k->dir, name);
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "hook %s", path);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return 0;
	return check_owner(path, &st, e) < 0 ? -1 : 1;
}

static int list(struct hooks *k, struct err *e)
{
	struct dirent **found;
	int n = scandir(k->dir, &found, is_hook, alphasort), bad = 0;
	struct stat st;

	if (n < 0)
		return errno == ENOENT ? 0 : err_sys(e, "read %s", k->dir);
	if (n > 0 && stat(k->dir, &st) == 0)
		bad = check_owner(k->dir, &st, e);
	for (int i = 0; i < n; i++) {
		int run = bad < 0 ? 0 : check(k, found[i]->d_name, e);

		if (run > 0 && k->n == HOOKS_MAX)
			run = err_set(e, ERR_FAILED, "%s has more than %d hooks", k->dir,
				      HOOKS_MAX);
		if (run > 0)
			strcpy(k->name[k->n++], found[i]->d_name);
		bad = run < 0 ? -1 : bad;
		free(found[i]);
	}
	free(found);
	return bad;
}

static int read_limit(struct hooks *k, struct err *e)
{
	const char *s = getenv("SRSYNC_HOOK_LIMIT");
	uint64_t ms = HOOKS_LIMIT_MS;

	if (s && *s && fmt_parse_duration(s, &ms, e) < 0)
		return err_wrap(e, "SRSYNC_HOOK_LIMIT");
	if (ms < LIMIT_MIN || ms > LIMIT_MAX)
		return err_set(e, ERR_USAGE, "SRSYNC_HOOK_LIMIT must be 100ms to 1h, not %s", s);
	k->limit_ms = (unsigned)ms;
	return 0;
}

struct hooks *hooks_find(const struct host *h, const struct partnership *p, struct err *e)
{
	_cleanup_(hooks_freep) struct hooks *k = xcalloc(1, sizeof(*k));
	_cleanup_buf_ struct buf names = BUF_INIT;

	k->fd = k->lock = -1;
	snprintf(k->dir, sizeof(k->dir), "%s", host_conf(h, "freeze.d").s);
	snprintf(k->mark, sizeof(k->mark), "%s", host_state(h, p->name, "hooks.frozen").s);
	strcpy(k->partnership, p->name);
	for (unsigned i = 0; i < p->volumes; i++) {
		buf_put(&names, p->volume[i].local, strlen(p->volume[i].local));
		buf_put_u8(&names, i + 1 < p->volumes ? '\n' : '\0');
	}
	k->volumes = xstrdup((char *)names.data);
	return read_limit(k, e) < 0 || list(k, e) < 0 ? NULL : TAKE(k);
}

/* The first lines of what it said, as one. */
static void first_lines(const struct buf *b, char out[static SAID_MAX])
{
	unsigned lines = 0;
	size_t n = 0;

	for (size_t i = 0; i < b->len && n + 3 < SAID_MAX; i++) {
		unsigned char c = b->data[i];

		if (c != '\n')
			out[n++] = isprint(c) ? (char)c : '?';
		else if (i + 1 == b->len || ++lines == SAID_LINES)
			break;
		else if (n)
			n += (size_t)snprintf(out + n, SAID_MAX - n, "; ");
	}
	out[n] = '\0';
}

static int call(const struct hooks *k, const char *name, const char *word, struct err *e)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", k->dir, name);
	_cleanup_free_ char *whose = xasprintf("SRSYNC_PARTNERSHIP=%s", k->partnership);
	_cleanup_free_ char *which = xasprintf("SRSYNC_VOLUMES=%s", k->volumes);
	const struct program s = {
		.argv = (const char *const[]){path, word, k->partnership, NULL},
		.env = (const char *const[]){whose, which, NULL},
		.timeout_ms = k->limit_ms,
		.out_max = OUTPUT_MAX,
	};
	_cleanup_buf_ struct buf said = BUF_INIT;
	char lines[SAID_MAX];
	struct err why = ERR_INIT;
	int r = program_run(&s, &said, &said, &why);

	if (r == 0)
		return 0;
	first_lines(&said, lines);
	if (r < 0)
		err_set(e, ERR_FAILED, "hook %s %s: %.300s%s%s", name, word, why.text,
			*lines ? "; it said: " : "", lines);
	else
		err_set(e, ERR_FAILED, "hook %s %s: status %d%s%s", name, word, r,
			*lines ? ": " : ", and it said nothing", lines);
	return err_hint(e, "try it by hand: %s %s %s", path, word, k->partnership);
}

static int freeze_one(struct hooks *k, int mark, unsigned i, struct err *e)
{
	_cleanup_free_ char *line = xasprintf("%s\n", k->name[i]);

	if (io_write(mark, line, strlen(line)) < 0 || fsync(mark) < 0)
		return err_sys(e, "write %s", k->mark);
	return call(k, k->name[i], "freeze", e);
}

int hooks_freeze_all(struct hooks *k, struct err *e)
{
	_cleanup_close_ int mark =
		open(k->mark, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	if (mark < 0)
		return err_sys(e, "create %s", k->mark);
	if (io_sync_dir_of(k->mark, e) < 0)
		return -1;
	for (unsigned i = 0; i < k->n; i++)
		if (freeze_one(k, mark, i, e) < 0)
			return -1;
	return 0;
}

/* A name counts only if it is that of a hook now. */
static int thaw_one(const struct hooks *k, const char *name, struct err *e)
{
	for (unsigned i = 0; i < k->n; i++)
		if (!strcmp(k->name[i], name))
			return call(k, name, "thaw", e);
	err_set(e, ERR_FAILED, "hook %.100s was told to freeze, and is not in %s any more", name,
		k->dir);
	return err_hint(e, "thaw by hand what it had frozen");
}

int hooks_thaw_all(struct hooks *k, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err other;
	int bad = 0;

	if (access(k->mark, F_OK) < 0)
		return 0;
	if (io_read_file(k->mark, HOOKS_MAX * (NAME_MAX + 1), &b, e) < 0)
		return -1;
	while (b.len > 0) {
		bool whole = b.data[b.len - 1] == '\n'; /* torn: that hook was not called */
		size_t start = b.len - 1;

		b.data[start] = '\0';
		while (start > 0 && b.data[start - 1] != '\n')
			start--;
		if (whole && thaw_one(k, (char *)b.data + start, bad ? &other : e) < 0)
			bad = -1;
		b.len = start;
		/* told once, also if it failed: whoever hears of that mends it */
		if (truncate(k->mark, (off_t)start) < 0 && !bad)
			bad = err_sys(e, "write %s", k->mark);
	}
	unlink(k->mark);
	return bad;
}
