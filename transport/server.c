/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "aio.h"
#include "fmt.h"
#include "log.h"
#include "server_state.h"
#include "signals.h"

#define BACKLOG         128
#define HANDSHAKE_MS    10000
#define STOP_REPLIES_MS 10000
#define FULL_SAID_MS    60000 /* not more often */

static void addrinfo_free(struct addrinfo **a)
{
	if (*a)
		freeaddrinfo(*a);
}

static int listen_on(const struct addrinfo *a)
{
	_cleanup_close_ int fd =
		socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, off = 0;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6) /* "all addresses" means IPv4 too */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return take_fd(&fd);
}

static int cannot_listen(const char *where, const struct address *a, struct err *e)
{
	int cause = errno;

	err_sys(e, "cannot listen on %s", where);
	if (cause == EADDRINUSE)
		return err_hint(
			e,
			"port %s is in use (ss -ltnp 'sport = %s' shows by whom): stop that, "
			"or choose another port with --listen",
			a->port, a->port);
	if (cause == EADDRNOTAVAIL)
		return err_hint(e, "%s is no address of this host (ip address shows them)",
				a->host);
	if (cause == EACCES)
		return err_hint(e, "ports below 1024 need root");
	return -1;
}

static int open_listener(struct server *s, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	_cleanup_(addrinfo_free) struct addrinfo *list = NULL;
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct address a;
	int r;

	if (address_parse_listen(s->o.listen, &a, e) < 0)
		return -1;
	/* ":PORT": the IPv6 wildcard serves both; without IPv6 in the kernel, the IPv4 one. */
	r = getaddrinfo(*a.host ? a.host : "::", a.port, &hints, &list);
	if (r != 0)
		return err_set(e, ERR_FAILED, "cannot listen on %s: %s", s->o.listen,
			       gai_strerror(r));
	s->listen_fd = listen_on(list);
	if (s->listen_fd < 0 && errno == EAFNOSUPPORT && !*a.host) {
		freeaddrinfo(TAKE(list));
		if (getaddrinfo("0.0.0.0", a.port, &hints, &list) == 0)
			s->listen_fd = listen_on(list);
	}
	if (s->listen_fd < 0 || getsockname(s->listen_fd, (struct sockaddr *)&own, &len) < 0)
		return cannot_listen(s->o.listen, &a, e);
	s->port = ntohs(own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port
						  : ((struct sockaddr_in *)&own)->sin_port);
	return 0;
}

static void conn_free(struct server_conn *c)
{
	closep(&c->fd);
	aio_release(c->body, c->body_cap);
	buf_free(&c->reply);
	free(c);
}

static int serve(struct server_conn *c, struct err *e)
{
	struct server *s = c->server;
	_cleanup_(tls_freep) struct tls *t = tls_new(TLS_SERVER, s->keys, c->fd, s->stop_fd, e);

	if (!t || tls_handshake(t, HANDSHAKE_MS, e) < 0)
		return -1;
	strcpy(c->fingerprint, tls_fingerprint(t));
	return server_http(c, t, e);
}

static void *conn_main(void *arg)
{
	struct server_conn *c = arg;
	struct server *s = c->server;
	struct err e = ERR_INIT;

	if (serve(c, &e) < 0)
		log_info("connection from %s: %s", c->remote, e.text);
	conn_free(c);
	pthread_mutex_lock(&s->lock);
	s->conns--;
	eventfd_write(s->wake_fd, 1);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void start_conn(struct server *s, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct server_conn *c = xcalloc(1, sizeof(*c));
	struct err e = ERR_INIT;
	pthread_t t;
	int on = 1;

	*c = (struct server_conn){.server = s, .fd = fd};
	address_text(sa, len, c->remote);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	pthread_mutex_lock(&s->lock);
	if (signals_thread(&t, conn_main, c, &e) < 0) {
		log_err(LOG_LEVEL_WARN, &e);
		conn_free(c);
	} else {
		pthread_detach(t);
		s->conns++;
	}
	pthread_mutex_unlock(&s->lock);
}

static bool has_room(struct server *s)
{
	eventfd_t n;
	bool room;

	eventfd_read(s->wake_fd, &n);
	pthread_mutex_lock(&s->lock);
	room = s->conns < s->o.connections_max;
	pthread_mutex_unlock(&s->lock);
	if (!room && fmt_mono_us() >= s->say_full_us) {
		log_warn("all %u connections are in use: further ones wait until one ends",
			 s->o.connections_max);
		s->say_full_us = fmt_mono_us() + FULL_SAID_MS * 1000ULL;
	}
	return room;
}

static void *accept_main(void *arg)
{
	struct server *s = arg;

	for (;;) {
		struct pollfd p[3] = {
			{s->stop_fd, POLLIN, 0}, {s->wake_fd, POLLIN, 0}, {-1, POLLIN, 0}};
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		int fd;

		if (has_room(s))
			p[2].fd = s->listen_fd;
		if (poll(p, 3, -1) < 0)
			continue;
		if (p[0].revents)
			return NULL;
		if (!p[2].revents)
			continue;
		fd = accept4(s->listen_fd, (struct sockaddr *)&sa, &len,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			start_conn(s, fd, (struct sockaddr *)&sa, len);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			poll(p, 1, 100); /* it stays readable: do not spin until there is room */
	}
}

/* Waits until no connection is left, for ms at most; 0: for ever. Called with the lock held. */
static void wait_all(struct server *s, unsigned ms)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += ms / 1000;
	while (s->conns > 0)
		if (ms == 0)
			pthread_cond_wait(&s->changed, &s->lock);
		else if (pthread_cond_timedwait(&s->changed, &s->lock, &end) == ETIMEDOUT)
			return;
}

static void stop_threads(struct server *s)
{
	s->stopping = true;
	eventfd_write(s->stop_fd, 1);
	pthread_join(s->accept_thread, NULL);
	pthread_mutex_lock(&s->lock);
	wait_all(s, STOP_REPLIES_MS);
	s->aborting = true;
	eventfd_write(s->abort_fd, 1);
	wait_all(s, 0); /* for handlers */
	pthread_mutex_unlock(&s->lock);
}

static void destroy(struct server *s)
{
	closep(&s->listen_fd);
	closep(&s->stop_fd);
	closep(&s->abort_fd);
	closep(&s->wake_fd);
	tls_keys_free(s->keys);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	free(s);
}

static int start(struct server *s, struct err *e)
{
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->abort_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->stop_fd < 0 || s->abort_fd < 0 || s->wake_fd < 0)
		return err_sys(e, "eventfd");
	s->keys = tls_keys_new(s->o.id, e);
	if (!s->keys || open_listener(s, e) < 0)
		return -1;
	return signals_thread(&s->accept_thread, accept_main, s, e);
}

struct server *server_start(const struct server_options *o, struct err *e)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->o = *o;
	if (s->o.idle_s == 0)
		s->o.idle_s = 60;
	s->listen_fd = s->stop_fd = s->abort_fd = s->wake_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (start(s, e) == 0)
		return s;
	destroy(s);
	return NULL;
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	stop_threads(s);
	destroy(s);
}
