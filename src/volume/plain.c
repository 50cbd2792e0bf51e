/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plain kind: thick LVM volumes (linear, striped, RAID) as source.
 *
 * A cut is a classic snapshot, made by lvcreate -s, read-only, with the tags of a cut slot. LVM
 * suspends the volume for it with its file system frozen, so it is crash-consistent; how long is
 * measured, see plain_cut.c. The kernel notes in the snapshot's exception table, durably and before
 * it lets the write pass, every chunk of the origin that is written from then on: the table of the
 * snapshot of the last cut, read once the next snapshot exists, is the set of changes between the
 * two (snapcow.h), or more. The data is read from the newer one. So two snapshots exist from the
 * cut until its changes are logged, else one; every first write to a chunk is copied for each.
 *
 * LVM cannot make a snapshot of a volume that is frozen already, so a plain volume cannot be cut at
 * one instant with others: volume.h, alone. It is LVM's command that freezes and thaws; it is never
 * killed, also when we are, and ends by itself. Removing the older snapshot freezes the volume once
 * more.
 *
 * The token is plain:LV_UUID:ORIGIN_UUID:SIZE: the snapshot's, the volume's, and bytes of the cut.
 * LVM gives a uuid once. The snapshot still holds the cut while it is active, valid and read-only:
 * it becomes invalid when its store is full, and then the tracking is lost with the cut. A store as
 * large as the volume and the tables cannot overflow; a smaller one is taken when the group has no
 * room for two of these. (What the kernel cannot see either: a store that fails, and cannot even be
 * marked invalid, and is valid again after a reboot.)
 *
 * LVM resizes an origin only while it is inactive, and its snapshots then have the new size too:
 * what lies beyond the older cut counts as changed.
 *
 * Half-done states, all mended by prepare:
 *  - a snapshot of ours that no token names: removed.
 *  - the volume suspended by a command of LVM that was killed, with our mark of freeze.h that says
 * it was ours: refreshed by LVM, which loads what its metadata says and resumes. */
#include <inttypes.h>
#include <string.h>

#include "plain.h"

#define FULL_PERCENT 80.0 /* from here on it is told */

void plain_token_print(const struct plain_token *k, char out[static VOLUME_TOKEN_MAX])
{
	snprintf(out, VOLUME_TOKEN_MAX, "plain:%s:%s:%" PRIu64, k->uuid, k->origin, k->size);
}

int plain_token_parse(const char *s, struct plain_token *out, struct err *e)
{
	char again[VOLUME_TOKEN_MAX];

	if (sscanf(s, "plain:%38[A-Za-z0-9-]:%38[A-Za-z0-9-]:%" SCNu64, out->uuid, out->origin,
		   &out->size) == 3) {
		plain_token_print(out, again);
		if (!strcmp(s, again)) /* no sign, blank, overflow or tail was taken for a number */
			return 0;
	}
	return err_set(e, ERR_FAILED, "\"%s\" is not the token of a cut of a plain volume", s);
}

static int plain_open(struct volume *v, struct err *e)
{
	struct plain *t = plain_of(v);
	int r;

	t->freeze = (struct freeze)FREEZE_INIT;
	if (lvm_split_name(v->name, t->vg, t->lv, e) < 0)
		return 1;
	r = plain_load(t, e);
	if (r != 0 || v->role == VOLUME_SOURCE)
		return r;
	err_set(e, ERR_FAILED, "%s is a thick volume: it cannot be a destination of this kind",
		v->name);
	return 1;
}

static void plain_close(struct volume *v)
{
	(void)v;
}

/* One that is not active says nothing: prepare activates it. */
static int look_at(struct plain *t, const struct plain_snap *s, struct volume_health *h,
		   struct err *e)
{
	struct dmdev_snapshot st;
	char remedy[256];
	struct dmdev d;
	int r;

	if (dmdev_find(s->dm_uuid, &d, e) < 0)
		return -1;
	r = d.exists ? dmdev_snapshot(s->dm_uuid, &st, e) : 1;
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (st.invalid || st.overflow)
		st.percent = 100;
	if (st.percent > h->data_percent)
		h->data_percent = st.percent;
	snprintf(remedy, sizeof(remedy), "lvextend -L+SIZE %.100s/%.100s", t->vg, s->name);
	if (st.invalid || st.overflow)
		volume_health_say(
			h, false, "make room in the group, so that the next one is larger",
			"the snapshot %.80s/%.80s overflowed: the next sync ships everything",
			t->vg, s->name);
	else if (st.percent >= FULL_PERCENT)
		volume_health_say(h, false, remedy,
				  "the snapshot %.80s/%.80s is %.0f %% full: when it overflows, "
				  "the next sync "
				  "ships "
				  "everything",
				  t->vg, s->name, st.percent);
	return 0;
}

static int plain_health(struct volume *v, struct volume_health *h, struct err *e)
{
	struct plain *t = plain_of(v);
	struct err room = ERR_INIT;
	uint64_t size;

	*h = (struct volume_health){.meta_percent = -1, .threshold = 100};
	if (plain_store_wanted(t, &size, &room) < 0)
		volume_health_say(h, true, room.hint, "%.250s", room.text);
	for (unsigned i = 0; i < t->snaps; i++)
		if (look_at(t, &t->snap[i], h, e) < 0)
			return -1;
	return 0;
}

const struct volume_ops plain_ops = {
	.kind = "plain",
	.size = sizeof(struct plain),
	.alone = "is a thick volume, which LVM itself snapshots: it cannot be cut at one instant "
		 "with "
		 "other volumes",
	.alone_remedy =
		"give it a partnership of its own; or attach dm-era to it (srsync era attach "
		"VG/LV), or use thin volumes: those are cut together",
	.open = plain_open,
	.close = plain_close,
	.prepare = plain_prepare,
	.health = plain_health,
	.ready = plain_ready,
	.allot = plain_allot,
	.freeze = plain_freeze,
	.snap = plain_snap,
	.thaw = plain_thaw,
	.proof = plain_proof,
	.thaw_words = plain_thaw_words,
	.done = plain_done,
	.held = plain_held,
	.changes = plain_changes,
	.map = plain_map,
	.reader = plain_reader,
	.release = plain_release,
	.drop = plain_drop,
};
