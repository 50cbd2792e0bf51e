/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the server: shared by server.c (sockets, connections, start and stop) and server_http.c
 * (requests), by nobody else.
 *
 * Life of a connection: the accept thread makes it and its thread, which shakes hands, gives one
 * end of a socket pair to libmicrohttpd (which starts a thread for it, where handlers run) and then
 * pumps. It is freed when both threads are done with it. */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "address.h"
#include "server.h"
#include "tls.h"

struct server_conn {
	struct server_conn *next;
	struct server *server;
	unsigned refs;    /* the pump's thread, libmicrohttpd */
	int fd;           /* TCP; owned */
	int http_fd;      /* libmicrohttpd's end of the pair and its to close; how it names the
			     connection */
	atomic_bool busy; /* from a whole request to the last byte of its reply */
	char fingerprint[IDENTITY_FINGERPRINT_SIZE];
	char remote[ADDRESS_TEXT_SIZE];
	/* The body under way; kept from request to request, since fresh memory is dear. */
	uint8_t *body;
	size_t body_cap;
};

struct server {
	struct server_options o;
	struct tls_keys *keys;
	struct MHD_Daemon *http;
	int listen_fd;
	int stop_fd;  /* eventfd: accept no more, shake no more hands */
	int abort_fd; /* eventfd: pumps end now */
	int wake_fd;  /* eventfd: a connection has ended */
	uint16_t port;
	pthread_t accept_thread;

	pthread_mutex_t add_lock; /* before lock: no connection is added after stopping */
	pthread_mutex_t lock;     /* of all below, and of the refs of connections */
	pthread_cond_t changed;
	struct server_conn *conns;
	unsigned pumps;    /* threads of connections */
	unsigned requests; /* under way, from the first header to the last byte of the reply */
	bool stopping;
};

/* Starts libmicrohttpd without a socket of its own. */
int server_http_start(struct server *s, struct err *e);
/* Drops one reference. Called with the lock held. */
void server_unref(struct server_conn *c);

#endif
