/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A local connection of which libcurl makes one end itself. Used by client.c only.
 *
 * libcurl 7.88 can neither be given a connected socket (it calls connect() in spite of
 * CURL_SOCKOPT_ALREADY_CONNECTED; mended in 8.0) nor keep a connection to an abstract local
 * address. So it gets a socket with a port of its own, and the address of a listener on the
 * loopback interface that lets in this very port and nobody else. */
#ifndef CLIENT_DOOR_H
#define CLIENT_DOOR_H

#include <netinet/in.h>

#include "err.h"

struct client_door {
	int listener; /* owned; -1: closed */
	int guest;    /* to be connected to address; the caller's */
	in_port_t guest_port;
	struct sockaddr_in address;
};

int client_door_open(struct client_door *d, struct err *e);
/* Waits for the guest; the connected socket, non-blocking, or -1 when the listener was shut down or
 * stop_fd became readable. */
int client_door_accept(const struct client_door *d, int stop_fd);

#endif
