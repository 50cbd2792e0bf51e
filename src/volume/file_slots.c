/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "aio.h"
#include "fault.h"
#include "file.h"
#include "io.h"
#include "log.h"

#define SLOTS_MAX 1000 /* names to try; far more than cuts are kept */

static bool has_slot_name(const struct file *f, const char *name)
{
	size_t n = strlen(f->base);
	const char *number;

	if (strncmp(name, f->base, n) || strncmp(name + n, ".srsync", 7))
		return false;
	number = name + n + 7;
	return isdigit((unsigned char)*number) && number[strspn(number, "0123456789")] == '\0';
}

static bool has_xattr(int fd, const char *name, const char *value)
{
	char found[VOLUME_TOKEN_MAX];
	ssize_t n = fgetxattr(fd, name, found, sizeof(found));

	return n >= 0 && (size_t)n == strlen(value) && !memcmp(found, value, (size_t)n);
}

/* 1: ours, and s is filled; 0: not. */
static int look(struct file *f, const char *name, struct file_slot *s, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!has_slot_name(f, name) || fstatat(f->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return 0;
	fd = file_openat(f, name, O_RDONLY);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s/%s", f->dir, name);
	if (!has_xattr(fd, FILE_XATTR_PARTNERSHIP, f->v.partnership))
		return 0;
	snprintf(s->name, sizeof(s->name), "%s", name);
	return file_id_of(fd, &s->id, e) < 0 ? -1 : 1;
}

int file_slots(struct file *f, struct file_slot **out, struct err *e)
{
	int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0, r = 0;
	_cleanup_(closedirp) DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;

	*out = NULL;
	if (!d)
		return err_sys(e, "read %s", f->dir);
	while (r >= 0 && f->v.partnership[0] && n < SLOTS_MAX && (ent = readdir(d))) {
		struct file_slot s;

		r = look(f, ent->d_name, &s, e);
		if (r != 1)
			continue;
		*out = xrealloc(*out, (size_t)(n + 1) * sizeof(**out));
		(*out)[n++] = s;
	}
	if (r >= 0)
		return n;
	free(TAKE(*out));
	return -1;
}

/* The slot that is this very file; *touched: it is there, and is not what it was. */
static const struct file_slot *find(const struct file_slot *slot, int n, const struct file_id *id,
				    bool *touched)
{
	for (int i = 0; i < n; i++) {
		if (file_id_is(&slot[i].id, id))
			return &slot[i];
		*touched |=
			slot[i].id.inode == id->inode && slot[i].id.generation == id->generation;
	}
	return NULL;
}

int file_slot_open(struct file *f, const char *token, char name[static NAME_MAX + 1],
		   struct file_id *id, char *why, size_t size, struct err *e)
{
	_cleanup_free_ struct file_slot *slot = NULL;
	_cleanup_close_ int fd = -1;
	const struct file_slot *s;
	struct file_id now;
	bool touched = false;
	char fs[33];
	int n;

	why[0] = '\0';
	if (file_token_parse(token, fs, id, e) < 0 || (n = file_slots(f, &slot, e)) < 0)
		return -1;
	s = strcmp(fs, f->fs) ? NULL : find(slot, n, id, &touched);
	if (!s) {
		snprintf(why, size,
			 touched ? "its slot beside %.150s was touched: written to, renamed or "
				   "given other rights"
				 : "its slot beside %.150s has been removed",
			 f->v.name);
		return -1;
	}
	fd = file_openat(f, s->name, O_RDONLY);
	if (fd < 0)
		return err_sys(e, "open %s/%s", f->dir, s->name);
	if (file_id_of(fd, &now, e) < 0)
		return -1;
	if (!file_id_is(&now, id)) {
		snprintf(why, size, "its slot %.150s is being touched", s->name);
		return -1;
	}
	strcpy(name, s->name);
	return take_fd(&fd);
}

int file_temporary(struct file *f, struct err *e)
{
	int fd = openat(f->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, "make a file in %s", f->dir) : fd;
}

int file_clone(int to, int from, struct err *e)
{
	return ioctl(to, FICLONE, from) < 0 ? err_sys(e, "clone (FICLONE)") : 0;
}

static int sync_dir(struct file *f, struct err *e)
{
	return fsync(f->dir_fd) < 0 ? err_sys(e, "fsync %s", f->dir) : 0;
}

/* 1: the name is taken. */
static int name_it(struct file *f, int fd, const char *name, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, f->dir_fd, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return errno == EEXIST ? 1 : err_sys(e, "make %s/%s", f->dir, name);
}

static int mark(int fd, const char *name, const char *value, struct err *e)
{
	if (fsetxattr(fd, name, value, strlen(value), 0) == 0)
		return 0;
	return err_sys(e, "set the extended attribute %s", name);
}

int file_keep_slot(struct file *f, int fd, char name[static NAME_MAX + 1], struct err *e)
{
	int r = 1;

	if (mark(fd, FILE_XATTR_PARTNERSHIP, f->v.partnership, e) < 0 ||
	    mark(fd, FILE_XATTR_VOLUME, f->v.uuid, e) < 0)
		return -1;
	if (fchmod(fd, 0400) < 0)
		return err_sys(e, "chmod of a slot");
	for (unsigned i = 0; i < SLOTS_MAX && r == 1; i++) {
		if (snprintf(name, NAME_MAX + 1, "%s.srsync%u", f->base, i) > NAME_MAX)
			return err_set(e, ERR_FAILED, "the name %s leaves no room for .srsync%u",
				       f->base, i);
		r = name_it(f, fd, name, e);
	}
	if (r != 0) {
		name[0] = '\0';
		return r < 0 ? -1 : err_set(e, ERR_FAILED, "%s has %d slots", f->v.name, SLOTS_MAX);
	}
	fault("slot.created");
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s/%s", f->dir, name);
	return sync_dir(f, e);
}

static int new_name(const struct file *f, char name[static NAME_MAX + 1], struct err *e)
{
	if (snprintf(name, NAME_MAX + 1, "%s.srsync-new", f->base) <= NAME_MAX)
		return 0;
	return err_set(e, ERR_FAILED, "the name %s is too long", f->base);
}

/* What a crash in rewind has left; nobody else's file of that name. */
static int clear_new(struct file *f, struct err *e)
{
	char name[NAME_MAX + 1];
	_cleanup_close_ int fd = -1;

	if (new_name(f, name, e) < 0)
		return -1;
	fd = file_openat(f, name, O_RDONLY);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s/%s", f->dir, name);
	if (!has_xattr(fd, FILE_XATTR_REPLICA, f->v.partnership)) {
		err_set(e, ERR_REFUSED, "%s/%s is in the way, and not ours", f->dir, name);
		return err_hint(e, "move it elsewhere");
	}
	return unlinkat(f->dir_fd, name, 0) < 0 ? err_sys(e, "remove %s/%s", f->dir, name) : 0;
}

int file_keep_head(struct file *f, int fd, struct err *e)
{
	char name[NAME_MAX + 1];

	if (clear_new(f, e) < 0 || new_name(f, name, e) < 0 ||
	    mark(fd, FILE_XATTR_REPLICA, f->v.partnership, e) < 0 || name_it(f, fd, name, e) != 0)
		return -1;
	fault("rewind.linked");
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s/%s", f->dir, name);
	if (renameat(f->dir_fd, name, f->dir_fd, f->base) < 0)
		return err_sys(e, "rename %s", f->v.name);
	fault("rewind.done");
	return sync_dir(f, e);
}

static int no_clones(struct file *f, const char *what, struct err *e)
{
	err_set(e, ERR_REFUSED, "the file system of %s %s (%s)", f->v.name, what, strerror(errno));
	if (f->v.role == VOLUME_SOURCE)
		return err_hint(e, "use XFS made with -m reflink=1 or btrfs, or put the data on an "
				   "LVM thin volume");
	return err_hint(e, "use XFS made with -m reflink=1 or btrfs, an LVM thin volume, or a raw "
			   "device, which takes cuts by a redo log");
}

/* Tried out on files without a name. */
int file_check_clones(struct file *f, struct err *e)
{
	static const uint8_t page[AIO_ALIGN] = {1};
	_cleanup_close_ int a = openat(f->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	_cleanup_close_ int b = openat(f->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct fiemap m = {.fm_length = sizeof(page)};

	if ((a < 0 || b < 0) && errno != EOPNOTSUPP && errno != EISDIR)
		return err_sys(e, "make a file in %s", f->dir);
	if (a < 0 || b < 0)
		return no_clones(f, "has no files without a name (O_TMPFILE)", e);
	if (io_pwrite(a, page, sizeof(page), 0) < 0)
		return err_sys(e, "write in %s", f->dir);
	if (ioctl(b, FICLONE, a) < 0)
		return no_clones(f, "cannot clone files (reflink)", e);
	if (ioctl(b, FS_IOC_FIEMAP, &m) < 0)
		return no_clones(f, "does not tell where files lie (FIEMAP)", e);
	if (fsetxattr(a, FILE_XATTR_VOLUME, "", 0, 0) < 0)
		return no_clones(f, "has no extended attributes", e);
	return 0;
}

static int remove_slot(struct file *f, const struct file_slot *s, struct err *e)
{
	if (unlinkat(f->dir_fd, s->name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s/%s", f->dir, s->name);
	return 0;
}

static bool is_named(const struct file *f, const struct file_slot *s, const char *const *tokens,
		     unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct err ignored;
		struct file_id id;
		char fs[33];

		if (file_token_parse(tokens[i], fs, &id, &ignored) < 0 || strcmp(fs, f->fs))
			continue;
		if (file_id_is(&s->id, &id))
			return true;
		if (s->id.inode == id.inode && s->id.generation == id.generation)
			log_warn("the slot %s/%s was touched (written to, renamed, other rights): "
				 "its cut is lost",
				 f->dir, s->name);
	}
	return false;
}

static int sweep(struct file *f, const char *const *tokens, unsigned n, struct err *e)
{
	_cleanup_free_ struct file_slot *slot = NULL;
	int slots = file_slots(f, &slot, e);

	if (slots < 0)
		return -1;
	for (int i = 0; i < slots; i++)
		if (!is_named(f, &slot[i], tokens, n) && remove_slot(f, &slot[i], e) < 0)
			return -1;
	return 0;
}

int file_prepare(struct volume *v, const char *const *tokens, unsigned n, unsigned keep,
		 struct err *e)
{
	struct file *f = file_of(v);

	(void)keep; /* slots are made when they are needed */
	if (fsfreeze_mend(f->dir_fd, f->fs, e) < 0 || file_check_clones(f, e) < 0 ||
	    sweep(f, tokens, n, e) < 0 || (v->role == VOLUME_TARGET && clear_new(f, e) < 0))
		return err_wrap(e, "prepare %s", v->name);
	if (f->exists || n == 0)
		return 0;
	log_warn("%s was removed: made anew from its newest cut", v->name);
	return file_rewind(v, tokens[n - 1], e);
}

int file_release(struct volume *v, const char *token, struct err *e)
{
	struct file *f = file_of(v);
	_cleanup_free_ struct file_slot *slot = NULL;
	const struct file_slot *s;
	struct file_id id;
	bool touched = false;
	char fs[33];
	int n;

	if (file_token_parse(token, fs, &id, e) < 0 || (n = file_slots(f, &slot, e)) < 0)
		return -1;
	s = strcmp(fs, f->fs) ? NULL : find(slot, n, &id, &touched);
	if (!s)
		return 0; /* gone, or not this cut any more: then prepare sees to it */
	if (remove_slot(f, s, e) < 0)
		return -1;
	fault("release.done");
	return 0;
}

int file_drop(struct volume *v, struct err *e)
{
	struct file *f = file_of(v);
	_cleanup_close_ int fd = -1;

	if (fsfreeze_mend(f->dir_fd, f->fs, e) < 0 || sweep(f, NULL, 0, e) < 0)
		return -1;
	if (v->role == VOLUME_TARGET) {
		if (clear_new(f, e) < 0)
			return -1;
		fd = file_openat(f, f->base, O_RDONLY);
		if (fd >= 0 && has_xattr(fd, FILE_XATTR_REPLICA, v->partnership) &&
		    fremovexattr(fd, FILE_XATTR_REPLICA) < 0)
			return err_sys(e, "remove the extended attribute of %s", v->name);
	}
	return sync_dir(f, e);
}
