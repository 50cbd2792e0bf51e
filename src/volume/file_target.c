/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "fault.h"
#include "file.h"
#include "fmt.h"
#include "io.h"
#include "log.h"
#include "probe.h"

#define RULE3          "rule 3 (identity before bytes): "
#define OTHERS_WAIT_MS 5000 /* somebody has a look at it, and lets go of it */

/* Nobody else has it open, nor does a loop device or the swap: only then there is a lease. 1, 0 or
 * -1. */
static int is_alone(int fd, struct err *e)
{
	/* whoever opens it at this very moment makes the kernel send us a signal: one that is
	 * ignored, not SIGIO, which would end us */
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return err_sys(e, "prepare for a lease");
	if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
		return fcntl(fd, F_SETLEASE, F_UNLCK) < 0 ? err_sys(e, "give the lease back") : 1;
	return errno == EAGAIN ? 0 : err_sys(e, "ask for a lease (is the file yours?)");
}

/* Exclusive against all that ask; anyone else has a few seconds to go. */
static int open_alone(struct file *f, struct err *e)
{
	uint64_t end = fmt_mono_us() + OTHERS_WAIT_MS * 1000ULL;
	_cleanup_close_ int fd = file_openat(f, f->base, O_RDWR);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int alone;

	if (fd < 0)
		return err_sys(e, "open %s", f->v.name);
	while ((alone = is_alone(fd, e)) == 0 && fmt_mono_us() < end)
		usleep(20000);
	if (alone < 0)
		return -1;
	if (alone && fcntl(fd, F_OFD_SETLK, &whole) == 0)
		return take_fd(&fd);
	err_set(e, ERR_REFUSED, RULE3 "the target %s is open in another program or by the kernel",
		f->v.name);
	return err_hint(e, "see who: fuser -v %s; losetup -j %s", f->v.name, f->v.name);
}

struct pair {
	int a, b;
	struct err *e;
};

static int differ(void *arg, enum fiemap_kind kind, uint64_t offset, uint64_t length)
{
	struct pair *p = arg;
	int same = io_same(p->a, p->b, offset, length);

	(void)kind;
	return same < 0 ? err_sys(p->e, "compare") : !same;
}

/* Bytes are compared where the places do not prove them equal. */
static int check_unchanged(struct file *f, int head, const char *committed, struct err *e)
{
	_cleanup_(fiemap_closep) struct fiemap_reader *ra = NULL, *rb = NULL;
	char slot[NAME_MAX + 1], why[256];
	_cleanup_close_ int cut = -1;
	struct file_id id, now;
	struct pair p;
	int r;

	cut = file_slot_open(f, committed, slot, &id, why, sizeof(why), e);
	if (cut < 0 && why[0]) {
		err_set(e, ERR_REFUSED, RULE3 "the committed cut of %s is gone: %s", f->v.name,
			why);
		return err_hint(e, "srsync sync --full on the source makes a new one");
	}
	if (cut < 0 || file_id_of(head, &now, e) < 0)
		return -1;
	ra = fiemap_open(cut);
	rb = fiemap_open(head);
	p = (struct pair){cut, head, e};
	r = now.size < id.size ? 1 : fiemap_compare(ra, id.size, rb, now.size, differ, &p, e);
	if (r <= 0)
		return r;
	err_set(e, ERR_REFUSED, RULE3 "somebody has written to the target %s since its last commit",
		f->v.name);
	return err_hint(e, "srsync sync --rewind-target on the source throws those writes away; "
			   "copy what is wanted first");
}

/* Where one page of a shared extent is written, XFS allocates 128 KiB and gives the rest back at
 * once, which costs scattered pages more than all else. While we write, it allocates what is
 * written; what its owner has set for the file himself stays, unless it is this very value, which a
 * process that was killed may have left. */
static void allocate_exactly(int fd, bool on)
{
	struct statfs fs;
	struct fsxattr x;
	uint32_t from, to;

	if (fstatfs(fd, &fs) < 0 || fs.f_type != XFS_SUPER_MAGIC ||
	    ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
		return;
	from = on ? 0 : (uint32_t)fs.f_bsize;
	to = on ? (uint32_t)fs.f_bsize : 0;
	if (x.fsx_cowextsize != from)
		return;
	x.fsx_cowextsize = to;
	x.fsx_xflags ^= FS_XFLAG_COWEXTSIZE;
	if (ioctl(fd, FS_IOC_FSSETXATTR, &x) < 0)
		log_debug("the hint for copy on write: %s", strerror(errno));
}

int file_hold(struct volume *v, const char *committed, bool may_differ, int *fd, struct err *e)
{
	struct file *f = file_of(v);
	_cleanup_close_ int head = open_alone(f, e);

	if (head < 0)
		return -1;
	if (committed && !may_differ && check_unchanged(f, head, committed, e) < 0)
		return -1;
	allocate_exactly(head, true);
	*fd = f->held_fd = take_fd(&head);
	return 0;
}

int file_unhold(struct volume *v, struct err *e)
{
	struct file *f = file_of(v);
	int r = 0;

	if (f->held_fd < 0)
		return 0;
	if (fsync(f->held_fd) < 0)
		r = err_sys(e, "flush %s", v->name);
	allocate_exactly(f->held_fd, false);
	close(f->held_fd);
	f->held_fd = -1;
	return r;
}

static int reload(struct file *f, int fd, struct err *e)
{
	struct file_id id;

	if (file_id_of(fd, &id, e) < 0)
		return -1;
	f->exists = true;
	file_uuid(f, &id, f->v.uuid);
	file_set_size(f, id.size);
	return 0;
}

/* The new head belongs to whom the old one did. */
static int take_rights(struct file *f, int fd, struct err *e)
{
	_cleanup_close_ int old = f->exists ? open_alone(f, e) : -1;
	struct stat st;

	if (!f->exists)
		return 0;
	if (old < 0)
		return -1;
	if (fstat(old, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0 ||
	    fchmod(fd, st.st_mode & 07777) < 0)
		return err_sys(e, "give the new %s the rights of the old one", f->v.name);
	return 0;
}

int file_rewind(struct volume *v, const char *token, struct err *e)
{
	struct file *f = file_of(v);
	char slot[NAME_MAX + 1], why[256];
	_cleanup_close_ int cut = -1, fd = -1;
	struct file_id id;

	cut = file_slot_open(f, token, slot, &id, why, sizeof(why), e);
	if (cut < 0)
		return why[0] ? err_set(e, ERR_FAILED, "the cut to go back to is not held: %s", why)
			      : -1;
	fd = file_temporary(f, e);
	if (fd < 0 || file_clone(fd, cut, e) < 0 || take_rights(f, fd, e) < 0 ||
	    file_keep_head(f, fd, e) < 0)
		return err_wrap(e, "rewind %s", v->name);
	return reload(f, fd, e);
}

int file_grow(struct volume *v, uint64_t size, struct err *e)
{
	struct file *f = file_of(v);
	_cleanup_close_ int fd = -1;

	if (f->exists) {
		fd = file_openat(f, f->base, O_RDWR);
		if (fd < 0)
			return err_sys(e, "open %s", v->name);
		if (v->size < size && (ftruncate(fd, size) < 0 || fsync(fd) < 0))
			return err_sys(e, "grow %s", v->name);
		return reload(f, fd, e);
	}
	fd = file_temporary(f, e);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, size) < 0)
		return err_sys(e, "make %s", v->name);
	return file_keep_head(f, fd, e) < 0 ? -1 : reload(f, fd, e);
}

/* Bytes of no known kind may be a database's own: not refused, but not lost without a word. */
static int check_content(struct file *f, int fd, struct err *e)
{
	char what[PROBE_WORDS_MAX];
	int r = fcntl(fd, F_SETFL, 0) < 0
			? err_sys(e, "open for a look") /* libblkid is unaligned */
			: probe_content(fd, what, e);

	if (r < 0)
		return -1;
	if (r == 0) {
		log_warn("the target %s holds data of no known kind, which is overwritten",
			 f->v.name);
		return 0;
	}
	err_set(e, ERR_REFUSED, "the target %s is not empty: it holds %s", f->v.name, what);
	return err_hint(e, "--overwrite, if that may be lost; or name a new file");
}

int file_check_target(struct volume *v, bool overwrite, struct err *e)
{
	struct file *f = file_of(v);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (file_check_clones(f, e) < 0)
		return -1;
	if (!f->exists)
		return 0;
	fd = open_alone(f, e);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat %s", v->name);
	if (st.st_nlink > 1) {
		err_set(e, ERR_REFUSED, "the target %s has %u names (hard links)", v->name,
			(unsigned)st.st_nlink);
		return err_hint(e,
				"a replica takes the place of one name: use a file that has one");
	}
	return overwrite || st.st_blocks == 0 ? 0 : check_content(f, fd, e);
}
