/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tags by which LVM's own tools show what belongs to srsync. Names of volumes mean nothing. */
#ifndef TAGS_H
#define TAGS_H

#include "lvm.h"
#include "volume.h"

struct tags {
	char partnership[64]; /* of what holds cuts */
	char volume[64];      /* of what holds cuts: the volume that they are of */
	char replica[64];     /* of a head at the target */
};

struct tags tags_of(const struct volume *v);
bool tags_cut(const struct lvm_lv *lv, const struct tags *t); /* holds cuts of that volume */
bool tags_any(const struct lvm_lv *lv); /* belongs to a partnership in some way */
/* Refuses a volume that holds cuts, of whatever partnership: it is not one to replicate. */
int tags_refuse_cut(const struct lvm_lv *lv, const char *name, struct err *e);

#endif
