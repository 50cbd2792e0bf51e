/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the thin kind (design note: thin.c). Above it only volume.h is known. */
#ifndef THIN_H
#define THIN_H

#include "dmdev.h"
#include "freeze.h"
#include "lvm.h"
#include "thin_meta.h"
#include "volume_kinds.h"

#define THIN_SLOTS_MAX 128

#define SNAPSHOTS_MAX    (1u << 24) /* in a pool's life; beyond it the kernel corrupts mappings */
#define SNAPSHOTS_WARN   (1u << 22)
#define SNAPSHOTS_REFUSE (1u << 23)

/* uuid of a private device begins with it: the volume, and the partnership, so that nobody sweeps
 * away what another partnership of the same volume is about to open */
#define THIN_PRIVATE "SRSYNC-%s-%s-"

/* A logical volume whose device in the pool takes cuts. */
struct thin_slot {
	char name[LVM_NAME_MAX], uuid[LVM_UUID_SIZE];
	uint64_t size; /* bytes, as LVM has it */
	struct thin_dev
		seen; /* in the pool, when last looked at: what else is found there is foreign */
	char token[VOLUME_TOKEN_MAX]; /* of the cut it holds; empty: free */
};

struct thin {
	struct volume v;
	char vg[LVM_NAME_MAX], lv[LVM_NAME_MAX], pool[LVM_NAME_MAX];
	char dm_uuid[LVM_DM_UUID_SIZE], pool_dm_uuid[LVM_DM_UUID_SIZE];
	uint32_t id;                 /* of the volume itself, the head, in the pool */
	char external[LVM_NAME_MAX]; /* unmapped chunks read this volume; empty: they are zeros */
	bool zero;                   /* the pool zeroes new chunks */
	bool skip_activation, tagged_replica, read_only;
	uint64_t transaction; /* of the pool, when LVM was asked */
	unsigned keep;        /* of the last prepare */
	unsigned slots;
	struct thin_slot slot[THIN_SLOTS_MAX];
	uint64_t loaded_us; /* when LVM was asked, fmt_mono_us() */
	double threshold;   /* percent; LVM's own */

	/* the cut under way */
	struct thin_slot *into;
	struct freeze freeze;
	struct dmcall snap;
	uint32_t time_before; /* the pool's */
	int pin;              /* LVM's lock of the group */
	bool emptied;         /* the slot has lost what it held */

	int held_fd; /* of the head, at the target */
	bool by_us;  /* it was activated without LVM */
};

static inline struct thin *thin_of(struct volume *v)
{
	return (struct thin *)v;
}

/* A token, taken apart. */
struct thin_token {
	char uuid[LVM_UUID_SIZE];
	uint32_t id, time;
	uint64_t root, mapped;
};

void thin_token_print(const struct thin_slot *s, char out[static VOLUME_TOKEN_MAX]);
int thin_token_parse(const char *s, struct thin_token *out, struct err *e);
bool thin_token_is(const struct thin_token *t, const struct thin_dev *d);
struct thin_slot *thin_token_slot(struct thin *t, const struct thin_token *k); /* NULL: none */
bool thin_same(const struct thin_dev *a, const struct thin_dev *b);

/* thin.c: the pool */
struct thin_meta *thin_metadata(struct thin *t, struct err *e);
int thin_commit(struct thin *t, struct err *e); /* all done so far is in the metadata on disk */
int thin_find(struct thin *t, struct thin_dev *dev, unsigned n, struct err *e);
__attribute__((format(printf, 3, 4))) int thin_message(struct thin *t, struct err *e,
						       const char *fmt, ...);
/* The pool refuses while a device of it is there, and the kernel removes those that we have read
 * (deferred removal) some time after they were closed: waits for that. */
int thin_delete(struct thin *t, uint32_t id, struct err *e);
/* LVM's lock of the group, held shared: the descriptor. 1 from thin_is_current(): LVM has made and
 * removed nothing in the pool since it was asked, so that the ids it told are still ours. */
int thin_pin(struct thin *t, struct err *e);
int thin_is_current(struct thin *t, struct err *e);

/* thin_slots.c */
int thin_load(struct thin *t, struct err *e); /* asks LVM; 1: not a thin volume */
/* After thin_load(), or by itself when what is known may be old: pins, and asks LVM again if what
 * it told is not current. The descriptor. */
int thin_load_pinned(struct thin *t, struct err *e);
/* Pinned: asks LVM, and looks at all of the volume's devices. Their tokens are kept. */
int thin_look_pinned(struct thin *t, struct err *e);
int thin_prepare(struct volume *v, const char *const *tokens, unsigned n, unsigned keep,
		 struct err *e);
int thin_prepare_again(struct thin *t, struct err *e); /* for the cuts that it knows are held */
/* Pinned: makes the slot's device an empty one, whatever it is now (that it is ours is known). */
int thin_slot_empty(struct thin *t, struct thin_slot *s, struct err *e);
int thin_release(struct volume *v, const char *token, struct err *e);
int thin_drop(struct volume *v, struct err *e);

/* thin_cut.c */
int thin_ready(struct volume *v, struct err *e);
int thin_allot(struct volume *v, struct err *e);
void thin_calm(struct volume *v);
int thin_freeze(struct volume *v, struct err *e);
int thin_snap(struct volume *v, struct err *e);
int thin_thaw(struct volume *v, struct err *e);
int thin_thaw_words(struct volume *v, char *out, size_t size, struct err *e);
int thin_proof(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e);
void thin_done(struct volume *v, bool good);

/* thin_read.c */
int thin_held(struct volume *v, const char *token, char *name, char *why, size_t size,
	      struct err *e);
int thin_changes(struct volume *v, const char *from, const char *to, struct bset *set,
		 struct err *e);
int thin_data_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
		  volume_extent_fn *fn, void *arg, struct err *e);
int thin_reader(struct volume *v, const char *token, struct err *e);
/* The table of a device for a volume of the pool: "POOL ID [EXTERNAL]". The external origin is
 * taken from the head, which must then be active. */
int thin_table(struct thin *t, uint32_t id, struct dmdev_table *out, struct err *e);
int thin_open_private(struct thin *t, uint32_t id, struct err *e);

/* thin_target.c */
int thin_rest(struct thin *t, struct err *e); /* makes the head inactive; refuses if it is used */
int thin_hold(struct volume *v, const char *committed, bool may_differ, int *fd, struct err *e);
int thin_unhold(struct volume *v, struct err *e);
int thin_rewind(struct volume *v, const char *token, struct err *e);
int thin_grow(struct volume *v, uint64_t size, struct err *e);
int thin_check_target(struct volume *v, bool overwrite, struct err *e);

#endif
