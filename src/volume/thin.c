/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thin kind: LVM thin volumes.
 *
 * A cut is a snapshot inside the pool, taken by messages to the pool while the volume is suspended:
 * a few milliseconds, any number of volumes at one instant. LVM knows nothing of single cuts. It
 * knows the slots: thin volumes of its own, made by lvcreate, inactive, with the tags
 * srsync.partnership=ID and srsync.volume=UUID (of the volume that they take cuts of; names mean
 * nothing). A cut replaces the device behind a slot, under the same thin id. Only a slot's id is
 * ever deleted, so lvs, lvremove, vgchange and thin_check work between any two cuts.
 *
 * The token of a cut is thin:LV_UUID:THIN_ID:CREATION_TIME:ROOT:MAPPED: the slot, and four fields
 * of its device in the pool's metadata on disk. Creation time alone is not enough: create_thin
 * right after create_snap gives the same (thin id, creation time). ROOT is the block of the
 * device's mapping tree. Nobody writes to a snapshot that is not active, so root and mapped count
 * stay for its life; any write or discard to it puts its root elsewhere. Which slot holds which cut
 * is stored nowhere else: it follows from the tokens that the caller gives to prepare.
 *
 * Half-done states, all mended by prepare, which asks LVM anew and then believes the metadata on
 * disk only:
 *  - a slot without a device in the pool: a crash between delete and create_snap or create_thin.
 *    LVM cannot activate it, but lists and removes it. It gets an empty device.
 *  - a slot whose device is in no token: a cut that was never recorded. It is emptied.
 *  - a head without a device (target): a crash in rewind. It becomes the newest cut again.
 *  - a head left active (target), a frozen head (source, if the watchdog was killed too), private
 *    devices never opened: deactivated, resumed, removed.
 *
 * An lvremove behind our back frees the id of a slot, and LVM may give it to another volume. So
 * before any delete LVM's lock is held, and the pool's transaction id, which LVM raises for every
 * volume that it makes or removes, must be the one that LVM told together with the ids; a release
 * compares the whole identity. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "fmt.h"
#include "thin.h"

#define DATA_REFUSE_PERCENT 95.0
#define BUSY_MS             5000
#define BUSY_POLL_MS        5
#define PIN_MS              10000

void thin_token_print(const struct thin_slot *s, char out[static VOLUME_TOKEN_MAX])
{
	snprintf(out, VOLUME_TOKEN_MAX, "thin:%s:%" PRIu32 ":%" PRIu32 ":%" PRIu64 ":%" PRIu64,
		 s->uuid, s->seen.id, s->seen.creation_time, s->seen.root, s->seen.mapped_blocks);
}

int thin_token_parse(const char *s, struct thin_token *out, struct err *e)
{
	struct thin_slot back = {0};
	char again[VOLUME_TOKEN_MAX];

	if (sscanf(s, "thin:%38[A-Za-z0-9-]:%" SCNu32 ":%" SCNu32 ":%" SCNu64 ":%" SCNu64,
		   out->uuid, &out->id, &out->time, &out->root, &out->mapped) == 5) {
		strcpy(back.uuid, out->uuid);
		back.seen = (struct thin_dev){.id = out->id,
					      .creation_time = out->time,
					      .root = out->root,
					      .mapped_blocks = out->mapped};
		thin_token_print(&back, again);
		if (!strcmp(s, again)) /* no sign, blank, overflow or tail has been taken for a
					  number */
			return 0;
	}
	return err_set(e, ERR_FAILED, "\"%s\" is not the token of a cut of a thin volume", s);
}

bool thin_token_is(const struct thin_token *t, const struct thin_dev *d)
{
	return d->present && d->id == t->id && d->creation_time == t->time && d->root == t->root &&
	       d->mapped_blocks == t->mapped;
}

struct thin_slot *thin_token_slot(struct thin *t, const struct thin_token *k)
{
	for (unsigned i = 0; i < t->slots; i++)
		if (t->slot[i].seen.id == k->id && !strcmp(t->slot[i].uuid, k->uuid))
			return &t->slot[i];
	return NULL;
}

bool thin_same(const struct thin_dev *a, const struct thin_dev *b)
{
	if (!a->present || !b->present)
		return a->present == b->present;
	return a->root == b->root && a->mapped_blocks == b->mapped_blocks &&
	       a->creation_time == b->creation_time && a->transaction_id == b->transaction_id;
}

static int not_active(struct thin *t, struct err *e)
{
	err_set(e, ERR_FAILED, "the pool %s/%s is not active on this host", t->vg, t->pool);
	return err_hint(e, "lvchange -ay %s/%s", t->vg, t->pool);
}

/* Opened for each use: an open metadata device would keep LVM from deactivating the pool. */
struct thin_meta *thin_metadata(struct thin *t, struct err *e)
{
	struct dmdev_table table;
	unsigned major, minor;
	struct dmdev pool;
	char path[64];

	if (dmdev_find(t->pool_dm_uuid, &pool, e) < 0)
		return NULL;
	if (!pool.exists) {
		not_active(t, e);
		return NULL;
	}
	if (dmdev_table(t->pool_dm_uuid, &table, e) < 0)
		return NULL;
	if (strcmp(table.type, "thin-pool") ||
	    sscanf(table.params, "%u:%u ", &major, &minor) != 2 || major != pool.major) {
		err_set(e, ERR_FAILED, "the table of pool %s/%s is not one we know", t->vg,
			t->pool);
		return NULL;
	}
	snprintf(path, sizeof(path), "/dev/dm-%u", minor);
	return thin_meta_open(path, THIN_LIVE, e);
}

int thin_commit(struct thin *t, struct err *e)
{
	struct dmdev_pool pool;

	if (dmdev_pool(t->pool_dm_uuid, true, &pool, e) < 0)
		return -1;
	if (!pool.read_only && !pool.failed)
		return 0;
	err_set(e, ERR_FAILED, "the pool %s/%s is %s", t->vg, t->pool,
		pool.failed ? "failed" : "read-only");
	return err_hint(e, "deactivate it and run lvconvert --repair %s/%s", t->vg, t->pool);
}

int thin_find(struct thin *t, struct thin_dev *dev, unsigned n, struct err *e)
{
	_cleanup_(thin_meta_freep) struct thin_meta *m = thin_metadata(t, e);

	for (unsigned i = 0; m && i < n; i += THIN_FIND_MAX)
		if (thin_meta_find(m, dev + i, n - i < THIN_FIND_MAX ? n - i : THIN_FIND_MAX, e) <
		    0)
			return -1;
	return m ? 0 : -1;
}

int thin_message(struct thin *t, struct err *e, const char *fmt, ...)
{
	char text[128];
	va_list ap;
	int cause;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (dmdev_message(t->pool_dm_uuid, text, e) == 0)
		return 0;
	cause = errno;
	if (cause == EBUSY)
		err_hint(
			e,
			"somebody has activated or opened it: see lvs -o name,thin_id,lv_active %s",
			t->vg);
	err_wrap(e, "pool %s/%s", t->vg, t->pool);
	errno = cause;
	return -1;
}

int thin_delete(struct thin *t, uint32_t id, struct err *e)
{
	uint64_t end = fmt_mono_us() + BUSY_MS * 1000ULL;
	int r;

	while ((r = thin_message(t, e, "delete %" PRIu32, id)) < 0 && errno == EBUSY &&
	       fmt_mono_us() < end)
		usleep(BUSY_POLL_MS * 1000);
	return r;
}

int thin_pin(struct thin *t, struct err *e)
{
	return lvm_pin(t->vg, PIN_MS, e);
}

int thin_is_current(struct thin *t, struct err *e)
{
	_cleanup_(thin_meta_freep) struct thin_meta *m = thin_metadata(t, e);
	struct thin_super super;

	if (!m || thin_meta_super(m, &super, e) < 0)
		return -1;
	return super.transaction_id == t->transaction;
}

static int thin_open(struct volume *v, struct err *e)
{
	struct thin *t = thin_of(v);

	t->pin = t->held_fd = -1;
	t->freeze = (struct freeze)FREEZE_INIT;
	if (lvm_is_foreign(v->name) || lvm_split_name(v->name, t->vg, t->lv, e) < 0)
		return 1;
	snprintf(v->name, sizeof(v->name), "%s/%s", t->vg, t->lv);
	return thin_load(t, e);
}

static void thin_close(struct volume *v)
{
	struct thin *t = thin_of(v);
	struct err e = ERR_INIT;

	if (t->held_fd >= 0)
		thin_unhold(v, &e);
}

/* The gravest first: only one is told. A cut itself takes little, but every chunk that is written
 * after it takes a new one, and a full pool stops the application. */
static void judge(const struct thin *t, const struct dmdev_pool *p, struct volume_health *h)
{
	uint64_t kept = p->meta_total / 20, mib = 256, quarter = p->meta_total / 4;

	if (kept < (quarter < mib ? quarter : mib))
		kept = quarter < mib ? quarter : mib;
	if (p->failed || p->needs_check || p->read_only)
		volume_health_say(h, true,
				  "deactivate the pool, run lvconvert --repair, then srsync verify",
				  "the pool %s/%s %s", t->vg, t->pool,
				  p->failed        ? "has failed"
				  : p->needs_check ? "needs a check"
						   : "is read-only");
	if (p->no_space || h->data_percent > DATA_REFUSE_PERCENT)
		volume_health_say(h, true, "lvextend the pool, or remove what is not needed",
				  "the pool %s/%s is full: "
				  "%.1f %% of its data is used, no cut is made beyond %.0f %%",
				  t->vg, t->pool, h->data_percent, DATA_REFUSE_PERCENT);
	if (p->meta_total - p->meta_used < kept)
		volume_health_say(h, true,
				  "lvextend --poolmetadatasize +100%FREE or less, of the pool",
				  "the metadata of pool %s/%s is full: %.1f %% used", t->vg,
				  t->pool, h->meta_percent);
	if (h->snapshots >= SNAPSHOTS_REFUSE)
		volume_health_say(h, true, "move the volumes to a new pool",
				  "pool %s/%s has taken %" PRIu64
				  " snapshots; the kernel allows %u in its life",
				  t->vg, t->pool, h->snapshots, SNAPSHOTS_MAX);
	if (t->threshold < 100 && h->data_percent > t->threshold)
		volume_health_say(h, false, "lvextend the pool",
				  "the pool %s/%s is beyond LVM's threshold of %.0f %%: LVM "
				  "makes no new volumes in it",
				  t->vg, t->pool, t->threshold);
	if (h->snapshots >= SNAPSHOTS_WARN)
		volume_health_say(h, false, "plan to move the volumes to a new pool",
				  "pool %s/%s has taken %" PRIu64 " of %u snapshots", t->vg,
				  t->pool, h->snapshots, SNAPSHOTS_MAX);
	if (!t->zero)
		volume_health_say(h, false, "lvchange -Zy the pool",
				  "the pool %s/%s does not zero new chunks: the "
				  "replica gets what other volumes left in them",
				  t->vg, t->pool);
}

static int thin_health(struct volume *v, struct volume_health *h, struct err *e)
{
	struct thin *t = thin_of(v);
	_cleanup_(thin_meta_freep) struct thin_meta *m = thin_metadata(t, e);
	struct thin_super super;
	struct dmdev_pool p;

	if (!m || lvm_autoextend_threshold(&t->threshold, e) < 0 ||
	    dmdev_pool(t->pool_dm_uuid, false, &p, e) < 0)
		return -1;
	*h = (struct volume_health){.threshold = DATA_REFUSE_PERCENT,
				    .snapshots_max = SNAPSHOTS_MAX};
	if (p.data_total)
		h->data_percent = 100.0 * (double)p.data_used / (double)p.data_total;
	if (p.meta_total)
		h->meta_percent = 100.0 * (double)p.meta_used / (double)p.meta_total;
	if (!p.failed && thin_meta_super(m, &super, e) < 0)
		return -1;
	h->snapshots = p.failed ? 0 : super.time;
	judge(t, &p, h);
	return 0;
}

const struct volume_ops thin_ops = {
	.kind = "thin",
	.size = sizeof(struct thin),
	.open = thin_open,
	.close = thin_close,
	.prepare = thin_prepare,
	.health = thin_health,
	.ready = thin_ready,
	.allot = thin_allot,
	.calm = thin_calm,
	.freeze = thin_freeze,
	.snap = thin_snap,
	.thaw = thin_thaw,
	.proof = thin_proof,
	.thaw_words = thin_thaw_words,
	.done = thin_done,
	.held = thin_held,
	.changes = thin_changes,
	.map = thin_data_map,
	.reader = thin_reader,
	.release = thin_release,
	.hold = thin_hold,
	.unhold = thin_unhold,
	.rewind = thin_rewind,
	.grow = thin_grow,
	.check_target = thin_check_target,
	.drop = thin_drop,
};
