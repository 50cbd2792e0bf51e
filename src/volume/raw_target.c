/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "dmdev.h"
#include "fmt.h"
#include "io.h"
#include "lock.h"
#include "log.h"
#include "probe.h"
#include "raw.h"

#define RULE3          "rule 3 (identity before bytes): "
#define OTHERS_WAIT_MS 5000 /* udev looks at a device that appears, and lets go of it */
#define LOCK_MS        10000

int raw_lock(struct raw *r, unsigned wait_ms, struct err *e)
{
	char path[sizeof(LVM_RUNDIR) + VOLUME_UUID_MAX + 8];

	if (r->lock >= 0)
		return 0;
	if (io_mkdirs(LVM_RUNDIR, 0700, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/raw-%s", LVM_RUNDIR, r->v.uuid);
	r->lock = lock_take(path, "write or look at a replica", wait_ms, e);
	return r->lock < 0 ? -1 : 0;
}

/* Where it is now; others: how many have it open, -1 if the kernel does not tell. 0: not active. */
static int locate(struct raw *r, int *others, struct err *e)
{
	struct dmdev d;

	*others = -1;
	if (!r->dm_uuid[0])
		return 1;
	if (dmdev_find(r->dm_uuid, &d, e) < 0)
		return -1;
	if (!d.exists)
		return r->is_lv ? 0 : err_set(e, ERR_FAILED, "%s is gone", r->v.name);
	r->dev = makedev(d.major, d.minor);
	dmdev_path(&d, r->path, sizeof(r->path));
	*others = d.open_count - (r->held_fd >= 0);
	return 1;
}

/* 1 and words: somebody else has it open. */
static int opened(struct raw *r, char who[static PROBE_WORDS_MAX], struct err *e)
{
	int others, there = locate(r, &others, e);

	if (there <= 0)
		return there;
	if (others < 0)
		return probe_opened(r->dev, who, e);
	snprintf(who, PROBE_WORDS_MAX, "open in another program");
	return others > 0;
}

static int in_use(struct raw *r, const char *who, struct err *e)
{
	err_set(e, ERR_REFUSED, RULE3 "the target %s is %s", r->v.name, who);
	return err_hint(e, "stop using it (umount, swapoff, see fuser -v %s), then repeat",
			r->path[0] ? r->path : r->v.name);
}

int raw_check_unused(struct raw *r, struct err *e)
{
	char who[PROBE_WORDS_MAX];
	int others, used, there = locate(r, &others, e);

	if (there <= 0)
		return there;
	used = probe_user_of(r->path, r->dev, who, e);
	if (used == 0)
		used = opened(r, who, e);
	return used == 0 ? 1 : used < 0 ? -1 : in_use(r, who, e);
}

int raw_rest(struct raw *r, struct err *e)
{
	int active = raw_check_unused(r, e);

	return active == 1 && r->is_lv ? lvm_do(e, "lvchange", "-q", "-an", r->v.name)
	       : active < 0            ? -1
				       : 0;
}

int raw_activate(struct raw *r, struct err *e)
{
	int others, there;

	if (r->is_lv && lvm_do(e, "lvchange", "-q", "-ay", "-K", r->v.name) < 0)
		return -1;
	there = locate(r, &others, e);
	if (there == 0)
		return err_set(e, ERR_FAILED, "LVM has not activated %s", r->v.name);
	return there < 0 ? -1 : 0;
}

/* Exclusive against mounts, device-mapper and others that ask; anyone else has a few seconds to go.
 */
static int open_alone(struct raw *r, struct err *e)
{
	uint64_t end = fmt_mono_us() + OTHERS_WAIT_MS * 1000ULL;
	char who[PROBE_WORDS_MAX];
	int other;

	r->held_fd = open(r->path, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);
	if (r->held_fd < 0 && errno == EBUSY)
		return in_use(r, "in use", e);
	if (r->held_fd < 0)
		return err_sys(e, "open %s (%s)", r->v.name, r->path);
	do {
		other = opened(r, who, e);
		if (other <= 0)
			return other;
		usleep(20000);
	} while (fmt_mono_us() < end);
	return in_use(r, who, e);
}

int raw_is(struct raw *r, int fd, const char *token, char *why, size_t size, struct err *e)
{
	struct raw_token t;
	uint64_t have;
	char hash[33];

	if (raw_token_parse(token, &t, e) < 0)
		return -1;
	if (ioctl(fd, BLKGETSIZE64, &have) < 0)
		return err_sys(e, "size of %s", r->v.name);
	if (strcmp(t.uuid, r->v.uuid)) {
		snprintf(why, size, "%s is another device now (%s, not %s)", r->v.name, r->v.uuid,
			 t.uuid);
		return 0;
	}
	if (have < t.size) {
		snprintf(why, size, "%s has shrunk from %" PRIu64 " to %" PRIu64 " bytes",
			 r->v.name, t.size, have);
		return 0;
	}
	if (raw_sum(fd, t.size, hash, e) < 0)
		return -1;
	if (strcmp(hash, t.hash))
		snprintf(why, size, "somebody has written to it since its last commit");
	return !strcmp(hash, t.hash);
}

/* Who it is always counts, what is on it only if it should not differ. */
static int check_token(struct raw *r, const char *committed, bool may_differ, struct err *e)
{
	char why[256] = "";
	struct raw_token t;
	int is;

	if (raw_token_parse(committed, &t, e) < 0)
		return -1;
	if (may_differ && !strcmp(t.uuid, r->v.uuid))
		return 0;
	is = raw_is(r, r->held_fd, committed, why, sizeof(why), e);
	if (is != 0)
		return is < 0 ? -1 : 0;
	err_set(e, ERR_REFUSED, RULE3 "the target %s is not what was committed: %s", r->v.name,
		why);
	return err_hint(e, "srsync sync --full on the source writes all of it anew; copy what is "
			   "wanted first");
}

int raw_hold(struct volume *v, const char *committed, bool may_differ, int *fd, struct err *e)
{
	struct raw *r = raw_of(v);
	struct err ignored = ERR_INIT;

	if (raw_lock(r, LOCK_MS, e) < 0)
		return -1;
	/* once it is ours alone, so that nobody can come in between */
	if (raw_rest(r, e) == 0 && raw_activate(r, e) == 0 && open_alone(r, e) == 0 &&
	    (!committed || check_token(r, committed, may_differ, e) == 0)) {
		*fd = r->held_fd;
		return 0;
	}
	raw_unhold(v, &ignored);
	return -1;
}

int raw_unhold(struct volume *v, struct err *e)
{
	struct raw *r = raw_of(v);
	int bad = 0;

	if (r->held_fd >= 0) {
		if (fsync(r->held_fd) < 0)
			bad = err_sys(e, "flush %s", v->name);
		close(r->held_fd);
		r->held_fd = -1;
		if (r->is_lv &&
		    lvm_do(bad ? &(struct err)ERR_INIT : e, "lvchange", "-q", "-an", v->name) < 0)
			bad = -1;
	}
	closep(&r->lock);
	r->lock = -1;
	return bad;
}

int raw_grow(struct volume *v, uint64_t size, struct err *e)
{
	struct raw *r = raw_of(v);
	char words[32];

	if (v->size >= size)
		return 0;
	if (!r->is_lv) {
		err_set(e, ERR_REFUSED, "%s has %" PRIu64 " bytes, its source has %" PRIu64,
			v->name, v->size, size);
		return err_hint(e, "make it larger, or name a larger device");
	}
	snprintf(words, sizeof(words), "%" PRIu64 "b", size);
	if (lvm_do(e, "lvextend", "-q", "-y", "-L", words, v->name) < 0)
		return err_wrap(e, "grow %s", v->name);
	v->size = size; /* or up to an extent more, which no cut uses */
	return 0;
}

/* libblkid reads unaligned, so without O_DIRECT. */
static int check_content(struct raw *r, struct err *e)
{
	_cleanup_close_ int fd = open(r->path, O_RDONLY | O_CLOEXEC);
	char what[PROBE_WORDS_MAX];
	int known;

	if (fd < 0)
		return err_sys(e, "open %s (%s)", r->v.name, r->path);
	known = probe_content(fd, what, e);
	if (known <= 0)
		return known;
	err_set(e, ERR_REFUSED, "the target %s is not empty: it holds %s", r->v.name, what);
	return err_hint(e, "--overwrite, if that may be lost; or make a new volume");
}

int raw_check_target(struct volume *v, bool overwrite, struct err *e)
{
	struct raw *r = raw_of(v);
	struct err ignored = ERR_INIT;
	int active, bad;

	if (raw_lock(r, LOCK_MS, e) < 0)
		return -1;
	active = raw_check_unused(r, e);
	if (active < 0)
		return -1;
	if (overwrite)
		return 0;
	if (active == 0 && raw_activate(r, e) < 0)
		return -1;
	bad = check_content(r, e);
	if (active == 0 && raw_rest(r, &ignored) < 0)
		log_err(LOG_LEVEL_WARN, &ignored);
	return bad;
}
