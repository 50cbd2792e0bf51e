/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection (http.h), kept from call to call. dial() connects, shakes hands and compares the
 * peer's key, so a wrong peer never sees a byte of HTTP. */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "client.h"
#include "client_connect.h"
#include "fmt.h"
#include "http.h"
#include "tls.h"

#define LOOK_MS 1000 /* how often a silent call looks at the clock */

struct client {
	struct tls_keys *keys;
	struct client_target target;
	unsigned stall_ms;
	int cancel_fd; /* an eventfd: readable for ever once cancelled */
	atomic_bool cancelled;

	/* the connection; tls NULL: none */
	int fd;
	struct tls *tls;
	struct http http;

	/* the call under way */
	int32_t stream;
	int status;   /* of the reply */
	bool whole;   /* all of the reply is there */
	bool closed;  /* nothing more will come */
	uint32_t why; /* it was closed: an error of HTTP/2 */
	bool too_long;
	bool broken; /* the connection, by no doing of ours */
	struct buf *reply;
};

static struct client *client_of(void *arg)
{
	return ((struct http *)arg)->owner;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t n,
		     const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct client *c = client_of(arg);

	(void)s, (void)flags;
	/* that these are three digits, libnghttp2 has checked */
	if (f->hd.stream_id == c->stream && n == 7 && !memcmp(name, ":status", n) && len == 3)
		c->status = value[0] * 100 + value[1] * 10 + value[2] - '0' * 111;
	return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t stream, const uint8_t *data, size_t n,
		   void *arg)
{
	struct client *c = client_of(arg);

	(void)s, (void)flags;
	if (stream != c->stream)
		return 0;
	c->too_long = n > CLIENT_REPLY_MAX - c->reply->len;
	if (c->too_long)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	buf_put(c->reply, data, n);
	return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
	struct client *c = client_of(arg);

	(void)s;
	if (f->hd.stream_id == c->stream &&
	    (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) &&
	    f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		c->whole = true;
	return 0;
}

static int on_close(nghttp2_session *s, int32_t stream, uint32_t why, void *arg)
{
	struct client *c = client_of(arg);

	(void)s;
	if (stream != c->stream)
		return 0;
	c->closed = true;
	c->why = why;
	return 0;
}

static void set_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
}

static void hang_up(struct client *c)
{
	if (!c->tls)
		return;
	http_end(&c->http);
	tls_close(c->tls, 0);
	tls_free(TAKE(c->tls));
	closep(&c->fd);
	c->fd = -1;
}

static int dial(struct client *c, struct err *e)
{
	if (client_connect(&c->target, c->keys, c->cancel_fd, &c->fd, &c->tls, e) < 0)
		return atomic_load(&c->cancelled) ? err_set(e, ERR_FAILED, "cancelled") : -1;
	if (http_init(&c->http, TLS_CLIENT, c->tls, set_callbacks, c, e) == 0)
		return 0;
	hang_up(c);
	return -1;
}

void client_set_stall(struct client *c, unsigned stall_ms)
{
	c->stall_ms = stall_ms ? stall_ms : 60000;
}

struct client *client_new(const struct client_peer *peer, const struct identity *id, struct err *e)
{
	_cleanup_(client_freep) struct client *c = xcalloc(1, sizeof(*c));

	c->cancel_fd = c->fd = -1;
	client_set_stall(c, peer->stall_ms);
	if (client_target(&c->target, peer, e) < 0)
		return NULL;
	c->keys = tls_keys_new(id, e);
	if (!c->keys)
		return NULL;
	c->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->cancel_fd < 0) {
		err_sys(e, "eventfd");
		return NULL;
	}
	return TAKE(c);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	hang_up(c);
	tls_keys_free(c->keys);
	closep(&c->cancel_fd);
	free(c);
}

void client_cancel(struct client *c)
{
	atomic_store(&c->cancelled, true);
	eventfd_write(c->cancel_fd, 1);
}

static int submit(struct client *c, const char *method, const char *path, const void *body,
		  size_t len)
{
	static const char type[] = "application/octet-stream";
	char length[24];
	nghttp2_data_provider d;
	const nghttp2_nv v[] = {
		HTTP_FIELD(":method", method, strlen(method)),
		HTTP_FIELD(":scheme", "https", 5),
		HTTP_FIELD(":authority", c->target.text, strlen(c->target.text)),
		HTTP_FIELD(":path", path, strlen(path)),
		HTTP_FIELD("content-length", length, snprintf(length, sizeof(length), "%zu", len)),
		HTTP_FIELD("content-type", type, sizeof(type) - 1),
	};
	/* a GET has no body, nor says so */
	size_t n = ARRAY_SIZE(v) - (strcmp(method, "GET") == 0 ? 2 : 0);

	return nghttp2_submit_request(c->http.session, NULL, v, n,
				      http_body(&c->http, &d, body, len), NULL);
}

static int broke(struct client *c, const char *why, struct err *e)
{
	c->broken = true;
	err_set(e, ERR_PEER, "%s: the connection broke: %s", c->target.text, why);
	return err_hint(e, "check the network to %s and the log of srsync serve there; then repeat",
			c->target.text);
}

static int stalled(const struct client *c, struct err *e)
{
	err_set(e, ERR_PEER, "%s: no answer and no byte moved for %s", c->target.text,
		fmt_duration(c->stall_ms / 1e3).s);
	return err_hint(e, "check the network to %s and the log of srsync serve there; then repeat",
			c->target.text);
}

/* Nothing moves at the moment; *since: of which time the last movement was, 0: just now. */
static int rest(struct client *c, uint64_t *since, struct err *e)
{
	uint64_t now = fmt_mono_us(), left;

	if (*since == 0)
		*since = now;
	if (now - *since >= c->stall_ms * 1000ULL)
		return stalled(c, e);
	left = (c->stall_ms * 1000ULL - (now - *since)) / 1000 + 1;
	if (tls_wait(c->tls, left < LOOK_MS ? left : LOOK_MS) < 0 && !atomic_load(&c->cancelled))
		return broke(c, "poll failed", e);
	return 0;
}

/* Until the reply is there. */
static int converse(struct client *c, struct err *e)
{
	uint64_t since = 0;

	while (!c->closed) {
		int r = http_turn(&c->http);

		if (atomic_load(&c->cancelled))
			return err_set(e, ERR_FAILED, "cancelled");
		if (c->too_long)
			return err_set(e, ERR_PEER, "%s: reply larger than %u bytes",
				       c->target.text, CLIENT_REPLY_MAX);
		if (c->closed)
			break;
		if (r < 0) {
			broke(c, "closed by the peer", e);
			break;
		}
		if (r > 0)
			since = 0;
		else if (rest(c, &since, e) < 0)
			return -1;
	}
	if (c->whole && c->status) /* an answer, whatever became of the connection after it */
		return 0;
	return c->broken ? -1 : broke(c, nghttp2_http2_strerror(c->why), e);
}

static int call(struct client *c, const char *method, const char *path, const void *body,
		size_t len, struct err *e)
{
	c->status = 0;
	c->whole = c->closed = c->too_long = c->broken = false;
	buf_reset(c->reply);
	c->stream = submit(c, method, path, body, len);
	if (c->stream < 0)
		return broke(c, nghttp2_strerror(c->stream), e);
	return converse(c, e);
}

int client_call(struct client *c, const char *method, const char *path, const void *body,
		size_t len, struct buf *reply, struct err *e)
{
	bool kept = c->tls != NULL;
	int r;

	assert(*path == '/');
	buf_reset(reply);
	if (atomic_load(&c->cancelled))
		return err_set(e, ERR_FAILED, "cancelled");
	c->reply = reply;
	if (!kept && dial(c, e) < 0)
		return -1;
	r = call(c, method, path, body, len, e);
	/* The peer closes connections that were idle for long: one that was kept may break at its
	 * next use, and only a new one tells whether the peer is there. */
	if (r < 0 && kept && c->broken) {
		hang_up(c);
		if (dial(c, e) < 0)
			return -1;
		r = call(c, method, path, body, len, e);
	}
	if (r < 0 || c->broken)
		hang_up(c);
	return r < 0 ? -1 : c->status;
}
