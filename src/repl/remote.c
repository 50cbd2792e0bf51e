/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "js.h"
#include "remote.h"

void remote_replica_free(struct remote_replica *r)
{
	if (!r)
		return;
	state_free(r->state);
	bset_free(r->received);
	free(r);
}

json_t *remote_replica_json(const struct state *s, const char *open_generation, uint64_t open_seq,
			    const struct bset *received, bool paused)
{
	json_t *j = json_pack("{s:[], s:n, s:b}", "cuts", "open", "paused", paused);
	json_t *ranges = json_array(), *sizes = json_array();
	const struct state_cut *newest = state_newest(s);
	uint64_t first = 0, n = 0;

	for (unsigned i = 0; i < s->n; i++)
		json_array_append_new(json_object_get(j, "cuts"), state_cut_json(s->cut[i], false));
	for (unsigned i = 0; newest && i < newest->volumes; i++)
		json_array_append_new(sizes, json_integer(newest->volume[i].size));
	json_object_set_new(j, "sizes", sizes);
	while (received && bset_next_run(received, first + n, &first, &n))
		json_array_append_new(ranges,
				      json_pack("[I, I]", (json_int_t)first, (json_int_t)n));
	if (*open_generation)
		json_object_set_new(j, "open",
				    json_pack("{s:s, s:I, s:O}", "generation", open_generation,
					      "seq", (json_int_t)open_seq, "received", ranges));
	json_decref(ranges);
	return j;
}

static int parse_open(const json_t *j, struct remote_replica *r, struct err *e)
{
	json_t *ranges;

	if (!json_is_object(j))
		return 0;
	if (js_str(j, "generation", r->open_generation, sizeof(r->open_generation), e) < 0 ||
	    js_u64(j, "seq", &r->open_seq, e) < 0 || !(ranges = js_array(j, "received", e)))
		return -1;
	for (size_t i = 0; i < json_array_size(ranges); i++) {
		const json_t *pair = json_array_get(ranges, i);
		json_int_t first = json_integer_value(json_array_get(pair, 0));
		json_int_t n = json_integer_value(json_array_get(pair, 1));

		if (first < 0 || n < 0 || bset_add(r->received, first, n) < 0)
			return err_set(e, ERR_FAILED, "a range of segments is out of bounds");
	}
	return 0;
}

/* A peer of an earlier version says nothing of sizes. */
static int parse_sizes(const json_t *list, struct remote_replica *r, struct err *e)
{
	if (json_array_size(list) > PARTNERSHIP_VOLUMES_MAX)
		return err_set(e, ERR_FAILED, "a cut of %zu volumes", json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_int_t n = json_integer_value(json_array_get(list, i));

		r->size[i] = n > 0 ? n : 0;
	}
	return 0;
}

struct remote_replica *remote_replica_parse(const void *text, size_t len, struct err *e)
{
	_cleanup_(remote_replica_freep) struct remote_replica *r = xcalloc(1, sizeof(*r));
	_cleanup_json_ json_t *j = js_parse(text, len, "the peer's answer", e);
	json_t *cuts = j ? js_array(j, "cuts", e) : NULL;
	struct state_cut c;

	r->state = xcalloc(1, sizeof(*r->state));
	r->received = bset_new();
	if (!cuts || js_bool_or(j, "paused", false, &r->paused, e) < 0 ||
	    parse_sizes(json_object_get(j, "sizes"), r, e) < 0 ||
	    parse_open(json_object_get(j, "open"), r, e) < 0)
		return NULL;
	for (size_t i = 0; i < json_array_size(cuts); i++) {
		if (state_cut_parse(json_array_get(cuts, i), &c, e) < 0)
			return NULL;
		state_add(r->state, &c);
	}
	return TAKE(r);
}

struct client *remote_connect(const struct partnership *p, const struct identity *id,
			      unsigned stall_ms, struct err *e)
{
	const struct client_peer peer = {.address = p->peer_address,
					 .fingerprint = p->peer_fingerprint,
					 .stall_ms = stall_ms};

	if (!p->peer_address[0]) {
		err_set(e, ERR_PEER, "the address of the peer of %s is not known here", p->name);
		return NULL;
	}
	return client_new(&peer, id, e);
}

/* One call on the replica; anything but 2xx becomes the peer's error. */
static int call(struct client *c, const char *method, const char *path, const void *body,
		size_t len, struct buf *reply, struct err *e)
{
	int status = client_call(c, method, path, body, len, reply, e);

	if (status < 0)
		return -1;
	return status >= 200 && status < 300 ? 0 : client_error(status, reply, e);
}

#define PATH_SIZE 160

struct remote_replica *remote_get(struct client *c, const char *id, struct err *e)
{
	_cleanup_buf_ struct buf reply = BUF_INIT;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/replicas/%s", id);
	return call(c, "GET", path, NULL, 0, &reply, e) < 0
		       ? NULL
		       : remote_replica_parse(reply.data, reply.len, e);
}

int remote_create(struct client *c, const char *id, const json_t *request, struct err *e)
{
	_cleanup_buf_ struct buf reply = BUF_INIT;
	_cleanup_free_ char *text = json_dumps(request, JSON_COMPACT);
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/replicas/%s", id);
	return call(c, "PUT", path, text, strlen(text), &reply, e);
}

int remote_remove(struct client *c, const char *id, struct err *e)
{
	_cleanup_buf_ struct buf reply = BUF_INIT;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/replicas/%s", id);
	return call(c, "DELETE", path, NULL, 0, &reply, e);
}

int remote_rewind(struct client *c, const char *id, struct err *e)
{
	_cleanup_buf_ struct buf reply = BUF_INIT;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/replicas/%s/rewind", id);
	return call(c, "POST", path, NULL, 0, &reply, e);
}

struct remote_replica *remote_adopt(struct client *c, const char *id, const struct state_cut *seed,
				    struct err *e)
{
	_cleanup_json_ json_t *j = state_cut_json(seed, true);
	_cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);
	_cleanup_buf_ struct buf reply = BUF_INIT;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/replicas/%s/adopt", id);
	return call(c, "POST", path, text, strlen(text), &reply, e) < 0
		       ? NULL
		       : remote_replica_parse(reply.data, reply.len, e);
}

int remote_hashes(struct client *c, const char *id, const struct hashes *q, struct buf *answer,
		  _Atomic uint64_t *wire, struct err *e)
{
	_cleanup_json_ json_t *j = hashes_json(q);
	_cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);
	size_t len = strlen(text);
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/replicas/%s/hashes", id);
	if (call(c, "POST", path, text, len, answer, e) < 0)
		return -1;
	if (wire)
		*wire += len + answer->len;
	return 0;
}

struct remote_replica *remote_begin(struct client *c, const char *id, uint64_t seq,
				    const struct buf *manifest, struct err *e)
{
	_cleanup_buf_ struct buf reply = BUF_INIT;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/replicas/%s/cuts/%" PRIu64, id, seq);
	if (call(c, "PUT", path, manifest->data, manifest->len, &reply, e) < 0)
		return NULL;
	return remote_replica_parse(reply.data, reply.len, e);
}

int remote_segment(struct client *c, const char *id, uint64_t seq, uint64_t number,
		   const struct buf *segment, struct err *e)
{
	_cleanup_buf_ struct buf reply = BUF_INIT;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/replicas/%s/cuts/%" PRIu64 "/segments/%" PRIu64, id, seq,
		 number);
	return call(c, "PUT", path, segment->data, segment->len, &reply, e);
}

struct remote_replica *remote_commit(struct client *c, const char *id, uint64_t seq, struct err *e)
{
	_cleanup_buf_ struct buf reply = BUF_INIT;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/replicas/%s/cuts/%" PRIu64 "/commit", id, seq);
	return call(c, "POST", path, NULL, 0, &reply, e) < 0
		       ? NULL
		       : remote_replica_parse(reply.data, reply.len, e);
}

json_t *remote_drive(struct client *c, const char *id, const char *command, struct err *e)
{
	_cleanup_buf_ struct buf reply = BUF_INIT;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/partnerships/%s/%s", id, command);
	if (call(c, "POST", path, NULL, 0, &reply, e) < 0)
		return NULL;
	return js_parse(reply.data, reply.len, "the peer's answer", e);
}
