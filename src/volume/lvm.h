/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LVM by its command line, the only stable interface it has. Nothing else here runs its commands.
 * A command of LVM is never killed: halfway it may leave the pool and the group's metadata apart.
 */
#ifndef LVM_H
#define LVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cleanup.h"
#include "err.h"

#define LVM_NAME_MAX     128   /* with the NUL; LVM allows 127 */
#define LVM_UUID_SIZE    39    /* 6-4-4-4-4-4-6 characters, dashes, NUL */
#define LVM_TAGS_MAX     1024  /* all tags of one volume, joined by commas */
#define LVM_ROLE_MAX     128   /* the words of lv_role, joined by commas */
#define LVM_LVS_MAX      65536 /* logical volumes in one group */
#define LVM_DM_UUID_SIZE 129   /* of a device-mapper device */

#define LVM_RUNDIR "/run/srsync" /* locks of this machine; gone after a reboot */

struct lvm_lv {
	char vg_name[LVM_NAME_MAX], vg_uuid[LVM_UUID_SIZE];
	char name[LVM_NAME_MAX], uuid[LVM_UUID_SIZE];
	char segtype[32]; /* "thin", "thin-pool", "linear" ... */
	char tags[LVM_TAGS_MAX];
	uint64_t size; /* bytes */
	bool skip_activation;
	char pool_uuid[LVM_UUID_SIZE], origin_uuid[LVM_UUID_SIZE]; /* empty: none */
	uint64_t thin_id;                                          /* of a thin volume */
	uint64_t transaction_id; /* of a thin pool: goes up with every volume made or removed in it
				  */
	uint64_t chunk_size;     /* of a thin pool or a classic snapshot; bytes */
	bool zero;               /* of a thin pool: new chunks are zeroed before use */
	bool hidden;             /* a part of another volume, or a pool */
	bool read_only;
	bool merging;                  /* a snapshot into its origin */
	uint64_t vg_free, extent_size; /* of its group, bytes */
};

struct lvm_list {
	struct lvm_lv *lv; /* owned */
	size_t n;
};

void lvm_list_free(struct lvm_list *l);
#define _cleanup_lvm_list_ _cleanup_(lvm_list_free)

/* All volumes of a group (NULL: of all groups), hidden ones too. *out need not be initialised
 * before. */
int lvm_list(const char *vg, struct lvm_list *out, struct err *e);
/* The same for who holds lvm_pin() of the group. A common lvs would wait there for those who want
 * to change the group, since these go first, and they wait for the pin. */
int lvm_list_pinned(const char *vg, struct lvm_list *out, struct err *e);
/* Between these two this thread asks lvs once for a group, however often lvm_list() is called: for
 * those who look at it together, and change nothing meanwhile. They do not nest. */
void lvm_look_begin(void);
void lvm_look_end(void);
/* What lvs --reportformat json or json_std printed. Trusts nothing. */
int lvm_parse(const void *text, size_t n, struct lvm_list *out, struct err *e);
/* NULL if there is none. */
const struct lvm_lv *lvm_by_name(const struct lvm_list *l, const char *name);
const struct lvm_lv *lvm_by_uuid(const struct lvm_list *l, const char *uuid);
bool lvm_has_tag(const struct lvm_lv *lv, const char *tag);

/* "vg/lv", "/dev/vg/lv" -> its two names; ERR_USAGE for anything else. */
int lvm_split_name(const char *s, char vg[static LVM_NAME_MAX], char lv[static LVM_NAME_MAX],
		   struct err *e);

/* An absolute path of a block device that LVM has not made. */
bool lvm_is_foreign(const char *name);

/* uuid of the device-mapper device of a volume; layer: "", "tpool" ... */
void lvm_dm_uuid(const struct lvm_lv *lv, const char *layer, char out[static LVM_DM_UUID_SIZE]);

/* Runs "argv[0] argv[1] ... ": lvcreate, lvremove, lvchange, lvextend. An error is LVM's own text.
 */
int lvm_run(const char *const *argv, struct err *e);
/* The same, of a command whose output is wanted. */
int lvm_output(const char *const *argv, struct buf *out, struct err *e);
#define lvm_do(e, ...) lvm_run((const char *const[]){__VA_ARGS__, NULL}, e)

/* The devices of a group, joined by commas: for --devices. */
int lvm_devices(const char *vg, char *out, size_t size, struct err *e);

/* Where LVM extends a pool by itself, as lvmconfig tells it (lvm_settings.h); 100: it does not. */
int lvm_autoextend_threshold(double *percent, struct err *e);

/* Our own lock of a group, for what must not interleave with another srsync: look, then create.
 * The open descriptor that holds it. */
int lvm_lock(const char *vg, const char *what, struct err *e);

/* Shared hold of the lock that LVM's own commands take to change the group (lib/misc/lvm-flock.c of
 * lvm2: flock of V_VG in global/locking_dir, which an unlocker removes). While it is held no
 * command of LVM suspends, resumes, creates or removes anything in the group. Close the descriptor
 * to let go. dir: the setting. ERR_BUSY after wait_ms. */
int lvm_pin(const char *vg, unsigned wait_ms, struct err *e);

/* 1: somebody holds that lock, be it another command or a pin of this process, so that a command
 * that changes the group would wait. */
int lvm_pinned(const char *vg, struct err *e);

#endif
