/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the plain kind (design note: plain.c). Above it only volume.h is known. */
#ifndef PLAIN_H
#define PLAIN_H

#include "dmdev.h"
#include "freeze.h"
#include "volume_kinds.h"

#define PLAIN_CHUNK     65536u /* bytes: of all our snapshots, so that sets can be joined */
#define PLAIN_CHUNK_LVM "64k"
#define PLAIN_SNAPS_MAX 64 /* two at most are there unless others used our tags */

/* Instead of what plain_store_size() says; for tests and for those who know better. */
#define PLAIN_SIZE_ENV "SRSYNC_SNAPSHOT_SIZE"

struct plain_snap {
	char name[LVM_NAME_MAX], uuid[LVM_UUID_SIZE];
	char dm_uuid[LVM_DM_UUID_SIZE], cow_dm_uuid[LVM_DM_UUID_SIZE];
	uint64_t store; /* bytes */
	bool read_only, merging;
	bool half; /* no snapshot yet: a command of LVM was killed */
};

struct plain {
	struct volume v;
	char vg[LVM_NAME_MAX], lv[LVM_NAME_MAX];
	char dm_uuid[LVM_DM_UUID_SIZE], real_dm_uuid[LVM_DM_UUID_SIZE];
	const char *devices; /* all that LVM may open when it makes a snapshot; NULL: as it is set
			      * up. For a kind above that has suspended devices. Borrowed. */
	char next[LVM_NAME_MAX + 32]; /* a name that was free when LVM was asked */
	uint64_t vg_free, extent;     /* bytes; when LVM was asked */
	unsigned snaps;
	struct plain_snap snap[PLAIN_SNAPS_MAX];

	/* the cut under way */
	char into[LVM_NAME_MAX + 32];
	uint64_t store;
	struct freeze freeze; /* for its lock and mark: LVM does the freezing */
	bool failed;          /* LVM's command */
};

static inline struct plain *plain_of(struct volume *v)
{
	return (struct plain *)v;
}

/* A token, taken apart. */
struct plain_token {
	char uuid[LVM_UUID_SIZE], origin[LVM_UUID_SIZE];
	uint64_t size; /* bytes: of the cut */
};

void plain_token_print(const struct plain_token *k, char out[static VOLUME_TOKEN_MAX]);
int plain_token_parse(const char *s, struct plain_token *out, struct err *e);

/* Bytes of the next snapshot's store: all of the origin and the tables when the group has room for
 * two of these, since then it cannot overflow; else a third of what is free. ours: bytes of the
 * stores that we have now. 0: no room. Nothing but arithmetic. */
uint64_t plain_store_size(uint64_t origin, uint64_t extent, uint64_t vg_free, uint64_t ours);
/* The same of this volume as last seen, or by the environment. */
int plain_store_wanted(const struct plain *t, uint64_t *out, struct err *e);

/* plain_slots.c */
int plain_load(struct plain *t, struct err *e); /* asks LVM; 1: not a plain volume */
struct plain_snap *plain_find(struct plain *t, const char *uuid); /* NULL: none */
int plain_refresh(struct plain *t, struct err *e); /* resumes what a killed command left frozen */
int plain_prepare(struct volume *v, const char *const *tokens, unsigned n, unsigned keep,
		  struct err *e);
int plain_remove(struct plain *t, const char *uuid, struct err *e);
int plain_release(struct volume *v, const char *token, struct err *e);
int plain_drop(struct volume *v, struct err *e);

/* plain_cut.c */
int plain_ready(struct volume *v, struct err *e);
int plain_allot(struct volume *v, struct err *e);
int plain_freeze(struct volume *v, struct err *e);
int plain_snap(struct volume *v, struct err *e);
int plain_thaw(struct volume *v, struct err *e);
int plain_thaw_words(struct volume *v, char *out, size_t size, struct err *e);
int plain_proof(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e);
void plain_done(struct volume *v, bool good);

/* plain_read.c */
int plain_held(struct volume *v, const char *token, char *name, char *why, size_t size,
	       struct err *e);
int plain_changes(struct volume *v, const char *from, const char *to, struct bset *set,
		  struct err *e);
int plain_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
	      volume_extent_fn *fn, void *arg, struct err *e);
int plain_reader(struct volume *v, const char *token, struct err *e);

#endif
