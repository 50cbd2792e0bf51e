/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS 1.3 between two identities, over a connected TCP socket, with the plain bytes at one end of a
 * socket pair: the HTTP libraries above speak plain HTTP into the other end.
 *
 *   HTTP library <-> socket pair <-> tls_pump() <-> TCP <-> the peer's tls_pump() <-> ...
 *
 * Why not the libraries' own TLS: they pass every record of 16 KiB through several system calls of
 * their own; here half a MiB of records costs three. It also puts the check of the peer's key
 * before the first byte of HTTP, in either direction, and in one place. */
#ifndef TLS_H
#define TLS_H

#include <stdatomic.h>

#include "identity.h"

/* What every session of this host shares: our key and certificate. Outlives its sessions. */
struct tls_keys;

struct tls_keys *tls_keys_new(const struct identity *id, struct err *e);
void tls_keys_free(struct tls_keys *k);
DEFINE_FREEP(tls_keys_free, struct tls_keys);

enum tls_side { TLS_CLIENT, TLS_SERVER };

/* One session; about 2 MiB of buffers. Used by one thread at a time. */
struct tls;

/* fd: a connected, non-blocking socket, which the session borrows. stop_fd: a descriptor that
 * becomes readable when everything must end, or -1. */
struct tls *tls_new(enum tls_side side, const struct tls_keys *k, int fd, int stop_fd,
		    struct err *e);
void tls_free(struct tls *t);
DEFINE_FREEP(tls_free, struct tls);

/* At most ms in all, however slowly the peer drips. The peer has then proved that it holds the key
 * of tls_fingerprint(), which the caller must compare before it passes any byte. ERR_PEER. */
int tls_handshake(struct tls *t, unsigned ms, struct err *e);
const char *tls_fingerprint(const struct tls *t);
/* From now on, another descriptor ends it. */
void tls_set_stop(struct tls *t, int stop_fd);

/* Lets more bytes wait in a local socket between a pump and an HTTP library: fewer, larger pieces.
 */
void tls_widen(int fd);

/* Plain bytes that a pump moves by one system call. Less costs where system calls are dear. */
#define TLS_CHUNK (512u << 10)

struct tls_limits {
	unsigned stall_ms; /* the peer takes none of our bytes for so long: given up; 0: never */
	unsigned life_ms;  /* the pump ends after so long in any case; 0: no limit */
	unsigned idle_ms;  /* nothing moved for so long, and not *busy: ended; 0: never */
	const atomic_bool *busy; /* with idle_ms only */
};

/* Carries bytes both ways between plain_fd (borrowed, non-blocking) and the peer until either side
 * closes, what was already under way then being delivered; or until a limit or stop_fd. A
 * connection that was cut looks like one that was closed: HTTP's lengths tell the difference. */
void tls_pump(struct tls *t, int plain_fd, const struct tls_limits *l);

#endif
