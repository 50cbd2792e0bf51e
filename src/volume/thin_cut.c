/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "thin.h"

static struct thin_slot *free_slot(struct thin *t)
{
	for (unsigned i = 0; i < t->slots; i++)
		if (!t->slot[i].token[0])
			return &t->slot[i];
	return NULL;
}

/* The size of this cut. An active volume is asked itself; LVM cannot resize it while it is pinned.
 */
static int read_size(struct thin *t, struct err *e)
{
	struct dmdev_table table;
	struct dmdev d;

	if (dmdev_find(t->dm_uuid, &d, e) < 0)
		return -1;
	if (!d.exists)
		return 0;
	if (dmdev_table(t->dm_uuid, &table, e) < 0)
		return -1;
	t->v.size = table.sectors * 512;
	return 0;
}

/* 1: all is as it was when last seen. 0: not so, somebody has been at the slots. */
static int look(struct thin *t, struct thin_slot *s, struct err *e)
{
	_cleanup_(thin_meta_freep) struct thin_meta *m = thin_metadata(t, e);
	struct thin_dev dev[2] = {{.id = s->seen.id}, {.id = t->id}};
	struct thin_super super;

	if (!m || thin_meta_super(m, &super, e) < 0 || thin_meta_find(m, dev, 2, e) < 0)
		return -1;
	t->time_before = super.time;
	if (super.time >= SNAPSHOTS_REFUSE) {
		err_set(e, ERR_FAILED,
			"the pool %s/%s has made %" PRIu32
			" snapshots in its life: near 2^24 the kernel "
			"would corrupt it",
			t->vg, t->pool, super.time);
		return err_hint(e, "move its volumes to a new pool");
	}
	if (!dev[1].present)
		return err_set(e, ERR_FAILED, "the pool has no device %" PRIu32 " of this volume",
			       t->id);
	return super.transaction_id == t->transaction && dev[0].present &&
	       thin_same(&dev[0], &s->seen);
}

int thin_ready(struct volume *v, struct err *e)
{
	struct thin *t = thin_of(v);
	struct thin_slot *s = free_slot(t);
	struct dmdev d;
	int r;

	if (dmdev_find(t->dm_uuid, &d, e) < 0)
		return -1;
	/* an inactive volume may have been resized without our notice: only LVM knows */
	r = d.exists && s ? look(t, s, e) : 0;
	if (r != 0)
		return r < 0 ? -1 : 0;
	log_info("%s: asking LVM what has changed in its pool", v->name);
	return thin_prepare_again(t, e);
}

/* Between ready and the pin a command of LVM has come first. None can now: what is learnt stays
 * true. */
static int look_again(struct thin *t, struct err *e)
{
	if (thin_look_pinned(t, e) < 0)
		return -1;
	t->into = free_slot(t);
	return t->into ? look(t, t->into, e) : 0;
}

/* From here to done LVM's lock is held: its commands would wait for us, and we for them. */
int thin_allot(struct volume *v, struct err *e)
{
	struct thin *t = thin_of(v);
	int r;

	if (t->held_fd >= 0 && fdatasync(t->held_fd) < 0)
		return err_sys(e, "flush");
	t->into = free_slot(t);
	if (!t->into) {
		err_set(e, ERR_FAILED, "all %u cut slots hold a cut", t->slots);
		return err_hint(e, "let go of older cuts, or keep more");
	}
	t->pin = thin_pin(t, e);
	r = t->pin < 0 ? -1 : look(t, t->into, e);
	if (r == 0)
		r = look_again(t, e);
	if (r == 0) {
		err_set(e, ERR_BUSY, "somebody else is changing the pool %s/%s", t->vg, t->pool);
		return err_hint(e, "wait until lvm and dmsetup commands have ended, then repeat");
	}
	if (r < 0 || read_size(t, e) < 0 || freeze_open(&t->freeze, t->dm_uuid, e) < 0)
		return -1;
	dmcall_message(&t->snap, t->pool_dm_uuid, "create_snap %" PRIu32 " %" PRIu32,
		       t->into->seen.id, t->id);
	t->emptied = true;
	return thin_delete(t, t->into->seen.id, e);
}

int thin_thaw_words(struct volume *v, char *out, size_t size, struct err *e)
{
	struct thin *t = thin_of(v);
	int n = t->freeze.active ? snprintf(out, size, "dm %s\n", t->dm_uuid)
				 : snprintf(out, size, "%s", "");

	return n >= 0 && (size_t)n < size ? 0 : err_set(e, ERR_FAILED, "too many volumes");
}

/* Nobody but us writes to a target, and allot flushes that. */
void thin_calm(struct volume *v)
{
	if (v->role == VOLUME_SOURCE)
		freeze_calm(thin_of(v)->dm_uuid);
}

int thin_freeze(struct volume *v, struct err *e)
{
	return freeze_begin(&thin_of(v)->freeze, e);
}

int thin_snap(struct volume *v, struct err *e)
{
	struct thin *t = thin_of(v);

	return dmcall_run(t->freeze.control, &t->snap) < 0 ? err_sys(e, "create_snap") : 0;
}

int thin_thaw(struct volume *v, struct err *e)
{
	return freeze_end(&thin_of(v)->freeze, e);
}

/* create_snap ignores whether its commit succeeded: what is on disk counts. */
int thin_proof(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e)
{
	struct thin *t = thin_of(v);
	struct thin_dev *d = &t->into->seen;

	if (t->freeze.broken) {
		err_set(e, ERR_BUSY,
			"somebody else resumed or activated the volume in the middle of the cut");
		return err_hint(e,
				"run no dmsetup resume or lvchange on it meanwhile; then repeat");
	}
	if (thin_commit(t, e) < 0 || thin_find(t, d, 1, e) < 0)
		return -1;
	if (!d->present || d->creation_time <= t->time_before)
		return err_set(e, ERR_FAILED, "the snapshot is not in the pool's metadata on disk");
	thin_token_print(t->into, token);
	strcpy(t->into->token, token);
	return 0;
}

void thin_done(struct volume *v, bool good)
{
	struct thin *t = thin_of(v);
	struct err e = ERR_INIT;

	if (!good && t->emptied) {
		/* LVM's volume behind the slot gets a device again, else the next prepare mends it
		 */
		t->into->token[0] = '\0';
		if (thin_slot_empty(t, t->into, &e) < 0)
			log_err(LOG_LEVEL_WARN, &e);
	}
	freeze_close(&t->freeze);
	closep(&t->pin);
	t->pin = -1;
	t->into = NULL;
	t->emptied = false;
}
