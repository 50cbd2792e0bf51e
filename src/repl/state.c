/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "js.h"
#include "state.h"

void state_free(struct state *s)
{
	for (unsigned i = 0; s && i < s->n; i++)
		free(s->cut[i]);
	free(s);
}

const struct state_cut *state_newest(const struct state *s)
{
	return s->n ? s->cut[s->n - 1] : NULL;
}

const struct state_cut *state_committed(const struct state *s)
{
	const struct state_cut *c = state_newest(s);

	return c && !c->seed ? c : NULL;
}

void state_drop(struct state *s, unsigned i)
{
	assert(i < s->n);
	free(s->cut[i]);
	memmove(&s->cut[i], &s->cut[i + 1], (s->n - i - 1) * sizeof(s->cut[0]));
	s->n--;
}

void state_add(struct state *s, const struct state_cut *c)
{
	struct state_cut *copy = xmalloc(sizeof(*copy));

	*copy = *c;
	if (s->n == STATE_CUTS_MAX)
		state_drop(s, 0);
	s->cut[s->n++] = copy;
}

bool state_cut_is(const struct state_cut *c, const char *generation, uint64_t seq, int64_t time_ms)
{
	return c && c->seq == seq && c->time_ms == time_ms && !strcmp(c->generation, generation);
}

const struct state_cut *state_find(const struct state *s, const char *generation, uint64_t seq,
				   int64_t time_ms)
{
	for (unsigned i = 0; i < s->n; i++)
		if (state_cut_is(s->cut[i], generation, seq, time_ms))
			return s->cut[i];
	return NULL;
}

json_t *state_cut_json(const struct state_cut *c, bool with_volumes)
{
	json_t *list = json_array(), *j;

	for (unsigned i = 0; with_volumes && i < c->volumes; i++)
		json_array_append_new(list, json_pack("{s:s, s:I}", "token", c->volume[i].token,
						      "size", (json_int_t)c->volume[i].size));
	j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:o}", "generation", c->generation, "seq",
		      (json_int_t)c->seq, "time_ms", (json_int_t)c->time_ms, "committed_ms",
		      (json_int_t)c->committed_ms, "pause_us", (json_int_t)c->pause_us, "seed",
		      c->seed, "volumes", list);
	if (with_volumes && c->replay)
		json_object_set_new(j, "replay", json_integer(c->replay));
	return j;
}

static int parse_volumes(const json_t *j, struct state_cut *c, struct err *e)
{
	json_t *list = js_array(j, "volumes", e);

	if (!list)
		return -1;
	c->volumes = json_array_size(list);
	if (c->volumes > PARTNERSHIP_VOLUMES_MAX)
		return err_set(e, ERR_FAILED, "a cut of %u volumes", c->volumes);
	for (unsigned i = 0; i < c->volumes; i++) {
		const json_t *v = json_array_get(list, i);

		if (js_str(v, "token", c->volume[i].token, sizeof(c->volume[i].token), e) < 0 ||
		    js_u64(v, "size", &c->volume[i].size, e) < 0)
			return -1;
	}
	return 0;
}

int state_cut_parse(const json_t *j, struct state_cut *c, struct err *e)
{
	uint64_t time_ms, committed_ms, replay;

	memset(c, 0, sizeof(*c));
	if (js_str(j, "generation", c->generation, sizeof(c->generation), e) < 0 ||
	    js_u64(j, "seq", &c->seq, e) < 0 || js_u64(j, "time_ms", &time_ms, e) < 0 ||
	    js_u64(j, "committed_ms", &committed_ms, e) < 0 ||
	    js_u64(j, "pause_us", &c->pause_us, e) < 0 ||
	    js_u64_or(j, "replay", STATE_REPLAY_NONE, &replay, e) < 0 ||
	    js_bool_or(j, "seed", false, &c->seed, e) < 0 || parse_volumes(j, c, e) < 0)
		return -1;
	c->time_ms = time_ms;
	c->committed_ms = committed_ms;
	if (replay > STATE_REPLAY_BEGUN)
		return err_set(e, ERR_FAILED, "replay is out of bounds");
	c->replay = replay;
	if (!fmt_is_id(c->generation) || c->seq == 0)
		return err_set(e, ERR_FAILED, "a cut without a generation or number");
	return 0;
}

struct state *state_load(const struct host *h, const char *name, struct err *e)
{
	struct host_path path = host_state(h, name, "state.json");
	_cleanup_(state_freep) struct state *s = xcalloc(1, sizeof(*s));
	_cleanup_json_ json_t *j = js_load(path.s, e);
	struct state_cut c;
	json_t *list;

	if (!j)
		return errno == ENOENT ? TAKE(s) : NULL;
	list = js_array(j, "cuts", e);
	for (size_t i = 0; list && i < json_array_size(list); i++) {
		if (state_cut_parse(json_array_get(list, i), &c, e) < 0)
			list = NULL;
		else
			state_add(s, &c);
	}
	if (!list) {
		err_wrap(e, "%s", path.s);
		return NULL;
	}
	return TAKE(s);
}

int state_save(const struct host *h, const char *name, const struct state *s, struct err *e)
{
	_cleanup_json_ json_t *j = json_pack("{s:i, s:[]}", "format", 1, "cuts");
	json_t *list = json_object_get(j, "cuts");

	for (unsigned i = 0; i < s->n; i++)
		json_array_append_new(list, state_cut_json(s->cut[i], true));
	return js_save(host_state(h, name, "state.json").s, j, 0600, e);
}
