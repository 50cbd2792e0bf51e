/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "fmt.h"
#include "tls.h"
#include "tls_session.h"

#define LOOK_MS 10 /* nothing tells when bytes are acknowledged */

static bool again(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int tls_receive(struct tls *t)
{
	ssize_t n;

	buf_reset(&t->in);
	t->in_used = 0;
	buf_reserve(&t->in, TLS_CHUNK_RECORDS);
	n = recv(t->fd, t->in.data, TLS_CHUNK_RECORDS, 0);
	if (n < 0)
		return again() ? 0 : -1;
	t->in.len = n;
	t->in_eof = n == 0;
	return 1;
}

ssize_t tls_decrypt(struct tls *t, const uint8_t **p)
{
	ssize_t n;

	*p = t->plain;
	do /* a record may have no bytes for us: a key update, say */
		n = gnutls_record_recv(t->session, t->plain, TLS_RECORD);
	while (n < 0 && !gnutls_error_is_fatal(n) && t->in_used < t->in.len);
	if (n == 0 || (n < 0 && gnutls_error_is_fatal(n)))
		return -1;
	return n > 0 ? n : 0;
}

int tls_encrypt(struct tls *t, const void *p, size_t n)
{
	const uint8_t *at = p;

	if (t->out_sent > 0) { /* or out would grow as long as it is never empty */
		t->out.len -= t->out_sent;
		memmove(t->out.data, t->out.data + t->out_sent, t->out.len);
		t->out_sent = 0;
	}
	while (n > 0) {
		ssize_t done = gnutls_record_send(t->session, at, n);

		if (done <= 0)
			return -1;
		at += done;
		n -= done;
	}
	return 0;
}

size_t tls_unsent(const struct tls *t)
{
	return t->out.len - t->out_sent;
}

int tls_send(struct tls *t)
{
	ssize_t n;

	if (tls_unsent(t) == 0)
		return 0;
	n = send(t->fd, t->out.data + t->out_sent, tls_unsent(t), MSG_NOSIGNAL);
	if (n < 0)
		return again() ? 0 : -1;
	t->out_sent += n;
	if (tls_unsent(t) == 0) {
		t->out_sent = 0;
		buf_reset(&t->out);
	}
	return 1;
}

int tls_wait(const struct tls *t, unsigned ms)
{
	short events = POLLIN | (tls_unsent(t) > 0 ? POLLOUT : 0);
	struct pollfd p[2] = {{t->fd, events, 0}, {t->stop_fd, POLLIN, 0}};
	int r = poll(p, 2, ms);

	if (r < 0)
		return again() ? 1 : -1;
	if (p[1].revents)
		return -1;
	return r > 0;
}

/* Bytes that the peer's kernel has not acknowledged. */
static int under_way(const struct tls *t)
{
	int n = 0;

	return ioctl(t->fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

void tls_close(struct tls *t, unsigned ms)
{
	uint64_t end = fmt_mono_us() + ms * 1000ULL;
	/* of the socket, only that it is broken: nothing is acknowledged any more */
	struct pollfd p[2] = {{t->fd, 0, 0}, {t->stop_fd, POLLIN, 0}};

	/* A peer that takes no more bytes does not hear it. */
	if (gnutls_bye(t->session, GNUTLS_SHUT_WR) == 0)
		tls_send(t);
	while (ms > 0 && under_way(t) > 0 && fmt_mono_us() < end && poll(p, 2, LOOK_MS) == 0)
		;
	shutdown(t->fd, SHUT_RDWR);
}
