/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: after a cut is applied the target is the cut, byte by byte, and nothing beyond is touched;
 * a bad segment changes nothing; what is issued is no more than needed. */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "apply.h"
#include "fake_volume.h"
#include "io.h"
#include "pipeline.h"

static uint64_t rnd = 1;

struct link {
	const struct manifest *m;
	struct apply *a;
	struct apply_target t;
};

static int put(void *arg, unsigned worker, uint64_t number, const struct buf *frame, struct err *e)
{
	struct link *l = arg;
	_cleanup_(segment_freep) struct segment *s = NULL;
	_cleanup_buf_ struct buf odd = BUF_INIT;
	const uint8_t *p = frame->data; /* raw data is aligned, as the pipeline reads it */

	(void)worker;
	if (number % 2) {
		buf_put_u8(&odd, 0);
		buf_put(&odd, p, frame->len);
		p = odd.data + 1;
	}
	s = segment_decode(p, frame->len, l->m, e);
	return s ? apply_segment(l->a, s, &l->t, e) : -1;
}

static uint8_t *contents(int fd, uint64_t size)
{
	char path[64];
	_cleanup_close_ int again = -1;
	uint8_t *p = xmalloc(size);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	ck_assert_int_eq(io_pread(again, p, size, 0), 0);
	return p;
}

/* Loop: bit 0 without io_uring, bit 1 fewer threads than put() calls, the rest another cut. */
START_TEST(target_becomes_the_cut)
{
	uint64_t size = (24u << 20) + (_i & 4 ? 0 : 1234), beyond = 10000;
	_cleanup_(fake_freep) struct fake_volume *f = fake_new(size);
	_cleanup_(apply_freep) struct apply *a = apply_new(_i & 2 ? 2 : 4);
	_cleanup_close_ int fd = fake_file(size + beyond, 0xee);
	struct plan_volume pv;
	struct manifest *m;
	struct link l = {.a = a};
	struct pipeline p = {.volume = &pv, .workers = 4, .level = 1, .sink = {put, &l, false}};
	struct pipeline_progress g = {0};
	struct apply_counts c;
	struct err e = ERR_INIT;
	uint8_t *got;

	setenv("SRSYNC_NO_URING", _i & 1 ? "1" : "0", 1);
	rnd = _i;
	fake_fill(f, _i & 8 ? 4096 : 65536, &rnd);
	p.m = l.m = m = fake_manifest(&f, NULL, 1, &pv);
	ck_assert_int_eq(apply_target_init(&l.t, fd, size, 0, &e), 0);
	ck_assert_msg(pipeline_run(&p, &g, &e) == 0, "%s", e.text);
	got = contents(fd, size + beyond);
	ck_assert_int_eq(memcmp(got, f->bytes, size), 0);
	for (uint64_t i = size; i < size + beyond; i++)
		ck_assert_uint_eq(got[i], 0xee);
	apply_counts(a, &c);
	ck_assert_uint_eq(c.write_bytes, g.read_bytes - g.zero_bytes);
	ck_assert_uint_eq(c.write_bytes + c.zero_bytes + c.discard_bytes, size);
	ck_assert_uint_gt(c.discards, 0);
	ck_assert_uint_eq(c.discard_bytes % APPLY_FILE_UNIT, 0);
	free(got);
	free(m);
}
END_TEST

static struct manifest *manifest_of(uint64_t size)
{
	struct manifest *m = xcalloc(1, sizeof(*m));

	m->segments = m->volumes = 1;
	m->volume[0].size = size;
	return m;
}

/* A frame of raw data with these extents, decoded; the frame is in out. */
static struct segment *segment_of(const struct manifest *m, const struct segment_extent *x,
				  unsigned n, struct buf *out)
{
	_cleanup_free_ struct segment *s = xcalloc(1, sizeof(*s));
	struct err e = ERR_INIT;
	struct segment *got;

	for (unsigned i = 0; i < n; i++) {
		s->extent[s->extents++] = x[i];
		s->raw_len += x[i].kind == SEGMENT_DATA ? x[i].length : 0;
	}
	s->stored_len = s->raw_len;
	segment_put_head(s, out);
	for (unsigned i = 0; i < s->raw_len + SEGMENT_SUM; i++)
		buf_put_u8(out, 'x');
	segment_seal(out->data, out->len, m->seed);
	got = segment_decode(out->data, out->len, m, &e);
	ck_assert_msg(got != NULL, "%s", e.text);
	return got;
}

#define UNIT APPLY_FILE_UNIT

/* Whole units are given back, their edges written, small zeros written. */
START_TEST(discards_whole_units_only)
{
	static const struct segment_extent x[] = {
		{0, 4096, SEGMENT_DATA},
		{4096, 3 * UNIT, SEGMENT_DISCARD},               /* units 1, 2; two edges */
		{4 * UNIT, UNIT, SEGMENT_ZERO},                  /* unit 4 */
		{5 * UNIT + 4096, UNIT - 4096, SEGMENT_DISCARD}, /* no whole unit */
		{6 * UNIT + 4096, UNIT, SEGMENT_DISCARD},        /* nor here */
		{8 * UNIT, 4096, SEGMENT_DATA},
		{8 * UNIT + 4096, 4096, SEGMENT_DATA},
	};
	uint64_t size = 10 * UNIT;
	struct manifest *m = manifest_of(size);
	_cleanup_(apply_freep) struct apply *a = apply_new(1);
	_cleanup_buf_ struct buf frame = BUF_INIT;
	_cleanup_(segment_freep) struct segment *s = segment_of(m, x, ARRAY_SIZE(x), &frame);
	_cleanup_close_ int fd = fake_file(size, 0xee);
	struct apply_target t;
	struct apply_counts c;
	struct err e = ERR_INIT;
	struct stat st;
	uint8_t *got;

	ck_assert_int_eq(apply_target_init(&t, fd, size, 0, &e), 0);
	ck_assert_int_eq(apply_segment(a, s, &t, &e), 0);
	apply_counts(a, &c);
	ck_assert_uint_eq(c.writes, 3);
	ck_assert_uint_eq(c.write_bytes, 3 * 4096);
	ck_assert_uint_eq(c.discards, 2);
	ck_assert_uint_eq(c.discard_bytes, 3 * UNIT);
	ck_assert_uint_eq(c.zeroings, 4);
	ck_assert_uint_eq(c.zero_bytes, UNIT + (UNIT - 4096) + UNIT);
	ck_assert_int_eq(fsync(fd), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_size, size);
	ck_assert_uint_lt(st.st_blocks, 8 * UNIT / 512); /* three units were given back */
	got = contents(fd, size);
	for (unsigned i = 0, k = 0; i < size; i++) {
		while (k < ARRAY_SIZE(x) && i >= x[k].offset + x[k].length)
			k++;
		if (got[i] != (k == ARRAY_SIZE(x) || i < x[k].offset ? 0xee
			       : x[k].kind == SEGMENT_DATA           ? 'x'
								     : 0))
			ck_abort_msg("byte %u is %x", i, got[i]);
	}
	free(got);
	free(m);
}
END_TEST

static void unchanged(int fd, uint64_t size)
{
	uint8_t *got = contents(fd, size);

	ck_assert(got[0] == 0xee && memcmp(got, got + 1, size - 1) == 0);
	free(got);
}

/* Compressed data that is whole by its checksum and yet does not unpack: no extent is touched. */
START_TEST(checks_before_it_writes)
{
	static const struct segment_extent x[] = {{0, 65536, SEGMENT_DISCARD},
						  {65536, 8192, SEGMENT_DATA}};
	struct manifest *m = manifest_of(1u << 20);
	_cleanup_(apply_freep) struct apply *a = apply_new(1);
	_cleanup_buf_ struct buf frame = BUF_INIT;
	_cleanup_(segment_freep) struct segment *s = segment_of(m, x, 2, &frame);
	_cleanup_close_ int fd = fake_file(1u << 20, 0xee);
	struct apply_target t;
	struct err e = ERR_INIT;

	ck_assert_int_eq(apply_target_init(&t, fd, 1u << 20, 0, &e), 0);
	s->pack = SEGMENT_ZSTD;
	ck_assert_int_eq(apply_segment(a, s, &t, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "compressed data is damaged"));
	s->pack = SEGMENT_RAW;
	t.size = 65536; /* a target smaller than the manifest says */
	ck_assert_int_eq(apply_segment(a, s, &t, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "beyond the target's end"));
	unchanged(fd, 1u << 20);
	ck_assert_int_eq(apply_target_init(&t, fd, (1u << 20) + 1, 0, &e), -1);
	free(m);
}
END_TEST

START_TEST(names_the_place_of_an_error)
{
	static const struct segment_extent x[] = {{8192, APPLY_FILE_SMALL, SEGMENT_DATA}};
	struct manifest *m = manifest_of(1u << 20);
	_cleanup_(apply_freep) struct apply *a = apply_new(1);
	_cleanup_buf_ struct buf frame = BUF_INIT;
	_cleanup_(segment_freep) struct segment *s = segment_of(m, x, 1, &frame);
	_cleanup_close_ int fd = fake_file(1u << 20, 0xee), readable = -1;
	struct apply_target t;
	struct err e = ERR_INIT;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	readable = open(path, O_RDONLY);
	ck_assert_int_eq(apply_target_init(&t, readable, 1u << 20, 0, &e), 0);
	ck_assert_int_eq(apply_segment(a, s, &t, &e), -1);
	ck_assert_str_eq(e.text, "write of 65536 bytes at offset 8192: Bad file descriptor");
	ck_assert_int_eq(apply_target_init(&t, fd, 1u << 20, 0, &e), 0);
	ck_assert_int_eq(apply_segment(a, s, &t, &e), 0); /* the worker is as good as new */
	free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("apply");
	TCase *t = tcase_create("apply");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, target_becomes_the_cut, 0, 16);
	tcase_add_test(t, discards_whole_units_only);
	tcase_add_test(t, checks_before_it_writes);
	tcase_add_test(t, names_the_place_of_an_error);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
