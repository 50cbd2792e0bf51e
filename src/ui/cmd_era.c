/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync era: dm-era above volumes of this host. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "era_admin.h"
#include "fmt.h"
#include "js.h"

struct era_words {
	uint64_t block, wait_ms;
	bool json;
};

static int attach(const struct era_words *w, int n, char **names, struct err *e)
{
	char path[160];

	if (n != 1)
		return err_set(e, ERR_USAGE, "era attach: one volume, as vg/lv");
	if (era_attach(names[0], w->block, path, sizeof(path), e) < 0)
		return -1;
	printf("from now on use %s in place of /dev/%s\n", path, names[0]);
	return 0;
}

static int detach(const struct era_words *w, int n, char **names, struct err *e)
{
	(void)w;
	if (n != 1)
		return err_set(e, ERR_USAGE, "era detach: one volume, as vg/lv");
	if (era_detach(names[0], e) < 0)
		return -1;
	printf("/dev/%s is a plain device again; its data is as it was\n", names[0]);
	return 0;
}

static const char *state_of(const struct era_row *r)
{
	return !r->path[0] ? "down" : r->suspended ? "suspended" : r->discards ? "discards" : "up";
}

static void add_json(void *arg, const struct era_row *r)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:I, s:I, s:f}", "volume", r->name,
					     "device", r->path, "state", state_of(r), "block",
					     (json_int_t)r->block, "era", (json_int_t)r->era,
					     "metadata_percent", r->meta_percent));
}

static void add_row(void *arg, const struct era_row *r)
{
	char era[16] = "-", meta[16] = "-";

	if (r->meta_percent >= 0) {
		snprintf(era, sizeof(era), "%u", r->era);
		snprintf(meta, sizeof(meta), "%.1f %%", r->meta_percent);
	}
	ui_row(arg, 6, r->name, r->path[0] ? r->path : "-", state_of(r), fmt_bytes(r->block).s, era,
	       meta);
}

static int list(const struct era_words *w, int n, char **names, struct err *e)
{
	_cleanup_json_ json_t *j = json_pack("{s:[]}", "era");
	struct ui_table t = {0};

	(void)names;
	if (n != 0)
		return err_set(e, ERR_USAGE, "era list: no more words");
	if (w->json) {
		if (era_list(add_json, json_object_get(j, "era"), e) < 0)
			return -1;
		js_print(j);
		return 0;
	}
	ui_row(&t, 6, "VOLUME", "DEVICE", "STATE", "BLOCK", "ERA", "METADATA");
	if (era_list(add_row, &t, e) < 0)
		return -1;
	ui_table_print(&t);
	return 0;
}

static int start(const struct era_words *w, int n, char **names, struct err *e)
{
	unsigned started;
	int r = era_start((const char *const *)names, (unsigned)n, w->wait_ms, &started, e);

	printf("%u started\n", started);
	return r;
}

int cmd_era(int argc, char **argv, struct err *e)
{
	static const struct {
		const char *name;
		int (*fn)(const struct era_words *w, int n, char **names, struct err *e);
	} verbs[] = {{"attach", attach}, {"detach", detach}, {"list", list}, {"start", start}};
	struct era_words w = {.block = ERA_BLOCK_DEFAULT};
	const struct ui_option o[] = {
		{"block", UI_BYTES, &w.block, "SIZE", "attach: how much one mark covers (64K)"},
		{"wait", UI_DURATION, &w.wait_ms, "TIME", "start: try again for so long (0)"},
		{"json", UI_FLAG, &w.json, NULL, "list: print JSON"},
		{0}};
	int n = ui_options(argc, argv, o, 1, UI_LIST_MAX, e);

	if (n < 0)
		return -1;
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].fn(&w, n - 1, argv + 2, e);
	err_set(e, ERR_USAGE, "era: '%s' is not one of attach, detach, list and start", argv[1]);
	return err_hint(e, "srsync era --help");
}
