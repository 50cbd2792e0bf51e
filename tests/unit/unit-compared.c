/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: the file of a comparison is believed only whole and for its very cuts. */
#include <check.h>
#include <string.h>

#include "compared.h"

static struct bitlog_cut cut;
static struct state_cut base;

static void setup(void)
{
	cut = (struct bitlog_cut){.generation = "0123456789abcdef0123456789abcdef",
				  .seq = 5,
				  .time_ms = 1767225600000,
				  .volumes = 2,
				  .volume = {{.token = "a", .size = 1 << 20, .block_size = 4096},
					     {.token = "b", .size = 1 << 21, .block_size = 4096}}};
	base = (struct state_cut){.generation = "0123456789abcdef0123456789abcdef",
				  .seq = 4,
				  .time_ms = 1767225500000};
}

static void encode(struct buf *out)
{
	_cleanup_(compared_freep) struct compared *c = xcalloc(1, sizeof(*c));

	c->bytes = 1 << 21;
	c->differ = 5 * 4096;
	c->set[1] = bset_new();
	bset_add(c->set[1], 7, 5);
	compared_encode(&cut, &base, c, out);
}

static bool good(const struct buf *b)
{
	_cleanup_(compared_freep) struct compared *c =
		compared_decode(b->data, b->len, &cut, &base);

	if (!c)
		return false;
	ck_assert_uint_eq(c->bytes, 1 << 21);
	ck_assert_uint_eq(c->differ, 5 * 4096);
	ck_assert_ptr_null(c->set[0]);
	ck_assert_uint_eq(bset_count(c->set[1]), 5);
	ck_assert(bset_has(c->set[1], 7) && bset_has(c->set[1], 11));
	return true;
}

START_TEST(there_and_back)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	encode(&b);
	ck_assert(good(&b));
}
END_TEST

START_TEST(any_damage)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t whole;

	encode(&b);
	for (size_t i = 0; i < b.len * 8; i++) {
		b.data[i / 8] ^= 1 << i % 8;
		ck_assert(!good(&b));
		b.data[i / 8] ^= 1 << i % 8;
	}
	whole = b.len;
	for (b.len = 0; b.len < whole; b.len++)
		ck_assert(!good(&b));
}
END_TEST

START_TEST(other_cuts)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	encode(&b);
	switch (_i) {
	case 0: cut.seq++; break;
	case 1: cut.time_ms++; break;
	case 2: cut.generation[3] = 'f'; break;
	case 3: cut.volume[0].token[0] = 'c'; break;
	case 4: cut.volume[1].size++; break;
	case 5: cut.volume[1].block_size = 65536; break;
	case 6: cut.volumes = 1; break;
	case 7: base.seq++; break;
	case 8: base.time_ms++; break;
	case 9: base.generation[0] = 'f'; break;
	}
	ck_assert(!good(&b));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("compared");
	TCase *t = tcase_create("compared");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, there_and_back);
	tcase_add_test(t, any_damage);
	tcase_add_loop_test(t, other_cuts, 0, 10);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
