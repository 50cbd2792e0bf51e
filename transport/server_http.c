/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of one connection, one after the other. libnghttp2 calls on_header() for each field,
 * on_frame() when all are there and when the body is whole, on_data() with pieces of the body,
 * on_close() when the request is over, however it ended. Handlers run between two turns of the
 * connection. */
#include <stdio.h>
#include <string.h>

#include "aio.h"
#include "fmt.h"
#include "js.h"
#include "log.h"
#include "route.h"
#include "server_state.h"

#define STRANGER_MS 10000
#define LINGER_MS   10000 /* for the last reply to arrive */
/* A body may come slowly, but not so slowly that it keeps a thread for ever. */
#define BODY_GRACE_MS 30000
#define BODY_RATE_MIN 4 /* bytes per millisecond, after the grace: slow lines are no crime */

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

static struct server_conn *conn_of(void *arg)
{
	return ((struct http *)arg)->owner;
}

/* 0, or an error of libnghttp2, which ends the connection. */
static int send_reply(struct server_conn *c, struct server_reply *rp)
{
	const char *type = rp->type ? rp->type : "application/json";
	char status[12], length[24];
	nghttp2_data_provider d;
	nghttp2_nv v[] = {
		HTTP_FIELD(":status", status, snprintf(status, sizeof(status), "%d", rp->status)),
		HTTP_FIELD("content-length", length,
			   snprintf(length, sizeof(length), "%zu", rp->body.len)),
		HTTP_FIELD("content-type", type, strlen(type)),
	};

	buf_free(&c->reply);
	c->reply = rp->body; /* until on_close() */
	c->answered = true;
	return nghttp2_submit_response(c->http.session, c->stream, v,
				       rp->status == 204   ? 1
				       : rp->body.len == 0 ? 2
							   : 3,
				       http_body(&c->http, &d, rp->body.data, rp->body.len));
}

static int refuse(struct server_conn *c, int status, const struct err *e)
{
	struct server_reply rp = {.body = BUF_INIT};

	server_reply_error(&rp, status, e);
	return send_reply(c, &rp);
}

/* The announced length of the body; the status of the refusal if there is none or it is too long.
 */
static int body_length(struct server_conn *c, struct err *e)
{
	struct err ignored = ERR_INIT;
	uint64_t n = 0;

	if (!*c->announced && strcmp(c->route->method, "GET") != 0) {
		err_set(e, ERR_USAGE, "the request has no Content-Length");
		return 411;
	}
	if (*c->announced && fmt_parse_u64(c->announced, 0, UINT64_MAX, &n, &ignored) < 0) {
		err_set(e, ERR_USAGE, "the Content-Length is not a number");
		return 400;
	}
	if (n > c->route->body_max) {
		err_set(e, ERR_USAGE, "the body of %llu bytes is larger than %zu",
			(unsigned long long)n, c->route->body_max);
		return 413;
	}
	c->length = n;
	return 0;
}

/* A stranger gets his 403, and no time for more. */
static void limit_life(struct server_conn *c)
{
	if (c->end_us == 0)
		c->end_us = fmt_mono_us() + STRANGER_MS * 1000ULL;
}

/* 0, or the status of the refusal. Nothing is allocated for the body before this has passed. */
static int check(struct server_conn *c, struct err *e)
{
	const struct server_options *o = &c->server->o;
	int status;

	if (o->authorize(o->arg, c->fingerprint, e) < 0) {
		limit_life(c);
		return 403;
	}
	if (c->server->stopping) {
		err_set(e, ERR_BUSY, "srsync serve is stopping");
		err_hint(e, "repeat when it runs again");
		return 503;
	}
	c->route = route_find(o->routes, c->method, c->path, c->rq.param, &status);
	if (!c->route) {
		err_set(e, ERR_USAGE, "%.8s %.200s: no such request", c->method, c->path);
		return status;
	}
	return body_length(c, e);
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

static int on_begin(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
	struct server_conn *c = conn_of(arg);

	(void)s;
	if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (c->stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* one at a time, as our settings say
							       */
	c->stream = f->hd.stream_id;
	c->started_us = fmt_mono_us();
	c->answered = c->whole = false;
	*c->method = *c->path = *c->announced = '\0';
	memset(&c->rq, 0, sizeof(c->rq));
	return 0;
}

/* What does not fit is left empty, and then is nothing we know. */
static void keep(char *to, size_t size, const uint8_t *value, size_t n)
{
	if (n < size)
		snprintf(to, size, "%.*s", (int)n, (const char *)value);
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t n,
		     const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct server_conn *c = conn_of(arg);

	(void)s, (void)flags;
	if (f->hd.stream_id != c->stream)
		return 0;
	if (n == 7 && !memcmp(name, ":method", n))
		keep(c->method, sizeof(c->method), value, len);
	else if (n == 5 && !memcmp(name, ":path", n))
		keep(c->path, sizeof(c->path), value, len);
	else if (n == 14 && !memcmp(name, "content-length", n))
		keep(c->announced, sizeof(c->announced), value, len);
	return 0;
}

static int begin(struct server_conn *c)
{
	struct err e = ERR_INIT;
	int status = check(c, &e);

	if (status)
		return refuse(c, status, &e);
	make_room(c, c->length);
	c->at = c->body;
	return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
	struct server_conn *c = conn_of(arg);

	(void)s;
	if (c->stream == 0 || f->hd.stream_id != c->stream)
		return 0;
	if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST &&
	    begin(c) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	/* that all which was announced is there, libnghttp2 has checked (RFC 9113 section 8.1.1) */
	if ((f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) &&
	    f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		c->whole = true;
	return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t stream, const uint8_t *data, size_t n,
		   void *arg)
{
	struct server_conn *c = conn_of(arg);

	(void)s, (void)flags;
	if (stream != c->stream || c->answered) /* the rest of what was refused */
		return 0;
	if (n > c->length - c->rq.len)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (c->rq.len == 0 && c->route->data_at)
		c->at += -c->route->data_at(data, n) % AIO_ALIGN;
	memcpy(c->at + c->rq.len, data, n);
	c->rq.len += n;
	return 0;
}

/* A reply in mid-body: the client need not send the rest (RFC 9113 section 8.1). */
static int on_sent(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
	struct server_conn *c = conn_of(arg);

	if ((f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) || c->whole ||
	    f->hd.stream_id != c->stream || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	return nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, c->stream, NGHTTP2_NO_ERROR);
}

static int on_close(nghttp2_session *s, int32_t stream, uint32_t why, void *arg)
{
	struct server_conn *c = conn_of(arg);

	(void)s, (void)why;
	if (stream != c->stream)
		return 0;
	c->stream = 0;
	c->whole = false;
	buf_free(&c->reply);
	return 0;
}

static int handle(struct server_conn *c)
{
	struct server_reply rp = {.body = BUF_INIT};

	if (c->rq.len != c->length) /* libnghttp2 sees to it, too */
		return -1;
	c->rq.fingerprint = c->fingerprint;
	c->rq.remote = c->remote;
	c->rq.body = c->at;
	c->rq.arg = c->server->o.arg;
	c->route->handler(&c->rq, &rp);
	return send_reply(c, &rp);
}

/* The clock is looked at only when there was a wait: it is a system call on some machines. */
static bool too_slow(struct server_conn *c)
{
	uint64_t ms;

	if (!c->waited || c->stream == 0 || c->whole || c->answered)
		return false;
	c->waited = false;
	ms = (fmt_mono_us() - c->started_us) / 1000;
	if (ms < BODY_GRACE_MS || c->rq.len / BODY_RATE_MIN >= ms - BODY_GRACE_MS)
		return false;
	log_warn("connection from %s: the body comes too slowly", c->remote);
	return true;
}

/* Nothing moves at the moment. -1: it is over. */
static int rest(struct server_conn *c)
{
	const struct server *s = c->server;
	bool between = c->stream == 0 && tls_unsent(c->http.tls) == 0;
	unsigned ms = s->o.idle_s * 1000;
	uint64_t now = c->end_us ? fmt_mono_us() : 0;

	if (c->end_us && now < c->end_us && (c->end_us - now) / 1000 < ms)
		ms = (c->end_us - now) / 1000 + 1;
	c->waited = true;
	tls_set_stop(c->http.tls, between ? s->stop_fd : s->abort_fd);
	return tls_wait(c->http.tls, ms) > 0 ? 0 : -1;
}

static int step(struct server_conn *c)
{
	int r = http_turn(&c->http);

	if (c->whole && !c->answered)
		return handle(c) || r < 0 ? -1 : 0;
	if (r < 0 || c->server->aborting || too_slow(c) ||
	    (c->end_us && fmt_mono_us() >= c->end_us))
		return -1;
	return r > 0 ? 0 : rest(c);
}

static void set_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
}

int server_http(struct server_conn *c, struct tls *t, struct err *e)
{
	const struct server *s = c->server;
	struct err why = ERR_INIT;

	if (http_init(&c->http, TLS_SERVER, t, set_callbacks, c, e) < 0)
		return -1;
	if (s->o.authorize(s->o.arg, c->fingerprint, &why) < 0)
		limit_life(c);
	while (step(c) == 0)
		;
	http_end(&c->http);
	tls_set_stop(t, s->abort_fd);
	tls_close(t, s->aborting || c->end_us ? 0 : LINGER_MS); /* a stranger has had his time */
	return 0;
}
