/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fmt.h"
#include "io.h"
#include "lvm.h"
#include "lvm_settings.h"

#define FRESH_S   60
#define SAID_MAX  65536 /* bytes */
#define FILE_NAME LVM_RUNDIR "/lvm-settings"

/* A line "of FOLDER TIME TIME", the key, then lines NAME=VALUE, the names without their sections.
 */
static struct {
	pthread_mutex_t mutex;
	struct buf text; /* a string; empty: nothing is known */
	time_t at;       /* monotonic */
} known = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static time_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec;
}

/* Nanoseconds; 0: there is none. */
static int64_t changed_at(const char *folder, const char *file)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, file);
	struct stat st;

	if (stat(path, &st) < 0)
		return 0;
	return st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
}

/* Tells which configuration an answer is of. */
static char *key(void)
{
	const char *folder = getenv("LVM_SYSTEM_DIR");

	if (!folder || !folder[0])
		folder = "/etc/lvm";
	return xasprintf("of %s %" PRId64 " %" PRId64 "\n", folder, changed_at(folder, "lvm.conf"),
			 changed_at(folder, "lvmlocal.conf"));
}

/* Where in the text the value of a setting begins, or NULL. */
static const char *find(const char *name)
{
	const char *p = (const char *)known.text.data;
	size_t n = strlen(name);

	while (p && (strncmp(p, name, n) || p[n] != '=')) {
		p = strchr(p, '\n');
		p += p != NULL;
	}
	return p ? p + n + 1 : NULL;
}

/* What another process was told not long ago, unless anything is odd about it. */
static void read_file(const char *k)
{
	struct stat st;
	struct err ignored;
	time_t age = -1;

	if (stat(FILE_NAME, &st) == 0 &&
	    io_read_file(FILE_NAME, SAID_MAX, &known.text, &ignored) == 0)
		age = now(CLOCK_REALTIME) - st.st_mtim.tv_sec;
	buf_put_u8(&known.text, '\0');
	if (age < 0 || age >= FRESH_S || strncmp((const char *)known.text.data, k, strlen(k)))
		buf_reset(&known.text);
	known.at = now(CLOCK_MONOTONIC) - age;
}

/* For others; that it cannot be written does no harm. */
static void write_file(void)
{
	struct err ignored;

	if (io_mkdirs(LVM_RUNDIR, 0700, &ignored) == 0)
		io_replace(FILE_NAME, known.text.data, known.text.len - 1, 0600, &ignored);
}

static int ask(const char *k, struct err *e)
{
	const char *const argv[] = {"lvmconfig",
				    "--type",
				    "full",
				    "global/locking_dir",
				    "activation/thin_pool_autoextend_threshold",
				    NULL};
	_cleanup_buf_ struct buf said = BUF_INIT;

	buf_reset(&known.text);
	if (lvm_output(argv, &said, e) < 0)
		return -1;
	buf_put(&known.text, k, strlen(k));
	buf_put(&known.text, said.data, said.len);
	buf_put_u8(&known.text, '\0');
	known.at = now(CLOCK_MONOTONIC);
	write_file();
	return 0;
}

/* With the mutex held. */
static const char *look_up(const char *name, struct err *e)
{
	_cleanup_free_ char *k = key();
	const char *p;

	if (known.text.len && now(CLOCK_MONOTONIC) - known.at >= FRESH_S)
		buf_reset(&known.text);
	if (!known.text.len)
		read_file(k);
	if (!known.text.len || !find(name))
		if (ask(k, e) < 0)
			return NULL;
	p = find(name);
	if (!p)
		err_set(e, ERR_FAILED, "lvmconfig does not say what %s is", name);
	return p;
}

int lvm_setting(const char *name, char *out, size_t size, struct err *e)
{
	const char *p;
	size_t n = 0;

	pthread_mutex_lock(&known.mutex);
	p = look_up(name, e);
	if (p) {
		p += *p == '"';
		n = strcspn(p, "\"\n");
		snprintf(out, size, "%.*s", (int)n, p);
	}
	pthread_mutex_unlock(&known.mutex);
	if (!p)
		return -1;
	return n < size ? 0 : err_set(e, ERR_FAILED, "lvmconfig: %s is too long", name);
}
