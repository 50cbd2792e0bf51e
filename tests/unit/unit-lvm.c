/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: what lvs prints is read in both of its JSON dialects, and nothing that is off is believed;
 * names, tags, device-mapper uuids. */
#include <check.h>
#include <string.h>

#include "lvm.h"

#define VG   "hn7BZI-F97P-KFpS-Eogl-0QtD-9T11-kMA0Ar"
#define POOL "yThjoG-GnKm-F6x0-7vwV-0sE7-Z0KW-530amu"
#define DATA "SUVT8C-PPSe-4ks3-1aH5-Tu3M-xM1B-fedFMw"

#define ROW(NAME, UUID, MORE)                                                                      \
	"{\"vg_name\":\"vg\",\"vg_uuid\":\"" VG "\",\"lv_name\":\"" NAME "\",\"lv_uuid\":\"" UUID  \
	"\"," MORE "}"
#define THICK(ROLE, PERMISSIONS, MERGING, FREE)                                                    \
	",\"lv_role\":" ROLE ",\"lv_permissions\":\"" PERMISSIONS "\",\"lv_merging\":" MERGING     \
	",\"vg_free\":" FREE ",\"vg_extent_size\":\"4194304\""
#define USUAL THICK("\"public\"", "writeable", "\"0\"", "\"8388608\"")
#define SNAP_REST(ROLE, PERMISSIONS, MERGING, FREE)                                                \
	"\"segtype\":\"linear\",\"lv_tags\":\"\",\"lv_size\":\"71303168\",\"zero\":\"-1\","        \
	"\"lv_skip_activation\":\"0\",\"pool_lv_uuid\":\"\",\"origin_uuid\":\"" POOL "\","         \
	"\"thin_id\":\"\",\"transaction_id\":\"\",\"chunk_size\":\"65536\"" THICK(                 \
		ROLE, PERMISSIONS, MERGING, FREE)
#define POOL_REST                                                                                  \
	"\"segtype\":\"thin-pool\",\"lv_tags\":\"\",\"lv_size\":\"314572800\",\"zero\":\"1\","     \
	"\"lv_skip_activation\":\"0\",\"pool_lv_uuid\":\"\",\"origin_uuid\":\"\","                 \
	"\"thin_id\":\"\",\"transaction_id\":\"4\",\"chunk_size\":\"65536\"" USUAL
#define DATA_REST(TAGS, SIZE, SKIP, POOL_UUID, ID)                                                 \
	"\"segtype\":\"thin\",\"lv_tags\":" TAGS ",\"lv_size\":" SIZE                              \
	",\"lv_skip_activation\":" SKIP ",\"pool_lv_uuid\":" POOL_UUID                             \
	",\"origin_uuid\":\"\",\"transaction_id\":\"\",\"thin_id\":" ID                            \
	",\"chunk_size\":\"0\",\"zero\":\"-1\"" USUAL
#define REPORT(ROWS) "{\"report\":[{\"lv\":[" ROWS "]}]}"
#define GOOD         DATA_REST("\"a.b=1,c\"", "\"104857600\"", "\"1\"", "\"" POOL "\"", "\"7\"")

static int parse(const char *text, struct lvm_list *l, struct err *e)
{
	return lvm_parse(text, strlen(text), l, e);
}

static void check_data(const struct lvm_list *l)
{
	const struct lvm_lv *lv = lvm_by_name(l, "data");

	ck_assert_ptr_nonnull(lv);
	ck_assert_ptr_eq(lv, lvm_by_uuid(l, DATA));
	ck_assert_str_eq(lv->vg_name, "vg");
	ck_assert_str_eq(lv->pool_uuid, POOL);
	ck_assert_uint_eq(lv->size, 104857600);
	ck_assert_uint_eq(lv->thin_id, 7);
	ck_assert(lv->skip_activation);
	ck_assert(lvm_has_tag(lv, "a.b=1") && lvm_has_tag(lv, "c"));
	ck_assert(!lvm_has_tag(lv, "a.b") && !lvm_has_tag(lv, "b=1") && !lvm_has_tag(lv, "a.b=1,"));
}

START_TEST(both_dialects)
{
	_cleanup_lvm_list_ struct lvm_list a = {NULL, 0}, b = {NULL, 0};
	struct err e = ERR_INIT;

	ck_assert_int_eq(
		parse(REPORT(ROW("[pool]", POOL, POOL_REST) "," ROW("data", DATA, GOOD)), &a, &e),
		0);
	ck_assert_uint_eq(a.n, 2);
	check_data(&a);
	ck_assert_uint_eq(lvm_by_name(&a, "pool")->chunk_size, 65536);
	ck_assert_uint_eq(lvm_by_name(&a, "pool")->transaction_id, 4);
	ck_assert(lvm_by_name(&a, "pool")->zero);
	ck_assert_int_eq(parse(REPORT(ROW("data", DATA,
					  DATA_REST("[\"a.b=1\",\"c\"]", "104857600", "1",
						    "\"" POOL "\"", "7"))),
			       &b, &e),
			 0);
	check_data(&b);
}
END_TEST

START_TEST(segments_are_one_volume)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	struct err e = ERR_INIT;

	ck_assert_int_eq(parse(REPORT(ROW("data", DATA, GOOD) "," ROW("data", DATA, GOOD)), &l, &e),
			 0);
	ck_assert_uint_eq(l.n, 1);
}
END_TEST

START_TEST(classic_snapshots)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	struct err e = ERR_INIT;
	const struct lvm_lv *a, *b;

	ck_assert_int_eq(
		parse(REPORT(ROW("a", DATA,
				 SNAP_REST("\"public,snapshot,thicksnapshot\"", "read-only",
					   "\"0\"", "\"8388608\"")) "," //
			     ROW("[b]", VG,
				 SNAP_REST("[\"private\",\"raid\"]", "writeable", "1", "0"))),
		      &l, &e),
		0);
	ck_assert_uint_eq(l.n, 2);
	a = &l.lv[0];
	b = &l.lv[1];
	ck_assert(a->read_only && !a->hidden && !a->merging);
	ck_assert(!b->read_only && b->merging && b->hidden);
	ck_assert_str_eq(a->origin_uuid, POOL);
	ck_assert_uint_eq(a->chunk_size, 65536);
	ck_assert_uint_eq(a->vg_free, 8388608);
	ck_assert_uint_eq(a->extent_size, 4194304);
}
END_TEST

START_TEST(nothing_off_is_believed)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"report\":[]}",
		"{\"report\":[{\"lv\":[]},{\"lv\":[]}]}",
		"{\"report\":[{\"lv\":{}}]}",
		REPORT("7"),
		REPORT("{}"),
		REPORT(ROW("da/ta", DATA, GOOD)),
		REPORT(ROW("-data", DATA, GOOD)),
		REPORT(ROW("", DATA, GOOD)),
		REPORT(ROW("data", "SUVT8C", GOOD)),
		REPORT(ROW("data", "SUVT8C-PPSe-4ks3-1aH5-Tu3M-xM1B-fedFM;", GOOD)),
		REPORT(ROW("data", DATA "x", GOOD)),
		REPORT(ROW("data", DATA, DATA_REST("\"\"", "\"-1\"", "\"1\"", "\"\"", "\"7\""))),
		REPORT(ROW("data", DATA, DATA_REST("\"\"", "\"1g\"", "\"1\"", "\"\"", "\"7\""))),
		REPORT(ROW("data", DATA, DATA_REST("\"\"", "1.5", "\"1\"", "\"\"", "\"7\""))),
		REPORT(ROW("data", DATA, DATA_REST("\"\"", "\"1\"", "\"yes\"", "\"\"", "\"7\""))),
		REPORT(ROW("data", DATA, DATA_REST("\"\"", "\"1\"", "\"1\"", "\"x\"", "\"7\""))),
		REPORT(ROW("data", DATA,
			   DATA_REST("\"\"", "\"1\"", "\"1\"", "\"\"", "\"16777216\""))),
		REPORT(ROW("data", DATA, DATA_REST("[7]", "\"1\"", "\"1\"", "\"\"", "\"7\""))),
		REPORT(ROW("data", DATA, "\"segtype\":\"thin\"")),
		REPORT(ROW("data", DATA, GOOD)) "x",
		REPORT(ROW("data", DATA, SNAP_REST("7.5", "writeable", "\"0\"", "\"1\""))),
		REPORT(ROW("data", DATA, SNAP_REST("[7]", "writeable", "\"0\"", "\"1\""))),
		REPORT(ROW("data", DATA, SNAP_REST("\"\"", "writeable", "\"no\"", "\"1\""))),
		REPORT(ROW("data", DATA, SNAP_REST("\"\"", "writeable", "\"0\"", "\"-4\""))),
		REPORT(ROW("data", DATA, SNAP_REST("\"\"", "writeable", "\"0\"", "[]"))),
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct lvm_list l = {NULL, 0};
		struct err e = ERR_INIT;

		ck_assert_msg(parse(bad[i], &l, &e) == -1, "believed: %s", bad[i]);
		ck_assert_int_eq(e.code, ERR_FAILED);
		ck_assert_ptr_null(l.lv);
	}
}
END_TEST

START_TEST(names)
{
	static const char *const bad[] = {"vg",     "/vg/lv",          "vg/",   "/dev/vg",
					  "vg/a/b", "../lv",           "vg/-f", "vg/..",
					  "v g/lv", "/dev/mapper/a/b", ""};
	char vg[LVM_NAME_MAX], lv[LVM_NAME_MAX], uuid[LVM_DM_UUID_SIZE];
	struct lvm_lv volume = {.vg_uuid = VG, .uuid = DATA};
	struct err e = ERR_INIT;

	ck_assert_int_eq(lvm_split_name("/dev/vg0/da.ta-1", vg, lv, &e), 0);
	ck_assert_str_eq(vg, "vg0");
	ck_assert_str_eq(lv, "da.ta-1");
	ck_assert_int_eq(lvm_split_name("vg0/x", vg, lv, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(lvm_split_name(bad[i], vg, lv, &e) == -1, "believed: %s", bad[i]);
		ck_assert_int_eq(e.code, ERR_USAGE);
	}
	lvm_dm_uuid(&volume, "tpool", uuid);
	ck_assert_str_eq(
		uuid, "LVM-hn7BZIF97PKFpSEogl0QtD9T11kMA0ArSUVT8CPPSe4ks31aH5Tu3MxM1BfedFMw-tpool");
	lvm_dm_uuid(&volume, "", uuid);
	ck_assert_str_eq(uuid,
			 "LVM-hn7BZIF97PKFpSEogl0QtD9T11kMA0ArSUVT8CPPSe4ks31aH5Tu3MxM1BfedFMw");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lvm");
	TCase *t = tcase_create("lvm");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, both_dialects);
	tcase_add_test(t, segments_are_one_volume);
	tcase_add_test(t, classic_snapshots);
	tcase_add_test(t, nothing_off_is_believed);
	tcase_add_test(t, names);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
