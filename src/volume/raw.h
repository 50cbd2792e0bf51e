/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the raw kind (design note: raw.c). Above it only volume.h is known. */
#ifndef RAW_H
#define RAW_H

#include <sys/types.h>

#include "lvm.h"
#include "volume_kinds.h"

struct raw {
	struct volume v;
	bool is_lv;
	char vg[LVM_NAME_MAX], lv[LVM_NAME_MAX]; /* of an LV */
	bool skip_activation, tagged_replica;
	char dm_uuid[LVM_DM_UUID_SIZE]; /* of any device-mapper device; else empty */
	char path[VOLUME_NAME_MAX + 8]; /* to open while it is there */
	dev_t dev;                      /* of what is no LV */

	int held_fd;    /* -1: not held */
	int lock;       /* of this machine: one process activates, reads or writes; -1 */
	bool activated; /* by us, for a reader */
};

static inline struct raw *raw_of(struct volume *v)
{
	return (struct raw *)v;
}

/* A token, taken apart. */
struct raw_token {
	char uuid[VOLUME_UUID_MAX];
	uint64_t size; /* of the device then, bytes */
	char hash[33];
};

void raw_token_print(const struct raw_token *t, char out[static VOLUME_TOKEN_MAX]);
int raw_token_parse(const char *s, struct raw_token *out, struct err *e);

/* raw_sum.c: the tripwire, over the first size bytes. fd: open with O_DIRECT. */
int raw_sum(int fd, uint64_t size, char hash[static 33], struct err *e);

/* raw_id.c: who this device is, from sysfs. */
int raw_identify(dev_t dev, char uuid[static VOLUME_UUID_MAX],
		 char dm_uuid[static LVM_DM_UUID_SIZE], struct err *e);

/* raw_target.c */
int raw_lock(struct raw *r, unsigned wait_ms, struct err *e);
/* 1: the device is active and nobody uses it; 0: it is not active; -1: refused. */
int raw_check_unused(struct raw *r, struct err *e);
int raw_rest(struct raw *r, struct err *e); /* an LV becomes inactive; refuses if it is used */
int raw_activate(struct raw *r, struct err *e);
int raw_hold(struct volume *v, const char *committed, bool may_differ, int *fd, struct err *e);
int raw_unhold(struct volume *v, struct err *e);
int raw_grow(struct volume *v, uint64_t size, struct err *e);
int raw_check_target(struct volume *v, bool overwrite, struct err *e);
/* 1: it is what the token says, 0: not, why says what differs. fd as above. */
int raw_is(struct raw *r, int fd, const char *token, char *why, size_t size, struct err *e);

#endif
