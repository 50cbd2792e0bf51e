/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers that do not play by the rules, for unit-client-server. Failures end the test. */
#ifndef RAW_PEER_H
#define RAW_PEER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "identity.h"
#include "tls.h"

/* A TLS client that sends what it is told. */
struct raw_client {
	struct tls_keys *keys;
	struct tls *tls;
	int fd, pair[2];
	pthread_t pump;
};

void raw_client_open(struct raw_client *r, const struct identity *id, uint16_t port);
void raw_client_send(struct raw_client *r, const char *text);
int raw_client_status(struct raw_client *r); /* of the reply; 0: closed without one */
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

/* A client without a certificate sends text; the number of bytes that it gets back. */
int raw_anonymous(uint16_t port, const char *text);

int raw_listen(char *address, size_t size); /* a listener on the loopback interface */

#endif
