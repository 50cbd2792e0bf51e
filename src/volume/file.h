/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the file kind (design note: file.c). Above it only volume.h is known. */
#ifndef FILE_H
#define FILE_H

#include <limits.h>

#include "fiemap.h"
#include "fsfreeze.h"
#include "volume_kinds.h"

#define FILE_XATTR_PARTNERSHIP "user.srsync.partnership" /* of a slot */
#define FILE_XATTR_VOLUME      "user.srsync.volume"      /* of a slot: uuid of its image */
#define FILE_XATTR_REPLICA     "user.srsync.replica"     /* of a head at the target */

#define FILE_BLOCK_SIZE 4096 /* bytes: of changed-block sets, for images up to 8 TiB */

/* A file as the file system knows it. Whoever writes to it, or to its name, changes ctime. */
struct file_id {
	uint64_t inode, generation, size;
	int64_t ctime_ns;
};

struct file_slot {
	char name[NAME_MAX + 1];
	struct file_id id;
};

/* A part of the image that was written between its clone and the freeze. */
struct file_piece {
	uint64_t offset, length;
	bool data; /* its bytes are in the arena, in order; else zeros */
};

struct file {
	struct volume v;
	char dir[VOLUME_NAME_MAX], base[VOLUME_NAME_MAX]; /* of v.name */
	char fs[33];                                      /* uuid of the file system, hex */
	int dir_fd;
	bool exists; /* a target may be made later, by grow */
	bool direct; /* O_DIRECT may be used */

	/* the cut under way */
	int image, clone;               /* image: at the target the held head, borrowed */
	char linked[NAME_MAX + 1];      /* name of the slot once it has one */
	struct fsfreeze *freeze;        /* of a group only, as all below */
	struct fiemap_reader *was, *is; /* of clone and image */
	uint8_t *arena;
	struct file_piece *piece;
	size_t arena_size, arena_used, pieces; /* size: bytes, grows from attempt to attempt */
	uint64_t frozen_size;

	int held_fd; /* of the head, at the target */
};

static inline struct file *file_of(struct volume *v)
{
	return (struct file *)v;
}

/* file.c */
int file_id_of(int fd, struct file_id *id, struct err *e);
bool file_id_is(const struct file_id *a, const struct file_id *b);
void file_uuid(const struct file *f, const struct file_id *id, char out[static VOLUME_UUID_MAX]);
void file_token_print(const char *fs, const struct file_id *id, char out[static VOLUME_TOKEN_MAX]);
int file_token_parse(const char *s, char fs[static 33], struct file_id *id, struct err *e);
void file_set_size(struct file *f, uint64_t size); /* and with it the size of its blocks */
/* In its folder, past the page cache where that works, without a new access time. */
int file_openat(const struct file *f, const char *name, int flags);

/* file_slots.c. A slot is ours if its name is the image's with .srsyncN, we own it, and it carries
 * our partnership's id. */
int file_slots(struct file *f, struct file_slot **out, struct err *e); /* owned; their number */
/* A descriptor of the slot that holds the cut, whose name is put into name (may be NULL). -1 with
 * why (size bytes) filled if it is not held, empty and e filled if that cannot be told. */
int file_slot_open(struct file *f, const char *token, char name[static NAME_MAX + 1],
		   struct file_id *id, char *why, size_t size, struct err *e);
int file_temporary(struct file *f, struct err *e); /* a file without a name, beside the image */
int file_clone(int to, int from, struct err *e);
/* Names fd by rename over name, or as the next free slot (name gets which), durably. */
int file_keep_slot(struct file *f, int fd, char name[static NAME_MAX + 1], struct err *e);
int file_keep_head(struct file *f, int fd, struct err *e);
int file_check_clones(struct file *f, struct err *e); /* refuses a file system without them */
int file_prepare(struct volume *v, const char *const *tokens, unsigned n, unsigned keep,
		 struct err *e);
int file_release(struct volume *v, const char *token, struct err *e);
int file_drop(struct volume *v, struct err *e);

/* file_cut.c */
int file_ready(struct volume *v, struct err *e);
int file_allot(struct volume *v, struct err *e);
int file_freeze(struct volume *v, struct err *e);
int file_snap(struct volume *v, struct err *e);
int file_thaw(struct volume *v, struct err *e);
int file_thaw_words(struct volume *v, char *out, size_t size, struct err *e);
int file_proof(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e);
void file_done(struct volume *v, bool good);

/* file_save.c: what was written between the clone and the freeze of a group */
int file_save_open(struct file *f, struct err *e);
int file_save(struct file *f, struct err *e); /* frozen; ERR_BUSY: too much */
int file_save_apply(struct file *f, struct err *e);
void file_save_close(struct file *f);

/* file_read.c */
int file_held(struct volume *v, const char *token, char *name, char *why, size_t size,
	      struct err *e);
int file_changes(struct volume *v, const char *from, const char *to, struct bset *set,
		 struct err *e);
int file_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
	     volume_extent_fn *fn, void *arg, struct err *e);
int file_reader(struct volume *v, const char *token, struct err *e);

/* file_target.c */
int file_hold(struct volume *v, const char *committed, bool may_differ, int *fd, struct err *e);
int file_unhold(struct volume *v, struct err *e);
int file_rewind(struct volume *v, const char *token, struct err *e);
int file_grow(struct volume *v, uint64_t size, struct err *e);
int file_check_target(struct volume *v, bool overwrite, struct err *e);

#endif
