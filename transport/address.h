/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HOST:PORT as people write it, and socket addresses as text. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

#include "err.h"

#define ADDRESS_HOST_SIZE 256 /* the longest DNS name is 253 bytes */
#define ADDRESS_TEXT_SIZE 80  /* "[IPv6%scope]:port" and a NUL */

struct address {
	char host[ADDRESS_HOST_SIZE]; /* a name or a number, without brackets; empty: all addresses
				       */
	char port[6];                 /* decimal */
};

/* HOST:PORT or [IPv6]:PORT, port 1..65535. ERR_USAGE says what is wrong and how to write it. */
int address_parse(const char *s, struct address *out, struct err *e);
/* The same for a listening address: the host may be missing, the port may be 0 (any free one). */
int address_parse_listen(const char *s, struct address *out, struct err *e);

/* "192.0.2.1:7443", "[2001:db8::1]:7443"; "?" when it is neither IPv4 nor IPv6. */
void address_text(const struct sockaddr *sa, socklen_t len, char out[static ADDRESS_TEXT_SIZE]);

#endif
