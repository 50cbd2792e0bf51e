/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cut.h"
#include "dmdev.h"
#include "freeze.h"
#include "io.h"
#include "lock.h"
#include "log.h"

#define WAIT_MS (2 * CUT_LIMIT_MS) /* whoever holds the lock is gone after its watchdog's limit */

static void mark_path(const char *uuid, char *out, size_t size)
{
	snprintf(out, size, "%s/frozen-%s", LVM_RUNDIR, uuid);
}

static int take(const char *uuid, const char *what, char *mark, size_t size, struct err *e)
{
	char path[sizeof(LVM_RUNDIR) + LVM_DM_UUID_SIZE + 8];

	if (io_mkdirs(LVM_RUNDIR, 0700, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/lock-%s", LVM_RUNDIR, uuid);
	mark_path(uuid, mark, size);
	return lock_take(path, what, WAIT_MS, e);
}

int freeze_open(struct freeze *f, const char *uuid, struct err *e)
{
	f->lock = take(uuid, "cut", f->mark, sizeof(f->mark), e);
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

	mark_path(uuid, mark, sizeof(mark));
	return access(mark, F_OK) == 0;
}

int freeze_mend(const char *uuid, struct err *e)
{
	struct freeze f = FREEZE_INIT;
	_cleanup_close_ int lock = take(uuid, "mend", f.mark, sizeof(f.mark), e);
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
