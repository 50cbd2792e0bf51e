/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection to a peer: HTTPS, TLS 1.3 only, our certificate shown, the peer's public key pinned.
 * Not thread-safe: one client per thread. The connection is kept open between calls and made anew
 * when it broke. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>

#include "buf.h"
#include "identity.h"

struct client;

struct client_peer {
	const char *address;     /* HOST:PORT, [IPv6]:PORT */
	const char *fingerprint; /* the only key accepted */
	unsigned connect_ms;     /* 0: 10 s */
	unsigned stall_ms;       /* no byte moved for so long: given up; 0: 60 s */
};

struct client *client_new(const struct client_peer *peer, const struct identity *id, struct err *e);
void client_free(struct client *c);
DEFINE_FREEP(client_free, struct client);

/* One request. The HTTP status, or -1 with ERR_PEER (cannot reach, timed out, wrong key: the text
 * says which, and what to do). reply is emptied first; at most CLIENT_REPLY_MAX bytes. */
#define CLIENT_REPLY_MAX (16u << 20)
int client_call(struct client *c, const char *method, const char *path, const void *body,
		size_t len, struct buf *reply, struct err *e);
/* Ends a call of another thread as soon as possible; it fails with ERR_FAILED "cancelled". */
void client_cancel(struct client *c);

/* JSON error bodies: {"error": {"code", "text", "hint"}}. Fills e from a reply with status >= 400. */
int client_error(int status, const struct buf *reply, struct err *e);

#endif
