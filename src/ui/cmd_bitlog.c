/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync bitlog: the records of a partnership's bitmap log, and what waits to be shipped. */
#include <stdio.h>

#include "bitlog.h"
#include "cmd.h"
#include "fmt.h"
#include "js.h"

static uint64_t ranges(const struct bset *s)
{
	uint64_t first = 0, n = 0, count = 0;

	while (s && bset_next_run(s, first + n, &first, &n))
		count++;
	return count;
}

static json_t *volume_json(const struct bitlog_volume *v)
{
	uint64_t blocks = v->set ? bset_count(v->set) : 0;

	return json_pack("{s:s, s:I, s:I, s:b, s:I, s:I, s:I}", "token", v->token, "size",
			 (json_int_t)v->size, "block_size", (json_int_t)v->block_size, "all",
			 v->all, "blocks", (json_int_t)blocks, "bytes",
			 (json_int_t)(v->all ? v->size : blocks * v->block_size), "ranges",
			 (json_int_t)ranges(v->set));
}

static json_t *cut_json(const struct bitlog_cut *c, bool committed)
{
	json_t *volumes = json_array();

	for (unsigned i = 0; i < c->volumes; i++)
		json_array_append_new(volumes, volume_json(&c->volume[i]));
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:f, s:o}", "type",
			 committed ? "committed" : "cut", "generation", c->generation, "seq",
			 (json_int_t)c->seq, "prev_seq", (json_int_t)c->prev_seq, "time",
			 fmt_time(c->time_ms).s, "pause_ms", c->pause_us / 1e3, "volumes", volumes);
}

static json_t *pending_json(const struct bitlog *l)
{
	const struct bitlog_cut *newest = bitlog_newest(l);
	json_t *list = json_array();

	for (unsigned i = 0; newest && i < newest->volumes; i++) {
		struct bitlog_volume v = newest->volume[i];

		v.set = bitlog_pending(l, i, &v.all);
		json_array_append_new(list, volume_json(&v));
		bset_free(v.set);
	}
	return list;
}

static long long num(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static void print_volumes(const json_t *list)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		printf("  %s\n    size %s, ", json_string_value(json_object_get(v, "token")),
		       fmt_bytes(num(v, "size")).s);
		if (json_is_true(json_object_get(v, "all")))
			puts("everything");
		else
			printf("%lld blocks of %s in %lld ranges: %s\n", num(v, "blocks"),
			       fmt_bytes(num(v, "block_size")).s, num(v, "ranges"),
			       fmt_bytes(num(v, "bytes")).s);
	}
}

static void print_text(const json_t *j)
{
	const json_t *r, *doubt = json_object_get(j, "doubt");
	size_t i;

	if (json_is_string(doubt))
		printf("in doubt: %s; the next sync ships everything\n", json_string_value(doubt));
	printf("file: %s\n", fmt_bytes(num(j, "file_bytes")).s);
	json_array_foreach(json_object_get(j, "records"), i, r)
	{
		printf("%s %lld after %lld of %s, generation %s\n",
		       json_string_value(json_object_get(r, "type")), num(r, "seq"),
		       num(r, "prev_seq"), json_string_value(json_object_get(r, "time")),
		       json_string_value(json_object_get(r, "generation")));
		print_volumes(json_object_get(r, "volumes"));
	}
	puts("to be shipped:");
	print_volumes(json_object_get(j, "pending"));
}

int cmd_bitlog(int argc, char **argv, struct err *e)
{
	bool json = false;
	const struct ui_option o[] = {{"json", UI_FLAG, &json, NULL, "print JSON"}, {0}};
	_cleanup_(partnership_freep) struct partnership *p = NULL;
	_cleanup_(bitlog_freep) struct bitlog *l = NULL;
	_cleanup_json_ json_t *j = NULL;
	const struct bitlog_cut *c;
	const char *doubt;
	struct host h;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0 ||
	    !(p = partnership_load(&h, argv[1], e)))
		return -1;
	if (p->role != VOLUME_SOURCE)
		return err_set(e, ERR_FAILED,
			       "%s is a destination here: the log is kept by its source", p->name);
	if (!(l = bitlog_open(host_state(&h, p->name, "bitlog").s, &doubt, e)))
		return -1;
	j = json_pack("{s:s?, s:I, s:[], s:o}", "doubt", doubt, "file_bytes",
		      (json_int_t)bitlog_bytes(l), "records", "pending", pending_json(l));
	for (unsigned i = 0; (c = bitlog_get(l, i)); i++)
		json_array_append_new(json_object_get(j, "records"),
				      cut_json(c, c == bitlog_committed(l)));
	if (json)
		js_print(j);
	else
		print_text(j);
	return 0;
}
