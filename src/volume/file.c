/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file kind: image files on a file system with clones (XFS, btrfs).
 *
 * A cut is a clone of the image (FICLONE) in a file of its own beside it, a slot: PATH.srsyncN,
 * read-only, with our partnership's id and the image's identity in its extended attributes. Neither
 * root nor device-mapper is needed. The kernel flushes the image and holds off its writers while it
 * clones, so that one image alone needs no freeze. A slot is made without a name, gets one when it
 * is complete, and goes when its cut is released.
 *
 * The token of a cut is file:FILESYSTEM:INODE:GENERATION:SIZE:CTIME of the slot: the identity of
 * the file and the time of its last change, which is when it got its name. A write, a rename or
 * a chmod alters the last; another file in its place, the others.
 *
 * What changed between two cuts is what lies at another place in the two slots (fiemap.h).
 *
 * Several volumes at one instant: FICLONE waits for ever on a frozen file system. So the image is
 * cloned before; while it is frozen, what was written since that clone is read into locked memory
 * (file_save.c), and put into the clone after the thaw.
 *
 * At the target the head is PATH itself. Rewind puts a new clone of a slot in its place by rename,
 * so that the head is another inode afterwards.
 *
 * Half-done states, all mended by prepare:
 *  - a slot that no token names: a cut that was never recorded. It is removed.
 *  - PATH.srsync-new (target): a crash in rewind. It is removed.
 *  - no head although there are cuts (target): somebody removed it. It becomes the newest cut.
 *  - a frozen file system (source, if the watchdog was killed too): thawed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "file.h"
#include "fmt.h"

#define BLOCKS_MAX     (BSET_MAX_BLOCKS / 2) /* room to grow at the same block size */
#define REFUSE_PERCENT 98.0
#define REFUSE_BYTES   (64u << 20)

/* XFS_IOC_FSGEOMETRY_V1 (xfs_fs.h), which every XFS answers; its uuid is all we want. */
struct xfs_geometry {
	uint32_t before[8];
	uint64_t before_too[4];
	uint8_t uuid[16];
	uint32_t after[7];
};
#define XFS_GEOMETRY _IOR('X', 100, struct xfs_geometry)

int file_id_of(int fd, struct file_id *id, struct err *e)
{
	struct stat st;
	long generation = 0;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (ioctl(fd, FS_IOC_GETVERSION, &generation) < 0)
		generation = 0; /* a file system that has none */
	*id = (struct file_id){
		.inode = st.st_ino,
		.generation = (uint32_t)generation,
		.size = st.st_size,
		.ctime_ns = st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec,
	};
	return 0;
}

bool file_id_is(const struct file_id *a, const struct file_id *b)
{
	return a->inode == b->inode && a->generation == b->generation && a->size == b->size &&
	       a->ctime_ns == b->ctime_ns;
}

void file_uuid(const struct file *f, const struct file_id *id, char out[static VOLUME_UUID_MAX])
{
	snprintf(out, VOLUME_UUID_MAX, "%s-%" PRIx64 "-%" PRIx64, f->fs, id->inode, id->generation);
}

void file_token_print(const char *fs, const struct file_id *id, char out[static VOLUME_TOKEN_MAX])
{
	snprintf(out, VOLUME_TOKEN_MAX, "file:%s:%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRId64, fs,
		 id->inode, id->generation, id->size, id->ctime_ns);
}

int file_token_parse(const char *s, char fs[static 33], struct file_id *id, struct err *e)
{
	char again[VOLUME_TOKEN_MAX];

	if (sscanf(s, "file:%32[0-9a-f]:%" SCNu64 ":%" SCNu64 ":%" SCNu64 ":%" SCNd64, fs,
		   &id->inode, &id->generation, &id->size, &id->ctime_ns) == 5) {
		file_token_print(fs, id, again);
		if (!strcmp(s, again)) /* no sign, blank, overflow or tail passed for a number */
			return 0;
	}
	return err_set(e, ERR_FAILED, "\"%s\" is not the token of a cut of a file", s);
}

void file_set_size(struct file *f, uint64_t size)
{
	f->v.size = size;
	f->v.block_size = FILE_BLOCK_SIZE;
	while (f->v.size / f->v.block_size >= BLOCKS_MAX)
		f->v.block_size *= 2;
}

/* Whatever has the name, opening it must not wait. For what is read and written O_NONBLOCK must go
 * again: io_uring takes it at its word, and above a device that cannot promise never to wait
 * (dm-crypt, dm-thin) every request comes back with EAGAIN, for ever. */
static int may_wait(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

int file_openat(const struct file *f, const char *name, int flags)
{
	static const int extra[] = {O_DIRECT | O_NOATIME, O_DIRECT, O_NOATIME, 0};
	const unsigned first = f->direct ? 0 : 2;
	_cleanup_close_ int fd = -1;

	flags |= O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	for (unsigned i = first; i < ARRAY_SIZE(extra); i++) {
		fd = openat(f->dir_fd, name, flags | extra[i]);
		if (fd >= 0 || (errno != EPERM && errno != EINVAL))
			break;
	}
	return fd < 0 || may_wait(fd) < 0 ? -1 : take_fd(&fd);
}

/* Inode numbers of btrfs count within a subvolume, so that goes in too, as statfs(2) does it. */
static int btrfs_uuid(int fd, uint8_t uuid[static 16])
{
	struct btrfs_ioctl_fs_info_args info = {0};
	struct btrfs_ioctl_ino_lookup_args tree = {.objectid = BTRFS_FIRST_FREE_OBJECTID};

	if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0 || ioctl(fd, BTRFS_IOC_INO_LOOKUP, &tree) < 0)
		return -1;
	memcpy(uuid, info.fsid, 16);
	for (unsigned i = 0; i < 8; i++)
		uuid[15 - i] ^= (uint8_t)(tree.treeid >> (8 * i));
	return 0;
}

static int file_system_uuid(struct file *f, struct err *e)
{
	struct xfs_geometry geometry;
	uint8_t uuid[16] = {0};
	struct statfs st;

	if (fstatfs(f->dir_fd, &st) < 0)
		return err_sys(e, "statfs %s", f->dir);
	/* O_DIRECT of btrfs (seen on Linux 6.1.176) writes nothing, and reports success, when some
	 * pages of the caller's buffer are not in memory: never touched, or swapped out. */
	f->direct = st.f_type != BTRFS_SUPER_MAGIC;
	if (st.f_type == XFS_SUPER_MAGIC) {
		if (ioctl(f->dir_fd, XFS_GEOMETRY, &geometry) < 0)
			return err_sys(e, "ask XFS for its uuid (%s)", f->dir);
		memcpy(uuid, geometry.uuid, sizeof(uuid));
	} else if (st.f_type == BTRFS_SUPER_MAGIC) {
		if (btrfs_uuid(f->dir_fd, uuid) < 0)
			return err_sys(e, "ask btrfs for its uuid (%s)", f->dir);
	} else {
		memcpy(uuid, &st.f_fsid, sizeof(st.f_fsid));
	}
	for (unsigned i = 0; i < sizeof(uuid); i++)
		sprintf(f->fs + 2 * i, "%02x", uuid[i]);
	return 0;
}

static int no_image(const char *name, struct err *e)
{
	err_set(e, ERR_FAILED, "there is no file %s", name);
	return err_hint(e, "name an image file by its absolute path, or a volume as vg/lv");
}

/* The one name of the image, without links. 1: not a file. */
static int resolve(struct file *f, struct err *e)
{
	_cleanup_free_ char *whole = realpath(f->v.name, NULL), *folder = NULL;
	_cleanup_free_ char *given = xstrdup(f->v.name);
	char *slash = strrchr(given, '/');
	const char *base = slash + 1;
	struct stat st;

	f->exists = whole != NULL;
	if (whole && (stat(whole, &st) < 0 || !S_ISREG(st.st_mode)))
		return 1;
	if (!whole && !strncmp(given, "/dev/", 5))
		return 1; /* an inactive volume */
	if (whole) {
		slash = strrchr(whole, '/');
		base = slash + 1;
	} else if (errno != ENOENT || f->v.role == VOLUME_SOURCE || !*base) {
		return no_image(f->v.name, e);
	}
	*slash = '\0';
	folder = realpath(whole ? (*whole ? whole : "/") : (*given ? given : "/"), NULL);
	if (!folder)
		return no_image(f->v.name, e);
	if ((size_t)snprintf(f->v.name, VOLUME_NAME_MAX, "%s/%s", strcmp(folder, "/") ? folder : "",
			     base) >= VOLUME_NAME_MAX)
		return err_set(e, ERR_USAGE, "the path of a file has at most %d bytes",
			       VOLUME_NAME_MAX - 1);
	strcpy(f->dir, folder);
	snprintf(f->base, sizeof(f->base), "%s", base);
	return 0;
}

static int check_name(const struct file *f, struct err *e)
{
	const char *p = strstr(f->base, ".srsync");

	for (const char *c = f->v.name; *c; c++)
		if ((unsigned char)*c < ' ')
			return err_set(e, ERR_USAGE, "a control character in the name of a file");
	if (p && p[7] && p[7 + strspn(p + 7, "0123456789")] == '\0') {
		err_set(e, ERR_REFUSED, "%s has the name of a cut slot of srsync", f->v.name);
		return err_hint(e, "name the image that it belongs to");
	}
	return 0;
}

static int load(struct file *f, struct err *e)
{
	_cleanup_close_ int fd = file_openat(f, f->base, O_RDONLY);
	struct file_id id;

	if (fd < 0)
		return err_sys(e, "open %s", f->v.name);
	if (file_id_of(fd, &id, e) < 0)
		return -1;
	file_uuid(f, &id, f->v.uuid);
	file_set_size(f, id.size);
	if (id.size == 0 && f->v.role == VOLUME_SOURCE)
		return err_set(e, ERR_FAILED, "%s is empty", f->v.name);
	return 0;
}

static int file_open(struct volume *v, struct err *e)
{
	struct file *f = file_of(v);
	int r;

	f->dir_fd = f->image = f->clone = f->held_fd = -1;
	if (v->name[0] != '/')
		return 1;
	r = resolve(f, e);
	if (r != 0)
		return r;
	if (check_name(f, e) < 0)
		return -1;
	f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return err_sys(e, "open %s", f->dir);
	file_set_size(f, 0);
	if (file_system_uuid(f, e) < 0)
		return -1;
	return f->exists ? load(f, e) : 0;
}

static void file_close(struct volume *v)
{
	struct file *f = file_of(v);

	closep(&f->held_fd);
	closep(&f->dir_fd);
}

static int file_health(struct volume *v, struct volume_health *h, struct err *e)
{
	struct file *f = file_of(v);
	struct statvfs st;
	uint64_t free_bytes;

	if (fstatvfs(f->dir_fd, &st) < 0)
		return err_sys(e, "ask for the free space of %s", f->dir);
	free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	*h = (struct volume_health){.meta_percent = -1, .threshold = REFUSE_PERCENT};
	if (st.f_blocks)
		h->data_percent = 100.0 - 100.0 * (double)st.f_bavail / (double)st.f_blocks;
	if (h->data_percent <= REFUSE_PERCENT)
		return 0;
	/* after a cut every block that is written takes a new one */
	h->cut_refused = free_bytes < REFUSE_BYTES;
	snprintf(h->cause, sizeof(h->cause),
		 "the file system of %.120s is %s: %.1f %% used, %s free", f->dir,
		 h->cut_refused ? "full" : "almost full", h->data_percent, fmt_bytes(free_bytes).s);
	snprintf(h->remedy, sizeof(h->remedy), "make it larger, or remove what is not needed");
	return 0;
}

const struct volume_ops file_ops = {
	.kind = "file",
	.size = sizeof(struct file),
	.open = file_open,
	.close = file_close,
	.prepare = file_prepare,
	.health = file_health,
	.ready = file_ready,
	.allot = file_allot,
	.freeze = file_freeze,
	.snap = file_snap,
	.thaw = file_thaw,
	.proof = file_proof,
	.thaw_words = file_thaw_words,
	.done = file_done,
	.held = file_held,
	.changes = file_changes,
	.map = file_map,
	.reader = file_reader,
	.release = file_release,
	.hold = file_hold,
	.unhold = file_unhold,
	.rewind = file_rewind,
	.grow = file_grow,
	.check_target = file_check_target,
	.drop = file_drop,
};
