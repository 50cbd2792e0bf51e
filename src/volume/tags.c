/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "tags.h"

#define PARTNERSHIP "srsync.partnership="
#define VOLUME      "srsync.volume="
#define REPLICA     "srsync.replica="

struct tags tags_of(const struct volume *v)
{
	struct tags t;

	snprintf(t.partnership, sizeof(t.partnership), PARTNERSHIP "%s", v->partnership);
	snprintf(t.volume, sizeof(t.volume), VOLUME "%.40s", v->uuid);
	snprintf(t.replica, sizeof(t.replica), REPLICA "%s", v->partnership);
	return t;
}

bool tags_cut(const struct lvm_lv *lv, const struct tags *t)
{
	return lvm_has_tag(lv, t->partnership) && lvm_has_tag(lv, t->volume);
}

bool tags_any(const struct lvm_lv *lv)
{
	return strstr(lv->tags, PARTNERSHIP) || strstr(lv->tags, REPLICA);
}

int tags_refuse_cut(const struct lvm_lv *lv, const char *name, struct err *e)
{
	if (!strstr(lv->tags, VOLUME))
		return 0;
	err_set(e, ERR_REFUSED, "%s is a cut slot of srsync", name);
	return err_hint(e, "name the volume that it belongs to");
}
