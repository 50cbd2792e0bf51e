/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: what leaves the pipeline is the cut, byte by byte; reads are those needed and no others; an
 * error or a cancel anywhere ends it; memory does not grow with the volume. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fake_volume.h"
#include "pipeline.h"
#include "segment_pack.h"

static uint64_t rnd = 1;

/* A peer in memory. */
struct peer {
	const struct manifest *m;
	uint8_t *image[2];
	bool in_order;
	unsigned delay_us;
	unsigned together; /* nobody leaves before so many are in */
	uint64_t fail_at;  /* number of the segment that is refused */
	atomic_bool *cancel;

	pthread_mutex_t mutex;
	pthread_cond_t entered;
	bool busy[PIPELINE_WORKERS_MAX];
	uint64_t got, highest, at_once, at_once_max;
	uint8_t seen[4096];
};

static void enter(struct peer *w, unsigned worker, uint64_t number)
{
	pthread_mutex_lock(&w->mutex);
	ck_assert(!w->busy[worker]);
	w->busy[worker] = true;
	ck_assert_uint_eq(w->seen[number]++, 0);
	if (w->in_order)
		ck_assert(w->got == 0 || number > w->highest);
	w->highest = number;
	w->got++;
	w->at_once++;
	w->at_once_max = w->at_once > w->at_once_max ? w->at_once : w->at_once_max;
	pthread_cond_broadcast(&w->entered);
	pthread_mutex_unlock(&w->mutex);
}

/* The wait is long: a busy machine may take its time, only too few at once may not. */
static void leave(struct peer *w, unsigned worker)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	pthread_mutex_lock(&w->mutex);
	while (w->at_once_max < w->together)
		if (pthread_cond_timedwait(&w->entered, &w->mutex, &until) != 0)
			break;
	w->busy[worker] = false;
	w->at_once--;
	pthread_mutex_unlock(&w->mutex);
}

static void store(struct peer *w, const struct segment *s)
{
	_cleanup_(segment_unpacker_freep) struct segment_unpacker *u = segment_unpacker_new();
	_cleanup_free_ uint8_t *raw = xmalloc(s->raw_len);
	const uint8_t *p = raw;
	struct err e = ERR_INIT;

	ck_assert_int_eq(segment_unpack(u, s, raw, &e), 0);
	for (unsigned i = 0; w->image[s->volume] && i < s->extents; i++) {
		const struct segment_extent *x = &s->extent[i];
		uint8_t *to = w->image[s->volume] + x->offset;

		if (x->kind == SEGMENT_DATA) {
			memcpy(to, p, x->length);
			p += x->length;
		} else {
			memset(to, 0, x->length);
		}
	}
}

static int put(void *arg, unsigned worker, uint64_t number, const struct buf *frame, struct err *e)
{
	struct peer *w = arg;
	_cleanup_(segment_freep) struct segment *s = NULL;

	enter(w, worker, number);
	s = segment_decode(frame->data, frame->len, w->m, e);
	ck_assert_msg(s != NULL, "%s", e->text);
	ck_assert_uint_eq(s->number, number);
	store(w, s);
	usleep(w->delay_us);
	leave(w, worker);
	if (w->cancel && w->got >= 5)
		*w->cancel = true;
	return number == w->fail_at ? err_set(e, ERR_PEER, "no more, please") : 0;
}

static struct peer *peer_new(const struct manifest *m)
{
	struct peer *w = xcalloc(1, sizeof(*w));

	w->m = m;
	w->fail_at = UINT64_MAX;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->entered, NULL);
	return w;
}

static struct pipeline make(const struct manifest *m, const struct plan_volume *pv, struct peer *w,
			    unsigned workers)
{
	return (struct pipeline){.m = m,
				 .volume = pv,
				 .workers = workers,
				 .level = PIPELINE_LEVEL,
				 .sink = {put, w, w->in_order}};
}

/* Each page of the image is the cut's where the plan has it, and untouched elsewhere. */
static void check_image(const struct fake_volume *f, const struct bset *set, const uint8_t *image)
{
	for (uint64_t at = 0; at < f->v.size; at++) {
		bool shipped = !set || bset_has(set, at / f->v.block_size);

		if (image[at] != (shipped ? f->bytes[at] : 0xee)) /* too many for an assert each */
			ck_abort_msg("byte %llu differs", (unsigned long long)at);
	}
}

/* Loop: bit 0 in order, bit 1 without io_uring, bit 2 one worker, bit 3 a set instead of all. */
START_TEST(ships_the_cut)
{
	struct fake_volume *f[2] = {fake_new(9000000), fake_new((20u << 20) + 512)};
	const struct bset *sets[2] = {_i & 8 ? bset_new() : NULL, NULL};
	struct plan_volume pv[2];
	struct pipeline_progress g = {0};
	struct err e = ERR_INIT;
	struct manifest *m;
	struct peer *w;
	struct pipeline p;

	setenv("SRSYNC_NO_URING", _i & 2 ? "1" : "0", 1);
	rnd = _i;
	for (unsigned i = 0; i < 2; i++)
		fake_fill(f[i], 4096, &rnd);
	for (unsigned i = 0; sets[0] && i < 30; i++)
		bset_add((struct bset *)sets[0], fake_random(&rnd) % 140, 1);
	m = fake_manifest(f, sets, 2, pv);
	w = peer_new(m);
	w->in_order = _i & 1;
	for (unsigned i = 0; i < 2; i++) {
		w->image[i] = xmalloc(f[i]->v.size);
		memset(w->image[i], 0xee, f[i]->v.size);
	}
	p = make(m, pv, w, _i & 4 ? 1 : 5);
	ck_assert_msg(pipeline_run(&p, &g, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(w->got, m->segments);
	ck_assert_uint_eq(g.segments, m->segments);
	ck_assert_uint_eq(g.data_bytes, m->data_bytes);
	ck_assert_uint_eq(g.read_bytes, m->data_bytes);
	ck_assert_uint_gt(g.zero_bytes, 0);
	ck_assert_uint_lt(g.sent_bytes, g.read_bytes - g.zero_bytes);
	ck_assert_uint_gt(g.cpu_us, 0);
	for (unsigned i = 0; i < 2; i++) {
		check_image(f[i], sets[i], w->image[i]);
		free(w->image[i]);
		fake_free(f[i]);
	}
	bset_free((struct bset *)sets[0]);
	free(w);
	free(m);
}
END_TEST

struct fixture {
	struct fake_volume *f;
	struct manifest *m;
	struct plan_volume pv;
	struct peer *w;
	struct pipeline p;
	struct pipeline_progress g;
	struct err e;
} x;

/* 30 full segments. */
static void setup(void)
{
	memset(&x, 0, sizeof(x));
	x.f = fake_new(120u << 20);
	fake_add(x.f, VOLUME_DATA, 120u << 20, FAKE_TEXT, &rnd);
	x.m = fake_manifest(&x.f, NULL, 1, &x.pv);
	x.w = peer_new(x.m);
	x.p = make(x.m, &x.pv, x.w, PIPELINE_WORKERS);
	ck_assert_uint_eq(x.m->segments, 30);
}

static void teardown(void)
{
	fake_free(x.f);
	free(x.m);
	free(x.w);
}

START_TEST(skips_what_the_peer_has)
{
	struct bset *done = bset_new();

	bset_add(done, 0, 3);
	bset_add(done, 20, 5);
	x.p.done = done;
	x.p.sink.in_order = x.w->in_order = _i;
	ck_assert_int_eq(pipeline_run(&x.p, &x.g, &x.e), 0);
	ck_assert_uint_eq(x.w->got, 22);
	for (unsigned i = 0; i < 30; i++)
		ck_assert_uint_eq(x.w->seen[i], !bset_has(done, i));
	ck_assert_uint_eq(x.g.read_bytes, 22u << 22); /* not a byte of the others */
	ck_assert_uint_eq(x.g.segments, 30);
	ck_assert_uint_eq(x.g.data_bytes, x.m->data_bytes);
	bset_free(done);
}
END_TEST

START_TEST(puts_in_parallel)
{
	x.w->together = PIPELINE_WORKERS;
	ck_assert_int_eq(pipeline_run(&x.p, &x.g, &x.e), 0);
	ck_assert_uint_eq(x.w->at_once_max, PIPELINE_WORKERS);
}
END_TEST

START_TEST(ends_at_a_refusal)
{
	x.p.sink.in_order = x.w->in_order = _i;
	x.w->delay_us = 50000; /* so that the refusal is known before the next ones */
	x.w->fail_at = 6;
	ck_assert_int_eq(pipeline_run(&x.p, &x.g, &x.e), -1);
	ck_assert_str_eq(x.e.text, "no more, please");
	ck_assert_int_eq(x.e.code, ERR_PEER);
	ck_assert_uint_lt(x.w->got, 6 + 2 * PIPELINE_WORKERS);
}
END_TEST

START_TEST(ends_at_a_read_error)
{
	x.f->unreadable = true;
	ck_assert_int_eq(pipeline_run(&x.p, &x.g, &x.e), -1);
	ck_assert_str_eq(x.e.text, "cut of fake: read of 4194304 bytes at offset 0: "
				   "Bad file descriptor");
	ck_assert_uint_eq(x.w->got, 0);
}
END_TEST

START_TEST(ends_when_the_map_changes)
{
	x.f->x[0].kind = VOLUME_HOLE;
	ck_assert_int_eq(pipeline_run(&x.p, &x.g, &x.e), -1);
	ck_assert_ptr_nonnull(strstr(x.e.text, "not what it was"));
	x.f->x[0].kind = VOLUME_DATA;
	x.m->segments--;
	ck_assert_int_eq(pipeline_run(&x.p, &x.g, &x.e), -1);
	ck_assert_ptr_nonnull(strstr(x.e.text, "not what it was"));
}
END_TEST

START_TEST(ends_when_cancelled)
{
	atomic_bool cancel = false;

	x.w->cancel = &cancel;
	x.w->delay_us = 50000;
	x.p.cancel = &cancel;
	ck_assert_int_eq(pipeline_run(&x.p, &x.g, &x.e), -1);
	ck_assert_str_eq(x.e.text, "cancelled");
	ck_assert_uint_lt(x.w->got, 30);
}
END_TEST

static uint64_t peak_memory(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	unsigned long kib = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) && sscanf(line, "VmHWM: %lu", &kib) != 1)
		;
	fclose(f);
	return kib << 10;
}

/* 1 GiB of data, which the file holds as one hole: every page is read and found zero. */
START_TEST(memory_is_bounded)
{
	struct fake_volume *f = fake_new(4096);
	struct plan_volume pv;
	struct manifest *m;
	struct pipeline p;
	uint64_t before = peak_memory();

	ck_assert_int_eq(ftruncate(f->fd, 1ULL << 30), 0);
	f->v.size = 1ULL << 30;
	f->n = 1;
	f->x[0].kind = VOLUME_DATA;
	f->x[0].length = f->v.size;
	m = fake_manifest(&f, NULL, 1, &pv);
	p = make(m, &pv, x.w, PIPELINE_WORKERS);
	x.w->m = m;
	ck_assert_msg(pipeline_run(&p, &x.g, &x.e) == 0, "%s", x.e.text);
	ck_assert_uint_eq(x.g.zero_bytes, 1ULL << 30);
	ck_assert_uint_lt(peak_memory() - before, 64u << 20);
	free(m);
	fake_free(f);
}
END_TEST

START_TEST(nothing_to_ship)
{
	struct bset *none = bset_new();
	const struct bset *sets[] = {none};
	struct manifest *m = fake_manifest(&x.f, sets, 1, &x.pv);

	x.p = make(m, &x.pv, x.w, 2);
	ck_assert_uint_eq(m->segments, 0);
	ck_assert_int_eq(pipeline_run(&x.p, &x.g, &x.e), 0);
	ck_assert_uint_eq(x.w->got, 0);
	free(m);
	bset_free(none);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pipeline");
	TCase *cut = tcase_create("cut"), *t = tcase_create("rest");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(cut, 300);
	tcase_add_loop_test(cut, ships_the_cut, 0, 16);
	suite_add_tcase(s, cut);
	tcase_set_timeout(t, 300);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, skips_what_the_peer_has, 0, 2);
	tcase_add_test(t, puts_in_parallel);
	tcase_add_loop_test(t, ends_at_a_refusal, 0, 2);
	tcase_add_test(t, ends_at_a_read_error);
	tcase_add_test(t, ends_when_the_map_changes);
	tcase_add_test(t, ends_when_cancelled);
	tcase_add_test(t, memory_is_bounded);
	tcase_add_test(t, nothing_to_ship);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
