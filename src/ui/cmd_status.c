/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync list, status, show: the state of partnerships, from one line each to all there is. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "fmt.h"
#include "js.h"
#include "status.h"

static const char *str(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "-";
}

static double num(const json_t *j, const char *key)
{
	return json_number_value(json_object_get(j, key));
}

/* A partnership that cannot be read is listed with the reason: it must not hide the others. */
static json_t *one(const struct host *h, const char *name)
{
	struct err e = ERR_INIT;
	_cleanup_(partnership_freep) struct partnership *p = partnership_load(h, name, &e);
	json_t *j = p ? status_json(h, p, &e) : NULL;

	if (j)
		return j;
	return json_pack("{s:s, s:s, s:s, s:s}", "name", name, "state", "failing", "cause", e.text,
			 "remedy", e.hint);
}

/* The named partnership, or all. NULL with e filled. */
static json_t *collect(const struct host *h, const char *name, struct err *e)
{
	_cleanup_json_ json_t *j = json_pack("{s:[]}", "partnerships");
	json_t *list = json_object_get(j, "partnerships");
	char **names;
	int n;

	if (name) {
		_cleanup_(partnership_freep) struct partnership *p = partnership_load(h, name, e);

		if (!p)
			return NULL;
		json_array_append_new(list, one(h, name));
		return TAKE(j);
	}
	n = partnership_names(h, &names, e);
	if (n < 0)
		return NULL;
	for (int i = 0; i < n; i++)
		json_array_append_new(list, one(h, names[i]));
	partnership_names_free(names);
	return TAKE(j);
}

static void row(struct ui_table *t, const json_t *p)
{
	const json_t *committed = json_object_get(p, "committed");
	const json_t *progress = json_object_get(p, "progress");
	char cut[24] = "-", at[192] = "-";

	if (json_is_object(committed))
		snprintf(cut, sizeof(cut), "%.0f", num(committed, "seq"));
	if (json_is_object(progress))
		snprintf(at, sizeof(at), "%s cut %.0f, %s of %s, %s left", str(progress, "phase"),
			 num(progress, "seq"), fmt_bytes(num(progress, "bytes")).s,
			 fmt_bytes(num(progress, "bytes_total")).s,
			 fmt_duration(num(progress, "seconds_left")).s);
	ui_row(t, 7, str(p, "name"), str(p, "role"), str(p, "state"),
	       json_is_number(json_object_get(p, "lag")) ? fmt_duration(num(p, "lag")).s : "-",
	       fmt_duration(num(p, "rpo")).s, cut, at);
}

static void print_causes(const json_t *list)
{
	const json_t *p;
	size_t i;

	json_array_foreach(list, i, p)
	{
		if (json_object_get(p, "warning"))
			printf("\n%s: %s\n", str(p, "name"), str(p, "warning"));
		if (json_object_get(p, "cause"))
			printf("\n%s: %s\n", str(p, "name"), str(p, "cause"));
		if (*str(p, "remedy") && *str(p, "remedy") != '-')
			printf("  to do: %s\n", str(p, "remedy"));
	}
}

static void print_table(const json_t *j)
{
	const json_t *list = json_object_get(j, "partnerships"), *p;
	struct ui_table t = {0};
	size_t i;

	ui_row(&t, 7, "NAME", "ROLE", "STATE", "LAG", "RPO", "CUT", "PROGRESS");
	json_array_foreach(list, i, p) row(&t, p);
	ui_table_print(&t);
	print_causes(list);
}

int cmd_status(int argc, char **argv, struct err *e)
{
	bool json = false, watch = false;
	const struct ui_option o[] = {
		{"json", UI_FLAG, &json, NULL, "print JSON"},
		{"watch", UI_FLAG, &watch, NULL, "again every second, until interrupted"},
		{0}};
	struct host h;
	int n = ui_options(argc, argv, o, 0, 1, e);

	if (n < 0 || ui_host(&h, e) < 0)
		return -1;
	do {
		_cleanup_json_ json_t *j = collect(&h, n ? argv[1] : NULL, e);

		if (!j)
			return -1;
		if (watch && !json)
			fputs("\033[H\033[J", stdout);
		if (json)
			js_print(j);
		else
			print_table(j);
		if (fflush(stdout))
			return err_sys(e, "standard output");
	} while (watch && sleep(1) == 0);
	return 0;
}

int cmd_list(int argc, char **argv, struct err *e)
{
	bool json = false;
	const struct ui_option o[] = {{"json", UI_FLAG, &json, NULL, "print JSON"}, {0}};
	_cleanup_json_ json_t *j = NULL;
	struct ui_table t = {0};
	struct host h;
	const json_t *p;
	size_t i;

	if (ui_options(argc, argv, o, 0, 0, e) < 0 || ui_host(&h, e) < 0 ||
	    !(j = collect(&h, NULL, e)))
		return -1;
	if (json) {
		js_print(j);
		return 0;
	}
	ui_row(&t, 4, "NAME", "ROLE", "PEER", "STATE");
	json_array_foreach(json_object_get(j, "partnerships"), i, p)
		ui_row(&t, 4, str(p, "name"), str(p, "role"), str(p, "peer"), str(p, "state"));
	ui_table_print(&t);
	return 0;
}

static void print_last(const json_t *last)
{
	char hooks[48] = "";

	if (num(last, "hooks_ms") > 0)
		snprintf(hooks, sizeof(hooks), ", hooks held %.1f ms", num(last, "hooks_ms"));
	printf("last sync:    cut %.0f of %s: %s changed, %s shipped, %s on the wire, %s, writes "
	       "paused %.1f ms%s%s\n",
	       num(last, "seq"), str(last, "time"), fmt_bytes(num(last, "changed")).s,
	       fmt_bytes(num(last, "shipped")).s, fmt_bytes(num(last, "wire")).s,
	       fmt_duration(num(last, "seconds")).s, num(last, "pause_ms"), hooks,
	       json_is_true(json_object_get(last, "full")) ? ", everything" : "");
}

static void print_verified(const json_t *v)
{
	printf("verified:     %s, up to cut %.0f: %s\n", str(v, "time"), num(v, "seq"),
	       num(v, "differ") > 0 ? "differences were found" : "equal");
}

static void print_volumes(const json_t *list)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (json_object_get(v, "error"))
			printf("volume:       %s = %s, %s\n", str(v, "local"), str(v, "remote"),
			       str(v, "error"));
		else
			printf("volume:       %s = %s, %s, %s\n", str(v, "local"), str(v, "remote"),
			       str(v, "kind"), fmt_bytes(num(v, "size")).s);
		if (json_object_get(v, "space_percent"))
			printf("  space:      %.1f %% used\n", num(v, "space_percent"));
		if (json_object_get(v, "pool_data_percent"))
			printf("  pool:       data %.1f %%, metadata %.1f %%, %.0f snapshots in "
			       "its life\n",
			       num(v, "pool_data_percent"), num(v, "pool_metadata_percent"),
			       num(v, "pool_snapshots"));
	}
}

static void print_all(const json_t *p)
{
	const json_t *committed = json_object_get(p, "committed");

	printf("name:         %s\nid:           %s\nrole:         %s\n", str(p, "name"),
	       str(p, "id"), str(p, "role"));
	printf("peer:         %s %s\n", str(p, "peer"), str(p, "peer_fingerprint"));
	printf("state:        %s\n", str(p, "state"));
	printf("rpo:          %s, cuts kept at the destination: %.0f\n",
	       fmt_duration(num(p, "rpo")).s, num(p, "keep"));
	printf("fine:         %s\n", str(p, "fine"));
	if (json_is_object(committed))
		printf("committed:    cut %.0f of %s, generation %s, %s ago\n",
		       num(committed, "seq"), str(committed, "time"), str(committed, "generation"),
		       fmt_duration(num(p, "lag")).s);
	if (json_is_object(json_object_get(p, "last")))
		print_last(json_object_get(p, "last"));
	if (json_is_object(json_object_get(p, "verified")))
		print_verified(json_object_get(p, "verified"));
	print_volumes(json_object_get(p, "volumes"));
}

int cmd_show(int argc, char **argv, struct err *e)
{
	bool json = false;
	const struct ui_option o[] = {{"json", UI_FLAG, &json, NULL, "print JSON"}, {0}};
	_cleanup_json_ json_t *j = NULL;
	struct host h;
	const json_t *p;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0 ||
	    !(j = collect(&h, argv[1], e)))
		return -1;
	p = json_array_get(json_object_get(j, "partnerships"), 0);
	if (json) {
		js_print(p);
		return 0;
	}
	print_all(p);
	print_causes(json_object_get(j, "partnerships"));
	return 0;
}
