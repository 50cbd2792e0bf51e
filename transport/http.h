/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One HTTP/2 connection (RFC 9113) over a TLS session: the frames are libnghttp2's, the bytes are
 * tls.h's. Used by client.c and server_http.c only. Requests follow one another: one stream at a
 * time.
 *
 * Why HTTP/2: its library works on memory, so that a body goes from the caller into TLS and from
 * TLS to the caller, in pieces whose size is ours to say. A library with sockets of its own needs a
 * second connection between itself and our TLS, which costs as much as all the rest. */
#ifndef HTTP_H
#define HTTP_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "tls.h"

struct http {
	struct tls *tls; /* borrowed */
	nghttp2_session *session;
	void *owner;
	/* the body that goes out, borrowed until its stream is closed */
	const uint8_t *body;
	size_t len, sent;
};

/* on: adds the side's own callbacks, whose user_data is the struct http. */
int http_init(struct http *h, enum tls_side side, struct tls *t,
	      void (*on)(nghttp2_session_callbacks *cb), void *owner, struct err *e);
void http_end(struct http *h); /* twice is fine */

/* The provider of the body of a request or reply; NULL when there is none. */
nghttp2_data_provider *http_body(struct http *h, nghttp2_data_provider *d, const void *body,
				 size_t len);

/* Moves what can be moved without waiting. 1: something moved; 0: wait first (tls_wait()); -1: the
 * connection is over. */
int http_turn(struct http *h);

#define HTTP_FIELD(name, value, size)                                                              \
	((nghttp2_nv){(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, (size), 0})

#endif
