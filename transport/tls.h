/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS 1.3 between two identities, over a connected TCP socket. What it carries is HTTP/2 (http.h),
 * and both sides say so in the handshake (ALPN, RFC 7301).
 *
 * After the handshake nothing here waits but tls_wait(): bytes come by tls_receive() and
 * tls_decrypt(), and go by tls_encrypt() and tls_send(). */
#ifndef TLS_H
#define TLS_H

#include <stdint.h>
#include <sys/types.h>

#include "identity.h"

/* What every session of this host shares: our key and certificate. Outlives its sessions. */
struct tls_keys;

struct tls_keys *tls_keys_new(const struct identity *id, struct err *e);
void tls_keys_free(struct tls_keys *k);
DEFINE_FREEP(tls_keys_free, struct tls_keys);

enum tls_side { TLS_CLIENT, TLS_SERVER };

/* One session; about 1.5 MiB of buffers. Used by one thread at a time. */
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

/* Plain bytes that are moved by one system call, which are dear on some machines. */
#define TLS_CHUNK (512u << 10)

/* One recv(). 1: something came, if only the end; 0: nothing is there now; -1 with errno: the
 * connection is broken. All that came before must have been decrypted. */
int tls_receive(struct tls *t);
/* The next plain bytes of what was received, at most those of one record, in *p until the next
 * call. 0: no more of them; -1: the peer has ended the session, or it is broken. */
ssize_t tls_decrypt(struct tls *t, const uint8_t **p);
/* Encrypts n bytes into the session's memory, however many wait there: keep an eye on tls_unsent().
 * -1: the session is broken. */
int tls_encrypt(struct tls *t, const void *p, size_t n);
size_t tls_unsent(const struct tls *t); /* encrypted bytes */
/* One send() of them. 1: some went; 0: none; -1 with errno: the connection is broken. */
int tls_send(struct tls *t);
/* Until bytes can be received, or sent if some wait. 1: so it is; 0: not within ms; -1: stop. */
int tls_wait(const struct tls *t, unsigned ms);
/* Ends both directions, telling the peer if it listens. The socket stays open. First waits for at
 * most ms, or until stop, for what was sent to reach the peer's kernel: closing a socket that has
 * unread bytes destroys what is on its way. */
void tls_close(struct tls *t, unsigned ms);

#endif
