/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: hooks run in order and thaw in reverse; whatever ends a cut (a hook that fails or hangs,
 * our death, the guard's death too), whoever was told to freeze is told to thaw, once. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "hooks_run.h"
#include "io.h"

static char dir[] = "/tmp/unit-hooks.XXXXXX";
static struct host host;
static struct partnership p;

static char *below(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void put(const char *name, mode_t mode, const char *text)
{
	_cleanup_free_ char *path = below(name);
	struct err e;

	ck_assert_int_eq(io_replace(path, text, strlen(text), mode, &e), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

/* A hook that logs its call and then does what body says. */
static void hook(const char *name, const char *body)
{
	_cleanup_free_ char *path = xasprintf("etc/freeze.d/%s", name);
	_cleanup_free_ char *text =
		xasprintf("#!/bin/sh\necho \"%s $*\" >>%s/log\n%s\n", name, dir, body);

	put(path, 0755, text);
}

static void setup(void)
{
	struct err e;

	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(host.confdir, sizeof(host.confdir), "%s/etc", dir);
	snprintf(host.statedir, sizeof(host.statedir), "%s/var", dir);
	ck_assert_int_eq(io_mkdirs(host_conf(&host, "freeze.d").s, 0755, &e), 0);
	ck_assert_int_eq(io_mkdirs(host_state(&host, "web", "").s, 0700, &e), 0);
	strcpy(p.name, "web");
	p.volumes = 2;
	strcpy(p.volume[0].local, "vg/a");
	strcpy(p.volume[1].local, "vg/b");
	setenv("SRSYNC_HOOK_LIMIT", "20s", 1);
	put("log", 0644, "");
}

static void teardown(void)
{
	struct err e;

	ck_assert_int_eq(io_remove_tree(dir, &e), 0);
}

static void log_is(const char *want)
{
	_cleanup_free_ char *path = below("log");
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e;

	ck_assert_int_eq(io_read_file(path, 4096, &b, &e), 0);
	buf_put_u8(&b, 0);
	ck_assert_str_eq((char *)b.data, want);
}

static bool log_has(const char *line)
{
	_cleanup_free_ char *path = below("log");
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e;

	ck_assert_int_eq(io_read_file(path, 4096, &b, &e), 0);
	buf_put_u8(&b, 0);
	return strstr((char *)b.data, line);
}

static void await_log(const char *line)
{
	while (!log_has(line))
		usleep(10000);
}

static void nothing_left(void)
{
	struct err e;

	ck_assert_int_ne(access(host_state(&host, "web", "hooks.frozen").s, F_OK), 0);
	ck_assert_int_eq(hooks_mend(&host, &p, &e), 0);
}

START_TEST(order)
{
	struct hooks *k = NULL;
	struct err e;
	uint64_t us;

	hook("20-b", "echo \"$SRSYNC_PARTNERSHIP\" $SRSYNC_VOLUMES >>$(dirname $0)/../../log");
	hook("10-a", "yes | head -c 200000");
	hook("30-old~", "");
	put("etc/freeze.d/40-text", 0644, "not to be run\n");
	ck_assert_int_eq(hooks_freeze(&host, &p, &k, &e), 0);
	log_is("10-a freeze web\n20-b freeze web\nweb vg/a vg/b\n");
	ck_assert_int_eq(hooks_thaw(k, &us, &e), 0);
	ck_assert_uint_gt(us, 0);
	log_is("10-a freeze web\n20-b freeze web\nweb vg/a vg/b\n"
	       "20-b thaw web\nweb vg/a vg/b\n10-a thaw web\n");
	nothing_left();
}
END_TEST

START_TEST(none)
{
	struct hooks *k = NULL;
	struct err e;
	uint64_t us = 1;

	ck_assert_int_eq(hooks_freeze(&host, &p, &k, &e), 0);
	ck_assert_ptr_null(k);
	ck_assert_int_eq(hooks_thaw(k, &us, &e), 0);
	ck_assert_uint_eq(us, 0);
}
END_TEST

START_TEST(failing)
{
	struct hooks *k = NULL;
	struct err e;

	hook("10-a", "");
	hook("20-b", "[ $1 = thaw ] || { echo no room; echo at all >&2; exit 3; }");
	hook("30-c", "");
	ck_assert_int_lt(hooks_freeze(&host, &p, &k, &e), 0);
	ck_assert_ptr_null(k);
	ck_assert_str_eq(e.text, "hook 20-b freeze: status 3: no room; at all");
	ck_assert_ptr_nonnull(strstr(e.hint, "freeze.d/20-b freeze web"));
	log_is("10-a freeze web\n20-b freeze web\n20-b thaw web\n10-a thaw web\n");
	nothing_left();
}
END_TEST

START_TEST(thaw_fails)
{
	struct hooks *k = NULL;
	struct err e;
	uint64_t us;

	hook("10-a", "");
	hook("20-b", "[ $1 = freeze ]");
	ck_assert_int_eq(hooks_freeze(&host, &p, &k, &e), 0);
	ck_assert_int_lt(hooks_thaw(k, &us, &e), 0);
	ck_assert_str_eq(e.text, "hook 20-b thaw: status 1, and it said nothing");
	log_is("10-a freeze web\n20-b freeze web\n20-b thaw web\n10-a thaw web\n");
	nothing_left();
}
END_TEST

/* The whole process group is killed: nothing that the hook began goes on. */
START_TEST(hanging)
{
	_cleanup_free_ char *path = below("pid");
	struct hooks *k = NULL;
	struct err e;
	FILE *f;
	int pid;

	setenv("SRSYNC_HOOK_LIMIT", "500ms", 1);
	hook("10-a", "[ $1 = thaw ] && exit; echo waiting; sleep 1000 & echo $! >$(dirname "
		     "$0)/../../pid; wait");
	ck_assert_int_lt(hooks_freeze(&host, &p, &k, &e), 0);
	ck_assert_int_eq(e.code, ERR_FAILED);
	ck_assert_ptr_nonnull(strstr(e.text, "did not end within 500 ms; it said: waiting"));
	log_is("10-a freeze web\n10-a thaw web\n");
	ck_assert_ptr_nonnull(f = fopen(path, "r"));
	ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
	fclose(f);
	while (kill(pid, 0) == 0) {
		_cleanup_free_ char *status = xasprintf("/proc/%d/stat", pid);
		_cleanup_buf_ struct buf b = BUF_INIT;

		/* killed, and perhaps nobody has reaped it */
		if (io_read_file(status, 4096, &b, &e) == 0 && memmem(b.data, b.len, ") Z", 3))
			break;
		usleep(10000);
	}
	nothing_left();
}
END_TEST

START_TEST(refused)
{
	_cleanup_free_ char *path = below("etc/freeze.d/20-b");
	struct hooks *k = NULL;
	struct err e;

	hook("10-a", "");
	hook("20-b", "");
	ck_assert_int_eq(chmod(path, 0775), 0);
	ck_assert_int_lt(hooks_freeze(&host, &p, &k, &e), 0);
	ck_assert_int_eq(e.code, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(e.text, "20-b is not run: others"));
	ck_assert_int_eq(chmod(path, 0755), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 12345, 0), 0);
		ck_assert_int_lt(hooks_freeze(&host, &p, &k, &e), 0);
		ck_assert_ptr_nonnull(strstr(e.text, "it belongs to user 12345"));
		ck_assert_int_eq(chown(path, 0, 0), 0);
	}
	ck_assert_int_eq(chmod(host_conf(&host, "freeze.d").s, 0777), 0);
	ck_assert_int_lt(hooks_freeze(&host, &p, &k, &e), 0);
	ck_assert_int_eq(e.code, ERR_REFUSED);
	log_is("");
}
END_TEST

/* Begins a cut in a process of its own and kills it; with the guard too, if asked. */
static void begin_and_die(bool guard_too)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct hooks *k = NULL;
		struct err e;

		if (hooks_freeze(&host, &p, &k, &e) < 0)
			_exit(1);
		if (guard_too && (kill(k->pid, SIGKILL) < 0 || waitpid(k->pid, NULL, 0) < 0))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_gt(pid, 0);
	waitpid(pid, NULL, 0);
}

START_TEST(killed)
{
	struct err e;

	hook("10-a", "");
	hook("20-b", "sleep 0.2");
	begin_and_die(false);
	/* the next start waits for the guard, and does nothing twice */
	ck_assert_int_eq(hooks_mend(&host, &p, &e), 0);
	log_is("10-a freeze web\n20-b freeze web\n20-b thaw web\n10-a thaw web\n");
	nothing_left();
}
END_TEST

START_TEST(both_killed)
{
	struct err e;

	hook("10-a", "");
	hook("20-b", "");
	begin_and_die(true);
	log_is("10-a freeze web\n20-b freeze web\n");
	ck_assert_int_eq(hooks_mend(&host, &p, &e), 0);
	log_is("10-a freeze web\n20-b freeze web\n20-b thaw web\n10-a thaw web\n");
	nothing_left();
	log_is("10-a freeze web\n20-b freeze web\n20-b thaw web\n10-a thaw web\n");
}
END_TEST

/* A hook removed meanwhile cannot be told, and that is said once. */
START_TEST(removed)
{
	_cleanup_free_ char *path = below("etc/freeze.d/20-b");
	struct err e;

	hook("10-a", "");
	hook("20-b", "");
	begin_and_die(true);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_lt(hooks_mend(&host, &p, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "20-b was told to freeze, and is not in"));
	log_is("10-a freeze web\n20-b freeze web\n10-a thaw web\n");
	nothing_left();
}
END_TEST

/* Killed in the middle of a freeze: that hook ends first, then all are told. */
START_TEST(killed_early)
{
	struct hooks *k = NULL;
	struct err e;
	pid_t pid;

	hook("10-a", "");
	hook("20-b", "sleep 0.5; echo end >>$(dirname $0)/../../log");
	pid = fork();
	if (pid == 0) {
		hooks_freeze(&host, &p, &k, &e);
		_exit(1);
	}
	await_log("20-b freeze web\n");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(hooks_mend(&host, &p, &e), 0);
	log_is("10-a freeze web\n20-b freeze web\nend\n20-b thaw web\nend\n10-a thaw web\n");
	nothing_left();
}
END_TEST

START_TEST(late)
{
	struct hooks *k = NULL;
	struct err e;
	uint64_t us;

	setenv("SRSYNC_HOOK_LIMIT", "1s", 1);
	hook("10-a", "");
	ck_assert_int_eq(hooks_freeze(&host, &p, &k, &e), 0);
	await_log("10-a thaw web\n");
	ck_assert_int_lt(hooks_thaw(k, &us, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "this cut does not count"));
	log_is("10-a freeze web\n10-a thaw web\n");
	nothing_left();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hooks");
	TCase *t = tcase_create("hooks");
	SRunner *r = srunner_create(s);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, order);
	tcase_add_test(t, none);
	tcase_add_test(t, failing);
	tcase_add_test(t, thaw_fails);
	tcase_add_test(t, hanging);
	tcase_add_test(t, refused);
	tcase_add_test(t, killed);
	tcase_add_test(t, both_killed);
	tcase_add_test(t, removed);
	tcase_add_test(t, killed_early);
	tcase_add_test(t, late);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
