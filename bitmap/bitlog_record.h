/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of the bitmap log, as srsync-bitlog(5) draws them: marks and records. No I/O. For
 * bitlog*.c, the tests and the fuzzers only. */
#ifndef BITLOG_RECORD_H
#define BITLOG_RECORD_H

#include "bitlog.h"

#define BITLOG_MARK_ROOM  4096 /* bytes that each of the two marks has for itself */
#define BITLOG_MARK_BYTES 64
#define BITLOG_FIRST      (2 * BITLOG_MARK_ROOM) /* offset of the first record */
#define BITLOG_RECORD_MIN 16
#define BITLOG_RECORD_MAX (256u << 20) /* bytes: the bitmap of 2^31 blocks; see "all" below */

enum bitlog_type { BITLOG_CUT = 1, BITLOG_COMMITTED = 2 };

/* The blocks of a volume have numbers that a set can hold. */
static inline bool bitlog_size_ok(const struct bitlog_volume *v)
{
	return v->block_size && (!v->size || (v->size - 1) / v->block_size < BSET_MAX_BLOCKS);
}

/* Where the log ends. Durable before an append returns, so a record before the end that does not
 * check out is damage, and bytes after it were never promised to anybody. */
struct bitlog_mark {
	uint64_t count; /* marks written to this file, this one included */
	uint64_t end;   /* offset behind the last record */
	uint64_t salt;  /* random; the seed of the first record's checksum */
	uint64_t sum;   /* checksum of the last record, or salt */
	uint64_t anew;  /* end when the file was last written anew */
};

enum bitlog_mark_state { BITLOG_MARK_GOOD, BITLOG_MARK_BAD, BITLOG_MARK_NEWER };

void bitlog_mark_encode(const struct bitlog_mark *m, uint8_t out[static BITLOG_MARK_BYTES]);
enum bitlog_mark_state bitlog_mark_decode(const uint8_t in[static BITLOG_MARK_BYTES],
					  struct bitlog_mark *m);

/* Appends the record to out. sum: in, the checksum of the record before it; out, its own. If it
 * would be larger than max bytes its sets are replaced by "all", which is always a superset. */
void bitlog_record_encode(enum bitlog_type type, const struct bitlog_cut *c, size_t max,
			  uint64_t *sum, struct buf *out);
/* The length of the whole record, from its first four bytes; 0: out of range. */
size_t bitlog_record_length(const uint8_t in[static 4]);
/* Decodes one whole record, trusting nothing. sum as above. The caller frees it; NULL with e. */
struct bitlog_cut *bitlog_record_decode(const uint8_t *p, size_t n, uint64_t *sum,
					enum bitlog_type *type, struct err *e);

#endif
