/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: a stream is read as it was written; cut short or changed anywhere, it is refused; the
 * example of srsync-stream(5) is one. */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fake_volume.h"
#include "io.h"
#include "pipeline.h"
#include "segment_pack.h"
#include "stream.h"

static uint64_t rnd = 1;

static int memory_file(const void *p, size_t n)
{
	int fd = memfd_create("stream", 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(io_pwrite(fd, p, n, 0), 0);
	return fd;
}

/* The stream that the hex dump in the manual shows. */
static void example(struct buf *out)
{
	const char *dir = getenv("srcdir");
	_cleanup_free_ char *path = xasprintf("%s/man/srsync-stream.5", dir ? dir : ".");
	FILE *f = fopen(path, "r");
	char line[256];

	ck_assert_msg(f != NULL, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		char *bar = strchr(line, '|'), *p = line + 8, *end;

		if (!bar || strspn(line, "0123456789abcdef") != 8)
			continue;
		ck_assert_uint_eq(strtoul(line, NULL, 16), out->len);
		*bar = '\0';
		for (unsigned long v = strtoul(p, &end, 16); end != p; v = strtoul(p, &end, 16)) {
			buf_put_u8(out, v);
			p = end;
		}
	}
	fclose(f);
}

/* The number of segments, or -1 when anything is refused; e says why. */
static int count(const void *p, size_t n, struct err *e)
{
	_cleanup_close_ int fd = memory_file(p, n);
	_cleanup_(stream_free) struct stream s = STREAM_INIT(fd);
	struct segment *seg;
	int r = stream_read_begin(&s, e), segments = 0;

	if (r == 0)
		return err_set(e, ERR_FAILED, "nothing there");
	while (r > 0 && (r = stream_read_segment(&s, &seg, e)) > 0) {
		segments++;
		segment_free(seg);
	}
	return r < 0 ? -1 : segments;
}

START_TEST(the_manual_tells_the_truth)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_(segment_unpacker_freep) struct segment_unpacker *u = segment_unpacker_new();
	_cleanup_close_ int fd = -1;
	struct stream s;
	struct segment *seg;
	struct err e = ERR_INIT;
	uint8_t data[4096];

	example(&b);
	ck_assert_uint_eq(b.len, 0x214);
	fd = memory_file(b.data, b.len);
	s = (struct stream)STREAM_INIT(fd);
	ck_assert_msg(stream_read_begin(&s, &e) == 1, "%s", e.text);
	ck_assert_str_eq(s.m->generation, "0123456789abcdef0123456789abcdef");
	ck_assert_str_eq(s.m->volume[0].target, "vg1/data");
	ck_assert_uint_eq(s.m->base_seq, 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0x175);
	ck_assert_msg(stream_read_segment(&s, &seg, &e) == 1, "%s", e.text);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0x1f4);
	ck_assert_uint_eq(seg->extents, 3);
	ck_assert_int_eq(seg->extent[1].kind, SEGMENT_ZERO);
	ck_assert_uint_eq(seg->extent[1].length, 4096);
	ck_assert_int_eq(seg->extent[2].kind, SEGMENT_DISCARD);
	ck_assert_uint_eq(seg->extent[2].offset + seg->extent[2].length, 65536);
	ck_assert_int_eq(segment_unpack(u, seg, data, &e), 0);
	ck_assert(data[0] == 'A' && memcmp(data, data + 1, sizeof(data) - 1) == 0);
	segment_free(seg);
	ck_assert_int_eq(stream_read_segment(&s, &seg, &e), 0);
	ck_assert_int_eq(stream_read_begin(&s, &e), 0);
	stream_free(&s);
}
END_TEST

START_TEST(torn_is_refused)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	example(&b);
	ck_assert_int_eq(count(b.data, b.len, &e), 1);
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_eq(count(b.data, n, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "ends in the middle"));
	ck_assert_ptr_nonnull(strstr(e.hint, "send it again"));
	ck_assert_int_eq(count(b.data, 0x1f4, &e), -1);
	ck_assert_str_eq(e.text, "the stream ends before segment 1 of 1");
}
END_TEST

START_TEST(damage_is_refused)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	example(&b);
	for (size_t i = 0; i < b.len; i++) {
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			b.data[i] ^= bit;
			ck_assert_int_eq(count(b.data, b.len, &e), -1);
			b.data[i] ^= bit;
		}
	}
	b.data[8]++;
	ck_assert_int_eq(count(b.data, b.len, &e), -1);
	ck_assert_str_eq(e.text, "a stream of format 2, this srsync knows 1");
}
END_TEST

/* A writer in another thread and a pipe: two cuts, one after the other. */
struct sender {
	int fd;
	const struct manifest *m;
	const struct plan_volume *pv;
};

static int put(void *arg, unsigned worker, uint64_t number, const struct buf *frame, struct err *e)
{
	(void)worker, (void)number;
	return stream_write_segment(*(int *)arg, frame, e);
}

static void *send_two(void *arg)
{
	struct sender *s = arg;
	struct pipeline p = {.m = s->m, .volume = s->pv, .workers = 3, .level = 1};
	struct err e = ERR_INIT;

	p.sink.put = put;
	p.sink.arg = &s->fd;
	p.sink.in_order = true;
	for (unsigned i = 0; i < 2; i++) {
		struct pipeline_progress g = {0};

		ck_assert_int_eq(stream_write_begin(s->fd, s->m, &e), 0);
		ck_assert_msg(pipeline_run(&p, &g, &e) == 0, "%s", e.text);
		ck_assert_int_eq(stream_write_end(s->fd, s->m, s->m->segments, &e), 0);
	}
	close(s->fd);
	return NULL;
}

static void check_segment(const struct fake_volume *f, const struct segment *seg)
{
	_cleanup_(segment_unpacker_freep) struct segment_unpacker *u = segment_unpacker_new();
	_cleanup_free_ uint8_t *raw = xmalloc(seg->raw_len);
	const uint8_t *p = raw;
	struct err e = ERR_INIT;

	ck_assert_int_eq(segment_unpack(u, seg, raw, &e), 0);
	for (unsigned i = 0; i < seg->extents; i++) {
		const struct segment_extent *x = &seg->extent[i];
		const uint8_t *want = f->bytes + x->offset;

		if (x->kind == SEGMENT_DATA) {
			ck_assert_int_eq(memcmp(p, want, x->length), 0);
			p += x->length;
		} else {
			ck_assert(want[0] == 0 && memcmp(want, want + 1, x->length - 1) == 0);
		}
	}
}

START_TEST(through_a_pipe)
{
	_cleanup_(fake_freep) struct fake_volume *f = fake_new((30u << 20) + 100);
	struct plan_volume pv;
	struct manifest *m;
	struct sender out;
	struct err e = ERR_INIT;
	pthread_t t;
	int fd[2];

	fake_fill(f, 65536, &rnd);
	m = fake_manifest(&f, NULL, 1, &pv);
	ck_assert_int_eq(pipe(fd), 0);
	out = (struct sender){fd[1], m, &pv};
	pthread_create(&t, NULL, send_two, &out);
	{
		_cleanup_(stream_free) struct stream s = STREAM_INIT(fd[0]);
		struct segment *seg;
		int r;

		for (unsigned i = 0; i < 2; i++) {
			uint64_t next = 0, covered = 0;

			ck_assert_msg(stream_read_begin(&s, &e) == 1, "%s", e.text);
			ck_assert_uint_eq(s.m->segments, m->segments);
			while ((r = stream_read_segment(&s, &seg, &e)) > 0) {
				ck_assert_uint_eq(seg->number, next++);
				check_segment(f, seg);
				for (unsigned k = 0; k < seg->extents; k++)
					covered += seg->extent[k].length;
				segment_free(seg);
			}
			ck_assert_msg(r == 0, "%s", e.text);
			ck_assert_uint_eq(next, m->segments);
			ck_assert_uint_eq(covered, f->v.size);
		}
		ck_assert_int_eq(stream_read_begin(&s, &e), 0);
	}
	pthread_join(t, NULL);
	close(fd[0]);
	free(m);
}
END_TEST

/* A frame of the segment with this number: a hole. */
static void put_hole(struct buf *b, const struct manifest *m, uint64_t number)
{
	_cleanup_free_ struct segment *s = xcalloc(1, sizeof(*s));
	size_t start = b->len;

	s->number = number;
	s->extents = 1;
	s->extent[0] = (struct segment_extent){number * 4096, 4096, SEGMENT_DISCARD};
	segment_put_head(s, b);
	buf_put_le64(b, 0);
	buf_put_le64(b, 0);
	segment_seal(b->data + start, b->len - start, m->seed);
}

/* Whole frames in the wrong places. */
START_TEST(order_and_count)
{
	static const struct {
		int number[4]; /* -1: none */
		uint64_t said;
		int result;
	} tries[] = {
		{{0, 1, 2, 3}, 4, 4},    {{0, 2, -1, -1}, 2, 2},  {{-1, -1, -1, -1}, 0, 0},
		{{0, 1, 2, 3}, 3, -1},   {{0, 1, 3, -1}, 4, -1},  {{1, 0, -1, -1}, 2, -1},
		{{1, 1, -1, -1}, 2, -1}, {{0, 4, -1, -1}, 2, -1},
	};
	struct fake_volume *f = fake_new(16384);
	struct plan_volume pv;
	struct manifest *m;
	struct err e = ERR_INIT;

	fake_fill(f, 4096, &rnd);
	m = fake_manifest(&f, NULL, 1, &pv);
	m->segments = 4;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		_cleanup_close_ int fd = memfd_create("out", 0);
		_cleanup_buf_ struct buf whole = BUF_INIT;
		size_t size;

		for (unsigned k = 0; k < 4 && tries[i].number[k] >= 0; k++)
			put_hole(&b, m, tries[i].number[k]);
		ck_assert_int_eq(stream_write_begin(fd, m, &e), 0);
		ck_assert_int_eq(stream_write_segment(fd, &b, &e), 0);
		ck_assert_int_eq(stream_write_end(fd, m, tries[i].said, &e), 0);
		size = lseek(fd, 0, SEEK_CUR);
		buf_reserve(&whole, size);
		whole.len = size;
		ck_assert_int_eq(io_pread(fd, whole.data, whole.len, 0), 0);
		ck_assert_int_eq(count(whole.data, whole.len, &e), tries[i].result);
	}
	free(m);
	fake_free(f);
}
END_TEST

/* Manifests whose frame is right and whose JSON is not. */
START_TEST(manifests_are_checked)
{
	static const char *const wrong[][2] = {
		{"\"format\":1", "\"format\":2"},
		{"\"format\":1", "\"format\":\"1\""},
		{"\"seq\":7", "\"seq\":0"},
		{"\"seq\":7", "\"seq\":-7"},
		{"\"seq\":6", "\"seq\":0"},
		{"0123456789abcdef0123", "0123456789ABCDEF0123"},
		{"5eed5eed5eed5eed", "5eed5eed5eed5ee"},
		{"\"volumes\":[", "\"volumes\":[],\"x\":["},
		{"vg0/data", ""},
		{"vg0/data", "vg0/\\u001b[2J"},
		{"vg0/data", "vg0/\\u0000"},
		{"\"size\":16384", "\"size\":0"},
		{"\"size\":16384", "\"size\":9223372036854775808"},
		{"\"block_size\":65536", "\"block_size\":4294967296"},
		{"\"full\":true", "\"full\":1"},
		{"\"segments\":", "\"segments\":4294967297,\"x\":"},
		{"\"pause_us\":", "\"pause\":"},
		{"}]}", "}]"},
	};
	struct fake_volume *f = fake_new(16384);
	struct plan_volume pv;
	struct manifest *m, *back;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	char *json;

	fake_fill(f, 4096, &rnd);
	m = fake_manifest(&f, NULL, 1, &pv);
	ck_assert_int_eq(manifest_encode(m, &b, &e), 0);
	back = manifest_decode(b.data, b.len, &e);
	ck_assert_msg(back != NULL, "%s", e.text);
	ck_assert_int_eq(memcmp(m, back, sizeof(*m)), 0);
	manifest_free(back);
	json = xasprintf("%.*s", (int)(b.len - MANIFEST_HEAD - MANIFEST_DIGEST),
			 (char *)b.data + MANIFEST_HEAD);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char *at = strstr(json, wrong[i][0]);
		_cleanup_free_ char *text = NULL;

		ck_assert_msg(at != NULL, "%s", wrong[i][0]);
		text = xasprintf("%.*s%s%s", (int)(at - json), json, wrong[i][1],
				 at + strlen(wrong[i][0]));
		ck_assert_msg(manifest_parse(text, strlen(text), &e) == NULL, "%s", text);
	}
	free(json);
	free(m);
	fake_free(f);
}
END_TEST

START_TEST(changes_need_a_base)
{
	struct fake_volume *f = fake_new(16384);
	struct bset *set = bset_new();
	const struct bset *sets[] = {set};
	struct plan_volume pv;
	struct manifest *m = NULL, *back;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	m = fake_manifest(&f, sets, 1, &pv);
	ck_assert_int_eq(manifest_encode(m, &b, &e), 0);
	back = manifest_decode(b.data, b.len, &e);
	ck_assert_int_eq(memcmp(m, back, sizeof(*m)), 0);
	manifest_free(back);
	buf_reset(&b);
	m->base_seq = 0;
	ck_assert_int_eq(manifest_encode(m, &b, &e), 0);
	ck_assert_ptr_null(manifest_decode(b.data, b.len, &e));
	ck_assert_str_eq(e.text, "manifest: volume 0: changes without a base");
	strcpy(m->volume[0].name, "vg0/\xff");
	ck_assert_int_eq(manifest_encode(m, &b, &e), -1);
	free(m);
	bset_free(set);
	fake_free(f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream");
	TCase *t = tcase_create("stream");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, the_manual_tells_the_truth);
	tcase_add_test(t, torn_is_refused);
	tcase_add_test(t, damage_is_refused);
	tcase_add_test(t, through_a_pipe);
	tcase_add_test(t, order_and_count);
	tcase_add_test(t, manifests_are_checked);
	tcase_add_test(t, changes_need_a_base);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
