/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: whatever order a group names its volumes in, their locks are taken in one order, so that
 * two groups never wait for each other; when one volume is not to be had, none is frozen and all
 * are let go of; what is busy is tried again. */
#include <check.h>
#include <string.h>

#include "cut.h"

static char called[64];
static enum err_code refusal;

static int ready(struct volume *v, struct err *e)
{
	(void)v, (void)e;
	return 0;
}

static int allot(struct volume *v, struct err *e)
{
	strcat(called, v->uuid);
	return strcmp(v->uuid, "d") ? 0 : err_set(e, refusal, "not to be had");
}

static int words(struct volume *v, char *out, size_t size, struct err *e)
{
	(void)v, (void)size, (void)e;
	out[0] = '\0';
	return 0;
}

static void calm(struct volume *v)
{
	(void)v;
}

static int freeze(struct volume *v, struct err *e)
{
	(void)v, (void)e;
	ck_abort_msg("frozen");
}

static void done(struct volume *v, bool good)
{
	(void)v;
	ck_assert(!good);
	strcat(called, ".");
}

static const struct volume_ops ops = {.ready = ready,
				      .allot = allot,
				      .thaw_words = words,
				      .calm = calm,
				      .freeze = freeze,
				      .done = done};

static void cut_four(const char *order, enum err_code code, const char *want)
{
	struct volume volume[4] = {{.ops = &ops}, {.ops = &ops}, {.ops = &ops}, {.ops = &ops}};
	struct volume *v[4];
	struct cut *cut = xcalloc(1, sizeof(*cut));
	struct err e = ERR_INIT;

	for (int i = 0; i < 4; i++) {
		v[i] = &volume[i];
		snprintf(v[i]->name, sizeof(v[i]->name), "vg/%c", order[i]);
		v[i]->uuid[0] = order[i];
	}
	called[0] = '\0';
	refusal = code;
	ck_assert_int_lt(cut_group(v, 4, cut, &e), 0);
	ck_assert_str_eq(called, want);
	ck_assert_str_eq(e.text, "vg/d: not to be had");
	ck_assert_int_eq(e.code, code);
	free(cut);
}

START_TEST(one_order)
{
	cut_four("abcd", ERR_FAILED, "abcd....");
	cut_four("dcba", ERR_FAILED, "abcd....");
	cut_four("cdab", ERR_FAILED, "abcd....");
}
END_TEST

START_TEST(busy)
{
	cut_four("dbac", ERR_BUSY, "abcd....abcd....abcd....");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cut");
	TCase *t = tcase_create("cut");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, one_order);
	tcase_add_test(t, busy);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
