/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection to a peer: HTTP/2 over TLS 1.3, our certificate shown, the peer's public key
 * pinned. Not thread-safe: one client per thread. The connection is kept open between calls and
 * made anew when it broke. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>

#include "buf.h"
#include "identity.h"

struct client;

struct client_peer {
	const char *address;     /* HOST:PORT, [IPv6]:PORT */
	const char *fingerprint; /* the only key accepted */
	unsigned connect_ms;     /* TCP and TLS together; 0: 10 s. Resolving a name comes on top. */
	unsigned stall_ms; /* no byte moved for so long: given up; 0: 60 s. Seen within a second. */
};

/* Copies what it needs; connects at the first call only. */
struct client *client_new(const struct client_peer *peer, const struct identity *id, struct err *e);
void client_free(struct client *c);
DEFINE_FREEP(client_free, struct client);

/* One request. The HTTP status, or -1 with ERR_PEER (cannot reach, timed out, wrong key: the text
 * says which, and what to do). reply is emptied first; at most CLIENT_REPLY_MAX bytes.
 * A request may reach the peer twice: when a kept connection breaks, it is sent again on a new one.
 * So every request must be harmless to repeat. No byte of it goes to a wrong key. */
#define CLIENT_REPLY_MAX (16u << 20)
int client_call(struct client *c, const char *method, const char *path, const void *body,
		size_t len, struct buf *reply, struct err *e);
/* The patience with the calls from now on: stall_ms of struct client_peer. */
void client_set_stall(struct client *c, unsigned stall_ms);
/* From any thread: ends a running call as soon as possible; it and all later ones fail with
 * ERR_FAILED "cancelled". */
void client_cancel(struct client *c);

/* JSON error bodies: {"error": {"code", "text", "hint"}}. Fills e from a reply with status >= 400
 * and returns -1, also when the body is none of ours. */
int client_error(int status, const struct buf *reply, struct err *e);

#endif
