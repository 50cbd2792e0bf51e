/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "api.h"
#include "hashes.h"
#include "js.h"
#include "manifest.h"
#include "peers.h"
#include "program.h"
#include "remote.h"
#include "segment.h"
#include "status.h"
#include "target.h"

#define REQUEST_MAX (1u << 20) /* bytes of a JSON request */

/* Is the caller the pinned peer of any partnership here? */
static bool pinned(const struct host *h, const char *fingerprint)
{
	struct err ignored;
	char **names;
	int n = partnership_names(h, &names, &ignored);
	bool found = false;

	for (int i = 0; i < n && !found; i++) {
		struct partnership *p = partnership_load(h, names[i], &ignored);

		found = p && p->role == VOLUME_SOURCE && !strcmp(p->peer_fingerprint, fingerprint);
		partnership_free(p);
	}
	if (n >= 0)
		partnership_names_free(names);
	return found;
}

int api_authorize(void *arg, const char *fingerprint, struct err *e)
{
	const struct api *a = arg;
	_cleanup_(peers_freep) struct peers *peers = peers_load(a->host, e);

	if (!peers)
		return -1;
	if (peers_find(peers, fingerprint) || pinned(a->host, fingerprint))
		return 0;
	err_set(e, ERR_REFUSED, "this host has not granted %s anything", fingerprint);
	return err_hint(e, "on this host: srsync grant %s --name HOST", fingerprint);
}

static void reply_json(struct server_reply *rp, json_t *j)
{
	_cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);

	rp->status = 200;
	if (text)
		buf_put(&rp->body, text, strlen(text));
	json_decref(j);
}

/* The partnership of the request's id, if the caller is its other side; else the reply is filled.
 * While a cut is received it is at hand: no folder of partnerships is read for every segment. */
static struct partnership *find(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	struct err e = ERR_INIT;
	struct partnership *p = replica_partnership(a->replicas, rq->param[0]);

	if (!p)
		p = partnership_find_id(a->host, rq->param[0], &e);
	if (!p) {
		err_hint(&e, "it was removed on this host, or never made: srsync list there tells");
		server_reply_error(rp, 404, &e);
	} else if (strcmp(p->peer_fingerprint, rq->fingerprint)) {
		err_set(&e, ERR_REFUSED, "partnership %s belongs to another host", rq->param[0]);
		server_reply_error(rp, 403, &e);
		partnership_free(p);
		p = NULL;
	}
	return p;
}

static struct partnership *find_replica(const struct server_request *rq, struct server_reply *rp)
{
	struct err e = ERR_INIT;
	struct partnership *p = find(rq, rp);

	if (!p || p->role == VOLUME_TARGET)
		return p;
	err_set(&e, ERR_REFUSED, "%s is a source on this host, not a destination", p->name);
	server_reply_error(rp, 0, &e);
	partnership_free(p);
	return NULL;
}

static int param_u64(const struct server_request *rq, unsigned i, uint64_t *v, struct err *e)
{
	return fmt_parse_u64(rq->param[i], 0, INT64_MAX, v, e);
}

static void get_replica(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find_replica(rq, rp);
	struct err e = ERR_INIT;
	json_t *j;

	if (!p)
		return;
	if (replica_describe(a->replicas, p, &j, &e) < 0)
		server_reply_error(rp, 0, &e);
	else
		reply_json(rp, j);
}

static void create_replica(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_free_ struct target_request *r = xcalloc(1, sizeof(*r));
	_cleanup_(peers_freep) struct peers *peers = NULL;
	struct err e = ERR_INIT;

	if (!(peers = peers_load(a->host, &e)))
		server_reply_error(rp, 0, &e);
	else if (!peers_find(peers, rq->fingerprint)) {
		err_set(&e, ERR_REFUSED, "only a granted peer may create");
		server_reply_error(rp, 403, &e);
	} else if (target_request_parse(rq->body, rq->len, rq->param[0], r, &e) < 0 ||
		   target_create(a->host, r, rq->fingerprint, rq->remote, &e) < 0)
		server_reply_error(rp, 0, &e);
	else
		reply_json(rp, json_pack("{s:b}", "created", 1));
}

static void delete_replica(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find_replica(rq, rp);
	struct err e = ERR_INIT;

	if (!p)
		return;
	replica_close(a->replicas, p);
	if (target_remove(a->host, p, false, &e) < 0)
		server_reply_error(rp, 0, &e);
	else
		reply_json(rp, json_pack("{s:b}", "removed", 1));
}

static void begin_cut(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find_replica(rq, rp);
	struct err e = ERR_INIT;
	uint64_t seq;
	json_t *j;

	if (!p)
		return;
	if (param_u64(rq, 1, &seq, &e) < 0 ||
	    replica_begin(a->replicas, p, seq, rq->body, rq->len, &j, &e) < 0)
		server_reply_error(rp, 0, &e);
	else
		reply_json(rp, j);
}

static void put_segment(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find_replica(rq, rp);
	struct err e = ERR_INIT;
	uint64_t seq, number;

	if (!p)
		return;
	if (param_u64(rq, 1, &seq, &e) < 0 || param_u64(rq, 2, &number, &e) < 0 ||
	    replica_segment(a->replicas, p, seq, number, rq->body, rq->len, &e) < 0)
		server_reply_error(rp, 0, &e);
	else
		rp->status = 204;
}

static void commit_cut(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find_replica(rq, rp);
	struct err e = ERR_INIT;
	uint64_t seq;
	json_t *j;

	if (!p)
		return;
	if (param_u64(rq, 1, &seq, &e) < 0 || replica_commit(a->replicas, p, seq, &j, &e) < 0)
		server_reply_error(rp, 0, &e);
	else
		reply_json(rp, j);
}

static void rewind_head(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find_replica(rq, rp);
	struct err e = ERR_INIT;

	if (!p)
		return;
	if (replica_rewind(a->replicas, p, &e) < 0)
		server_reply_error(rp, 0, &e);
	else
		reply_json(rp, json_pack("{s:b}", "rewound", 1));
}

static void get_hashes(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find_replica(rq, rp);
	struct err e = ERR_INIT;

	if (!p)
		return;
	if (replica_hashes(a->replicas, p, rq->body, rq->len, &rp->body, &e) < 0) {
		buf_reset(&rp->body);
		server_reply_error(rp, 0, &e);
	} else {
		rp->status = 200;
		rp->type = "application/octet-stream";
	}
}

/* A state_cut as on the wire, with sizes: token is empty. */
static void adopt(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find_replica(rq, rp);
	_cleanup_free_ struct state_cut *seed = xmalloc(sizeof(*seed));
	_cleanup_json_ json_t *j = NULL;
	struct err e = ERR_INIT;
	json_t *reply;

	if (!p)
		return;
	j = js_parse(rq->body, rq->len, "the request", &e);
	if (!j || state_cut_parse(j, seed, &e) < 0 ||
	    replica_adopt(a->replicas, p, seed, &reply, &e) < 0)
		server_reply_error(rp, 0, &e);
	else
		reply_json(rp, reply);
}

static void get_status(const struct server_request *rq, struct server_reply *rp)
{
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find(rq, rp);
	struct err e = ERR_INIT;
	json_t *j;

	if (!p)
		return;
	j = status_json(a->host, p, &e);
	if (j)
		reply_json(rp, j);
	else
		server_reply_error(rp, 0, &e);
}

static bool may_manage(const struct api *a, const char *fingerprint)
{
	struct err ignored;
	_cleanup_(peers_freep) struct peers *peers = peers_load(a->host, &ignored);
	const struct peer *peer = peers ? peers_find(peers, fingerprint) : NULL;

	return peer && peer->role == PEER_MANAGE;
}

#define TO_DO "\n  to do: "

/* The error is what a command says last, its remedy in a line behind it (log_err). */
static int said(char *words, int code, struct err *e)
{
	char *text = words, *hint, *next;

	while ((next = strstr(text, "\nsrsync: ")) != NULL)
		text = next + 1;
	hint = strstr(text, TO_DO);
	err_set(e, code <= ERR_BUSY ? code : ERR_FAILED, "%.*s", (int)strcspn(text, "\n"), text);
	if (hint)
		err_hint(e, "%.*s", (int)strcspn(hint + strlen(TO_DO), "\n"), hint + strlen(TO_DO));
	return -1;
}

/* Runs this very program, so that the work and its words are the same as from the command line. */
static int run_command(const struct api *a, const char *command, const char *name, struct buf *out,
		       struct err *e)
{
	_cleanup_buf_ struct buf words = BUF_INIT;
	const char *argv[] = {"/proc/self/exe",
			      "--confdir",
			      a->host->confdir,
			      "--statedir",
			      a->host->statedir,
			      command,
			      name,
			      NULL,
			      NULL};
	struct program s = {.argv = argv};
	int r;

	if (!strcmp(command, "sync") || !strcmp(command, "verify"))
		argv[7] = "--json";
	r = program_run(&s, out, &words, e);
	if (r == 0 || r == -1)
		return r;
	buf_put_u8(&words, 0);
	return said((char *)words.data, r, e);
}

static void drive(const struct server_request *rq, struct server_reply *rp)
{
	static const char *const allowed[] = {"sync", "pause", "resume", "verify"};
	const struct api *a = rq->arg;
	_cleanup_(partnership_freep) struct partnership *p = find(rq, rp);
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	unsigned i = 0;

	if (!p)
		return;
	while (i < ARRAY_SIZE(allowed) && strcmp(rq->param[1], allowed[i]))
		i++;
	if (i == ARRAY_SIZE(allowed) || !may_manage(a, rq->fingerprint)) {
		err_set(&e, ERR_REFUSED, "that peer may not run %s here", rq->param[1]);
		err_hint(&e, "on %s: srsync grant %s --name HOST --role manage",
			 partnership_role_word(p->role), rq->fingerprint);
		server_reply_error(rp, 403, &e);
	} else if (run_command(a, allowed[i], p->name, &out, &e) < 0) {
		server_reply_error(rp, 0, &e);
	} else {
		rp->status = 200;
		rp->body = out;
		out = (struct buf)BUF_INIT;
	}
}

const struct server_route api_routes[] = {
	{"GET", "/v1/replicas/*", get_replica, 0, NULL},
	{"PUT", "/v1/replicas/*", create_replica, REQUEST_MAX, NULL},
	{"DELETE", "/v1/replicas/*", delete_replica, 0, NULL},
	{"PUT", "/v1/replicas/*/cuts/*", begin_cut, MANIFEST_FRAME_MAX, NULL},
	{"PUT", "/v1/replicas/*/cuts/*/segments/*", put_segment, SEGMENT_MAX, segment_data_at},
	{"POST", "/v1/replicas/*/cuts/*/commit", commit_cut, 0, NULL},
	{"POST", "/v1/replicas/*/hashes", get_hashes, HASHES_REQUEST_MAX, NULL},
	{"POST", "/v1/replicas/*/adopt", adopt, REQUEST_MAX, NULL},
	{"POST", "/v1/replicas/*/rewind", rewind_head, 0, NULL},
	{"GET", "/v1/partnerships/*", get_status, 0, NULL},
	{"POST", "/v1/partnerships/*/*", drive, 0, NULL},
	{0},
};
