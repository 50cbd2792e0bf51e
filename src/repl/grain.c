/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fine.h"
#include "grain.h"
#include "js.h"
#include "log.h"
#include "refine.h"
#include "report.h"
#include "stop.h"

#define SHOW_US 500000 /* between two updates of the progress; shorter comparisons show none */

static struct host_path file_of(const struct source *s)
{
	return host_state(s->host, s->p->name, "fine.json");
}

static int parse(const json_t *j, struct fine_history *h, struct err *e)
{
	if (js_u64(j, "chunks", &h->chunks, e) < 0 || js_u64(j, "pages", &h->pages, e) < 0 ||
	    js_u64(j, "skipped", &h->skipped, e) < 0)
		return -1;
	return js_bool_or(j, "failed", false, &h->failed, e);
}

/* Nothing depends on it: what cannot be read is as nothing known. */
static json_t *load(const struct source *s)
{
	struct err ignored;
	_cleanup_json_ json_t *j = js_load(file_of(s).s, &ignored);
	json_t *list = json_object_get(j, "volumes");

	if (json_is_array(list) && json_array_size(list) == s->p->volumes)
		return TAKE(j);
	json_decref(j);
	j = json_pack("{s:i, s:[]}", "format", 1, "volumes");
	for (unsigned i = 0; i < s->p->volumes; i++)
		json_array_append_new(json_object_get(j, "volumes"), json_object());
	return TAKE(j);
}

static void save(const struct source *s, json_t *j, unsigned i, const struct fine_history *h)
{
	struct err e;

	json_array_set_new(json_object_get(j, "volumes"), i,
			   json_pack("{s:I, s:I, s:I, s:b}", "chunks", (json_int_t)h->chunks,
				     "pages", (json_int_t)h->pages, "skipped",
				     (json_int_t)h->skipped, "failed", h->failed));
	if (js_save(file_of(s).s, j, 0600, &e) < 0)
		log_err(LOG_LEVEL_WARN, &e);
}

struct show {
	const struct source *s;
	struct progress p;
	uint64_t last_us, last_bytes;
	bool stopped;
};

static bool tick(void *arg, uint64_t done)
{
	struct show *w = arg;
	uint64_t now = fmt_mono_us();

	w->stopped = stop_wanted();
	if (w->stopped || now - w->last_us < SHOW_US)
		return !w->stopped;
	w->p.rate = (done - w->last_bytes) * 1000000 / (now - w->last_us);
	w->p.bytes = w->last_bytes = done;
	w->last_us = now;
	progress_save(w->s->host, w->s->p->name, &w->p);
	w->stopped = partnership_paused(w->s->host, w->s->p->name);
	return !w->stopped;
}

/* NULL: as it was. Said once, not at every cut. */
static struct bset *refine(struct source *s, struct refine *r, struct fine_history *h,
			   uint64_t bytes)
{
	const struct bitlog_cut *newest = bitlog_newest(s->log);
	struct show w = {.s = s,
			 .p = {.phase = "refining",
			       .seq = newest->seq + 1,
			       .start_ms = fmt_now_ms(),
			       .bytes_total = bytes},
			 .last_us = fmt_mono_us()};
	struct bset *fine;
	struct err e;

	r->tick = tick;
	r->arg = &w;
	fine = refine_run(r, &e);
	if (fine) {
		fine_learn(h, bytes, bset_count(fine) * FINE_PAGE);
		return fine;
	}
	if (!w.stopped && !h->failed)
		log_warn("%s: changed pages cannot be told apart, whole chunks are shipped: %s",
			 r->v->name, e.text);
	h->failed |= !w.stopped;
	return NULL;
}

struct bset *grain_set(struct source *s, unsigned i, const struct bitlog_volume *base,
		       const char *token, const struct bset *chunks)
{
	struct volume *v = s->volume[i];
	uint32_t block_size = fine_block_size(v->size, v->block_size);
	uint64_t bytes = bset_count(chunks) * v->block_size;
	struct refine r = {v, base->token, token, base->size, chunks, NULL, NULL};
	struct fine_history h = {0};
	_cleanup_json_ json_t *j = NULL;
	struct bset *fine = NULL;
	struct err ignored;

	if (v->block_size > FINE_PAGE && block_size == FINE_PAGE && bytes) {
		j = load(s);
		if (parse(json_array_get(json_object_get(j, "volumes"), i), &h, &ignored) < 0)
			h = (struct fine_history){0};
		h.skipped++;
		if (fine_wanted(s->p->fine, &h, bytes, v->size))
			fine = refine(s, &r, &h, bytes);
		save(s, j, i, &h);
	}
	return fine ? fine : bset_rescale(chunks, v->block_size, block_size);
}
