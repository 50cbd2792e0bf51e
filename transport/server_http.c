/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libmicrohttpd calls on_request() once with the headers, then with pieces of the body, then once
 * more when all of it is there; on_completed() ends the request however it ended. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "aio.h"
#include "fmt.h"
#include "js.h"
#include "log.h"
#include "route.h"
#include "server_state.h"
#include "signals.h"

#define HEADERS 8192u
#define MEMORY_LIMIT                                                                               \
	(2 * (TLS_CHUNK + HEADERS)) /* bytes per connection, half of them for reading */
/* A body may come slowly, but not so slowly that it keeps a thread for ever. */
#define BODY_GRACE_MS 30000
#define BODY_RATE_MIN 4 /* bytes per millisecond, after the grace: slow lines are no crime */

struct request {
	struct server_conn *conn;
	const struct server_route *route;
	struct server_request rq;
	uint64_t started_us;
	size_t length; /* as announced */
	uint8_t *at;   /* where in the connection's memory the body begins */
};

/* A text that was cut in the middle of a character, or is not UTF-8 at all, is no JSON string. */
static json_t *text_of(const char *s)
{
	json_t *j = json_string(s);
	_cleanup_free_ char *ascii = NULL;

	if (j)
		return j;
	ascii = xstrdup(s);
	for (char *p = ascii; *p; p++)
		if (*p & 0x80)
			*p = '?';
	return json_string(ascii);
}

void server_reply_error(struct server_reply *rp, int status, const struct err *e)
{
	static const int by_code[] = {[ERR_NONE] = 500,    [ERR_FAILED] = 500, [ERR_USAGE] = 400,
				      [ERR_REFUSED] = 409, [ERR_PEER] = 502,   [ERR_BUSY] = 423};
	_cleanup_json_ json_t *j =
		json_pack("{s:{s:s,s:o,s:o}}", "error", "code", err_word(e->code), "text",
			  text_of(e->text), "hint", text_of(e->hint));
	_cleanup_free_ char *s = json_dumps(j, JSON_COMPACT);

	rp->status = status ? status : by_code[e->code];
	rp->type = NULL;
	buf_reset(&rp->body);
	if (s)
		buf_put(&rp->body, s, strlen(s));
}

static enum MHD_Result send_reply(struct MHD_Connection *mc, struct server_reply *rp)
{
	/* libmicrohttpd frees the bytes, by free() as ours want it. */
	struct MHD_Response *r =
		MHD_create_response_from_buffer(rp->body.len, rp->body.data, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (!r) {
		buf_free(&rp->body);
		return MHD_NO;
	}
	if (rp->body.len > 0)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
					rp->type ? rp->type : "application/json");
	result = MHD_queue_response(mc, rp->status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *mc, int status, const struct err *e)
{
	struct server_reply rp = {.body = BUF_INIT};

	server_reply_error(&rp, status, e);
	return send_reply(mc, &rp);
}

/* The announced length of the body; the status of the refusal if there is none or it is too long.
 */
static int body_length(struct MHD_Connection *mc, struct request *r, struct err *e)
{
	const char *s = MHD_lookup_connection_value(mc, MHD_HEADER_KIND, "Content-Length");
	bool chunked = MHD_lookup_connection_value(mc, MHD_HEADER_KIND, "Transfer-Encoding");
	struct err ignored = ERR_INIT;
	uint64_t n = 0;

	if (chunked || (!s && strcmp(r->route->method, "GET") != 0)) {
		err_set(e, ERR_USAGE, "the request has no Content-Length");
		return 411;
	}
	if (s && fmt_parse_u64(s, 0, UINT64_MAX, &n, &ignored) < 0) {
		err_set(e, ERR_USAGE, "the Content-Length is not a number");
		return 400;
	}
	if (n > r->route->body_max) {
		err_set(e, ERR_USAGE, "the body of %llu bytes is larger than %zu",
			(unsigned long long)n, r->route->body_max);
		return 413;
	}
	r->length = n;
	return 0;
}

/* 0, or the status of the refusal. Nothing is allocated for the body before this has passed. */
static int check(struct MHD_Connection *mc, struct request *r, const char *method, const char *path,
		 struct err *e)
{
	struct server *s = r->conn->server;
	int status;

	if (s->o.authorize(s->o.arg, r->conn->fingerprint, e) < 0)
		return 403;
	r->route = route_find(s->o.routes, method, path, r->rq.param, &status);
	if (!r->route) {
		err_set(e, ERR_USAGE, "%.8s %.200s: no such request", method, path);
		return status;
	}
	return body_length(mc, r, e);
}

static void make_room(struct server_conn *c, size_t n)
{
	n += AIO_ALIGN; /* the data may be moved up to a boundary */
	if (n <= c->body_cap)
		return;
	aio_release(c->body, c->body_cap);
	c->body = aio_alloc(n);
	c->body_cap = n;
}

static enum MHD_Result begin(struct MHD_Connection *mc, const char *method, const char *path,
			     void **ctx)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(mc, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct server_conn *c = i ? i->socket_context : NULL;
	struct request *r;
	struct err e = ERR_INIT;
	bool stopping;
	int status;

	if (!c)
		return MHD_NO;
	r = xcalloc(1, sizeof(*r));
	r->conn = c;
	*ctx = r; /* freed by on_completed() */
	pthread_mutex_lock(&c->server->lock);
	c->server->requests++;
	stopping = c->server->stopping;
	pthread_mutex_unlock(&c->server->lock);
	if (stopping) {
		err_set(&e, ERR_BUSY, "srsync serve is stopping");
		return refuse(mc, 503, &e);
	}
	status = check(mc, r, method, path, &e);
	if (status)
		return refuse(mc, status, &e);
	make_room(c, r->length);
	r->at = c->body;
	r->started_us = fmt_mono_us();
	return MHD_YES;
}

static enum MHD_Result take_body(struct request *r, const char *data, size_t n)
{
	uint64_t ms = (fmt_mono_us() - r->started_us) / 1000;

	if (n > r->length - r->rq.len)
		return MHD_NO;
	if (r->rq.len == 0 && r->route->data_at)
		r->at += -r->route->data_at((const uint8_t *)data, n) % AIO_ALIGN;
	memcpy(r->at + r->rq.len, data, n);
	r->rq.len += n;
	if (ms > BODY_GRACE_MS && r->rq.len / BODY_RATE_MIN < ms - BODY_GRACE_MS) {
		log_warn("connection from %s: the body comes too slowly", r->conn->remote);
		return MHD_NO;
	}
	return MHD_YES;
}

static enum MHD_Result handle(struct MHD_Connection *mc, struct request *r)
{
	struct server_conn *c = r->conn;
	struct server_reply rp = {.body = BUF_INIT};

	if (r->rq.len != r->length)
		return MHD_NO;
	r->rq.fingerprint = c->fingerprint;
	r->rq.remote = c->remote;
	r->rq.body = r->at;
	r->rq.arg = c->server->o.arg;
	c->busy = true; /* a handler may take longer than an idle connection lives */
	r->route->handler(&r->rq, &rp);
	return send_reply(mc, &rp);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mc, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *n, void **ctx)
{
	enum MHD_Result result;

	(void)cls, (void)version;
	if (!*ctx)
		return begin(mc, method, path, ctx);
	if (*n == 0)
		return handle(mc, *ctx);
	result = take_body(*ctx, data, *n);
	*n = 0;
	return result;
}

static void on_completed(void *cls, struct MHD_Connection *mc, void **ctx,
			 enum MHD_RequestTerminationCode code)
{
	struct request *r = *ctx;
	struct server *s = cls;

	(void)mc, (void)code;
	if (!r)
		return;
	r->conn->busy = false;
	free(r);
	*ctx = NULL;
	pthread_mutex_lock(&s->lock);
	s->requests--;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Finds our connection by its descriptor, which nobody else can have while libmicrohttpd keeps it
 * open: the end is told before it is closed. */
static struct server_conn *find_conn(struct server *s, struct MHD_Connection *mc)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(mc, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct server_conn *c = s->conns;

	while (c && (!i || c->http_fd != i->connect_fd))
		c = c->next;
	return c;
}

static void on_connection(void *cls, struct MHD_Connection *mc, void **ctx,
			  enum MHD_ConnectionNotificationCode code)
{
	struct server *s = cls;
	struct server_conn *c;

	pthread_mutex_lock(&s->lock);
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*ctx = find_conn(s, mc);
	} else if (*ctx) {
		c = *ctx;
		*ctx = NULL;
		c->http_fd = -1;
		server_unref(c);
	}
	pthread_mutex_unlock(&s->lock);
}

static void on_log(void *cls, const char *format, va_list ap)
{
	char text[512];

	(void)cls;
	vsnprintf(text, sizeof(text), format, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug("libmicrohttpd: %s", text);
}

int server_http_start(struct server *s, struct err *e)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
			 MHD_USE_POLL | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
	sigset_t old;

	signals_block(&old);
	s->http = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_LIMIT,
		MHD_OPTION_CONNECTION_LIMIT, 2 * s->o.connections_max + 1, MHD_OPTION_END);
	signals_restore(&old);
	return s->http ? 0 : err_set(e, ERR_FAILED, "libmicrohttpd cannot be started");
}
