/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing byte buffer (the only encoder) and a bounded cursor (the only decoder). Everything
 * that goes to the disk or the wire passes here, little-endian; no struct is ever cast onto bytes.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct buf {
	uint8_t *data; /* owned */
	size_t len;    /* bytes in use */
	size_t cap;
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void buf_free(struct buf *b);              /* releases the memory, leaves an empty buffer */
void buf_reset(struct buf *b);             /* len = 0, memory kept */
void buf_reserve(struct buf *b, size_t n); /* room for n more bytes */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_le16(struct buf *b, uint16_t v);
void buf_put_le32(struct buf *b, uint32_t v);
void buf_put_le64(struct buf *b, uint64_t v);
void buf_put_str(struct buf *b, const char *s); /* le16 length, bytes; at most 65535 */
/* Overwrites 4 or 8 bytes at offset at, which must be in use: for lengths known later. */
void buf_set_le32(struct buf *b, size_t at, uint32_t v);
void buf_set_le64(struct buf *b, size_t at, uint64_t v);

/* A cursor never reads past its end: the first read beyond sets bad, and from then on every read
 * gives zero. Check bad once, after a group of reads. */
struct cur {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static inline struct cur cur_of(const void *p, size_t n)
{
	return (struct cur){p, n, false};
}

uint8_t cur_u8(struct cur *c);
uint16_t cur_le16(struct cur *c);
uint32_t cur_le32(struct cur *c);
uint64_t cur_le64(struct cur *c);
/* Points to the next n bytes and skips them; NULL (and bad) if there are fewer. */
const uint8_t *cur_bytes(struct cur *c, size_t n);
/* le16 length and bytes, copied with a NUL; bad if it does not fit or contains a NUL. */
void cur_str(struct cur *c, char *out, size_t size);

/* Unaligned little-endian loads and stores. */
uint16_t le16_at(const void *p);
uint32_t le32_at(const void *p);
uint64_t le64_at(const void *p);
void le32_put(void *p, uint32_t v);
void le64_put(void *p, uint64_t v);

#define _cleanup_buf_ _cleanup_(buf_free)

#endif
