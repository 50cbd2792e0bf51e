/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server: HTTP/2 over TLS 1.3, every client must show a certificate; who it is, is decided by
 * the fingerprint of its public key. Knows routes and bodies, nothing of what they mean. */
#ifndef SERVER_H
#define SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "identity.h"

#define SERVER_PARAMS_MAX 4
#define SERVER_PARAM_SIZE 128

struct server_request {
	const char *fingerprint; /* of the client's public key */
	const char *remote;      /* its address as text, for messages */
	char param[SERVER_PARAMS_MAX]
		  [SERVER_PARAM_SIZE]; /* what the * of the route matched, never empty */
	const void *body;              /* whole, len bytes; valid during the handler */
	size_t len;
	void *arg; /* server_options.arg */
};

struct server_reply {
	int status;       /* to be set by the handler */
	struct buf body;  /* sent and freed by the server */
	const char *type; /* content type, static; NULL: application/json */
};

/* Runs on a thread of its own per connection; may block. */
typedef void server_handler(const struct server_request *rq, struct server_reply *rp);

/* Asked when a connection is made and before the body of each request is read. 0: go on, -1:
 * refused with e (HTTP 403; the connection ends within seconds). Called from many threads. */
typedef int server_authorize(void *arg, const char *fingerprint, struct err *e);

struct server_route {
	const char *method;
	const char *pattern; /* "/v1/replicas/(star)/cuts/(star)": a star matches one path part */
	server_handler *handler;
	size_t body_max; /* bytes; larger bodies get 413 before any allocation */
	/* Where in a body its data begins, seen from its first n bytes: that byte then lies on an
	 * AIO_ALIGN boundary, if all came at once. 0: no matter. NULL: never. */
	size_t (*data_at)(const uint8_t *body, size_t n);
};

struct server_options {
	const char
		*listen; /* ADDR:PORT, [IPv6]:PORT, or :PORT for all addresses; port 0: any free */
	const struct identity *id;
	const struct server_route *routes; /* ends with .method == NULL; outlives the server */
	server_authorize *authorize;
	void *arg;
	unsigned connections_max; /* further ones wait; bounds memory: each may hold one body and
				   * 2 MiB of buffers */
	unsigned idle_s; /* a connection on which nothing moves is closed, unless a handler runs; 0:
			    60 */
};

struct server;

struct server *server_start(const struct server_options *o, struct err *e);
uint16_t server_port(const struct server *s);
/* Takes no more requests, waits for running handlers and (10 s at most) for their replies to leave.
 * NULL is fine. */
void server_stop(struct server *s);

/* Fills a reply with {"error": ...}; the status follows the code: 400 usage, 409 refused, 423 busy,
 * 500 failed, unless status is given (non-zero). */
void server_reply_error(struct server_reply *rp, int status, const struct err *e);

#endif
