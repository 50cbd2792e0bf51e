/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two one-way flows, each with one chunk under way: a flow reads again only when its last chunk has
 * left, so memory is bounded and a slow reader slows its writer down, as TCP does.
 *
 *   fd -recv-> in -decrypt-> plain_in -send-> plain_fd
 *   fd <-send- out <-encrypt- plain_out <-recv- plain_fd
 *
 * Ends: one side closes -> what it sent is delivered, the other side is told that no more comes,
 * and what that one still sends is read and dropped for a while: closing a socket with unread bytes
 * resets the connection, which would destroy a reply on its way (a refusal in mid-body). */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "fmt.h"
#include "tls.h"
#include "tls_session.h"

#define LINGER_MS 2000

struct pump {
	struct tls *t;
	int plain_fd;
	const struct tls_limits *l;
	uint64_t deadline; /* monotonic microseconds; 0: none */
	bool plain_eof;    /* the plain side writes no more */
	bool plain_gone;   /* what the peer sends is dropped */
	bool peer_gone;    /* what the plain side sends is dropped */
	bool lingering;    /* one side has ended */
};

void tls_widen(int fd)
{
	int size = 4 * TLS_CHUNK;

	/* Without privilege the kernel allows less, which is slower only. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

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
	return 0;
}

int tls_send_buf(int fd, struct buf *b, size_t *sent)
{
	ssize_t n = send(fd, b->data + *sent, b->len - *sent, MSG_NOSIGNAL);

	if (n < 0)
		return again() ? 0 : -1;
	*sent += n;
	if (*sent == b->len) {
		*sent = 0;
		buf_reset(b);
	}
	return 0;
}

int tls_send(struct tls *t)
{
	return tls_send_buf(t->fd, &t->out, &t->out_sent);
}

/* Decrypts all that in holds. -1 when the session is over or broken: what came before it counts. */
static int decrypt(struct tls *t)
{
	for (;;) {
		ssize_t n;

		buf_reserve(&t->plain_in,
			    t->plain_in.cap ? TLS_RECORD : TLS_CHUNK + 2 * TLS_RECORD);
		n = gnutls_record_recv(t->session, t->plain_in.data + t->plain_in.len, TLS_RECORD);
		if (n == GNUTLS_E_AGAIN)
			return 0;
		if (n == 0 || (n < 0 && gnutls_error_is_fatal(n)))
			return -1;
		if (n > 0)
			t->plain_in.len += n;
	}
}

static void deliver(struct pump *p)
{
	struct tls *t = p->t;

	if (t->plain_in.len == 0)
		return;
	if (!p->plain_gone && tls_send_buf(p->plain_fd, &t->plain_in, &t->plain_sent) < 0)
		p->plain_gone = true;
	if (p->plain_gone) {
		buf_reset(&t->plain_in);
		t->plain_sent = 0;
	}
}

static int inbound(struct pump *p)
{
	if (tls_receive(p->t) < 0)
		return -1;
	if (!p->t->in_eof && decrypt(p->t) < 0)
		p->t->in_eof = true;
	deliver(p);
	return 0;
}

static int encrypt(struct tls *t)
{
	buf_reserve(&t->out, TLS_CHUNK_RECORDS);
	for (size_t done = 0; done < t->plain_out.len;) {
		ssize_t n = gnutls_record_send(t->session, t->plain_out.data + done,
					       t->plain_out.len - done);

		if (n <= 0)
			return -1;
		done += n;
	}
	return 0;
}

static int outbound(struct pump *p)
{
	struct tls *t = p->t;
	ssize_t n;

	buf_reset(&t->plain_out);
	buf_reserve(&t->plain_out, TLS_CHUNK);
	n = recv(p->plain_fd, t->plain_out.data, TLS_CHUNK, 0);
	if (n < 0 && again())
		return 0;
	p->plain_eof = n <= 0;
	if (p->peer_gone)
		return 0;
	if (p->plain_eof) {
		gnutls_bye(t->session, GNUTLS_SHUT_WR);
		return 0;
	}
	t->plain_out.len = n;
	return encrypt(t);
}

/* One side has closed and all of its bytes are delivered: the other gets a last chance to see them.
 */
static void linger(struct pump *p)
{
	uint64_t end = fmt_mono_us() + LINGER_MS * 1000;

	p->lingering = true;
	if (p->deadline == 0 || end < p->deadline)
		p->deadline = end;
	if (p->t->in_eof) {
		p->peer_gone = true;
		buf_reset(&p->t->out);
		p->t->out_sent = 0;
		shutdown(p->plain_fd, SHUT_WR);
	} else {
		p->plain_gone = true;
		deliver(p);
		shutdown(p->t->fd, SHUT_WR);
	}
}

/* Milliseconds; -1: for ever; 0: the time is up. */
static int timeout(const struct pump *p)
{
	unsigned ms = p->t->out.len > 0 ? p->l->stall_ms : p->l->idle_ms;
	uint64_t now, left;

	if (p->deadline == 0)
		return ms ? (int)ms : -1;
	now = fmt_mono_us();
	left = now < p->deadline ? (p->deadline - now) / 1000 + 1 : 0;
	return ms && ms < left ? ms : left;
}

/* A descriptor that nothing is wanted of is left out: its hang-up would wake us for ever. */
static struct pollfd want(int fd, bool in, bool out)
{
	short events = (in ? POLLIN : 0) | (out ? POLLOUT : 0);

	return (struct pollfd){events ? fd : -1, events, 0};
}

/* Nothing has moved for as long as timeout() said. -1: over. */
static int nothing_moved(const struct pump *p)
{
	bool idle = p->t->out.len == 0 && p->l->idle_ms && *p->l->busy;

	return idle && (p->deadline == 0 || fmt_mono_us() < p->deadline) ? 0 : -1;
}

/* Waits, and moves what can be moved. -1: over. */
static int step(struct pump *p)
{
	struct tls *t = p->t;
	struct pollfd f[3] = {
		want(t->fd, !t->in_eof && t->plain_in.len == 0, t->out.len > 0),
		want(p->plain_fd, !p->plain_eof && t->out.len == 0, t->plain_in.len > 0),
		want(t->stop_fd, true, false),
	};
	int r = poll(f, 3, timeout(p));

	if (r < 0)
		return again() ? 0 : -1;
	if (r == 0)
		return nothing_moved(p);
	if (f[2].revents)
		return -1;
	if (f[1].revents && (f[1].events & POLLOUT))
		deliver(p);
	if (f[0].revents && (f[0].events & POLLIN) && inbound(p) < 0)
		return -1;
	if (f[1].revents && (f[1].events & POLLIN) && outbound(p) < 0)
		return -1;
	if (t->out.len > 0 && tls_send(t) < 0)
		return -1;
	return 0;
}

void tls_pump(struct tls *t, int plain_fd, const struct tls_limits *l)
{
	struct pump p = {.t = t, .plain_fd = plain_fd, .l = l};

	if (l->life_ms)
		p.deadline = fmt_mono_us() + l->life_ms * 1000ULL;
	/* The handshake may have left the first records of the peer in memory. */
	if (decrypt(t) < 0)
		t->in_eof = true;
	deliver(&p);
	for (;;) {
		bool in_done = t->in_eof && t->plain_in.len == 0;
		bool out_done = p.plain_eof && t->out.len == 0;

		if (in_done && p.plain_eof)
			break;
		if ((in_done || out_done) && !p.lingering)
			linger(&p);
		if (step(&p) < 0)
			break;
	}
}
