/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <time.h>

#include "aio.h"
#include "log.h"
#include "server_state.h"
#include "signals.h"

#define BACKLOG         128
#define HANDSHAKE_MS    10000
#define STRANGER_MS     10000 /* time to fetch the 403 */
#define STOP_REPLIES_MS 10000
#define STOP_PUMPS_MS   5000

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

void server_unref(struct server_conn *c)
{
	struct server_conn **p = &c->server->conns;

	if (--c->refs > 0)
		return;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	closep(&c->fd);
	aio_release(c->body, c->body_cap);
	free(c);
}

/* Only one connection may go by this descriptor: a number that libmicrohttpd gave back without a
 * word (it ran out of memory or threads) must never lead to the fingerprint of its former owner. */
static void set_http_fd(struct server_conn *c, int fd)
{
	struct server *s = c->server;

	pthread_mutex_lock(&s->lock);
	for (struct server_conn *other = s->conns; other; other = other->next)
		if (other->http_fd == fd)
			other->http_fd = -1;
	c->http_fd = fd;
	c->refs++;
	pthread_mutex_unlock(&s->lock);
}

static void forget_http_fd(struct server_conn *c)
{
	pthread_mutex_lock(&c->server->lock);
	c->http_fd = -1;
	server_unref(c);
	pthread_mutex_unlock(&c->server->lock);
}

/* libmicrohttpd closes the descriptor in any case. */
static bool add_to_http(struct server_conn *c, int fd)
{
	struct sockaddr_un none = {.sun_family = AF_UNIX};
	struct server *s = c->server;
	bool added;

	pthread_mutex_lock(&s->add_lock);
	added = !s->stopping;
	if (!added)
		close(fd);
	else
		added = MHD_add_connection(s->http, fd, (struct sockaddr *)&none, sizeof(none)) ==
			MHD_YES;
	pthread_mutex_unlock(&s->add_lock);
	return added;
}

/* Gives libmicrohttpd one end of a pair; returns the other, or -1. */
static int hand_to_http(struct server_conn *c, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(e, "socketpair");
	tls_widen(pair[0]);
	tls_widen(pair[1]);
	set_http_fd(c, pair[1]);
	if (add_to_http(c, pair[1]))
		return pair[0];
	forget_http_fd(c);
	close(pair[0]);
	return err_set(e, ERR_FAILED, "no more connections are taken");
}

static int serve(struct server_conn *c, struct err *e)
{
	struct server *s = c->server;
	struct tls_limits limits = {
		.stall_ms = s->o.idle_s * 1000, .idle_ms = s->o.idle_s * 1000, .busy = &c->busy};
	_cleanup_(tls_freep) struct tls *t = tls_new(TLS_SERVER, s->keys, c->fd, s->stop_fd, e);
	_cleanup_close_ int plain = -1;
	struct err why = ERR_INIT;

	if (!t || tls_handshake(t, HANDSHAKE_MS, e) < 0)
		return -1;
	strcpy(c->fingerprint, tls_fingerprint(t));
	/* A stranger gets his 403 from libmicrohttpd, and no time for more. */
	if (s->o.authorize(s->o.arg, c->fingerprint, &why) < 0)
		limits.life_ms = STRANGER_MS;
	plain = hand_to_http(c, e);
	if (plain < 0)
		return -1;
	tls_set_stop(t, s->abort_fd);
	tls_pump(t, plain, &limits);
	return 0;
}

static void *conn_main(void *arg)
{
	struct server_conn *c = arg;
	struct server *s = c->server;
	struct err e = ERR_INIT;

	if (serve(c, &e) < 0)
		log_info("connection from %s: %s", c->remote, e.text);
	shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_lock(&s->lock);
	server_unref(c);
	s->pumps--;
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

	*c = (struct server_conn){.server = s, .refs = 1, .fd = fd, .http_fd = -1};
	address_text(sa, len, c->remote);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	pthread_mutex_lock(&s->lock);
	c->next = s->conns;
	s->conns = c;
	if (signals_thread(&t, conn_main, c, &e) < 0) {
		log_err(LOG_LEVEL_WARN, &e);
		server_unref(c);
	} else {
		pthread_detach(t);
		s->pumps++;
	}
	pthread_mutex_unlock(&s->lock);
}

static bool has_room(struct server *s)
{
	eventfd_t n;
	bool room;

	eventfd_read(s->wake_fd, &n);
	pthread_mutex_lock(&s->lock);
	room = s->pumps < s->o.connections_max;
	pthread_mutex_unlock(&s->lock);
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

/* Waits until *count is 0, for ms at most. Called with the lock held. */
static void wait_zero(struct server *s, const unsigned *count, unsigned ms)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += ms / 1000;
	while (*count > 0)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &end) == ETIMEDOUT)
			return;
}

static void stop_threads(struct server *s)
{
	eventfd_write(s->stop_fd, 1);
	pthread_join(s->accept_thread, NULL);
	pthread_mutex_lock(&s->add_lock);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_mutex_unlock(&s->add_lock);
	wait_zero(s, &s->requests, STOP_REPLIES_MS);
	pthread_mutex_unlock(&s->lock);
	MHD_stop_daemon(TAKE(s->http)); /* waits for handlers, closes its ends of all pairs */
	pthread_mutex_lock(&s->lock);
	wait_zero(s, &s->pumps, STOP_PUMPS_MS);
	eventfd_write(s->abort_fd, 1);
	while (s->pumps > 0)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void destroy(struct server *s)
{
	if (s->http)
		MHD_stop_daemon(s->http);
	while (s->conns) { /* those that libmicrohttpd gave back without a word */
		s->conns->refs = 1;
		server_unref(s->conns);
	}
	closep(&s->listen_fd);
	closep(&s->stop_fd);
	closep(&s->abort_fd);
	closep(&s->wake_fd);
	tls_keys_free(s->keys);
	pthread_mutex_destroy(&s->add_lock);
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
	if (!s->keys || open_listener(s, e) < 0 || server_http_start(s, e) < 0)
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
	pthread_mutex_init(&s->add_lock, NULL);
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
