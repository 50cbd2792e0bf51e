/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A changed-block set: block numbers 0 .. 2^32-1 in a Roaring bitmap. A set is always a superset of
 * the truth, never a subset. */
#ifndef BSET_H
#define BSET_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define BSET_MAX_BLOCKS (1ULL << 32)

struct bset;

struct bset *bset_new(void);
void bset_free(struct bset *s); /* NULL is fine */
/* -1 with errno ERANGE if the range leaves 0 .. BSET_MAX_BLOCKS. */
int bset_add(struct bset *s, uint64_t first, uint64_t count);
void bset_remove(struct bset *s, uint64_t first, uint64_t count); /* within the same range */
void bset_or(struct bset *into, const struct bset *s);
bool bset_has(const struct bset *s, uint64_t block);
bool bset_covers(const struct bset *s, const struct bset *sub); /* sub is a subset of s */
uint64_t bset_count(const struct bset *s);                      /* blocks */

/* The first maximal run at or after block from, within the set; false if there is none. */
bool bset_next_run(const struct bset *s, uint64_t from, uint64_t *first, uint64_t *count);

/* The same bytes in blocks of another size: s has blocks of from bytes, the result, which the
 * caller frees, those of to bytes that touch them. NULL with errno ERANGE if their numbers are too
 * high. */
struct bset *bset_rescale(const struct bset *s, uint32_t from, uint32_t to);

/* The encoding drawn in srsync-bitlog(5). Decoding trusts nothing; NULL with e filled. */
void bset_encode(const struct bset *s, struct buf *out);
struct bset *bset_decode(struct cur *c, struct err *e);

DEFINE_FREEP(bset_free, struct bset);

#endif
