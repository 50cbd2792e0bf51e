/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "js.h"
#include "lock.h"
#include "report.h"

static int parse_cut(const json_t *j, struct report_cut *c, struct err *e)
{
	uint64_t time_ms, finished_ms;

	if (js_u64(j, "seq", &c->seq, e) < 0 || js_u64(j, "time_ms", &time_ms, e) < 0 ||
	    js_u64(j, "finished_ms", &finished_ms, e) < 0 ||
	    js_u64(j, "pause_us", &c->pause_us, e) < 0 ||
	    js_u64_or(j, "hooks_us", 0, &c->hooks_us, e) < 0 ||
	    js_u64(j, "changed", &c->changed, e) < 0 || js_u64(j, "shipped", &c->shipped, e) < 0 ||
	    js_u64(j, "wire", &c->wire, e) < 0 || js_u64(j, "took_ms", &c->took_ms, e) < 0)
		return -1;
	if (js_u64_or(j, "compared", 0, &c->compared, e) < 0)
		return -1;
	c->time_ms = time_ms;
	c->finished_ms = finished_ms;
	return js_bool_or(j, "full", false, &c->full, e);
}

static json_t *cut_json(const struct report_cut *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "seq",
			 (json_int_t)c->seq, "time_ms", (json_int_t)c->time_ms, "finished_ms",
			 (json_int_t)c->finished_ms, "pause_us", (json_int_t)c->pause_us,
			 "hooks_us", (json_int_t)c->hooks_us, "changed", (json_int_t)c->changed,
			 "compared", (json_int_t)c->compared, "shipped", (json_int_t)c->shipped,
			 "wire", (json_int_t)c->wire, "took_ms", (json_int_t)c->took_ms, "full",
			 c->full);
}

static int parse_error(const json_t *j, struct report *r, struct err *e)
{
	char code[16];
	uint64_t ms;

	if (!json_is_object(j))
		return 0;
	if (js_u64(j, "time_ms", &ms, e) < 0 || js_str(j, "code", code, sizeof(code), e) < 0 ||
	    js_str(j, "text", r->error.text, sizeof(r->error.text), e) < 0 ||
	    js_str(j, "hint", r->error.hint, sizeof(r->error.hint), e) < 0)
		return -1;
	r->error_ms = ms;
	r->error.code = err_code_of(code);
	return 0;
}

static int parse_verify(const json_t *j, struct report_verify *v, struct err *e)
{
	uint64_t ms;

	if (!json_is_object(j))
		return 0;
	if (js_u64(j, "verified_ms", &ms, e) < 0 || js_u64(j, "first_seq", &v->first_seq, e) < 0 ||
	    js_u64(j, "verified_seq", &v->seq, e) < 0 ||
	    js_u64(j, "differences", &v->differs, e) < 0)
		return -1;
	v->time_ms = ms;
	return 0;
}

int report_load(const struct host *h, const char *name, struct report *r, struct err *e)
{
	_cleanup_json_ json_t *j = js_load(host_state(h, name, "report.json").s, e);
	uint64_t failures;
	json_t *list;

	memset(r, 0, sizeof(*r));
	if (!j)
		return errno == ENOENT || errno == EINVAL ? 0
							  : -1; /* damaged: nothing depends on it */
	if (!(list = js_array(j, "cuts", e)) ||
	    parse_error(json_object_get(j, "error"), r, e) < 0 ||
	    parse_verify(json_object_get(j, "verify"), &r->verify, e) < 0 ||
	    js_u64_or(j, "failures", 0, &failures, e) < 0 ||
	    js_str_or(j, "warning", "", r->warning, sizeof(r->warning), e) < 0)
		return -1;
	r->failures = failures;
	for (size_t i = 0; i < json_array_size(list) && i < REPORT_CUTS_MAX; i++, r->n++)
		if (parse_cut(json_array_get(list, i), &r->cut[i], e) < 0)
			return -1;
	return 0;
}

static int save(const struct host *h, const char *name, const struct report *r, struct err *e)
{
	_cleanup_json_ json_t *j = json_pack("{s:[], s:i, s:s, s:n}", "cuts", "failures",
					     (int)r->failures, "warning", r->warning, "error");
	json_t *list = json_object_get(j, "cuts");

	for (unsigned i = 0; i < r->n; i++)
		json_array_append_new(list, cut_json(&r->cut[i]));
	if (r->error_ms)
		json_object_set_new(j, "error",
				    json_pack("{s:I, s:s, s:s, s:s}", "time_ms",
					      (json_int_t)r->error_ms, "code",
					      err_word(r->error.code), "text", r->error.text,
					      "hint", r->error.hint));
	if (r->verify.time_ms)
		json_object_set_new(j, "verify",
				    json_pack("{s:I, s:I, s:I, s:I}", "verified_ms",
					      (json_int_t)r->verify.time_ms, "first_seq",
					      (json_int_t)r->verify.first_seq, "verified_seq",
					      (json_int_t)r->verify.seq, "differences",
					      (json_int_t)r->verify.differs));
	return js_save(host_state(h, name, "report.json").s, j, 0600, e);
}

int report_add(const struct host *h, const char *name, const struct report_cut *c, struct err *e)
{
	struct report r;

	if (report_load(h, name, &r, e) < 0)
		return -1;
	if (r.n == REPORT_CUTS_MAX)
		memmove(&r.cut[0], &r.cut[1], --r.n * sizeof(r.cut[0]));
	r.cut[r.n++] = *c;
	r.error_ms = 0;
	r.failures = 0;
	r.warning[0] = '\0';
	return save(h, name, &r, e);
}

int report_failed(const struct host *h, const char *name, const struct err *why, struct err *e)
{
	struct report r;

	if (report_load(h, name, &r, e) < 0)
		return -1;
	r.error = *why;
	r.error_ms = fmt_now_ms();
	r.failures++;
	return save(h, name, &r, e);
}

int report_warn(const struct host *h, const char *name, const char *text, struct err *e)
{
	struct report r;

	if (report_load(h, name, &r, e) < 0)
		return -1;
	snprintf(r.warning, sizeof(r.warning), "%s", text);
	return save(h, name, &r, e);
}

int report_verified(const struct host *h, const char *name, const struct report_verify *v,
		    struct err *e)
{
	struct report r;

	if (report_load(h, name, &r, e) < 0)
		return -1;
	r.verify = *v;
	return save(h, name, &r, e);
}

void progress_save(const struct host *h, const char *name, const struct progress *p)
{
	struct host_path path = host_state(h, name, "progress.json"), tmp;
	_cleanup_json_ json_t *j = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "phase", p->phase, "seq",
		(json_int_t)p->seq, "start_ms", (json_int_t)p->start_ms, "segments",
		(json_int_t)p->segments, "segments_total", (json_int_t)p->segments_total, "bytes",
		(json_int_t)p->bytes, "bytes_total", (json_int_t)p->bytes_total, "wire",
		(json_int_t)p->wire, "rate", (json_int_t)p->rate, "pid", (int)getpid());

	tmp = host_state(h, name, "progress.json.tmp");
	if (json_dump_file(j, tmp.s, JSON_COMPACT) == 0)
		(void)rename(tmp.s, path.s); /* a lost progress line harms nobody */
}

void progress_clear(const struct host *h, const char *name)
{
	unlink(host_state(h, name, "progress.json").s);
}

bool progress_load(const struct host *h, const char *name, struct progress *p)
{
	struct err ignored;
	_cleanup_json_ json_t *j = js_load(host_state(h, name, "progress.json").s, &ignored);
	uint64_t start, pid;

	if (!j || js_str(j, "phase", p->phase, sizeof(p->phase), &ignored) < 0 ||
	    js_u64(j, "seq", &p->seq, &ignored) < 0 ||
	    js_u64(j, "start_ms", &start, &ignored) < 0 ||
	    js_u64(j, "segments", &p->segments, &ignored) < 0 ||
	    js_u64(j, "segments_total", &p->segments_total, &ignored) < 0 ||
	    js_u64(j, "bytes", &p->bytes, &ignored) < 0 ||
	    js_u64(j, "bytes_total", &p->bytes_total, &ignored) < 0 ||
	    js_u64(j, "wire", &p->wire, &ignored) < 0 ||
	    js_u64(j, "rate", &p->rate, &ignored) < 0 || js_u64(j, "pid", &pid, &ignored) < 0)
		return false;
	p->start_ms = start;
	p->pid = pid;
	/* a process id can come round again, the lock cannot */
	return lock_held(host_state(h, name, "lock").s);
}
