/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http.h"
#include "cleanup.h"

#define FRAME_MAX  TLS_CHUNK /* bytes of a body in one frame */
#define QUEUE_MAX  1000      /* frames that wait to be sent; ours are a handful */
#define WINDOW_MAX INT32_MAX /* TCP's flow control is enough where one stream is all there is */

/* Frames are encrypted as they come; when about a chunk waits, they shall leave first. */
static bool full(const struct http *h)
{
	return tls_unsent(h->tls) > TLS_CHUNK / 4;
}

static ssize_t on_send(nghttp2_session *s, const uint8_t *p, size_t n, int flags, void *arg)
{
	struct http *h = arg;

	(void)s, (void)flags;
	if (full(h))
		return NGHTTP2_ERR_WOULDBLOCK;
	return tls_encrypt(h->tls, p, n) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : (ssize_t)n;
}

static ssize_t frame_length(nghttp2_session *s, uint8_t type, int32_t stream, int32_t window,
			    int32_t stream_window, uint32_t frame_max, void *arg)
{
	(void)s, (void)type, (void)stream, (void)window, (void)stream_window, (void)arg;
	return frame_max < FRAME_MAX ? frame_max : FRAME_MAX;
}

/* Says how much the next frame has; on_send_body() sends it. */
static ssize_t on_read_body(nghttp2_session *s, int32_t stream, uint8_t *buf, size_t max,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct http *h = arg;
	size_t n = h->len - h->sent < max ? h->len - h->sent : max;

	(void)s, (void)stream, (void)buf, (void)source;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (h->sent + n == h->len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return n;
}

static int on_send_body(nghttp2_session *s, nghttp2_frame *frame, const uint8_t *header, size_t n,
			nghttp2_data_source *source, void *arg)
{
	struct http *h = arg;

	(void)s, (void)frame, (void)source;
	if (full(h))
		return NGHTTP2_ERR_WOULDBLOCK;
	if (tls_encrypt(h->tls, header, 9) < 0 || tls_encrypt(h->tls, h->body + h->sent, n) < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	h->sent += n;
	return 0;
}

nghttp2_data_provider *http_body(struct http *h, nghttp2_data_provider *d, const void *body,
				 size_t len)
{
	h->body = body;
	h->len = len;
	h->sent = 0;
	*d = (nghttp2_data_provider){.read_callback = on_read_body};
	return len ? d : NULL;
}

static int settings(nghttp2_session *s, enum tls_side side)
{
	nghttp2_settings_entry v[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_MAX},
		{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_MAX},
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, /* the client's to say */
	};
	size_t n = ARRAY_SIZE(v) - (side == TLS_SERVER);
	int r = nghttp2_submit_settings(s, NGHTTP2_FLAG_NONE, v, n);

	return r ? r : nghttp2_session_set_local_window_size(s, NGHTTP2_FLAG_NONE, 0, WINDOW_MAX);
}

int http_init(struct http *h, enum tls_side side, struct tls *t,
	      void (*on)(nghttp2_session_callbacks *cb), void *owner, struct err *e)
{
	nghttp2_session_callbacks *cb = NULL;
	int r = nghttp2_session_callbacks_new(&cb);

	*h = (struct http){.tls = t, .owner = owner};
	if (r == 0) {
		nghttp2_session_callbacks_set_send_callback(cb, on_send);
		nghttp2_session_callbacks_set_send_data_callback(cb, on_send_body);
		nghttp2_session_callbacks_set_data_source_read_length_callback(cb, frame_length);
		on(cb);
		r = side == TLS_CLIENT ? nghttp2_session_client_new(&h->session, cb, h)
				       : nghttp2_session_server_new(&h->session, cb, h);
	}
	nghttp2_session_callbacks_del(cb);
	if (r == 0)
		r = settings(h->session, side);
	if (r == 0)
		return 0;
	http_end(h);
	return err_set(e, ERR_FAILED, "HTTP/2: %s", nghttp2_strerror(r));
}

void http_end(struct http *h)
{
	nghttp2_session_del(TAKE(h->session));
}

/* Hands over what was received. -1: the connection is over. A peer that asks and asks, and never
 * reads the answers, must not fill our memory with them. */
static int feed(struct http *h)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = tls_decrypt(h->tls, &p)) > 0)
		if (nghttp2_session_mem_recv(h->session, p, n) < 0 ||
		    nghttp2_session_get_outbound_queue_size(h->session) > QUEUE_MAX)
			return -1;
	return n;
}

int http_turn(struct http *h)
{
	int sent, came;

	/* The handshake may have left records in memory. */
	if (feed(h) < 0 || nghttp2_session_send(h->session) != 0)
		return -1;
	sent = tls_send(h->tls);
	came = tls_receive(h->tls);
	/* what came counts, also when nothing can be sent any more: it may say why */
	if ((came > 0 && feed(h) < 0) || sent < 0 || came < 0)
		return -1;
	if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session) &&
	    tls_unsent(h->tls) == 0)
		return -1;
	return sent > 0 || came > 0;
}
