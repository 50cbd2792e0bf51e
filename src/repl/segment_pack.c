/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compression is tried where it can pay. A few samples spread over the data tell for a fiftieth of
 * the price how much there is to gain and how long that takes. It must gain an eighth, and take
 * less time than it spares at the peer's end: with a fast network the processors are the
 * bottleneck, with a slow one they are idle. Both are measured by the clock, so that whatever else
 * keeps the machine busy counts too.
 *
 * Each time the samples say no, twice as many segments go unsampled as the last time, up to
 * BACKOFF_MAX. So data that does not compress (already compressed, encrypted) costs next to
 * nothing, and a change of the data or the network is seen within 16 segments (64 MiB). */
#include <assert.h>
#include <string.h>
#include <zstd.h>

#include "segment_pack.h"

#define PAGE        4096
#define SAMPLES     8
#define SAMPLE      8192   /* bytes */
#define SAMPLE_FROM 262144 /* bytes: less data is compressed without asking */
#define BACKOFF_MAX 15     /* segments */
#define SLOW        16     /* times as long to hand over as to compress: compress harder */

/* What must be gained for the peer's work of unpacking to pay: an eighth of a sample. */
static size_t worth(size_t raw)
{
	return raw - raw / 8;
}

struct segment_packer {
	ZSTD_CCtx *zstd;
	int level;
	unsigned skip, backoff; /* segments */
	double us, bytes;       /* of handing over: sums in which older frames fade */
	struct segment out;
	struct buf head;
	struct buf packed; /* a whole frame */
};

struct segment_packer *segment_packer_new(int level)
{
	struct segment_packer *k = xcalloc(1, sizeof(*k));

	assert(level >= 0 && level <= SEGMENT_PACK_SLOW);
	k->level = level;
	k->zstd = ZSTD_createCCtx();
	if (!k->zstd)
		abort(); /* as xmalloc() */
	buf_reserve(&k->packed, level ? SEGMENT_MAX : 1);
	return k;
}

void segment_packer_free(struct segment_packer *k)
{
	if (!k)
		return;
	ZSTD_freeCCtx(k->zstd);
	buf_free(&k->head);
	buf_free(&k->packed);
	free(k);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* memcmp of the bytes with themselves, one further on: as fast as the machine can load. */
static bool is_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Length of the first run of pages that all are zero or all are not. */
static size_t first_run(const uint8_t *p, size_t n, bool *zero)
{
	size_t done = least(PAGE, n);

	*zero = is_zero(p, done);
	while (done < n && is_zero(p + done, least(PAGE, n - done)) == *zero)
		done += least(PAGE, n - done);
	return done;
}

static void add(struct segment *s, uint64_t offset, uint64_t length, enum segment_kind kind)
{
	struct segment_extent *last = s->extents ? &s->extent[s->extents - 1] : NULL;

	if (last && last->kind == kind && last->offset + last->length == offset) {
		last->length += length;
		return;
	}
	assert(s->extents < SEGMENT_EXTENTS_MAX);
	s->extent[s->extents++] = (struct segment_extent){offset, length, kind};
}

/* Splits the planned extents into k->out, moving the data that stays together. */
static uint64_t split(struct segment *out, const struct segment *in, uint8_t *data)
{
	size_t from = 0, to = 0, n;
	bool zero;

	for (unsigned i = 0; i < in->extents; i++) {
		const struct segment_extent *x = &in->extent[i];

		if (x->kind != SEGMENT_DATA) {
			add(out, x->offset, x->length, x->kind);
			continue;
		}
		for (uint64_t done = 0; done < x->length; done += n, from += n) {
			n = first_run(data + from, x->length - done, &zero);
			add(out, x->offset + done, n, zero ? SEGMENT_ZERO : SEGMENT_DATA);
			if (zero)
				continue;
			if (to != from)
				memmove(data + to, data + from, n);
			to += n;
		}
	}
	assert(from == in->raw_len);
	out->raw_len = to;
	return from - to;
}

void segment_packer_handed_over(struct segment_packer *k, uint64_t us, size_t bytes)
{
	k->us = k->us * 3 / 4 + us;
	k->bytes = k->bytes * 3 / 4 + bytes;
}

static size_t zstd(struct segment_packer *k, int level, size_t at, const uint8_t *data, size_t n)
{
	ZSTD_CCtx_setParameter(k->zstd, ZSTD_c_compressionLevel, level);
	return ZSTD_compress2(k->zstd, k->packed.data + at, worth(n), data, n);
}

/* The level that pays for n bytes like these, 0: none. */
static int choose_level(struct segment_packer *k, const uint8_t *data, size_t n)
{
	uint8_t sample[SAMPLES * SAMPLE];
	uint64_t start;
	double took, saved;
	size_t r;

	if (n < SAMPLE_FROM)
		return k->level;
	for (size_t i = 0; i < SAMPLES; i++)
		memcpy(sample + i * SAMPLE, data + (n - SAMPLE) / (SAMPLES - 1) * i, SAMPLE);
	start = fmt_mono_us();
	r = zstd(k, k->level, 0, sample, sizeof(sample));
	if (ZSTD_isError(r))
		return 0;
	if (k->bytes <= 0)
		return k->level;
	took = fmt_mono_us() - start;
	saved = k->us / k->bytes * (sizeof(sample) - r);
	return took > saved ? 0 : saved > SLOW * took ? SEGMENT_PACK_SLOW : k->level;
}

/* Bytes of data compressed at k->packed + at, or 0: it stays as it is. */
static size_t compress(struct segment_packer *k, size_t at, const uint8_t *data, size_t n)
{
	int level;
	size_t r;

	if (!k->level || n < PAGE)
		return 0;
	if (k->skip) {
		k->skip--;
		return 0;
	}
	level = choose_level(k, data, n);
	if (level) {
		r = zstd(k, level, at, data, n);
		if (!ZSTD_isError(r)) {
			k->backoff = 0;
			return r;
		}
	}
	k->backoff = k->backoff ? least(2 * k->backoff + 1, BACKOFF_MAX) : 1;
	k->skip = k->backoff;
	return 0;
}

uint64_t segment_pack(struct segment_packer *k, const struct segment *planned, uint8_t *data,
		      uint64_t seed, struct buf *frame)
{
	struct segment *s = &k->out;
	uint8_t *start;
	uint64_t zeros;
	size_t head;

	s->number = planned->number;
	s->volume = planned->volume;
	s->extents = 0;
	zeros = split(s, planned, data);
	head = SEGMENT_HEAD + s->extents * SEGMENT_EXTENT;
	s->stored_len = compress(k, head, data, s->raw_len);
	s->pack = s->stored_len ? SEGMENT_ZSTD : SEGMENT_RAW;
	start = s->pack == SEGMENT_ZSTD ? k->packed.data : data - head;
	if (s->pack == SEGMENT_RAW)
		s->stored_len = s->raw_len;
	buf_reset(&k->head);
	segment_put_head(s, &k->head);
	memcpy(start, k->head.data, head);
	*frame = (struct buf){start, head + s->stored_len + SEGMENT_SUM, 0};
	segment_seal(frame->data, frame->len, seed);
	return zeros;
}

struct segment_unpacker {
	ZSTD_DCtx *zstd;
};

struct segment_unpacker *segment_unpacker_new(void)
{
	struct segment_unpacker *u = xcalloc(1, sizeof(*u));

	u->zstd = ZSTD_createDCtx();
	if (!u->zstd)
		abort(); /* as xmalloc() */
	return u;
}

void segment_unpacker_free(struct segment_unpacker *u)
{
	if (!u)
		return;
	ZSTD_freeDCtx(u->zstd);
	free(u);
}

int segment_unpack(struct segment_unpacker *u, const struct segment *s, uint8_t *out, struct err *e)
{
	size_t n;

	if (s->pack == SEGMENT_RAW) {
		memcpy(out, s->stored, s->raw_len);
		return 0;
	}
	n = ZSTD_decompressDCtx(u->zstd, out, s->raw_len, s->stored, s->stored_len);
	if (n != s->raw_len)
		return err_set(e, ERR_FAILED, "segment: its compressed data is damaged");
	return 0;
}
