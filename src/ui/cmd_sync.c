/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync sync, srsync run: one cut, or cut after cut. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "cmd.h"
#include "fmt.h"
#include "js.h"
#include "partnership.h"
#include "remote.h"
#include "run.h"
#include "stop.h"
#include "sync.h"

#define SYNC_ANSWER_MS 604800000 /* a first sync may take days; a dead peer shows earlier */

static void print_text(const struct report_cut *c)
{
	char hooks[48] = "";

	if (c->compared)
		printf("compared %s by hash, %s differ\n", fmt_bytes(c->compared).s,
		       fmt_bytes(c->changed).s);
	if (c->hooks_us)
		snprintf(hooks, sizeof(hooks), ", hooks held %.1f ms", c->hooks_us / 1e3);
	printf("cut %llu of %s: %s%s changed, %s shipped, %s on the wire, %s, writes paused %.1f "
	       "ms%s\n",
	       (unsigned long long)c->seq, fmt_time(c->time_ms).s, c->full ? "everything, " : "",
	       fmt_bytes(c->changed).s, fmt_bytes(c->shipped).s, fmt_bytes(c->wire).s,
	       fmt_duration(c->took_ms / 1e3).s, c->pause_us / 1e3, hooks);
	fflush(stdout);
}

static void print_json(const struct report_cut *c)
{
	_cleanup_json_ json_t *j =
		json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:b}", "seq",
			  (json_int_t)c->seq, "time", fmt_time(c->time_ms).s, "committed",
			  fmt_time(c->finished_ms).s, "changed", (json_int_t)c->changed, "compared",
			  (json_int_t)c->compared, "shipped", (json_int_t)c->shipped, "wire",
			  (json_int_t)c->wire, "seconds", c->took_ms / 1e3, "pause_ms",
			  c->pause_us / 1e3, "hooks_ms", c->hooks_us / 1e3, "full", c->full);

	js_print(j);
	fflush(stdout);
}

/* At the destination the source is asked to do it. */
static int sync_there(const struct host *h, const struct partnership *p, bool json, struct err *e)
{
	_cleanup_(identity_freep) struct identity *id = identity_load(h->confdir, e);
	_cleanup_(client_freep) struct client *c =
		id ? remote_connect(p, id, SYNC_ANSWER_MS, e) : NULL;
	_cleanup_json_ json_t *j = c ? remote_drive(c, p->id, "sync", e) : NULL;

	if (!j)
		return err_hint(e,
				"srsync serve must run on the source, and this host be granted the "
				"role manage there");
	if (json)
		js_print(j);
	else
		printf("cut %lld is committed\n",
		       (long long)json_integer_value(json_object_get(j, "seq")));
	return 0;
}

int cmd_sync(int argc, char **argv, struct err *e)
{
	bool json = false;
	struct sync_options so = {0};
	const struct ui_option o[] = {
		{"json", UI_FLAG, &json, NULL, "print JSON"},
		{"full", UI_FLAG, &so.full, NULL, "ship everything, whatever is known"},
		{"rewind-target", UI_FLAG, &so.rewind_target, NULL,
		 "throw away what somebody wrote to the target"},
		{0}};
	_cleanup_(partnership_freep) struct partnership *p = NULL;
	struct sync_result r = {0};
	struct host h;
	bool tty = isatty(STDERR_FILENO);
	int result;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0 ||
	    !(p = partnership_load(&h, argv[1], e)))
		return -1;
	if (p->role == VOLUME_TARGET)
		return sync_there(&h, p, json, e);
	if (tty && !json)
		so.progress = ui_bar;
	stop_init();
	result = sync_once(&h, p->name, &so, &r, e);
	if (so.progress)
		fputs("\r\033[K", stderr);
	if (result < 0)
		return -1;
	(json ? print_json : print_text)(&r.cut);
	return 0;
}

static void done_text(const struct sync_result *r)
{
	print_text(&r->cut);
}

static void done_json(const struct sync_result *r)
{
	print_json(&r->cut);
}

int cmd_run(int argc, char **argv, struct err *e)
{
	bool json = false;
	const struct ui_option o[] = {{"json", UI_FLAG, &json, NULL, "a JSON object per cut"}, {0}};
	struct host h;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0)
		return -1;
	return run_loop(&h, argv[1], json ? done_json : done_text, e);
}
