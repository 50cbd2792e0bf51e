/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "era.h"

int era_ready(struct volume *v, struct err *e)
{
	struct era *t = era_of(v);

	return era_dev_keep(&t->dev, e) < 0 || t->lower->ops->ready(t->lower, e) < 0 ? -1 : 0;
}

int era_allot(struct volume *v, struct err *e)
{
	struct era *t = era_of(v);
	struct dmdev_table table;
	struct era_super s;

	if (t->lower->ops->allot(t->lower, e) < 0 || era_dev_super(&t->dev, &s, e) < 0 ||
	    freeze_open(&t->freeze, t->dev.dm, e) < 0)
		return -1;
	if (!t->freeze.active)
		return err_set(e, ERR_BUSY, "the era device of %s has been removed", v->name);
	if (dmdev_table(t->dev.dm, &table, e) < 0)
		return -1;
	v->size = t->lower->size;
	t->era = s.era;
	if (table.sectors * 512 == v->size && s.block_sectors * 512 == v->block_size)
		return 0;
	return err_set(e, ERR_BUSY, "%s has been resized just now", v->name);
}

/* The era device comes first, and is resumed last: when what is below is suspended nothing is on
 * its way to it. */
int era_thaw_words(struct volume *v, char *out, size_t size, struct err *e)
{
	struct era *t = era_of(v);
	size_t n;

	if (t->lower->ops->thaw_words(t->lower, out, size, e) < 0)
		return -1;
	n = strlen(out);
	if ((size_t)snprintf(out + n, size - n, "dm %s\n", t->dev.dm) < size - n)
		return 0;
	return err_set(e, ERR_FAILED, "too many volumes");
}

int era_freeze(struct volume *v, struct err *e)
{
	struct era *t = era_of(v);

	return freeze_begin(&t->freeze, e) < 0 ? -1 : t->lower->ops->freeze(t->lower, e);
}

/* LVM's command would wait for the lock that a thin volume of the group holds until the thaw. */
static int check_lock(const struct era *t, struct err *e)
{
	int r = t->lower->ops == &plain_ops ? lvm_pinned(t->dev.vg, e) : 0;

	if (r <= 0)
		return r;
	err_set(e, ERR_BUSY,
		"%s is a thick volume, whose snapshot LVM makes, and LVM's lock of its group is "
		"taken, by a thin volume in the same cut or by another command",
		t->v.name);
	return err_hint(e, "put thick and thin volumes of one group into two partnerships");
}

int era_snap(struct volume *v, struct err *e)
{
	struct era *t = era_of(v);

	if (check_lock(t, e) < 0)
		return -1;
	return t->lower->ops->snap(t->lower, e);
}

int era_thaw(struct volume *v, struct err *e)
{
	struct era *t = era_of(v);
	struct err second;
	int r = t->lower->ops->thaw(t->lower, e);

	if (freeze_end(&t->freeze, r == 0 ? e : &second) < 0)
		r = -1;
	return r;
}

int era_proof(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e)
{
	struct era *t = era_of(v);
	struct era_token k = {.era = t->era + 1};
	struct era_super s;

	if (t->freeze.broken) {
		err_set(e, ERR_BUSY,
			"somebody else resumed the era device in the middle of the cut");
		return err_hint(e, "run no dmsetup resume on it meanwhile; then repeat");
	}
	if (t->lower->ops->proof(t->lower, k.lower, e) < 0 || era_dev_super(&t->dev, &s, e) < 0)
		return -1;
	v->size = t->lower->size;
	if (s.era <= t->era)
		return err_set(e, ERR_FAILED,
			       "dm-era has not begun a new era with the cut: it is at %" PRIu32,
			       s.era);
	k.size = v->size;
	strcpy(k.id, t->dev.id);
	strcpy(k.meta_uuid, t->dev.meta_uuid);
	return era_token_print(&k, token, e);
}

void era_done(struct volume *v, bool good)
{
	struct era *t = era_of(v);

	t->lower->ops->done(t->lower, good);
	freeze_close(&t->freeze);
}
