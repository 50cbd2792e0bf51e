/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to a peer: name, TCP, TLS, its key. Used by client.c only. */
#ifndef CLIENT_CONNECT_H
#define CLIENT_CONNECT_H

#include "address.h"
#include "client.h"
#include "tls.h"

struct client_target {
	struct address address;
	char text[ADDRESS_HOST_SIZE + 10]; /* as given, for messages and the Host header */
	char fingerprint[IDENTITY_FINGERPRINT_SIZE];
	unsigned connect_ms;
};

/* ERR_USAGE when the address or the fingerprint is malformed. */
int client_target(struct client_target *t, const struct client_peer *peer, struct err *e);

/* Tries every address of the host in turn. On success *fd is connected and non-blocking and *tls is
 * a session with exactly the wanted key, both the caller's. ERR_PEER names what failed. */
int client_connect(const struct client_target *t, const struct tls_keys *keys, int cancel_fd,
		   int *fd, struct tls **tls, struct err *e);

#endif
