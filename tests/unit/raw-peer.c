/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>

#include "raw-peer.h"

static const struct tls_limits no_limits = {.stall_ms = 0};

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int dial(uint16_t port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static struct tls *shake(enum tls_side side, const struct tls_keys *k, int fd)
{
	struct err e = ERR_INIT;
	struct tls *t = tls_new(side, k, fd, -1, &e);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	ck_assert_msg(t && tls_handshake(t, 10000, &e) == 0, "%s", e.text);
	return t;
}

static void *client_pump(void *arg)
{
	struct raw_client *r = arg;

	tls_pump(r->tls, r->pair[0], &no_limits);
	close(r->pair[0]);
	return NULL;
}

void raw_client_open(struct raw_client *r, const struct identity *id, uint16_t port)
{
	struct err e = ERR_INIT;

	r->keys = tls_keys_new(id, &e);
	r->fd = dial(port);
	r->tls = shake(TLS_CLIENT, r->keys, r->fd);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, r->pair), 0);
	fcntl(r->pair[0], F_SETFL, O_NONBLOCK);
	pthread_create(&r->pump, NULL, client_pump, r);
}

void raw_client_send(struct raw_client *r, const char *text)
{
	ck_assert_int_eq(send(r->pair[1], text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

int raw_client_status(struct raw_client *r)
{
	char text[4096] = "";
	size_t n = 0;
	ssize_t got;
	int status = 0;

	while (n < 12 && (got = recv(r->pair[1], text + n, sizeof(text) - 1 - n, 0)) > 0)
		n += got;
	sscanf(text, "HTTP/1.1 %d", &status);
	return status;
}

void raw_client_close(struct raw_client *r)
{
	close(r->pair[1]);
	pthread_join(r->pump, NULL);
	close(r->fd);
	tls_free(r->tls);
	tls_keys_free(r->keys);
}

int raw_listen(char *address, size_t size)
{
	struct sockaddr_in a = loopback(0);
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	snprintf(address, size, "127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

static void *server_main(void *arg)
{
	struct raw_server *s = arg;
	struct err e = ERR_INIT;
	struct tls_keys *k = tls_keys_new(s->id, &e);
	int fd = accept(s->listener, NULL, NULL), pair[2];
	struct tls *t = shake(TLS_SERVER, k, fd);
	char text[4096];
	ssize_t n;

	strcpy(s->fingerprint, tls_fingerprint(t));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	tls_pump(t, pair[0], &no_limits);
	while ((n = recv(pair[1], text, sizeof(text), 0)) > 0)
		s->bytes += n;
	close(pair[0]);
	close(pair[1]);
	close(fd);
	tls_free(t);
	tls_keys_free(k);
	return NULL;
}

void raw_server_start(struct raw_server *s, const struct identity *id)
{
	*s = (struct raw_server){.id = id};
	s->listener = raw_listen(s->address, sizeof(s->address));
	pthread_create(&s->thread, NULL, server_main, s);
}

size_t raw_server_end(struct raw_server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	return s->bytes;
}

int raw_anonymous(uint16_t port, const char *text)
{
	gnutls_certificate_credentials_t cred;
	gnutls_session_t t;
	char in[512];
	int fd = dial(port), n = 0;

	gnutls_certificate_allocate_credentials(&cred);
	gnutls_init(&t, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
	gnutls_set_default_priority(t);
	gnutls_credentials_set(t, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_transport_set_int(t, fd);
	if (gnutls_handshake(t) == 0 && gnutls_record_send(t, text, strlen(text)) > 0)
		n = gnutls_record_recv(t, in, sizeof(in));
	gnutls_deinit(t);
	gnutls_certificate_free_credentials(cred);
	close(fd);
	return n > 0 ? n : 0;
}
