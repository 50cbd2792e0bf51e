/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "fmt.h"
#include "log.h"
#include "tags.h"
#include "thin.h"

#define FRESH_US 2000000 /* from open to prepare */

static bool is_slot(const struct lvm_lv *lv, const struct tags *tags, const char *pool_uuid)
{
	return tags_cut(lv, tags) && !strcmp(lv->segtype, "thin") &&
	       !strcmp(lv->pool_uuid, pool_uuid);
}

/* Keeps what was known of a slot that is still there. */
static int load_slots(struct thin *t, const struct lvm_list *l, const char *pool_uuid,
		      struct err *e)
{
	_cleanup_free_ struct thin_slot *old = xmalloc(sizeof(t->slot));
	struct tags tags = tags_of(&t->v);
	unsigned n = t->slots;

	memcpy(old, t->slot, sizeof(t->slot));
	t->slots = 0;
	for (size_t i = 0; t->v.partnership[0] && i < l->n; i++) {
		struct thin_slot *s = &t->slot[t->slots];

		if (!is_slot(&l->lv[i], &tags, pool_uuid))
			continue;
		if (t->slots == THIN_SLOTS_MAX)
			return err_set(e, ERR_FAILED, "%s has more than %d slots", t->v.name,
				       THIN_SLOTS_MAX);
		*s = (struct thin_slot){.size = l->lv[i].size,
					.seen.id = (uint32_t)l->lv[i].thin_id};
		strcpy(s->name, l->lv[i].name);
		strcpy(s->uuid, l->lv[i].uuid);
		for (unsigned k = 0; k < n; k++)
			if (!strcmp(old[k].uuid, s->uuid))
				strcpy(s->token, old[k].token);
		t->slots++;
	}
	return 0;
}

/* An external origin is one outside the pool; a snapshot of such a volume has it too. */
static const struct lvm_lv *find_external(const struct lvm_list *l, const struct lvm_lv *lv)
{
	for (size_t depth = 0; depth <= l->n; depth++) {
		const struct lvm_lv *origin = lvm_by_uuid(l, lv->origin_uuid);

		if (!origin || strcmp(origin->segtype, "thin") ||
		    strcmp(origin->pool_uuid, lv->pool_uuid))
			return origin;
		lv = origin;
	}
	return NULL;
}

/* What is discarded in a target must read as zeros, and a cut's slot has no external origin. */
static int check_external(const struct thin *t, struct err *e)
{
	if (t->v.role != VOLUME_TARGET || !t->external[0])
		return 0;
	err_set(e, ERR_REFUSED,
		"the target %s has the external origin %s, whose bytes would show in the replica",
		t->v.name, t->external);
	return err_hint(e, "make the target anew: lvcreate -V %" PRIu64 "b -T %s/%s -n NAME",
			t->v.size, t->vg, t->pool);
}

static int load_head(struct thin *t, const struct lvm_list *l, const struct lvm_lv *head,
		     struct err *e)
{
	const struct lvm_lv *pool = lvm_by_uuid(l, head->pool_uuid);
	const struct lvm_lv *external = find_external(l, head);
	struct tags tags = tags_of(&t->v);

	if (tags_refuse_cut(head, t->v.name, e) < 0)
		return -1;
	if (!pool || pool->chunk_size == 0 || pool->chunk_size % 512)
		return err_set(e, ERR_FAILED, "LVM does not know the pool of %s", t->v.name);
	strcpy(t->lv, head->name);
	snprintf(t->v.name, sizeof(t->v.name), "%s/%s", t->vg, t->lv);
	strcpy(t->pool, pool->name);
	lvm_dm_uuid(head, "", t->dm_uuid);
	lvm_dm_uuid(pool, "tpool", t->pool_dm_uuid);
	t->id = (uint32_t)head->thin_id;
	t->transaction = pool->transaction_id;
	t->zero = pool->zero;
	strcpy(t->external, external ? external->name : "");
	t->skip_activation = head->skip_activation;
	t->read_only = head->read_only;
	t->tagged_replica = lvm_has_tag(head, tags.replica);
	t->v.size = head->size;
	t->v.size_step = head->extent_size;
	t->v.block_size = (uint32_t)pool->chunk_size;
	/* without zeroing, a later write to a part of a discarded chunk would show old bytes */
	t->v.discard_unit = pool->zero ? t->v.block_size : 0;
	if (check_external(t, e) < 0)
		return -1;
	return load_slots(t, l, pool->uuid, e);
}

static int load(struct thin *t, const struct lvm_list *l, struct err *e)
{
	/* once known, it is found by its uuid: it may have been renamed */
	const struct lvm_lv *head =
		t->v.uuid[0] ? lvm_by_uuid(l, t->v.uuid) : lvm_by_name(l, t->lv);

	if (!head) {
		err_set(e, ERR_FAILED, "there is no logical volume %s", t->v.name);
		return err_hint(e, "see lvs %s", t->vg);
	}
	if (strcmp(head->segtype, "thin")) {
		err_set(e, ERR_FAILED, "%s is a %s volume, not a thin one", t->v.name,
			head->segtype);
		return 1;
	}
	strcpy(t->v.uuid, head->uuid);
	t->loaded_us = fmt_mono_us();
	return load_head(t, l, head, e);
}

int thin_load(struct thin *t, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};

	return lvm_list(t->vg, &l, e) < 0 ? -1 : load(t, &l, e);
}

/* All of the volume's devices in one look. */
static int look(struct thin *t, struct thin_dev *head, struct err *e)
{
	struct thin_dev dev[THIN_SLOTS_MAX + 1];

	for (unsigned i = 0; i < t->slots; i++)
		dev[i] = (struct thin_dev){.id = t->slot[i].seen.id};
	dev[t->slots] = (struct thin_dev){.id = t->id};
	if (thin_find(t, dev, t->slots + 1, e) < 0)
		return -1;
	for (unsigned i = 0; i < t->slots; i++)
		t->slot[i].seen = dev[i];
	*head = dev[t->slots];
	return 0;
}

static int load_pinned(struct thin *t, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	int r;

	if (lvm_list_pinned(t->vg, &l, e) < 0 || load(t, &l, e) != 0)
		return -1;
	r = thin_is_current(t, e);
	if (r != 0)
		return r < 0 ? -1 : 0;
	err_set(e, ERR_FAILED, "LVM and the metadata of pool %s/%s disagree on its transaction id",
		t->vg, t->pool);
	return err_hint(e,
			"one of them was restored or repaired: see lvs -o+transaction_id %s/%s and "
			"dmsetup status",
			t->vg, t->pool);
}

int thin_load_pinned(struct thin *t, struct err *e)
{
	_cleanup_close_ int pin = thin_pin(t, e);
	int r = pin < 0 ? -1 : thin_is_current(t, e);

	if (r < 0 || (r == 0 && load_pinned(t, e) < 0))
		return -1;
	return take_fd(&pin);
}

int thin_look_pinned(struct thin *t, struct err *e)
{
	struct thin_dev head;

	return load_pinned(t, e) < 0 ? -1 : look(t, &head, e);
}

int thin_slot_empty(struct thin *t, struct thin_slot *s, struct err *e)
{
	if (thin_commit(t, e) < 0 || thin_find(t, &s->seen, 1, e) < 0)
		return -1;
	if (s->seen.present && thin_delete(t, s->seen.id, e) < 0)
		return err_wrap(e, "empty the slot %s/%s", t->vg, s->name);
	fault("release.deleted"); /* no device behind the slot: prepare makes one */
	if (thin_message(t, e, "create_thin %" PRIu32, s->seen.id) < 0)
		return err_wrap(e, "empty the slot %s/%s", t->vg, s->name);
	fault("release.done");
	return thin_find(t, &s->seen, 1, e);
}

static void match(struct thin *t, const char *const *tokens, unsigned n)
{
	struct err ignored = ERR_INIT;
	struct thin_token k;

	for (unsigned i = 0; i < t->slots; i++)
		t->slot[i].token[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		struct thin_slot *s = thin_token_parse(tokens[i], &k, &ignored) == 0
					      ? thin_token_slot(t, &k)
					      : NULL;

		/* a cut that is not held is the caller's to notice: held() says so */
		if (s && thin_token_is(&k, &s->seen))
			strcpy(s->token, tokens[i]);
	}
}

/* A crash in rewind took the head away; the newest cut is one that the caller has committed. */
static int mend_head(struct thin *t, struct err *e)
{
	const struct thin_slot *newest = NULL;

	for (unsigned i = 0; i < t->slots; i++)
		if (t->slot[i].token[0] &&
		    (!newest || t->slot[i].seen.creation_time > newest->seen.creation_time))
			newest = &t->slot[i];
	if (t->v.role != VOLUME_TARGET || !newest) {
		err_set(e, ERR_FAILED, "the pool %s/%s has no device %" PRIu32 " for %s", t->vg,
			t->pool, t->id, t->v.name);
		return err_hint(e, "the pool's metadata is damaged: see lvconvert --repair");
	}
	log_warn("%s was half rewound: brought to its newest cut", t->v.name);
	return thin_message(t, e, "create_snap %" PRIu32 " %" PRIu32, t->id, newest->seen.id);
}

static int mend(struct thin *t, const char *const *tokens, unsigned n, struct err *e)
{
	_cleanup_close_ int pin = thin_load_pinned(t, e);
	struct thin_dev head;

	if (pin < 0 || thin_commit(t, e) < 0 || look(t, &head, e) < 0)
		return -1;
	match(t, tokens, n);
	if (!head.present && mend_head(t, e) < 0)
		return -1;
	for (unsigned i = 0; i < t->slots; i++) {
		struct thin_slot *s = &t->slot[i];

		if (s->token[0] || (s->seen.present && s->seen.mapped_blocks == 0))
			continue;
		if (thin_slot_empty(t, s, e) < 0)
			return -1;
	}
	return 0;
}

/* A slot has the volume's external origin: what it shows is then the cut, in its user's eyes too.
 */
static int create_slot(struct thin *t, const char *name, struct err *e)
{
	struct tags tags = tags_of(&t->v);
	char size[32], pool[2 * LVM_NAME_MAX + 2], external[2 * LVM_NAME_MAX + 2];

	snprintf(size, sizeof(size), "%" PRIu64 "b", t->v.size);
	snprintf(pool, sizeof(pool), "%s/%s", t->vg, t->pool);
	snprintf(external, sizeof(external), "%s/%s", t->vg, t->external);
	if (t->external[0])
		return lvm_do(e, "lvcreate", "-q", "-y", "-an", "-ky", "-s", external, "--thinpool",
			      pool, "-n", name, "--addtag", tags.partnership, "--addtag",
			      tags.volume);
	return lvm_do(e, "lvcreate", "-q", "-y", "-an", "-ky", "-V", size, "-T", pool, "-n", name,
		      "--addtag", tags.partnership, "--addtag", tags.volume);
}

static int make_slot(struct thin *t, struct err *e)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	char name[LVM_NAME_MAX + 32];
	unsigned number = 0;

	if (lvm_list(t->vg, &l, e) < 0)
		return -1;
	do
		snprintf(name, sizeof(name), "%s.srsync%u", t->lv, number++);
	while (lvm_by_name(&l, name));
	if (create_slot(t, name, e) < 0)
		return err_wrap(e, "make a cut slot for %s", t->v.name);
	fault("slot.created");
	log_info("%s: made the cut slot %s/%s", t->v.name, t->vg, name);
	return 0;
}

static int grow_slots(struct thin *t, struct err *e)
{
	char size[32], name[2 * LVM_NAME_MAX + 2];

	snprintf(size, sizeof(size), "%" PRIu64 "b", t->v.size);
	for (unsigned i = 0; i < t->slots; i++) {
		if (t->slot[i].size >= t->v.size)
			continue;
		snprintf(name, sizeof(name), "%s/%s", t->vg, t->slot[i].name);
		if (lvm_do(e, "lvextend", "-q", "-y", "-L", size, name) < 0)
			return err_wrap(e, "grow the cut slots of %s", t->v.name);
		t->slot[i].size = t->v.size;
	}
	return 0;
}

static int activate_pool(struct thin *t, struct err *e)
{
	char name[2 * LVM_NAME_MAX + 2];
	struct dmdev d;

	if (dmdev_find(t->pool_dm_uuid, &d, e) < 0)
		return -1;
	snprintf(name, sizeof(name), "%s/%s", t->vg, t->pool);
	return d.exists ? 0 : lvm_do(e, "lvchange", "-q", "-ay", name);
}

/* At the target nobody activates the head but us; at the source it is like any other volume. */
static int set_flags(struct thin *t, struct err *e)
{
	struct tags tags = tags_of(&t->v);

	if (t->v.role == VOLUME_TARGET) {
		if (t->tagged_replica && t->skip_activation)
			return 0;
		return lvm_do(e, "lvchange", "-q", "-ky", "--addtag", tags.replica, t->v.name);
	}
	if (!t->tagged_replica)
		return 0;
	if (lvm_do(e, "lvchange", "-q", "-kn", "--deltag", tags.replica, t->v.name) < 0)
		return -1;
	return lvm_do(e, "lvchange", "-q", "-ay", t->v.name);
}

/* What LVM must have: the flags, enough slots, and those large enough. What open() has just asked
 * is not asked again: mend() sees whether a volume was made or removed since. */
static int arrange(struct thin *t, unsigned keep, struct err *e)
{
	bool fresh = fmt_mono_us() - t->loaded_us < FRESH_US;

	if ((!fresh && thin_load(t, e) != 0) || activate_pool(t, e) < 0 || set_flags(t, e) < 0)
		return -1;
	if (t->slots <= keep) {
		for (unsigned n = t->slots; n <= keep; n++)
			if (make_slot(t, e) < 0)
				return -1;
		if (thin_load(t, e) != 0)
			return -1;
	}
	return grow_slots(t, e);
}

static int sweep(struct thin *t, struct err *e)
{
	char prefix[LVM_DM_UUID_SIZE];

	snprintf(prefix, sizeof(prefix), THIN_PRIVATE, t->v.uuid, t->v.partnership);
	return dmdev_sweep(prefix, e);
}

int thin_prepare(struct volume *v, const char *const *tokens, unsigned n, unsigned keep,
		 struct err *e)
{
	struct thin *t = thin_of(v);
	_cleanup_close_ int lock = lvm_lock(t->vg, "prepare cut slots", e);
	struct dmdev d;

	if (lock < 0 || freeze_mend(t->dm_uuid, e) < 0 || sweep(t, e) < 0 ||
	    arrange(t, keep, e) < 0)
		return err_wrap(e, "prepare %s", v->name);
	t->keep = keep;
	if (v->role == VOLUME_TARGET && (dmdev_find(t->dm_uuid, &d, e) < 0 ||
					 (d.exists && d.open_count == 0 && thin_rest(t, e) < 0)))
		return -1;
	return mend(t, tokens, n, e);
}

int thin_prepare_again(struct thin *t, struct err *e)
{
	_cleanup_free_ char(*copy)[VOLUME_TOKEN_MAX] = xcalloc(THIN_SLOTS_MAX, VOLUME_TOKEN_MAX);
	const char *tokens[THIN_SLOTS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < t->slots; i++) {
		if (!t->slot[i].token[0])
			continue;
		tokens[n] = strcpy(copy[n], t->slot[i].token);
		n++;
	}
	t->loaded_us = 0;
	return thin_prepare(&t->v, tokens, n, t->keep, e);
}

int thin_release(struct volume *v, const char *token, struct err *e)
{
	struct thin *t = thin_of(v);
	_cleanup_close_ int pin = -1;
	struct thin_token k;
	struct thin_slot *s;
	struct thin_dev now;
	struct err foreign;

	if (thin_token_parse(token, &k, &foreign) < 0)
		return 0; /* of another kind: prepare, which does not know it, empties its slot */
	s = thin_token_slot(t, &k);
	if (!s)
		return 0; /* removed with lvremove: its space is back already */
	pin = thin_pin(t, e);
	now = (struct thin_dev){.id = k.id};
	if (pin < 0 || thin_find(t, &now, 1, e) < 0)
		return -1;
	if (!strcmp(s->token, token))
		s->token[0] = '\0';
	if (!thin_token_is(&k, &now))
		return 0; /* not this cut any more; if it is not empty, prepare sees to it */
	return thin_slot_empty(t, s, e);
}

int thin_drop(struct volume *v, struct err *e)
{
	struct thin *t = thin_of(v);
	_cleanup_close_ int lock = lvm_lock(t->vg, "remove cut slots", e);
	struct tags tags = tags_of(&t->v);
	char name[2 * LVM_NAME_MAX + 2];

	if (lock < 0 || freeze_mend(t->dm_uuid, e) < 0 || sweep(t, e) < 0 || thin_load(t, e) != 0)
		return -1;
	while (t->slots > 0) {
		snprintf(name, sizeof(name), "%s/%s", t->vg, t->slot[t->slots - 1].name);
		if (lvm_do(e, "lvremove", "-q", "-f", "-y", name) < 0)
			return err_wrap(e, "remove the cut slots of %s", v->name);
		t->slots--;
	}
	return !t->tagged_replica
		       ? 0
		       : lvm_do(e, "lvchange", "-q", "-kn", "--deltag", tags.replica, v->name);
}
