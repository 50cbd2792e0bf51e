/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "segment.h"

static const char magic[4] = "SRSG";

void segment_free(struct segment *s)
{
	free(s);
}

void segment_put_head(const struct segment *s, struct buf *out)
{
	buf_put(out, magic, sizeof(magic));
	buf_put_le32(out, s->extents);
	buf_put_le64(out, s->number);
	buf_put_le16(out, s->volume);
	buf_put_u8(out, s->pack);
	buf_put_u8(out, 0);
	buf_put_le32(out, s->raw_len);
	buf_put_le32(out, s->stored_len);
	buf_put_le32(out, 0);
	for (unsigned i = 0; i < s->extents; i++) {
		buf_put_le64(out, s->extent[i].offset);
		buf_put_le64(out, s->extent[i].length);
		buf_put_le32(out, s->extent[i].kind);
	}
}

static void sum(const uint8_t *frame, size_t len, uint64_t seed, uint8_t out[static SEGMENT_SUM])
{
	XXH128_hash_t h = XXH3_128bits_withSeed(frame, len, seed);

	le64_put(out, h.low64);
	le64_put(out + 8, h.high64);
}

void segment_seal(uint8_t *frame, size_t len, uint64_t seed)
{
	sum(frame, len - SEGMENT_SUM, seed, frame + len - SEGMENT_SUM);
}

size_t segment_frame_size(const uint8_t head[static SEGMENT_HEAD])
{
	uint32_t extents = le32_at(head + 4), stored = le32_at(head + 24);

	if (memcmp(head, magic, sizeof(magic)) || extents < 1 || extents > SEGMENT_EXTENTS_MAX ||
	    stored > SEGMENT_DATA_MAX)
		return 0;
	return SEGMENT_HEAD + (size_t)extents * SEGMENT_EXTENT + stored + SEGMENT_SUM;
}

size_t segment_data_at(const uint8_t *frame, size_t n)
{
	if (n < SEGMENT_HEAD || segment_frame_size(frame) == 0)
		return 0;
	return SEGMENT_HEAD + (size_t)le32_at(frame + 4) * SEGMENT_EXTENT;
}

/* The head's members; lengths are within their maxima, which the frame's size has shown. */
static int parse_head(struct cur *c, const struct manifest *m, struct segment *s, struct err *e)
{
	uint8_t pack, zero8;
	uint32_t zero32;

	cur_bytes(c, sizeof(magic));
	s->extents = cur_le32(c);
	s->number = cur_le64(c);
	s->volume = cur_le16(c);
	pack = cur_u8(c);
	zero8 = cur_u8(c);
	s->raw_len = cur_le32(c);
	s->stored_len = cur_le32(c);
	zero32 = cur_le32(c);
	s->pack = pack;
	if (c->bad || pack > SEGMENT_ZSTD || zero8 || zero32)
		return err_set(e, ERR_FAILED, "it is of an unknown format");
	if (s->number >= m->segments || s->volume >= m->volumes)
		return err_set(e, ERR_FAILED, "its number or volume is not in the manifest");
	if (s->raw_len > SEGMENT_DATA_MAX ||
	    (pack == SEGMENT_RAW ? s->stored_len != s->raw_len
				 : s->stored_len >= s->raw_len || s->stored_len == 0))
		return err_set(e, ERR_FAILED, "its lengths do not fit each other");
	return 0;
}

/* min: the end of the extent before. */
static bool extent_ok(const struct segment_extent *x, uint64_t min, uint64_t size)
{
	return x->length > 0 && x->offset >= min && x->offset < size &&
	       x->length <= size - x->offset && x->offset % SEGMENT_ALIGN == 0 &&
	       (x->length % SEGMENT_ALIGN == 0 || x->offset + x->length == size);
}

static int parse_extents(struct cur *c, uint64_t size, struct segment *s, struct err *e)
{
	uint64_t end = 0, data = 0;

	for (unsigned i = 0; i < s->extents; i++) {
		struct segment_extent *x = &s->extent[i];
		uint32_t kind;

		x->offset = cur_le64(c);
		x->length = cur_le64(c);
		kind = cur_le32(c);
		if (c->bad || kind > SEGMENT_DISCARD || !extent_ok(x, end, size))
			return err_set(e, ERR_FAILED,
				       "extent %u (%" PRIu64 " bytes at %" PRIu64
				       ", kind %u) is out of order or outside the volume",
				       i, x->length, x->offset, kind);
		x->kind = kind;
		end = x->offset + x->length;
		if (kind == SEGMENT_DATA)
			data += x->length;
		if (data > SEGMENT_DATA_MAX)
			break;
	}
	if (data != s->raw_len)
		return err_set(e, ERR_FAILED, "its extents hold %" PRIu64 " bytes of data, not %u",
			       data, s->raw_len);
	return 0;
}

static int parse(const uint8_t *frame, size_t len, const struct manifest *m, struct segment *s,
		 struct err *e)
{
	struct cur c = cur_of(frame, len);
	uint8_t want[SEGMENT_SUM];

	if (len < SEGMENT_HEAD || segment_frame_size(frame) != len)
		return err_set(e, ERR_FAILED, "it is not a whole one (%zu bytes)", len);
	sum(frame, len - SEGMENT_SUM, m->seed, want);
	if (memcmp(want, frame + len - SEGMENT_SUM, SEGMENT_SUM))
		return err_set(e, ERR_FAILED, "damaged, or of another cut: its checksum differs");
	if (parse_head(&c, m, s, e) < 0 || parse_extents(&c, m->volume[s->volume].size, s, e) < 0)
		return -1;
	s->stored = cur_bytes(&c, s->stored_len);
	return 0;
}

struct segment *segment_decode(const void *frame, size_t len, const struct manifest *m,
			       struct err *e)
{
	_cleanup_(segment_freep) struct segment *s = xmalloc(sizeof(*s));

	if (parse(frame, len, m, s, e) < 0) {
		err_wrap(e, "segment");
		return NULL;
	}
	return TAKE(s);
}

uint64_t segment_data_bytes(const struct segment *s)
{
	return s->raw_len;
}
