/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync verify: are the newest cuts of both hosts equal? */
#include <stdio.h>
#include <unistd.h>

#include "client.h"
#include "cmd.h"
#include "fmt.h"
#include "js.h"
#include "partnership.h"
#include "remote.h"
#include "stop.h"
#include "verify.h"

#define VERIFY_ANSWER_MS 604800000 /* it may take days; a dead peer shows earlier */

static uint64_t range_length(const struct verify *v, unsigned i, uint64_t first, uint64_t n)
{
	uint64_t from = first * v->block[i], to = (first + n) * v->block[i];

	return (to < v->size[i] ? to : v->size[i]) - from;
}

static json_t *ranges_json(const struct verify *v, const struct partnership *p)
{
	json_t *list = json_array();
	uint64_t first, n;

	for (unsigned i = 0; i < p->volumes; i++)
		for (uint64_t at = 0; bset_next_run(v->differ[i], at, &first, &n); at = first + n)
			json_array_append_new(list,
					      json_pack("{s:s, s:I, s:I}", "volume",
							p->volume[i].local, "offset",
							(json_int_t)(first * v->block[i]), "length",
							(json_int_t)range_length(v, i, first, n)));
	return list;
}

static void print_json(const struct verify *v, const struct partnership *p)
{
	_cleanup_json_ json_t *j =
		json_pack("{s:b, s:I, s:I, s:s, s:I, s:I, s:I, s:b, s:o}", "equal", !v->differs,
			  "first_seq", (json_int_t)v->first_seq, "seq", (json_int_t)v->last_seq,
			  "verified", fmt_time(v->finished_ms).s, "compared", (json_int_t)v->bytes,
			  "differ", (json_int_t)v->differs, "wire", (json_int_t)v->wire, "marked",
			  v->marked, "ranges", ranges_json(v, p));

	js_print(j);
}

static void print_text(const struct verify *v, const struct partnership *p)
{
	uint64_t first, n;
	char cuts[64];

	for (unsigned i = 0; i < p->volumes; i++)
		for (uint64_t at = 0; bset_next_run(v->differ[i], at, &first, &n); at = first + n)
			printf("differs: %s, offset %llu, length %llu\n", p->volume[i].local,
			       (unsigned long long)first * v->block[i],
			       (unsigned long long)range_length(v, i, first, n));
	if (v->first_seq == v->last_seq)
		snprintf(cuts, sizeof(cuts), "cut %llu", (unsigned long long)v->last_seq);
	else
		snprintf(cuts, sizeof(cuts), "cuts %llu to %llu", (unsigned long long)v->first_seq,
			 (unsigned long long)v->last_seq);
	printf("%s: %s compared by hash, %s differ, %s on the wire\n", cuts, fmt_bytes(v->bytes).s,
	       fmt_bytes(v->differs).s, fmt_bytes(v->wire).s);
}

static int differs(const struct verify *v, const struct partnership *p, struct err *e)
{
	err_set(e, ERR_FAILED, "%s of the replica of %s differ from the source",
		fmt_bytes(v->differs).s, p->name);
	if (v->marked)
		return err_hint(e, "marked for the next cut: srsync sync %s, then verify again",
				p->name);
	return err_hint(e,
			"srsync verify %s --repair marks them for the next cut; and find out why",
			p->name);
}

/* At the destination the source is asked to do it, and this host shows what it says. */
static int verify_there(const struct host *h, const struct partnership *p, struct err *e)
{
	_cleanup_(identity_freep) struct identity *id = identity_load(h->confdir, e);
	_cleanup_(client_freep) struct client *c =
		id ? remote_connect(p, id, VERIFY_ANSWER_MS, e) : NULL;
	_cleanup_json_ json_t *j = c ? remote_drive(c, p->id, "verify", e) : NULL;

	if (!j)
		return -1;
	js_print(j);
	return 0;
}

int cmd_verify(int argc, char **argv, struct err *e)
{
	bool json = false;
	struct verify_options vo = {0};
	const struct ui_option o[] = {
		{"repair", UI_FLAG, &vo.repair, NULL, "mark what differs for the next cut"},
		{"rate", UI_BYTES, &vo.rate, "SIZE", "bytes per second read here at most"},
		{"json", UI_FLAG, &json, NULL, "print JSON"},
		{0}};
	_cleanup_(partnership_freep) struct partnership *p = NULL;
	_cleanup_(verify_freep) struct verify *v = NULL;
	struct host h;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0 ||
	    !(p = partnership_load(&h, argv[1], e)))
		return -1;
	if (p->role == VOLUME_TARGET)
		return verify_there(&h, p, e);
	if (isatty(STDERR_FILENO) && !json)
		vo.progress = ui_bar;
	stop_init();
	v = verify_run(&h, p->name, &vo, e);
	if (vo.progress)
		fputs("\r\033[K", stderr);
	if (!v)
		return -1;
	(json ? print_json : print_text)(v, p);
	return v->differs ? differs(v, p, e) : 0;
}
