/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A volume of this machine: one vtable, one file per kind. Nothing above asks which kind it has.
 *
 * A cut of a volume is known by its token: one line of text, made by the kind, that says what holds
 * the cut and proves that it still holds the same data. For a thin volume it is
 *   thin:LV_UUID:THIN_ID:CREATION_TIME:ROOT:MAPPED
 * of the slot (design note in thin.c), for a plain one plain:LV_UUID:ORIGIN_UUID:SIZE (plain.c),
 * for a file file:FILESYSTEM:INODE:GENERATION:SIZE:CTIME of its clone (file.c), for one under
 * dm-era the token of the cut below it and what proves the tracking (era.c).
 * Tokens are stored in the bitmap log and in the state, and compared only by the kind. A token
 * whose data is gone or altered is "not held".
 *
 * Life at the source:  open, prepare, [cut_group: allot, freeze, snap, thaw, proof], changes,
 *                      map + reader, release of the older cut.
 * Life at the target:  open, prepare, hold, (writes into fd), commit, release of older cuts, drop.
 */
#ifndef VOLUME_H
#define VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "bset.h"
#include "cleanup.h"
#include "err.h"

#define VOLUME_NAME_MAX  256
#define VOLUME_TOKEN_MAX 256
#define VOLUME_UUID_MAX  64

enum volume_role { VOLUME_SOURCE, VOLUME_TARGET };

struct volume_ops;

/* The part that all kinds share; a kind embeds it as its first member. */
struct volume {
	const struct volume_ops *ops;
	enum volume_role role;
	char name[VOLUME_NAME_MAX]; /* as the administrator names it: vg/lv, or a path */
	char uuid[VOLUME_UUID_MAX]; /* of the volume itself, never of its name */
	char partnership[33];       /* id of the partnership, for tags */
	uint64_t size;              /* bytes */
	uint32_t block_size;        /* bytes: granularity of changed-block sets */
	uint64_t size_step;         /* bytes: sizes are rounded up to it; 0: they are not */
	bool fixed_size;            /* cannot be resized, and may be larger than its source */
	bool in_group;         /* other volumes are cut at the same instant; set by cut_group() */
	uint32_t discard_unit; /* bytes: whole aligned units discarded read as zeros afterwards;
				* 0: no discard is to be trusted. Set by open. */
	uint32_t pause_us;     /* how long snap() has held writes, if the kind knows better than
				* freeze to thaw; 0: it does not */
};

enum volume_extent { VOLUME_DATA, VOLUME_HOLE }; /* a hole reads as zeros and holds no space */

/* Called with maximal ranges in ascending order, in bytes, clipped to the size of the cut.
 * Non-zero ends the walk and becomes its result. */
typedef int volume_extent_fn(void *arg, enum volume_extent kind, uint64_t offset, uint64_t length);

/* Result of changes(). */
enum volume_changes { VOLUME_CHANGES_OK = 0, VOLUME_CHANGES_DOUBT = 1 };

struct volume_health {
	double data_percent, meta_percent; /* of the pool; < 0: not applicable */
	double threshold;                  /* percent beyond which no new cut is made */
	uint64_t snapshots, snapshots_max; /* the pool's lifetime budget (2^24) */
	bool cut_refused;                  /* a cut now would be refused; cause says why */
	char cause[256];                   /* empty: nothing to report */
	char remedy[256];
};

/* For health(): the first cause that is said stays; say the gravest first. */
__attribute__((format(printf, 4, 5))) void
volume_health_say(struct volume_health *h, bool refuse, const char *remedy, const char *fmt, ...);

struct volume_ops {
	const char *kind;
	size_t size; /* bytes of the struct that embeds struct volume */
	/* NULL, or why its cuts cannot be at one instant with those of others, and the way out: a
	 * sentence without its subject each. Its snap() may run commands. */
	const char *alone, *alone_remedy;
	/* A destination without snapshots: it holds one cut, the newest, and writes the next one in
	 * place once that was received whole (src/repl/redo.h). Of the steps of a cut it has proof
	 * only: the token of what the held device is now. rewind finds it unchanged or fails. */
	bool redo;

	/* Finds the volume by name. 1: it is there or may be, but not of this kind. */
	int (*open)(struct volume *v, struct err *e);
	void (*close)(struct volume *v); /* releases everything, keeps the data; v is freed by
					    volume_free */

	/* Makes what cuts need (slots by LVM), so that keep cuts and one more fit; mends what a
	 * crash left. tokens: the cuts that count, oldest first; any other slot content is garbage
	 * and is freed. A target whose head a crash in rewind() took away gets it back from the
	 * last one. */
	int (*prepare)(struct volume *v, const char *const *tokens, unsigned ntokens, unsigned keep,
		       struct err *e);
	/* Health of the storage below: called often, takes no LVM lock, blocks on nothing. */
	int (*health)(struct volume *v, struct volume_health *h, struct err *e);

	/* The steps of a cut, called by cut.c for all volumes of a group, step by step.
	 * Between freeze and thaw: no exec, no allocation, no log. */
	/* Before any volume is allotted: what allot relies on is current. May run LVM's commands,
	 * which wait for ever on what allot holds; from allot to done nobody may. */
	int (*ready)(struct volume *v, struct err *e);
	/* Chooses and empties the free slot. ERR_BUSY: not current any more; done, and anew. */
	int (*allot)(struct volume *v, struct err *e);
	/* Writes out what a freeze would have to write, so that the freeze is short: before allot,
	 * when it may take long, and again right before the freeze. Best effort; may be NULL. */
	void (*calm)(struct volume *v);
	int (*freeze)(struct volume *v, struct err *e);
	int (*snap)(struct volume *v, struct err *e);
	int (*thaw)(struct volume *v, struct err *e); /* idempotent */
	/* Proves on disk that the cut exists and names it. */
	int (*proof)(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e);
	/* What the watchdog process must know to do what thaw does: lines as in watchdog.h, none if
	 * there is nothing to thaw. Called after allot. */
	int (*thaw_words)(struct volume *v, char *out, size_t size, struct err *e);

	/* After the cut, in any case: lets go of what allot took. good is false if the group's cut
	 * has failed: what was snapped is freed. */
	void (*done)(struct volume *v, bool good);

	/* 1: the data of this cut is still here, unaltered; name (VOLUME_NAME_MAX bytes, may be
	 * NULL) gets what holds it. 0: it is not; why (size bytes, may be NULL) says what is wrong.
	 * -1: cannot tell. */
	int (*held)(struct volume *v, const char *token, char *name, char *why, size_t size,
		    struct err *e);
	/* Adds to set every block that may differ between two cuts. VOLUME_CHANGES_DOUBT when that
	 * cannot be trusted (rule 2): e then says why, and the caller ships everything. */
	int (*changes)(struct volume *v, const char *from, const char *to, struct bset *set,
		       struct err *e);
	/* Data and holes of a cut, of the blocks in set only (NULL: of all), from byte offset on.
	 * One walk: the cost follows the set, not the volume. */
	int (*map)(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
		   volume_extent_fn *fn, void *arg, struct err *e);
	/* A descriptor to read the cut with O_DIRECT; nothing of it is left behind when it is
	 * closed, also by a crash. */
	int (*reader)(struct volume *v, const char *token, struct err *e);
	/* The cut is no longer needed: its space comes back, the slot stays. */
	int (*release)(struct volume *v, const char *token, struct err *e);

	/* Target only. hold: checks rule 3 (not mounted, not open, unchanged since the commit named
	 * by token, NULL: nothing committed yet; with may_differ an unfinished cut may have been
	 * written) and gives a descriptor opened O_DIRECT|O_EXCL for writing. unhold closes it and
	 * makes the volume inactive again. */
	int (*hold)(struct volume *v, const char *committed, bool may_differ, int *fd,
		    struct err *e);
	int (*unhold)(struct volume *v, struct err *e);
	/* Brings the head back to exactly the cut named: O(1). Not while held. */
	int (*rewind)(struct volume *v, const char *token, struct err *e);
	/* The destination grows before a larger cut is applied. Not while held. */
	int (*grow)(struct volume *v, uint64_t size, struct err *e);

	/* The part of volume_check_target() that depends on the kind. */
	int (*check_target)(struct volume *v, bool overwrite, struct err *e);
	/* Removes every slot and tag of this partnership. The volume itself stays. */
	int (*drop)(struct volume *v, struct err *e);
};

/* Opens by name; the kind is found by what the name names. The caller frees it. NULL on failure. */
struct volume *volume_open(const char *name, enum volume_role role, const char *partnership,
			   struct err *e);
void volume_free(struct volume *v);
DEFINE_FREEP(volume_free, struct volume);

/* ERR_REFUSED if it cannot be one of so many volumes that are cut together. */
int volume_may_join(const struct volume *v, unsigned volumes, struct err *e);

/* Checks what create must know before anything is written to a target (libblkid, mounts, holders).
 * ERR_REFUSED names what is there. */
int volume_check_target(const char *name, bool overwrite, struct err *e);

#endif
