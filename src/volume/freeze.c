/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cut.h"
#include "dmdev.h"
#include "freeze.h"
#include "io.h"
#include "lock.h"
#include "log.h"

#define WAIT_MS (2 * CUT_LIMIT_MS) /* whoever holds the lock is gone after its watchdog's limit */

static void mark_path(const char *uuid, char mark[static FREEZE_MARK_SIZE])
{
	snprintf(mark, FREEZE_MARK_SIZE, "%s/frozen-%s", LVM_RUNDIR, uuid);
}

int freeze_take(const char *uuid, const char *what, char mark[static FREEZE_MARK_SIZE],
		struct err *e)
{
	char path[FREEZE_MARK_SIZE];

	if (io_mkdirs(LVM_RUNDIR, 0700, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/lock-%s", LVM_RUNDIR, uuid);
	mark_path(uuid, mark);
	return lock_take(path, what, WAIT_MS, e);
}

/* A file system may have a device number of its own (btrfs): then its source tells. */
static bool is_on(dev_t dev, dev_t fs, const char *source)
{
	struct stat st;

	return fs == dev || (source[0] == '/' && stat(source, &st) == 0 && S_ISBLK(st.st_mode) &&
			     st.st_rdev == dev);
}

/* One mount is enough: the others show the same file system. mountinfo writes blanks in names as
 * \040; such a mount is passed over, and so is one that another mount hides. */
static void sync_mounted(dev_t dev)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		_cleanup_close_ int fd = -1;
		char point[512], source[512];
		unsigned major, minor;
		const char *rest = strstr(line, " - ");
		struct stat st;

		if (!rest || sscanf(line, "%*s %*s %u:%u %*s %511s", &major, &minor, point) != 3 ||
		    sscanf(rest, " - %*s %511s", source) != 1 ||
		    !is_on(dev, makedev(major, minor), source))
			continue;
		fd = open(point, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &st) == 0 && is_on(dev, st.st_dev, source)) {
			syncfs(fd);
			return;
		}
	}
}

void freeze_calm(const char *uuid)
{
	_cleanup_close_ int fd = -1;
	struct err ignored;
	struct dmdev d;
	char path[32];

	if (dmdev_find(uuid, &d, &ignored) < 0 || !d.exists || d.suspended)
		return;
	sync_mounted(makedev(d.major, d.minor));
	dmdev_path(&d, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

int freeze_open(struct freeze *f, const char *uuid, struct err *e)
{
	f->lock = freeze_take(uuid, "cut", f->mark, e);
	if (f->lock < 0)
		return -1;
	f->control = dmcall_open(e);
	if (f->control < 0)
		return -1;
	f->frozen = f->broken = false;
	dmcall_status(&f->status, uuid);
	dmcall_suspend(&f->suspend, uuid);
	dmcall_resume(&f->resume, uuid);
	f->active = dmcall_run(f->control, &f->status) == 0;
	if (!f->active && errno != ENXIO)
		return err_sys(e, "look at device %s", uuid);
	if (f->active) {
		_cleanup_close_ int fd = open(f->mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			return err_sys(e, "create %s", f->mark);
	}
	return 0;
}

int freeze_begin(struct freeze *f, struct err *e)
{
	if (!f->active)
		return 0;
	if (dmcall_run(f->control, &f->status) < 0)
		return err_sys(e, "look at the device");
	if (dmcall_is_suspended(&f->status))
		return err_set(e, ERR_BUSY, "somebody else has suspended the device");
	f->frozen = true; /* before the call: its failure does not say that nothing is frozen */
	if (dmcall_run(f->control, &f->suspend) < 0)
		return err_sys(e, "suspend");
	return 0;
}

int freeze_end(struct freeze *f, struct err *e)
{
	if (f->control < 0 || (f->active && !f->frozen))
		return 0;
	if (!f->active) {
		f->broken |= dmcall_run(f->control, &f->status) == 0;
		return 0;
	}
	if (dmcall_run(f->control, &f->status) < 0 || !dmcall_is_suspended(&f->status))
		f->broken = true;
	if (dmcall_run(f->control, &f->resume) < 0)
		return err_sys(e, "resume");
	f->frozen = false;
	return 0;
}

void freeze_close(struct freeze *f)
{
	if (f->active && !f->frozen)
		unlink(f->mark);
	closep(&f->control);
	closep(&f->lock);
	*f = (struct freeze)FREEZE_INIT;
}

int freeze_marked(const char *uuid)
{
	char mark[sizeof(LVM_RUNDIR) + LVM_DM_UUID_SIZE + 8];

	mark_path(uuid, mark);
	return access(mark, F_OK) == 0;
}

int freeze_mend(const char *uuid, struct err *e)
{
	struct freeze f = FREEZE_INIT;
	_cleanup_close_ int lock = freeze_take(uuid, "mend", f.mark, e);
	struct dmdev d;

	if (lock < 0)
		return -1;
	if (access(f.mark, F_OK) < 0)
		return 0;
	if (dmdev_find(uuid, &d, e) < 0)
		return -1;
	if (d.exists && d.suspended) {
		log_warn("%s was left frozen by an srsync that was killed: resumed", d.name);
		if (dmdev_resume(uuid, e) < 0)
			return -1;
	}
	return unlink(f.mark) < 0 ? err_sys(e, "remove %s", f.mark) : 0;
}
