/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: a frame gives back exactly what went in, and nothing but a whole frame of this cut is
 * taken. */
#include <check.h>
#include <string.h>
#include <zstd.h>

#include "fake_volume.h"
#include "segment_pack.h"

#define VOLUME_SIZE ((16u << 20) + 1000) /* with an odd end */

static uint64_t rnd = 1;
static struct manifest *m;
static struct segment_packer *packer;
static uint8_t *memory, *data; /* a slot: head, data, tail */
static struct segment *plan;

static void setup(void)
{
	m = xcalloc(1, sizeof(*m));
	m->seed = 42;
	m->segments = 10;
	m->volumes = 2;
	m->volume[0].size = 4096;
	m->volume[1].size = VOLUME_SIZE;
	packer = segment_packer_new(1);
	memory = xmalloc(SEGMENT_HEAD_MAX + SEGMENT_DATA_MAX + SEGMENT_SUM);
	data = memory + SEGMENT_HEAD_MAX;
	plan = xcalloc(1, sizeof(*plan));
	plan->number = 3;
	plan->volume = 1;
}

static void teardown(void)
{
	free(plan);
	free(memory);
	segment_packer_free(packer);
	free(m);
}

static void add(uint64_t offset, uint64_t length, enum segment_kind kind)
{
	plan->extent[plan->extents++] = (struct segment_extent){offset, length, kind};
	if (kind == SEGMENT_DATA)
		plan->raw_len += length;
}

/* What a volume of 0xee holds after the planned data, and after the frame. */
static void check_same(const uint8_t *original, const struct segment *got)
{
	static uint8_t a[VOLUME_SIZE], b[VOLUME_SIZE];
	uint8_t *raw = xmalloc(got->raw_len + 1), *p = raw;
	_cleanup_(segment_unpacker_freep) struct segment_unpacker *u = segment_unpacker_new();
	struct err e = ERR_INIT;

	memset(a, 0xee, sizeof(a));
	memset(b, 0xee, sizeof(b));
	for (unsigned i = 0; i < plan->extents; i++) {
		const struct segment_extent *x = &plan->extent[i];

		if (x->kind == SEGMENT_DATA)
			memcpy(a + x->offset, original, x->length);
		else
			memset(a + x->offset, 0, x->length);
		original += x->kind == SEGMENT_DATA ? x->length : 0;
	}
	raw[got->raw_len] = 0x77;
	ck_assert_int_eq(segment_unpack(u, got, raw, &e), 0);
	ck_assert_uint_eq(raw[got->raw_len], 0x77);
	for (unsigned i = 0; i < got->extents; i++) {
		const struct segment_extent *x = &got->extent[i];

		if (x->kind == SEGMENT_DATA)
			memcpy(b + x->offset, p, x->length);
		else
			memset(b + x->offset, 0, x->length);
		p += x->kind == SEGMENT_DATA ? x->length : 0;
	}
	ck_assert_int_eq(memcmp(a, b, sizeof(a)), 0);
	free(raw);
}

/* Packs what data holds, decodes and compares. The caller frees the result, whose stored data stays
 * in frame. */
static struct segment *round_trip(struct buf *frame)
{
	uint8_t *original = xmalloc(plan->raw_len + 1);
	struct err e = ERR_INIT;
	struct segment *got;
	uint64_t zeros;

	memcpy(original, data, plan->raw_len);
	zeros = segment_pack(packer, plan, data, m->seed, frame);
	ck_assert_uint_le(frame->len, SEGMENT_MAX);
	ck_assert_uint_eq(segment_frame_size(frame->data), frame->len);
	got = segment_decode(frame->data, frame->len, m, &e);
	ck_assert_msg(got != NULL, "%s", e.text);
	ck_assert_uint_eq(got->number, 3);
	ck_assert_uint_eq(got->volume, 1);
	ck_assert_ptr_eq(frame->data + segment_data_at(frame->data, frame->len), got->stored);
	ck_assert_uint_eq(segment_data_at(frame->data, SEGMENT_HEAD - 1), 0);
	ck_assert_uint_eq(segment_data_bytes(got) + zeros, plan->raw_len);
	check_same(original, got);
	free(original);
	return got;
}

START_TEST(random_extents)
{
	struct fake_volume *f = fake_new(8u << 20);
	struct buf frame;
	uint64_t at;

	rnd = _i;
	fake_add(f, VOLUME_DATA, 8u << 20, FAKE_MIXED, &rnd);
	for (unsigned round = 0; round < 20; round++) {
		plan->extents = plan->raw_len = 0;
		for (at = 4096 * (fake_random(&rnd) % 5); at < VOLUME_SIZE && plan->extents < 40;) {
			uint64_t n = 4096 * (1 + fake_random(&rnd) % 90);

			n = n < VOLUME_SIZE - at ? n : VOLUME_SIZE - at;
			add(at, n, fake_random(&rnd) % 3 ? SEGMENT_DATA : SEGMENT_DISCARD);
			at += n + 4096 * (fake_random(&rnd) % 3);
			if (plan->raw_len > SEGMENT_DATA_MAX - 91 * 4096)
				break;
		}
		memcpy(data, f->bytes + fake_random(&rnd) % (4u << 20), plan->raw_len);
		segment_free(round_trip(&frame));
	}
	fake_free(f);
}
END_TEST

/* A single byte makes its page data, wherever it stands; the last page is a part of one. */
START_TEST(zero_edges)
{
	static const unsigned sizes[] = {4096, 3 * 4096, 4096 + 1000, 2 * 4096 + 1};
	unsigned size = sizes[_i];
	struct buf frame;
	struct segment *s;

	for (unsigned at = 0; at <= size; at++) {
		unsigned page = at / 4096 * 4096, n = size - page < 4096 ? size - page : 4096;

		if (at % 4096 > 3 && at % 4096 < 4090 && at + 3 < size && at % 512)
			continue;
		plan->extents = plan->raw_len = 0;
		add(VOLUME_SIZE / 4096 * 4096 + 1000 - size - (size % 4096 ? 0 : 1000), size,
		    SEGMENT_DATA);
		if (size % 4096 && size % 4096 != 1000)
			m->volume[1].size = plan->extent[0].offset = (4u << 20),
			m->volume[1].size += size;
		memset(data, 0, size);
		if (at < size)
			data[at] = 1;
		s = round_trip(&frame);
		ck_assert_uint_eq(s->raw_len, at < size ? n : 0);
		ck_assert_uint_eq(s->extents, at == size || n == size         ? 1
					      : page == 0 || page + n == size ? 2
									      : 3);
		segment_free(s);
	}
}
END_TEST

/* The worst plan there is: no two pages together, every page split off. */
START_TEST(many_extents)
{
	struct buf frame;
	struct segment *s;

	for (unsigned i = 0; i < 1024; i++) {
		memset(data + i * 4096, i % 2, 4096);
		add(i * 8192, 4096, SEGMENT_DATA);
		add(i * 8192 + 4096, 4096, SEGMENT_DISCARD);
	}
	ck_assert_uint_eq(plan->extents, PLAN_EXTENTS_MAX);
	s = round_trip(&frame);
	ck_assert_uint_eq(s->extents, 2048);
	ck_assert_uint_eq(s->raw_len, SEGMENT_DATA_MAX / 2);
	segment_free(s);
}
END_TEST

/* What shrinks is stored small, what does not is stored as it is, and not even tried for long. */
START_TEST(compresses_where_it_pays)
{
	struct fake_volume *f = fake_new(8u << 20);
	struct buf frame;
	unsigned packed = 0;

	fake_add(f, VOLUME_DATA, 4u << 20, FAKE_TEXT, &rnd);
	fake_add(f, VOLUME_DATA, 4u << 20, FAKE_RANDOM, &rnd);
	add(0, 4u << 20, SEGMENT_DATA);
	for (unsigned i = 0; i < 60; i++) {
		bool text = i < 2 || i >= 20;
		struct segment *s;

		memcpy(data, f->bytes + (text ? 0 : 4u << 20), 4u << 20);
		s = round_trip(&frame);
		packed += s->pack == SEGMENT_ZSTD;
		if (i < 2)
			ck_assert_uint_lt(s->stored_len, s->raw_len / 8);
		if (!text)
			ck_assert_int_eq(s->pack, SEGMENT_RAW);
		segment_free(s);
	}
	ck_assert_uint_ge(packed, 2 + 40 - 16); /* it came back within 16 segments */
	fake_free(f);
}
END_TEST

/* With a network faster than compression, text goes as it is; with a slow one, it is worth more. */
START_TEST(compresses_by_the_network)
{
	struct fake_volume *f = fake_new(4u << 20);
	struct buf frame;
	uint32_t stored[3];

	fake_add(f, VOLUME_DATA, 4u << 20, FAKE_TEXT, &rnd);
	for (size_t i = 0; i < 4u << 20; i += 11 + fake_random(&rnd) % 40)
		f->bytes[i] = fake_random(&rnd);
	add(0, 4u << 20, SEGMENT_DATA);
	for (unsigned i = 0; i < 3; i++) {
		struct segment *s;

		memcpy(data, f->bytes, 4u << 20);
		s = round_trip(&frame);
		stored[i] = s->stored_len;
		segment_free(s);
		if (i == 1) { /* the backoff's one segment */
			memcpy(data, f->bytes, 4u << 20);
			segment_free(round_trip(&frame));
		}
		/* the second time 10 GB/s, then next to nothing */
		for (unsigned k = 0; k < 50; k++)
			segment_packer_handed_over(packer, i ? 1000000 : 1, 10000);
	}
	ck_assert_uint_lt(stored[0], 4u << 20);
	ck_assert_uint_eq(stored[1], 4u << 20);
	ck_assert_uint_lt(stored[2], stored[0]);
	fake_free(f);
}
END_TEST

/* A frame of some 2 KiB with all kinds of extents; its data compressed or not. */
static void small_frame(struct buf *out, bool pack)
{
	struct buf frame;

	m->volume[1].size = VOLUME_SIZE;
	add(0, 4096, SEGMENT_DISCARD);
	add(8192, 4096, SEGMENT_DATA);
	add(16384, 4096, SEGMENT_DATA);
	memset(data, 0, 4096);
	for (unsigned i = 0; i < 4096; i++)
		data[4096 + i] = pack ? "abc"[i % 3] : (uint8_t)fake_random(&rnd);
	segment_pack(packer, plan, data, m->seed, &frame);
	buf_put(out, frame.data, frame.len);
}

static void refused(const uint8_t *frame, size_t len)
{
	uint8_t *exact = xmalloc(len); /* so that the sanitizer sees a read beyond */
	struct err e = ERR_INIT;

	memcpy(exact, frame, len);
	ck_assert_ptr_null(segment_decode(exact, len, m, &e));
	ck_assert_int_eq(strncmp(e.text, "segment: ", 9), 0);
	free(exact);
}

START_TEST(damage_is_refused)
{
	_cleanup_buf_ struct buf f = BUF_INIT;

	small_frame(&f, _i);
	for (size_t i = 0; i < f.len; i++) {
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			f.data[i] ^= bit;
			refused(f.data, f.len);
			f.data[i] ^= bit;
		}
		f.data[i] ^= 0xff;
		refused(f.data, f.len);
		f.data[i] ^= 0xff;
		refused(f.data, i);
	}
	buf_put_u8(&f, 0);
	refused(f.data, f.len);
	m->seed++; /* another cut */
	refused(f.data, f.len - 1);
	m->seed--;
	segment_free(segment_decode(f.data, f.len - 1, m, &(struct err){0}));
}
END_TEST

/* Frames with a right checksum that lie. */
START_TEST(lies_are_refused)
{
	static const struct {
		unsigned at, bytes;
		uint64_t value;
	} lies[] = {
		{4, 4, 0},
		{4, 4, SEGMENT_EXTENTS_MAX + 1},
		{8, 8, 10},
		{16, 2, 2},
		{16, 2, 0},
		{18, 1, 2},
		{18, 1, 1},
		{19, 1, 1},
		{20, 4, 4095},
		{20, 4, SEGMENT_DATA_MAX + 1},
		{24, 4, 4095},
		{28, 4, 1},
		{32, 8, 512},
		{32, 8, 4096 + 1},
		{40, 8, 0},
		{40, 8, 12288},
		{40, 8, 4097},
		{40, 8, UINT64_MAX},
		{40, 8, UINT64_MAX - 4095},
		{48, 4, 3},
		{48, 4, 0},
		{48, 4, 256},
		{72, 8, 4096},
		{72, 8, 1ULL << 63},
		{72, 8, VOLUME_SIZE / 4096 * 4096},
		{88, 4, 1},
	};
	_cleanup_buf_ struct buf f = BUF_INIT;
	uint8_t old[8];

	small_frame(&f, false);
	ck_assert_uint_eq(f.len, SEGMENT_HEAD + 3 * SEGMENT_EXTENT + 4096 + SEGMENT_SUM);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		uint8_t value[8];

		le64_put(value, lies[i].value);
		memcpy(old, f.data + lies[i].at, 8);
		memcpy(f.data + lies[i].at, value, lies[i].bytes);
		segment_seal(f.data, f.len, m->seed);
		refused(f.data, f.len);
		memcpy(f.data + lies[i].at, old, 8);
	}
	segment_seal(f.data, f.len, m->seed);
	segment_free(segment_decode(f.data, f.len, m, &(struct err){0}));
}
END_TEST

/* Compressed data that unpacks to more, less or nothing. */
START_TEST(bombs_are_refused)
{
	_cleanup_(segment_unpacker_freep) struct segment_unpacker *u = segment_unpacker_new();
	static uint8_t zeros[1u << 20], packed[65536], out[4096];
	struct err e = ERR_INIT;
	struct segment *s = plan;

	s->pack = SEGMENT_ZSTD;
	s->raw_len = sizeof(out);
	s->stored = packed;
	s->stored_len = ZSTD_compress(packed, sizeof(packed), zeros, sizeof(zeros), 1);
	ck_assert_int_eq(segment_unpack(u, s, out, &e), -1);
	s->stored_len = ZSTD_compress(packed, sizeof(packed), zeros, sizeof(out) - 1, 1);
	ck_assert_int_eq(segment_unpack(u, s, out, &e), -1);
	s->stored_len = ZSTD_compress(packed, sizeof(packed), zeros, sizeof(out), 1);
	ck_assert_int_eq(segment_unpack(u, s, out, &e), 0);
	s->stored_len--;
	ck_assert_int_eq(segment_unpack(u, s, out, &e), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("segment");
	TCase *t = tcase_create("segment");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, random_extents, 0, 5);
	tcase_add_loop_test(t, zero_edges, 0, 4);
	tcase_add_test(t, many_extents);
	tcase_add_test(t, compresses_where_it_pays);
	tcase_add_test(t, compresses_by_the_network);
	tcase_add_loop_test(t, damage_is_refused, 0, 2);
	tcase_add_test(t, lies_are_refused);
	tcase_add_test(t, bombs_are_refused);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
