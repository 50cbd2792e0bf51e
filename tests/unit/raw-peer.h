/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers that do not play by the rules, for unit-client-server. Failures end the test. */
#ifndef RAW_PEER_H
#define RAW_PEER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"
#include "identity.h"
#include "tls.h"

/* An HTTP/2 client (http.h) that sends what it is told. */
struct raw_client {
	struct tls_keys *keys;
	struct tls *tls;
	struct http http;
	int fd;
	size_t bytes; /* of replies */
	int status;   /* of the last reply */
	bool closed;  /* its stream */
	uint32_t why; /* error of HTTP/2 */
};

void raw_client_open(struct raw_client *r, const struct identity *id, uint16_t port);
/* A request whose header says length (NULL: nothing) and whose body is these bytes; if not end, it
 * says that more comes. It leaves by http_turn(). */
void raw_client_request(struct raw_client *r, const char *path, const char *length,
			const char *body, bool end);
void raw_client_get(struct raw_client *r, const char *path);
/* Whatever it be; -1: the connection is broken. */
int raw_client_send(struct raw_client *r, const void *data, size_t n);
void raw_client_rekey(
	struct raw_client *r); /* a record without bytes; leaves with what comes next */
/* Until a stream or the connection is closed: the status of the reply; 0: there was none. */
int raw_client_status(struct raw_client *r);
void raw_client_close(struct raw_client *r);

/* A TLS server that takes one connection and counts the bytes that come. */
struct raw_server {
	const struct identity *id;
	char address[40];
	int listener;
	size_t bytes;
	char fingerprint[IDENTITY_FINGERPRINT_SIZE]; /* of the client */
	pthread_t thread;
};

void raw_server_start(struct raw_server *s, const struct identity *id);
size_t raw_server_end(struct raw_server *s); /* the bytes */

/* A client with a certificate (NULL: without) that names no protocol in the handshake sends text;
 * the number of bytes that it gets back. */
int raw_text(uint16_t port, const struct identity *id, const char *text);

int raw_listen(char *address, size_t size); /* a listener on the loopback interface */

#endif
