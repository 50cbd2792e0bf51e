/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "buf.h"
#include "io.h"
#include "probe.h"

#define TABLE_MAX (16u << 20) /* bytes of /proc/self/mountinfo */

static inline void probe_freep(blkid_probe *p)
{
	blkid_free_probe(*p);
}

static const char *value_of(blkid_probe p, const char *name)
{
	const char *v = NULL;

	return blkid_probe_lookup_value(p, name, &v, NULL) == 0 ? v : NULL;
}

static void describe(blkid_probe p, char words[static PROBE_WORDS_MAX])
{
	const char *type = value_of(p, "TYPE"), *label = value_of(p, "LABEL");
	const char *usage = value_of(p, "USAGE"), *table = value_of(p, "PTTYPE");
	const char *what = !usage                         ? "data"
			   : !strcmp(usage, "filesystem") ? "a file system"
			   : !strcmp(usage, "raid")       ? "a member of a volume group or RAID"
							  : usage;

	if (type)
		snprintf(words, PROBE_WORDS_MAX, "%s (%.40s%s%.100s%s)", what, type,
			 label ? ", label \"" : "", label ? label : "", label ? "\"" : "");
	else
		snprintf(words, PROBE_WORDS_MAX, "a partition table (%.40s)",
			 table ? table : "unknown");
}

int probe_content(int fd, char words[static PROBE_WORDS_MAX], struct err *e)
{
	_cleanup_(probe_freep) blkid_probe p = blkid_new_probe();
	int r;

	if (!p || blkid_probe_set_device(p, fd, 0, 0) < 0)
		return err_sys(e, "libblkid");
	blkid_probe_enable_superblocks(p, 1);
	blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
						     BLKID_SUBLKS_USAGE);
	blkid_probe_enable_partitions(p, 1);
	r = blkid_do_safeprobe(p);
	if (r == 1)
		return 0;
	if (r == -2)
		snprintf(words, PROBE_WORDS_MAX, "signatures of several kinds");
	else if (r == 0)
		describe(p, words);
	else
		return err_sys(e, "libblkid: read the device");
	return 1;
}

static bool is_device(const char *path, dev_t dev)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == dev;
}

/* ID PARENT MAJOR:MINOR ROOT DIR OPTIONS ... - TYPE SOURCE OPTIONS. A file system over several
 * devices has a number of its own there, so that its source counts too. */
static int mounted(dev_t dev, char words[static PROBE_WORDS_MAX], struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char *line, *rest;

	if (io_read_file("/proc/self/mountinfo", TABLE_MAX, &b, e) < 0)
		return -1;
	buf_put_u8(&b, '\0');
	for (line = strtok_r((char *)b.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char dir[PROBE_WORDS_MAX] = "", source[PROBE_WORDS_MAX] = "";
		unsigned hi, lo;
		const char *tail = strstr(line, " - ");

		if (sscanf(line, "%*d %*d %u:%u %*s %200s", &hi, &lo, dir) != 3)
			continue;
		if (tail)
			sscanf(tail, " - %*s %200s", source);
		if (makedev(hi, lo) == dev || is_device(source, dev))
			return snprintf(words, PROBE_WORDS_MAX, "mounted on %s", dir) > 0;
	}
	return 0;
}

static int swapped_on(dev_t dev, char words[static PROBE_WORDS_MAX], struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char *line, *rest;

	if (io_read_file("/proc/swaps", TABLE_MAX, &b, e) < 0)
		return errno == ENOENT ? 0 : -1;
	buf_put_u8(&b, '\0');
	for (line = strtok_r((char *)b.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		line[strcspn(line, " \t")] = '\0';
		if (is_device(line, dev))
			return snprintf(words, PROBE_WORDS_MAX, "used as swap") > 0;
	}
	return 0;
}

/* A device-mapper or md device above it. */
static int held_by(dev_t dev, char words[static PROBE_WORDS_MAX])
{
	_cleanup_(closedirp) DIR *d = NULL;
	char path[128], name[128] = "";
	struct dirent *ent;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	d = opendir(path);
	while (d && (ent = readdir(d))) {
		if (ent->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/block/%.64s/dm/name", ent->d_name);
		f = fopen(path, "re");
		if (!f || fscanf(f, "%127s", name) != 1)
			snprintf(name, sizeof(name), "%.100s", ent->d_name);
		if (f)
			fclose(f);
		return snprintf(words, PROBE_WORDS_MAX, "held by the device %s above it", name) > 0;
	}
	return 0;
}

int probe_user_of(const char *path, dev_t dev, char words[static PROBE_WORDS_MAX], struct err *e)
{
	_cleanup_close_ int fd = -1;
	int r = mounted(dev, words, e);

	if (r == 0)
		r = swapped_on(dev, words, e);
	if (r == 0)
		r = held_by(dev, words);
	if (r != 0)
		return r;
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY)
		return snprintf(words, PROBE_WORDS_MAX,
				"in exclusive use by the kernel or a program") > 0;
	return fd < 0 ? err_sys(e, "open %s", path) : 0;
}

int probe_user(unsigned dm_major, unsigned dm_minor, char words[static PROBE_WORDS_MAX],
	       struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/dm-%u", dm_minor);
	return probe_user_of(path, makedev(dm_major, dm_minor), words, e);
}

/* false also for a process that has just ended. */
static bool has_open(const char *pid, dev_t dev)
{
	_cleanup_free_ char *dir = xasprintf("/proc/%s/fd", pid);
	_cleanup_(closedirp) DIR *d = opendir(dir);
	struct dirent *ent;
	struct stat st;

	while (d && (ent = readdir(d)))
		if (ent->d_name[0] != '.' && fstatat(dirfd(d), ent->d_name, &st, 0) == 0 &&
		    S_ISBLK(st.st_mode) && st.st_rdev == dev)
			return true;
	return false;
}

int probe_opened(dev_t dev, char words[static PROBE_WORDS_MAX], struct err *e)
{
	_cleanup_(closedirp) DIR *d = opendir("/proc");
	struct dirent *ent;

	if (!d)
		return err_sys(e, "open /proc");
	while ((ent = readdir(d))) {
		char path[300], name[64] = "?";
		FILE *f;

		if (ent->d_name[0] < '1' || ent->d_name[0] > '9' || atoi(ent->d_name) == getpid() ||
		    !has_open(ent->d_name, dev))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", ent->d_name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%63s", name) != 1)
			strcpy(name, "?");
		if (f)
			fclose(f);
		return snprintf(words, PROBE_WORDS_MAX, "open in %s (pid %.10s)", name,
				ent->d_name) > 0;
	}
	return 0;
}
