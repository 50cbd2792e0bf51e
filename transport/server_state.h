/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the server: shared by server.c (sockets, connections, start and stop) and server_http.c
 * (requests), by nobody else.
 *
 * Life of a connection: the accept thread makes it and its thread, which shakes hands, serves its
 * requests one after the other and frees it. */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "address.h"
#include "http.h"
#include "server.h"
#include "tls.h"

struct server_conn {
	struct server *server;
	int fd; /* TCP; owned */
	char fingerprint[IDENTITY_FINGERPRINT_SIZE];
	char remote[ADDRESS_TEXT_SIZE];
	struct http http;
	uint64_t end_us; /* monotonic: it is over by then; 0: no limit */

	/* the request under way */
	int32_t stream;                            /* 0: none */
	bool whole;                                /* all of it is there */
	bool answered;                             /* a reply is on its way */
	char method[16], path[640], announced[24]; /* the last: Content-Length */
	const struct server_route *route;
	struct server_request rq;
	size_t length; /* as announced */
	uint8_t *at;   /* where in body it begins */
	uint64_t started_us;
	bool waited;      /* for more of it */
	struct buf reply; /* its body */

	/* Kept from request to request, since fresh memory is dear. */
	uint8_t *body;
	size_t body_cap;
};

struct server {
	struct server_options o;
	struct tls_keys *keys;
	int listen_fd;
	int stop_fd;  /* eventfd: accept no more, shake no more hands, end idle connections */
	int abort_fd; /* eventfd: all connections end now */
	int wake_fd;  /* eventfd: a connection has ended */
	uint16_t port;
	pthread_t accept_thread;
	uint64_t say_full_us;           /* of that thread: when it may say so again */
	atomic_bool stopping, aborting; /* what the two eventfds say, for those that do not wait */

	pthread_mutex_t lock; /* of conns */
	pthread_cond_t changed;
	unsigned conns; /* threads of connections */
};

/* Serves requests until the connection is over. -1: it could not even begin. */
int server_http(struct server_conn *c, struct tls *t, struct err *e);

#endif
