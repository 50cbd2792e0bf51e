/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the plan covers the set, in bounded segments, and depends on nothing but the cut. */
#include <check.h>
#include <string.h>

#include "fake_volume.h"

#define PAGE 4096

static uint64_t rnd = 1;

struct seen {
	struct fake_volume *const *f;
	uint8_t *page[2]; /* per page of the volume: 0 not planned, 1 data, 2 discard */
	uint64_t hash, segments, extents, data_bytes;
	uint64_t end; /* of the last extent in this volume */
	unsigned volume;
	int stop; /* 0, or the result once so many segments were seen */
};

static void mix(struct seen *w, uint64_t v)
{
	w->hash ^= v;
	w->hash = fake_random(&w->hash);
}

static void see_extent(struct seen *w, const struct segment *s, const struct segment_extent *x)
{
	uint64_t end = x->offset + x->length, size = w->f[s->volume]->v.size;

	ck_assert_uint_ge(x->offset, w->end);
	ck_assert_uint_eq(x->offset % PAGE, 0);
	ck_assert(end == size || (end < size && end % PAGE == 0));
	for (uint64_t at = x->offset; w->page[s->volume] && at < end; at += PAGE)
		w->page[s->volume][at / PAGE] = x->kind == SEGMENT_DATA ? 1 : 2;
	w->end = end;
	w->extents++;
	mix(w, x->offset);
	mix(w, x->length);
	mix(w, x->kind);
}

static int see(void *arg, const struct segment *s, struct err *e)
{
	struct seen *w = arg;
	uint64_t data = 0, clear = 0;

	ck_assert_uint_eq(s->number, w->segments++);
	ck_assert_uint_ge(s->volume, w->volume);
	if (s->volume != w->volume)
		w->end = 0;
	w->volume = s->volume;
	ck_assert_uint_ge(s->extents, 1);
	ck_assert_uint_le(s->extents, PLAN_EXTENTS_MAX);
	for (unsigned i = 0; i < s->extents; i++) {
		see_extent(w, s, &s->extent[i]);
		*(s->extent[i].kind == SEGMENT_DATA ? &data : &clear) += s->extent[i].length;
	}
	ck_assert_uint_eq(data, s->raw_len);
	ck_assert_uint_le(data, SEGMENT_DATA_MAX);
	ck_assert_uint_le(clear, PLAN_CLEAR_MAX);
	w->data_bytes += data;
	mix(w, s->number);
	return w->segments == (uint64_t)w->stop ? err_set(e, ERR_FAILED, "enough") : 0;
}

static struct seen walk(struct fake_volume *const *f, const struct bset *const *sets, unsigned n,
			uint8_t *page)
{
	struct plan_volume pv[2];
	struct manifest *m = fake_manifest(f, sets, n, pv);
	struct seen w = {.f = f, .page = {page}};
	struct err e = ERR_INIT;

	ck_assert_msg(plan_walk(pv, n, see, &w, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(w.segments, m->segments);
	ck_assert_uint_eq(w.data_bytes, m->data_bytes);
	free(m);
	return w;
}

/* What each page must be, from the map and the set by brute force. */
static void check_pages(const struct fake_volume *f, const struct bset *set, const uint8_t *page)
{
	unsigned pages = (f->v.size + PAGE - 1) / PAGE;
	uint8_t *in = xcalloc(1, f->v.size), *data = xcalloc(1, f->v.size);

	for (unsigned i = 0; i < f->n; i++)
		memset(data + f->x[i].offset, f->x[i].kind == VOLUME_DATA, f->x[i].length);
	for (uint64_t at = 0; at < f->v.size; at++)
		in[at] = !set || bset_has(set, at / f->grain);
	for (unsigned i = 0; i < pages; i++) {
		uint64_t from = (uint64_t)i * PAGE,
			 to = from + PAGE < f->v.size ? from + PAGE : f->v.size;
		unsigned n_in = 0, n_data = 0;

		for (uint64_t at = from; at < to; at++) {
			n_in += in[at];
			n_data += in[at] && data[at];
		}
		ck_assert_uint_eq(page[i], n_in == 0 ? 0 : n_data || n_in < to - from ? 1 : 2);
	}
	free(in);
	free(data);
}

static struct bset *random_set(const struct fake_volume *f)
{
	struct bset *s = bset_new();
	uint64_t blocks = f->v.size / f->grain + 5; /* some of them beyond the end */

	for (unsigned i = 0; i < 30; i++)
		bset_add(s, fake_random(&rnd) % blocks, 1 + fake_random(&rnd) % 4);
	return s;
}

/* Units of 512 bytes: extents and blocks that share pages. Split maps: the same plan. */
START_TEST(covers_the_set)
{
	static const uint64_t units[] = {512, 4096, 65536};
	uint64_t unit = units[_i % 3], size = 3000 * unit / (1 + unit / 8192) + (_i % 2 ? 512 : 0);
	_cleanup_(fake_freep) struct fake_volume *f = NULL;
	_cleanup_(bset_freep) struct bset *set = NULL;
	uint8_t *page = xcalloc(1, size / PAGE + 1);
	struct seen whole, split;

	rnd = _i;
	f = fake_new(size);
	f->v.block_size = unit * (1 + _i % 4);
	f->grain = _i < 24 ? f->v.block_size : 512u << fake_random(&rnd) % 12;
	fake_fill(f, unit, &rnd);
	set = _i % 5 ? random_set(f) : NULL;
	whole = walk(&f, (const struct bset *const *)&set, 1, page);
	check_pages(f, set, page);
	for (f->split = 512; f->split < 200000; f->split = f->split * 3 / 512 * 512) {
		split = walk(&f, (const struct bset *const *)&set, 1, NULL);
		ck_assert_uint_eq(split.hash, whole.hash);
		ck_assert_uint_eq(split.segments, whole.segments);
	}
	free(page);
}
END_TEST

/* Two volumes; data fills segments to the brim, holes join unless they are huge. */
START_TEST(bounds_segments)
{
	struct fake_volume *f[2] = {fake_new(3000ULL << 20), fake_new(64u << 20)};
	struct seen w;

	free(TAKE(f[0]->bytes));
	f[0]->n = 1;
	f[0]->x[0].kind = VOLUME_HOLE;
	f[0]->x[0].length = 3000ULL << 20;
	f[1]->n = 1;
	f[1]->x[0].kind = VOLUME_DATA;
	f[1]->x[0].length = 64u << 20;
	w = walk(f, NULL, 2, NULL);
	ck_assert_uint_eq(w.segments, 3 + 16);
	ck_assert_uint_eq(w.extents, 3 + 16);
	f[1]->n = FAKE_EXTENTS_MAX;
	for (unsigned i = 0; i < FAKE_EXTENTS_MAX; i++) {
		f[1]->x[i].kind = i % 8 ? VOLUME_HOLE : VOLUME_DATA;
		f[1]->x[i].offset = i * 8192;
		f[1]->x[i].length = 8192;
	}
	w = walk(&f[1], NULL, 1, NULL);
	ck_assert_uint_eq(w.extents, 2048); /* holes joined */
	ck_assert_uint_eq(w.data_bytes, 1024 * 8192);
	ck_assert_uint_eq(w.segments, 2);
	fake_free(f[0]);
	fake_free(f[1]);
}
END_TEST

/* Rule 2: a map with a piece missing, or out of order, is not a cut. */
START_TEST(refuses_a_wrong_map)
{
	_cleanup_(fake_freep) struct fake_volume *f = fake_new(1u << 20);
	struct plan_volume pv = {&f->v, "token", NULL, 65536, 1u << 20};
	_cleanup_(bset_freep) struct bset *set = bset_new();
	uint64_t segments, data_bytes;
	struct err e = ERR_INIT;

	fake_fill(f, 4096, &rnd);
	f->lose = 500000;
	ck_assert_int_eq(plan_count(&pv, 1, &segments, &data_bytes, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "of 1048576 bytes to be shipped"));
	bset_add(set, 7, 100);
	pv.set = set;
	ck_assert_int_eq(plan_count(&pv, 1, &segments, &data_bytes, &e), -1);
	f->lose = UINT64_MAX;
	ck_assert_int_eq(plan_count(&pv, 1, &segments, &data_bytes, &e), 0);
	pv.set = NULL;
	f->x[1].offset -= 512;
	ck_assert_int_eq(plan_count(&pv, 1, &segments, &data_bytes, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "out of order"));
}
END_TEST

START_TEST(stops_when_told)
{
	_cleanup_(fake_freep) struct fake_volume *f = fake_new(64u << 20);
	struct plan_volume pv = {&f->v, "token", NULL, 65536, 64u << 20};
	struct seen w = {.f = &f, .stop = 3};
	struct err e = ERR_INIT;

	fake_add(f, VOLUME_DATA, 64u << 20, FAKE_ZEROS, &rnd);
	ck_assert_int_eq(plan_walk(&pv, 1, see, &w, &e), -1);
	ck_assert_str_eq(e.text, "enough");
	ck_assert_uint_eq(w.segments, 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan");
	TCase *t = tcase_create("plan");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, covers_the_set, 0, 72);
	tcase_add_test(t, bounds_segments);
	tcase_add_test(t, refuses_a_wrong_map);
	tcase_add_test(t, stops_when_told);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
