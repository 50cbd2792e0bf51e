/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cleanup.h"
#include "freeze.h"
#include "fsfreeze.h"
#include "log.h"

#define UUID_SIZE 33

struct fsfreeze {
	struct fsfreeze *next;
	char uuid[UUID_SIZE], mark[FREEZE_MARK_SIZE];
	unsigned users;
	int dir, lock;
	bool frozen, broken;
};

static struct fsfreeze *all; /* in use by the cut under way */

static int take(const char *uuid, const char *what, char mark[static FREEZE_MARK_SIZE],
		struct err *e)
{
	char id[UUID_SIZE + 4];

	snprintf(id, sizeof(id), "fs-%s", uuid);
	return freeze_take(id, what, mark, e);
}

static int make_mark(const struct fsfreeze *f, struct err *e)
{
	_cleanup_close_ int fd = open(f->mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, "create %s", f->mark) : 0;
}

struct fsfreeze *fsfreeze_open(int dir, const char *uuid, struct err *e)
{
	struct fsfreeze *f = all;

	while (f && strcmp(f->uuid, uuid))
		f = f->next;
	if (f) {
		f->users++;
		return f;
	}
	f = xcalloc(1, sizeof(*f));
	snprintf(f->uuid, sizeof(f->uuid), "%s", uuid);
	f->dir = dir;
	f->lock = take(uuid, "cut", f->mark, e);
	syncfs(dir); /* so that the freeze has little left to flush */
	if (f->lock < 0 || make_mark(f, e) < 0) {
		closep(&f->lock);
		free(f);
		return NULL;
	}
	f->users = 1;
	f->next = all;
	all = f;
	return f;
}

int fsfreeze_begin(struct fsfreeze *f, struct err *e)
{
	if (f->frozen)
		return 0;
	if (ioctl(f->dir, FIFREEZE, 0) == 0) {
		f->frozen = true;
		return 0;
	}
	if (errno == EBUSY)
		return err_set(e, ERR_BUSY, "somebody else has frozen the file system");
	err_sys(e, "freeze the file system (FIFREEZE)");
	return err_hint(e, "several volumes are cut at one instant by root only (CAP_SYS_ADMIN); a "
			   "partnership of one image file needs no root");
}

int fsfreeze_end(struct fsfreeze *f, struct err *e)
{
	if (!f || !f->frozen)
		return 0;
	if (ioctl(f->dir, FITHAW, 0) < 0) {
		if (errno != EINVAL)
			return err_sys(e, "thaw the file system (FITHAW)");
		f->broken = true; /* it was not frozen any more */
	}
	f->frozen = false;
	return 0;
}

bool fsfreeze_broken(const struct fsfreeze *f)
{
	return f->broken;
}

void fsfreeze_close(struct fsfreeze *f)
{
	struct fsfreeze **p = &all;

	if (!f || --f->users > 0)
		return;
	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	if (!f->frozen)
		unlink(f->mark);
	closep(&f->lock);
	free(f);
}

int fsfreeze_mend(int dir, const char *uuid, struct err *e)
{
	char mark[FREEZE_MARK_SIZE];
	_cleanup_close_ int lock = -1;

	/* whoever may not look there could not freeze either */
	snprintf(mark, sizeof(mark), LVM_RUNDIR "/frozen-fs-%s", uuid);
	if (access(mark, F_OK) < 0)
		return 0;
	lock = take(uuid, "mend", mark, e);
	if (lock < 0)
		return -1;
	if (access(mark, F_OK) < 0)
		return 0;
	if (ioctl(dir, FITHAW, 0) == 0)
		log_warn("a file system was left frozen by an srsync that was killed: thawed");
	else if (errno != EINVAL)
		return err_sys(e, "thaw the file system (FITHAW)");
	return unlink(mark) < 0 ? err_sys(e, "remove %s", mark) : 0;
}
