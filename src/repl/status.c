/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "bitlog.h"
#include "js.h"
#include "report.h"
#include "state.h"
#include "status.h"

#define CLOCK_SKEW_MS 5000 /* more than this between two hosts is worth a word */

static json_t *progress_json(const struct progress *p)
{
	double left = p->rate && p->bytes_total > p->bytes
			      ? (double)(p->bytes_total - p->bytes) / p->rate
			      : 0;

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:i}", "phase", p->phase,
			 "seq", (json_int_t)p->seq, "segments", (json_int_t)p->segments,
			 "segments_total", (json_int_t)p->segments_total, "bytes",
			 (json_int_t)p->bytes, "bytes_total", (json_int_t)p->bytes_total, "wire",
			 (json_int_t)p->wire, "rate", (json_int_t)p->rate, "seconds_left", left,
			 "pid", p->pid);
}

static json_t *report_json(const struct report_cut *c)
{
	return json_pack("{s:I, s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:b}", "seq",
			 (json_int_t)c->seq, "time", fmt_time(c->time_ms).s, "pause_ms",
			 c->pause_us / 1e3, "hooks_ms", c->hooks_us / 1e3, "changed",
			 (json_int_t)c->changed, "compared", (json_int_t)c->compared, "refined",
			 (json_int_t)c->refined, "shipped", (json_int_t)c->shipped, "wire",
			 (json_int_t)c->wire, "seconds", c->took_ms / 1e3, "full", c->full);
}

static json_t *verify_json(const struct report_verify *v)
{
	return json_pack("{s:s, s:I, s:I, s:I}", "time", fmt_time(v->time_ms).s, "first_seq",
			 (json_int_t)v->first_seq, "seq", (json_int_t)v->seq, "differ",
			 (json_int_t)v->differs);
}

/* Pool health of one volume; what cannot be read is itself worth telling. */
static json_t *volume_json(const struct partnership *p, unsigned i, char *cause, size_t size)
{
	json_t *j = json_pack("{s:s, s:s, s:s}", "local", p->volume[i].local, "remote",
			      p->volume[i].remote, "uuid", p->volume[i].uuid);
	struct volume_health hl = {0};
	struct err e = ERR_INIT;
	_cleanup_(volume_freep) struct volume *v =
		volume_open(p->volume[i].local, p->role, p->id, &e);

	if (!v || v->ops->health(v, &hl, &e) < 0) {
		snprintf(cause, size, "%.250s", e.text);
		json_object_set_new(j, "error", json_string(e.text));
		return j;
	}
	json_object_set_new(j, "kind", json_string(v->ops->kind));
	json_object_set_new(j, "size", json_integer(v->size));
	if (hl.meta_percent < 0 && hl.data_percent >= 0)
		json_object_set_new(j, "space_percent", json_real(hl.data_percent));
	if (hl.meta_percent >= 0) {
		json_object_set_new(j, "pool_data_percent", json_real(hl.data_percent));
		json_object_set_new(j, "pool_metadata_percent", json_real(hl.meta_percent));
		json_object_set_new(j, "pool_snapshots", json_integer(hl.snapshots));
	}
	if (hl.cause[0]) {
		snprintf(cause, size, "%s", hl.cause);
		json_object_set_new(j, "cause", json_string(hl.cause));
		json_object_set_new(j, "remedy", json_string(hl.remedy));
	}
	return j;
}

static const char *state_word(const struct host *h, const struct partnership *p,
			      const struct state_cut *newest, const struct report *r, bool busy,
			      int64_t lag)
{
	if (busy)
		return "syncing";
	if (partnership_paused(h, p->name))
		return "paused";
	if (r->error_ms)
		return "failing";
	if (!newest)
		return "new";
	return lag > (int64_t)p->rpo_ms || lag < -CLOCK_SKEW_MS ? "late" : "ok";
}

static void add_cause(json_t *j, const struct report *r, const char *health, int64_t lag,
		      bool replay)
{
	if (lag < -CLOCK_SKEW_MS)
		json_object_set_new(j, "cause",
				    json_string("the newest cut is from the future: the "
						"clocks of the two hosts disagree, or "
						"one was set back"));
	if (r->error_ms) {
		json_object_set_new(j, "cause", json_string(r->error.text));
		json_object_set_new(j, "remedy", json_string(r->error.hint));
		json_object_set_new(j, "failures", json_integer(r->failures));
	} else if (*health) {
		json_object_set_new(j, "cause", json_string(health));
	}
	if (replay)
		json_object_set_new(j, "cause",
				    json_string("the newest cut is committed, and not yet written "
						"in place"));
	if (replay && !r->error_ms)
		json_object_set_new(j, "remedy",
				    json_string("srsync serve does it when it starts; its log says "
						"what keeps it from that"));
	if (r->warning[0])
		json_object_set_new(j, "warning", json_string(r->warning));
}

json_t *status_json(const struct host *h, const struct partnership *p, struct err *e)
{
	_cleanup_(state_freep) struct state *s = state_load(h, p->name, e);
	_cleanup_free_ struct report *r = xcalloc(1, sizeof(*r));
	const struct state_cut *newest;
	struct progress pr;
	bool busy = progress_load(h, p->name, &pr);
	char health[256] = "";
	json_t *j, *volumes;
	int64_t lag;

	if (!s || report_load(h, p->name, r, e) < 0)
		return NULL;
	newest = state_committed(s);
	lag = newest ? fmt_now_ms() - newest->time_ms : -1;
	j = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:I, s:s, s:[], s:n, s:n, s:n, s:n}",
		"name", p->name, "id", p->id, "role", partnership_role_word(p->role), "peer",
		p->peer_address, "peer_fingerprint", p->peer_fingerprint, "state",
		state_word(h, p, newest, r, busy, lag), "rpo", p->rpo_ms / 1e3, "lag", lag / 1e3,
		"keep", (json_int_t)p->keep, "fine", fine_word(p->fine), "volumes", "committed",
		"last", "verified", "progress");
	volumes = json_object_get(j, "volumes");
	for (unsigned i = 0; i < p->volumes; i++)
		json_array_append_new(volumes, volume_json(p, i, health, sizeof(health)));
	if (newest)
		json_object_set_new(j, "committed",
				    json_pack("{s:s, s:I, s:s}", "generation", newest->generation,
					      "seq", (json_int_t)newest->seq, "time",
					      fmt_time(newest->time_ms).s));
	else
		json_object_set_new(j, "lag", json_null());
	if (r->n)
		json_object_set_new(j, "last", report_json(&r->cut[r->n - 1]));
	if (r->verify.time_ms)
		json_object_set_new(j, "verified", verify_json(&r->verify));
	if (busy)
		json_object_set_new(j, "progress", progress_json(&pr));
	add_cause(j, r, health, newest ? lag : 0, newest && newest->replay);
	return j;
}

/* Appends one cut with the names of what holds it here: all volumes, or none. */
static int add_cut(json_t *list, const struct partnership *p, struct volume *const *v,
		   const struct state_cut *c, bool peer, struct err *e)
{
	_cleanup_json_ json_t *here = json_array();
	char name[VOLUME_NAME_MAX];

	for (unsigned i = 0; i < c->volumes && i < p->volumes; i++) {
		int held = v[i]->ops->held(v[i], c->volume[i].token, name, NULL, 0, e);

		if (held < 0)
			return -1;
		if (held)
			json_array_append_new(here, json_string(name));
	}
	if (json_array_size(here) < p->volumes || c->replay)
		json_array_clear(here);
	json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:O, s:b}", "generation",
					      c->generation, "seq", (json_int_t)c->seq, "time",
					      fmt_time(c->time_ms).s, "here", here, "peer", peer));
	return 0;
}

/* The log knows the tokens at the source; the peer's list knows what the peer holds. */
static void from_log(const struct bitlog_cut *b, struct state_cut *c)
{
	memset(c, 0, sizeof(*c));
	strcpy(c->generation, b->generation);
	c->seq = b->seq;
	c->time_ms = b->time_ms;
	c->volumes = b->volumes;
	for (unsigned i = 0; i < b->volumes; i++)
		strcpy(c->volume[i].token, b->volume[i].token);
}

static int source_cuts(const struct host *h, const struct partnership *p, struct volume *const *v,
		       const struct state *s, json_t *list, struct err *e)
{
	const char *why;
	_cleanup_(bitlog_freep) struct bitlog *log =
		bitlog_open(host_state(h, p->name, "bitlog").s, &why, e);
	const struct bitlog_cut *b;
	struct state_cut c;

	if (!log)
		return -1;
	for (unsigned i = 0; i < s->n; i++) {
		const struct bitlog_cut *done = bitlog_committed(log);

		if (s->cut[i]->seed)
			continue;
		c = *s->cut[i];
		if (done && state_cut_is(&c, done->generation, done->seq, done->time_ms))
			from_log(done, &c);
		if (add_cut(list, p, v, &c, true, e) < 0)
			return -1;
	}
	for (unsigned i = 0; (b = bitlog_get(log, i)); i++) {
		from_log(b, &c);
		if (!state_find(s, c.generation, c.seq, c.time_ms) &&
		    add_cut(list, p, v, &c, false, e) < 0)
			return -1;
	}
	return 0;
}

json_t *status_cuts_json(const struct host *h, const struct partnership *p, struct err *e)
{
	_cleanup_(state_freep) struct state *s = state_load(h, p->name, e);
	_cleanup_json_ json_t *j = json_pack("{s:[]}", "cuts");
	json_t *list = json_object_get(j, "cuts");
	struct volume *v[PARTNERSHIP_VOLUMES_MAX] = {0};
	int bad = s ? 0 : -1;

	for (unsigned i = 0; i < p->volumes && !bad; i++)
		bad = (v[i] = volume_open(p->volume[i].local, p->role, p->id, e)) ? 0 : -1;
	if (!bad && p->role == VOLUME_SOURCE)
		bad = source_cuts(h, p, v, s, list, e);
	for (unsigned i = 0; !bad && p->role == VOLUME_TARGET && i < s->n; i++)
		bad = s->cut[i]->seed ? 0 : add_cut(list, p, v, s->cut[i], i + 1 == s->n, e);
	for (unsigned i = 0; i < p->volumes; i++)
		volume_free(v[i]);
	return bad ? NULL : TAKE(j);
}
