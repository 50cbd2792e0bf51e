/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the era kind (design note: era.c). Above it volume.h and era_admin.h are known. */
#ifndef ERA_H
#define ERA_H

#include "dmdev.h"
#include "era_meta.h"
#include "fmt.h"
#include "freeze.h"
#include "volume_kinds.h"

#define ERA_TAG       "srsync.era"     /* on the volume: a device above it tracks its writes */
#define ERA_TAG_OF    "srsync.era="    /* on its metadata: uuid of the volume */
#define ERA_TAG_ID    "srsync.era.id=" /* on its metadata: of one unbroken life of the tracking */
#define ERA_TAG_BLOCK "srsync.era.block=" /* on its metadata: bytes */

/* One volume with dm-era above it, as LVM has it. */
struct era_dev {
	char vg[LVM_NAME_MAX], lv[LVM_NAME_MAX], uuid[LVM_UUID_SIZE], segtype[32];
	char meta[LVM_NAME_MAX], meta_uuid[LVM_UUID_SIZE], id[FMT_ID_SIZE];
	/* device-mapper's: the era device, the volume, its metadata */
	char dm[LVM_DM_UUID_SIZE], lv_dm[LVM_DM_UUID_SIZE], meta_dm[LVM_DM_UUID_SIZE];
	uint64_t size, block; /* bytes */
};

/* 0: out is filled. 1: nothing of dm-era belongs to it. -1: half attached. */
int era_dev_find(const struct lvm_list *l, const struct lvm_lv *lv, struct era_dev *out,
		 struct err *e);
const struct lvm_lv *era_dev_meta(const struct lvm_list *l, const char *uuid); /* NULL: none */
/* The metadata as it is on disk: asks neither LVM nor the era device, which may be suspended. */
struct era_meta *era_dev_metadata(const struct era_dev *d, enum era_view view, struct err *e);
int era_dev_super(const struct era_dev *d, struct era_super *out, struct err *e);
/* Activates what is below and makes the device; fresh: on metadata that is all zeros. */
int era_dev_create(const struct era_dev *d, bool fresh, struct err *e);
/* 1: no discard can pass the device, whatever is written to its queue's settings. */
int era_dev_discards_off(const struct era_dev *d, struct err *e);
/* What the tracking relies on, before a cut: the device is there, above the right ones, takes no
 * discards, and is as large as the volume. Mends the last two; the id changes when blocks may have
 * been missed. */
int era_dev_keep(struct era_dev *d, struct err *e);
int era_dev_new_id(struct era_dev *d, struct err *e);
uint64_t era_dev_meta_size(uint64_t size, uint64_t block); /* bytes of metadata, with slack */

/* A token, taken apart. */
struct era_token {
	uint32_t era; /* all writes after the cut have this one or a later one */
	char id[FMT_ID_SIZE], meta_uuid[LVM_UUID_SIZE];
	uint64_t size; /* bytes: of the cut */
	char lower[VOLUME_TOKEN_MAX];
};

int era_token_print(const struct era_token *k, char out[static VOLUME_TOKEN_MAX], struct err *e);
int era_token_parse(const char *s, struct era_token *out, struct err *e);

struct era {
	struct volume v;
	struct volume *lower; /* the volume below, of its own kind: it makes and holds the cuts */
	struct era_dev dev;
	char pvs[4096]; /* devices of the group: LVM is to open no others while ours is suspended */

	/* the cut under way */
	struct freeze freeze;
	uint32_t era; /* on disk before it */
};

static inline struct era *era_of(struct volume *v)
{
	return (struct era *)v;
}

/* era_cut.c */
int era_ready(struct volume *v, struct err *e);
int era_allot(struct volume *v, struct err *e);
int era_freeze(struct volume *v, struct err *e);
int era_snap(struct volume *v, struct err *e);
int era_thaw(struct volume *v, struct err *e);
int era_thaw_words(struct volume *v, char *out, size_t size, struct err *e);
int era_proof(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e);
void era_done(struct volume *v, bool good);

/* era_read.c */
int era_held(struct volume *v, const char *token, char *name, char *why, size_t size,
	     struct err *e);
int era_changes(struct volume *v, const char *from, const char *to, struct bset *set,
		struct err *e);
int era_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
	    volume_extent_fn *fn, void *arg, struct err *e);
int era_reader(struct volume *v, const char *token, struct err *e);
int era_release(struct volume *v, const char *token, struct err *e);

#endif
