/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket pair of which libcurl makes one end itself. Used by client.c only.
 *
 * libcurl 7.88 calls connect() even when it is told that the socket it got is connected
 * (CURL_SOCKOPT_ALREADY_CONNECTED; mended in 8.0), so socketpair() will not do: libcurl gets a
 * fresh socket and the address of a listener that lets in this process only, and only once. */
#ifndef CLIENT_DOOR_H
#define CLIENT_DOOR_H

#include <sys/socket.h>
#include <sys/un.h>

#include "err.h"

/* The listener, with the address (an abstract one, that the kernel chose) to connect to. Or -1. */
int client_door_open(struct sockaddr_un *address, socklen_t *len, struct err *e);
/* Waits for this process to come in; the connected socket, non-blocking, or -1 when the listener
 * was shut down or stop_fd became readable. */
int client_door_accept(int listener, int stop_fd);

#endif
