/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "fmt.h"
#include "log.h"
#include "probe.h"
#include "thin.h"
#include "thin_diff.h"

#define RULE3          "rule 3 (identity before bytes): "
#define OTHERS_WAIT_MS 5000 /* udev looks at a device that appears, and lets go of it */

/* Refuses when somebody uses the head. 1: it is active, 0: it is not. */
static int check_unused(struct thin *t, struct err *e)
{
	char who[PROBE_WORDS_MAX];
	struct dmdev d;
	int r;

	if (dmdev_find(t->dm_uuid, &d, e) < 0)
		return -1;
	if (!d.exists)
		return 0;
	r = probe_user(d.major, d.minor, who, e);
	if (r == 0 && d.open_count > 0) {
		snprintf(who, sizeof(who), "open in another program");
		r = 1;
	}
	if (r == 0)
		return 1;
	if (r < 0)
		return -1;
	err_set(e, ERR_REFUSED, RULE3 "the target %s is %s", t->v.name, who);
	return err_hint(e, "stop using it (umount, swapoff, lvchange -an %s), then repeat",
			t->v.name);
}

int thin_rest(struct thin *t, struct err *e)
{
	int r = check_unused(t, e);

	return r == 1 ? lvm_do(e, "lvchange", "-q", "-an", t->v.name) : r;
}

static int any_change(void *arg, enum thin_change kind, uint64_t first, uint64_t count)
{
	(void)arg;
	(void)kind;
	(void)first;
	(void)count;
	return 1;
}

/* 1: the head differs from the cut. Equal roots are the usual case and one look. */
static int differs(struct thin *t, const struct thin_dev *cut, struct err *e)
{
	_cleanup_(thin_meta_freep) struct thin_meta *m = NULL;
	struct thin_dev head = {.id = t->id};
	struct err now = ERR_INIT;
	int r;

	if (thin_find(t, &head, 1, e) < 0)
		return -1;
	if (!head.present)
		return err_set(e, ERR_FAILED, "the pool has no device %" PRIu32 " of this volume",
			       t->id);
	if (head.root == cut->root && head.mapped_blocks == cut->mapped_blocks)
		return 0;
	m = thin_metadata(t, e);
	if (!m)
		return -1;
	r = thin_diff(m, cut, &head, any_change, NULL, &now);
	if (r < 0)
		*e = now;
	return r;
}

static int check_unchanged(struct thin *t, const char *committed, struct err *e)
{
	struct thin_token k;
	char why[256] = "";
	int r;

	if (thin_commit(t, e) < 0 || thin_token_parse(committed, &k, e) < 0)
		return -1;
	r = thin_held(&t->v, committed, NULL, why, sizeof(why), e);
	if (r == 0) {
		err_set(e, ERR_REFUSED, RULE3 "the committed cut of %s is gone: %s", t->v.name,
			why);
		return err_hint(e, "srsync sync --full on the source makes a new one");
	}
	if (r == 1) {
		struct thin_dev cut = {.id = k.id};

		r = thin_find(t, &cut, 1, e) < 0 ? -1 : differs(t, &cut, e);
	}
	if (r <= 0)
		return r;
	err_set(e, ERR_REFUSED, RULE3 "somebody has written to the target %s since its last commit",
		t->v.name);
	return err_hint(e, "srsync sync --rewind-target on the source throws those writes away; "
			   "copy what is wanted first");
}

/* Chunks given back while the pool zeroed new ones would show old bytes beside the next write. */
static int check_zeroing(struct thin *t, const char *committed, struct err *e)
{
	uint64_t chunks = (t->v.size + t->v.block_size - 1) / t->v.block_size;
	struct thin_dev head = {.id = t->id};

	if (!committed || t->zero)
		return 0;
	if (thin_find(t, &head, 1, e) < 0)
		return -1;
	if (head.mapped_blocks >= chunks)
		return 0;
	err_set(e, ERR_REFUSED,
		"the pool %s/%s does not zero new chunks, and %s has unmapped ones: what was in "
		"them before would show in the replica",
		t->vg, t->pool, t->v.name);
	return err_hint(e, "lvchange -Zy %s/%s", t->vg, t->pool);
}

/* Exclusive against mounts, device-mapper and others that ask; anyone else has a few seconds to go.
 */
static int open_alone(struct thin *t, struct err *e)
{
	uint64_t end = fmt_mono_us() + OTHERS_WAIT_MS * 1000ULL;
	_cleanup_close_ int fd = -1;
	struct dmdev d;
	char path[32];

	if (dmdev_find(t->dm_uuid, &d, e) < 0)
		return -1;
	if (!d.exists)
		return err_set(e, ERR_FAILED, "LVM has not activated %s", t->v.name);
	dmdev_path(&d, path, sizeof(path));
	fd = open(path, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY)
		return err_set(e, ERR_REFUSED, RULE3 "the target %s is in use", t->v.name);
	if (fd < 0)
		return err_sys(e, "open %s (%s)", t->v.name, path);
	do {
		if (dmdev_find(t->dm_uuid, &d, e) < 0)
			return -1;
		if (d.open_count == 1)
			return take_fd(&fd);
		usleep(20000);
	} while (fmt_mono_us() < end);
	err_set(e, ERR_REFUSED, RULE3 "the target %s is open in another program", t->v.name);
	return err_hint(e, "see who: fuser -v %s", path);
}

/* What lvchange -ay does, without a command of LVM for each cut, which takes its time and waits for
 * all others. false: LVM must do it. */
static bool activate_by_us(struct thin *t)
{
	struct dmdev_table table;
	struct err why = ERR_INIT;
	_cleanup_free_ char *name = dmdev_lvm_name(t->vg, t->lv);
	_cleanup_close_ int pin = -1;

	if (!name || t->external[0] || t->read_only)
		return false;
	pin = thin_pin(t, &why);
	/* what LVM told may be old: another volume may have the number by now */
	if (pin < 0 || thin_is_current(t, &why) != 1 || thin_table(t, t->id, &table, &why) < 0)
		return false;
	return dmdev_create(name, t->dm_uuid, &table, &why) == 0;
}

static int activate(struct thin *t, struct err *e)
{
	t->by_us = activate_by_us(t);
	return t->by_us ? 0 : lvm_do(e, "lvchange", "-q", "-ay", "-K", t->v.name);
}

static bool deactivate_by_us(struct thin *t)
{
	struct err why = ERR_INIT;
	_cleanup_close_ int pin = thin_pin(t, &why);

	return pin >= 0 && dmdev_remove(t->dm_uuid, &why) == 0;
}

static int deactivate(struct thin *t, struct err *e)
{
	if (t->by_us && deactivate_by_us(t))
		return 0;
	return lvm_do(e, "lvchange", "-q", "-an", t->v.name);
}

int thin_hold(struct volume *v, const char *committed, bool may_differ, int *fd, struct err *e)
{
	struct thin *t = thin_of(v);
	struct err ignored = ERR_INIT;

	if (thin_rest(t, e) < 0 || activate(t, e) < 0)
		return -1;
	t->held_fd = open_alone(t, e);
	/* once it is ours alone, so that nobody can come in between */
	if (t->held_fd >= 0 && check_zeroing(t, committed, e) == 0 &&
	    (!committed || may_differ || check_unchanged(t, committed, e) == 0)) {
		*fd = t->held_fd;
		return 0;
	}
	closep(&t->held_fd);
	t->held_fd = -1;
	if (deactivate(t, &ignored) < 0)
		log_err(LOG_LEVEL_WARN, &ignored);
	return -1;
}

int thin_unhold(struct volume *v, struct err *e)
{
	struct thin *t = thin_of(v);
	int r = 0;

	if (t->held_fd < 0)
		return 0;
	if (fsync(t->held_fd) < 0)
		r = err_sys(e, "flush %s", v->name);
	close(t->held_fd);
	t->held_fd = -1;
	if (deactivate(t, r ? &(struct err)ERR_INIT : e) < 0)
		r = -1;
	return r;
}

/* A crash after the delete leaves no head: prepare makes it from the newest cut. */
static int replace_head(struct thin *t, const struct thin_dev *cut, struct err *e)
{
	struct thin_dev head = {.id = t->id};

	if (thin_find(t, &head, 1, e) < 0)
		return -1;
	if (head.present && thin_delete(t, t->id, e) < 0)
		return -1;
	fault("rewind.deleted");
	if (thin_message(t, e, "create_snap %" PRIu32 " %" PRIu32, t->id, cut->id) < 0)
		return -1;
	fault("rewind.done");
	if (thin_find(t, &head, 1, e) < 0)
		return -1;
	if (head.present && head.root == cut->root && head.mapped_blocks == cut->mapped_blocks)
		return 0;
	return err_set(e, ERR_FAILED, "the rewound volume is not in the pool's metadata on disk");
}

int thin_rewind(struct volume *v, const char *token, struct err *e)
{
	struct thin *t = thin_of(v);
	_cleanup_close_ int pin = -1;
	struct thin_token k;
	struct thin_dev cut;
	char why[256] = "";
	int r;

	if (thin_token_parse(token, &k, e) < 0 || thin_rest(t, e) < 0)
		return -1;
	pin = thin_load_pinned(t, e);
	if (pin < 0)
		return -1;
	r = check_unused(t, e);
	if (r != 0)
		return r < 0 ? -1 : err_set(e, ERR_BUSY, "%s was activated meanwhile", v->name);
	r = thin_held(v, token, NULL, why, sizeof(why), e);
	if (r == 0)
		return err_set(e, ERR_FAILED, "the cut to go back to is not held: %s", why);
	cut = (struct thin_dev){.id = k.id};
	if (r < 0 || thin_find(t, &cut, 1, e) < 0)
		return -1;
	return replace_head(t, &cut, e);
}

int thin_grow(struct volume *v, uint64_t size, struct err *e)
{
	struct thin *t = thin_of(v);
	char words[32];

	snprintf(words, sizeof(words), "%" PRIu64 "b", size);
	if (v->size < size && lvm_do(e, "lvextend", "-q", "-y", "-L", words, v->name) < 0)
		return err_wrap(e, "grow %s", v->name);
	return thin_prepare_again(t, e);
}

/* Bytes of no known kind may be a database's own: not refused, but not lost without a word. */
static int check_content(struct thin *t, struct err *e)
{
	_cleanup_close_ int fd = thin_open_private(t, t->id, e);
	char what[PROBE_WORDS_MAX];
	int r;

	if (fd < 0)
		return -1;
	if (fcntl(fd, F_SETFL, 0) < 0) /* libblkid reads unaligned */
		return err_sys(e, "open %s for a look", t->v.name);
	r = probe_content(fd, what, e);
	if (r < 0)
		return -1;
	if (r == 0) {
		log_warn("the target %s holds data of no known kind, which is overwritten",
			 t->v.name);
		return 0;
	}
	err_set(e, ERR_REFUSED, "the target %s is not empty: it holds %s", t->v.name, what);
	return err_hint(e, "--overwrite, if that may be lost; or make a new volume");
}

int thin_check_target(struct volume *v, bool overwrite, struct err *e)
{
	struct thin *t = thin_of(v);
	struct thin_dev head = {.id = t->id};

	if (check_unused(t, e) < 0 || thin_commit(t, e) < 0 || thin_find(t, &head, 1, e) < 0)
		return -1;
	if (overwrite || !head.present || head.mapped_blocks == 0)
		return 0;
	return check_content(t, e);
}
