/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: a comparison with a peer finds exactly the leaves that differ, at whatever place, and one
 * flipped byte costs a few round trips; a peer that lies or fails is an error. */
#include <check.h>
#include <fcntl.h>
#include <string.h>

#include "compare.h"
#include "fake_volume.h"

#define MIB (1ULL << 20)

static uint64_t rnd = 11;

/* The other host, in this process. */
struct other {
	struct fake_volume *f;
	pthread_mutex_t mutex;
	uint64_t wire; /* bytes of hashes */
	bool lies;     /* its upper levels are not those of its leaves */
	bool fails, torn;
};

static int answer(void *arg, unsigned worker, const struct hashes *q, struct buf *out,
		  struct err *e)
{
	_cleanup_free_ struct hashslice *s = xmalloc(sizeof(*s));
	struct other *o = arg;
	struct hashtree t;
	const struct hasher h = {.v = &o->f->v, .token = "token", .t = &t, .mutex = &o->mutex};
	_Atomic uint64_t bytes = 0;

	(void)worker;
	hashtree_init(&t, q->seed, q->size);
	ck_assert_int_eq(hasher_slice(&h, hashes_slice(q), s, &bytes, e), 0);
	if (o->fails)
		return err_set(e, ERR_PEER, "away");
	if (o->lies)
		s->top[3] ^= 1;
	for (unsigned i = 0; i < q->ranges; i++)
		buf_put(out, hashslice_hashes(s, q->level, q->range[i].first, q->range[i].count),
			q->range[i].count * HASHTREE_HASH);
	out->len -= o->torn;
	pthread_mutex_lock(&o->mutex);
	o->wire += out->len;
	pthread_mutex_unlock(&o->mutex);
	return 0;
}

/* Two volumes of the same content, some of whose holes are zeros at the other. */
static void make(struct fake_volume **a, struct other *o, uint64_t size)
{
	const uint64_t parts[] = {MIB, 5 * MIB, 65536, size - 8 * MIB - 65536, 2 * MIB};

	*o = (struct other){.f = fake_new(size), .mutex = PTHREAD_MUTEX_INITIALIZER};
	*a = fake_new(size);
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		uint64_t state = i;
		bool hole = i % 2;

		fake_add(*a, hole ? VOLUME_HOLE : VOLUME_DATA, parts[i], FAKE_MIXED, &state);
		state = i;
		fake_add(o->f, hole && i != 1 ? VOLUME_HOLE : VOLUME_DATA, parts[i],
			 hole ? FAKE_ZEROS : FAKE_MIXED, &state);
	}
}

static void flip(struct fake_volume *f, uint64_t at)
{
	_cleanup_free_ char *path = xasprintf("/proc/self/fd/%d", f->fd);
	_cleanup_close_ int fd = open(path, O_WRONLY);

	f->bytes[at] ^= 0x10;
	for (unsigned i = 0; i < f->n; i++)
		if (at >= f->x[i].offset && at < f->x[i].offset + f->x[i].length)
			f->x[i].kind = VOLUME_DATA;
	ck_assert_int_eq(pwrite(fd, f->bytes + at, 1, at), 1);
}

static int run(struct fake_volume *a, struct other *o, uint32_t granule, struct bset *set,
	       struct err *e)
{
	struct compare_progress g = {0};
	struct compare c = {.v = &a->v,
			    .token = "token",
			    .granule = granule,
			    .peer = {answer, o},
			    .cut = {.size = a->v.size, .seed = fake_random(&rnd)}};
	struct hashtree t;
	int r;

	hashtree_init(&t, c.cut.seed, a->v.size);
	c.end = hashtree_nodes(&t, 2);
	r = compare_run(&c, set, &g, e);
	if (r == 0) {
		ck_assert_uint_eq(g.slices, c.end);
		ck_assert_uint_eq(g.bytes, a->v.size);
	}
	return r;
}

static void end(struct fake_volume *a, struct other *o, struct bset *set)
{
	fake_free(a);
	fake_free(o->f);
	bset_free(set);
}

START_TEST(equal)
{
	struct fake_volume *a;
	struct other o;
	struct bset *set = bset_new();
	struct err e = ERR_INIT;

	make(&a, &o, 600 * MIB);
	ck_assert_msg(run(a, &o, 4096, set, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(bset_count(set), 0);
	ck_assert_uint_eq(o.wire, 3 * HASHTREE_HASH);
	end(a, &o, set);
}
END_TEST

START_TEST(one_byte)
{
	static const uint64_t at[] = {0, 4095, 5 * MIB, 256 * MIB - 1, 256 * MIB, 599 * MIB + 5};
	struct fake_volume *a;
	struct other o;
	struct bset *set = bset_new();
	struct err e = ERR_INIT;

	make(&a, &o, 600 * MIB);
	flip(_i % 2 ? a : o.f, at[_i]);
	ck_assert_msg(run(a, &o, 4096, set, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(bset_count(set), 1);
	ck_assert(bset_has(set, at[_i] / 4096));
	ck_assert_uint_le(o.wire, (3 + 256 + 256) * HASHTREE_HASH);
	end(a, &o, set);
}
END_TEST

START_TEST(many_bytes)
{
	uint32_t granule = _i % 2 ? 4096 : 196608;
	struct fake_volume *a;
	struct other o;
	struct bset *set = bset_new(), *want = bset_new();
	struct err e = ERR_INIT;

	make(&a, &o, 300 * MIB);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t at = fake_random(&rnd) % a->v.size;

		flip(a, at);
		if (o.f->bytes[at] == a->bytes[at])
			continue;
		bset_add(want, at / 4096 * 4096 / granule, 1);
		bset_add(want, (at / 4096 * 4096 + 4095) / granule, 1);
	}
	ck_assert_msg(run(a, &o, granule, set, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(bset_count(set), bset_count(want));
	ck_assert(bset_covers(set, want));
	bset_free(want);
	end(a, &o, set);
}
END_TEST

START_TEST(a_bad_peer)
{
	struct fake_volume *a;
	struct other o;
	struct bset *set = bset_new();
	struct err e = ERR_INIT;

	make(&a, &o, 300 * MIB);
	o.lies = _i == 0;
	o.fails = _i == 1;
	o.torn = _i == 2;
	ck_assert_int_lt(run(a, &o, 4096, set, &e), 0);
	ck_assert_int_eq(e.code, _i == 1 ? ERR_PEER : ERR_FAILED);
	end(a, &o, set);
}
END_TEST

START_TEST(cancelled)
{
	struct fake_volume *a;
	struct other o;
	struct bset *set = bset_new();
	struct err e = ERR_INIT;
	atomic_bool stop = true;
	struct compare_progress g = {0};
	struct compare c = {.token = "token", .granule = 4096, .cancel = &stop, .end = 2};

	make(&a, &o, 300 * MIB);
	c.v = &a->v;
	c.cut.size = a->v.size;
	c.peer = (struct compare_peer){answer, &o};
	ck_assert_int_lt(compare_run(&c, set, &g, &e), 0);
	ck_assert_uint_eq(g.slices, 0);
	end(a, &o, set);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("compare");
	TCase *t = tcase_create("compare");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 0);
	tcase_add_test(t, equal);
	tcase_add_loop_test(t, one_byte, 0, 6);
	tcase_add_loop_test(t, many_bytes, 0, 4);
	tcase_add_loop_test(t, a_bad_peer, 0, 3);
	tcase_add_test(t, cancelled);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
