/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "client_connect.h"
#include "fmt.h"

static void addrinfo_free(struct addrinfo **a)
{
	if (*a)
		freeaddrinfo(*a);
}

int client_target(struct client_target *t, const struct client_peer *peer, struct err *e)
{
	if (address_parse(peer->address, &t->address, e) < 0)
		return -1;
	if (!identity_is_fingerprint(peer->fingerprint)) {
		err_set(e, ERR_USAGE, "\"%.100s\" is not a fingerprint", peer->fingerprint);
		return err_hint(e, "srsync id prints it on the peer: SHA256: and 43 characters");
	}
	snprintf(t->text, sizeof(t->text), "%s", peer->address);
	strcpy(t->fingerprint, peer->fingerprint);
	t->connect_ms = peer->connect_ms ? peer->connect_ms : 10000;
	return 0;
}

static int wait_connected(int fd, int cancel_fd, uint64_t deadline, struct err *e)
{
	struct pollfd p[2] = {{fd, POLLOUT, 0}, {cancel_fd, POLLIN, 0}};
	int r, failure = ETIMEDOUT;
	socklen_t len = sizeof(failure);

	do {
		uint64_t now = fmt_mono_us();

		r = now < deadline ? poll(p, 2, (deadline - now) / 1000 + 1) : 0;
	} while (r < 0 && errno == EINTR);
	if (r > 0 && p[1].revents)
		return err_set(e, ERR_FAILED, "cancelled");
	if (r > 0)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len);
	errno = failure;
	return failure ? err_sys(e, "connect") : 0;
}

/* A peer that vanished without a word is noticed also while we only wait for its answer. */
static void keep_watch(int fd)
{
	int on = 1, idle = 20, between = 10, count = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof(between));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int connect_one(const struct addrinfo *a, int cancel_fd, uint64_t deadline, struct err *e)
{
	_cleanup_close_ int fd =
		socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "socket");
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS)
		return err_sys(e, "connect");
	if (wait_connected(fd, cancel_fd, deadline, e) < 0)
		return -1;
	keep_watch(fd);
	return take_fd(&fd);
}

static int connect_any(const struct client_target *t, int cancel_fd, uint64_t deadline,
		       struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	_cleanup_(addrinfo_free) struct addrinfo *list = NULL;
	unsigned left = 0;
	int fd = -1, r = getaddrinfo(t->address.host, t->address.port, &hints, &list);

	if (r != 0) {
		err_set(e, ERR_PEER, "%s: %s", t->text,
			r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return err_hint(e, "check the spelling, DNS and /etc/hosts, or write a number");
	}
	for (struct addrinfo *a = list; a; a = a->ai_next)
		left++;
	/* Each address gets its share of the time that is left: one that is silent must not eat it.
	 */
	for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next, left--) {
		uint64_t now = fmt_mono_us();

		fd = connect_one(a, cancel_fd, now + (deadline > now ? deadline - now : 0) / left,
				 e);
	}
	if (fd >= 0)
		return fd;
	e->code = ERR_PEER;
	err_wrap(e, "%s", t->text);
	return err_hint(e,
			"check that srsync serve runs there, and that no firewall is in between");
}

static int check_key(const struct client_target *t, const struct tls *tls, struct err *e)
{
	if (!strcmp(tls_fingerprint(tls), t->fingerprint))
		return 0;
	err_set(e, ERR_PEER,
		"%s has the key %s, but %s is wanted: not the same host, or its key was "
		"changed",
		t->text, tls_fingerprint(tls), t->fingerprint);
	return err_hint(e,
			"compare with srsync id on the peer itself; only if the new key is right, "
			"put it into the partnership");
}

int client_connect(const struct client_target *t, const struct tls_keys *keys, int cancel_fd,
		   int *fd, struct tls **tls, struct err *e)
{
	uint64_t deadline = fmt_mono_us() + t->connect_ms * 1000ULL, now;
	_cleanup_close_ int s = connect_any(t, cancel_fd, deadline, e);
	_cleanup_(tls_freep) struct tls *session = NULL;

	if (s < 0)
		return -1;
	session = tls_new(TLS_CLIENT, keys, s, cancel_fd, e);
	if (!session)
		return -1;
	now = fmt_mono_us();
	if (tls_handshake(session, now < deadline ? (deadline - now) / 1000 : 0, e) < 0)
		return err_wrap(e, "%s", t->text);
	if (check_key(t, session, e) < 0)
		return -1;
	*fd = take_fd(&s);
	*tls = TAKE(session);
	return 0;
}
