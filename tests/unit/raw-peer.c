/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>

#include "raw-peer.h"
#include "tls_session.h"

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

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t n,
		     const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct raw_client *r = ((struct http *)arg)->owner;

	(void)s, (void)f, (void)flags, (void)len;
	if (n == 7 && !memcmp(name, ":status", 7))
		r->status = atoi((const char *)value);
	return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t stream, const uint8_t *data, size_t n,
		   void *arg)
{
	struct raw_client *r = ((struct http *)arg)->owner;

	(void)s, (void)flags, (void)stream, (void)data;
	r->bytes += n;
	return 0;
}

static int on_close(nghttp2_session *s, int32_t stream, uint32_t why, void *arg)
{
	struct raw_client *r = ((struct http *)arg)->owner;

	(void)s, (void)stream;
	r->closed = true;
	r->why = why;
	return 0;
}

static void set_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
}

void raw_client_open(struct raw_client *r, const struct identity *id, uint16_t port)
{
	struct err e = ERR_INIT;

	*r = (struct raw_client){.fd = dial(port)};
	r->keys = tls_keys_new(id, &e);
	r->tls = shake(TLS_CLIENT, r->keys, r->fd);
	ck_assert_int_eq(http_init(&r->http, TLS_CLIENT, r->tls, set_callbacks, r, &e), 0);
}

/* Says that more comes after what there is. */
static ssize_t read_some(nghttp2_session *s, int32_t stream, uint8_t *buf, size_t max,
			 uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct http *h = arg;
	size_t n = h->len - h->sent;

	(void)s, (void)stream, (void)flags, (void)source;
	if (n == 0)
		return NGHTTP2_ERR_DEFERRED;
	ck_assert_uint_le(n, max);
	memcpy(buf, h->body, n);
	h->sent += n;
	return n;
}

void raw_client_request(struct raw_client *r, const char *path, const char *length,
			const char *body, bool end)
{
	nghttp2_data_provider d;
	nghttp2_nv v[] = {HTTP_FIELD(":method", "PUT", 3), HTTP_FIELD(":scheme", "https", 5),
			  HTTP_FIELD(":authority", "x", 1), HTTP_FIELD(":path", path, strlen(path)),
			  HTTP_FIELD("content-length", length, length ? strlen(length) : 0)};

	http_body(&r->http, &d, body, strlen(body));
	if (!end)
		d.read_callback = read_some;
	ck_assert_int_gt(nghttp2_submit_request(r->http.session, NULL, v, length ? 5 : 4, &d, NULL),
			 0);
}

void raw_client_get(struct raw_client *r, const char *path)
{
	nghttp2_nv v[] = {HTTP_FIELD(":method", "GET", 3), HTTP_FIELD(":scheme", "https", 5),
			  HTTP_FIELD(":authority", "x", 1),
			  HTTP_FIELD(":path", path, strlen(path))};

	ck_assert_int_gt(nghttp2_submit_request(r->http.session, NULL, v, 4, NULL, NULL), 0);
}

int raw_client_send(struct raw_client *r, const void *data, size_t n)
{
	int sent;

	ck_assert_int_eq(tls_encrypt(r->tls, data, n), 0);
	do
		sent = tls_send(r->tls);
	while (sent >= 0 && tls_unsent(r->tls) > 0);
	return sent;
}

void raw_client_rekey(struct raw_client *r)
{
	ck_assert_int_eq(gnutls_session_key_update(r->tls->session, 0), 0);
}

int raw_client_status(struct raw_client *r)
{
	while (!r->closed && http_turn(&r->http) >= 0)
		if (!r->closed)
			tls_wait(r->tls, 1000);
	return r->status;
}

void raw_client_close(struct raw_client *r)
{
	http_end(&r->http);
	tls_close(r->tls, 0);
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
	int fd = accept(s->listener, NULL, NULL);
	struct tls *t = shake(TLS_SERVER, k, fd);
	const uint8_t *p;
	ssize_t n;

	strcpy(s->fingerprint, tls_fingerprint(t));
	do {
		while ((n = tls_decrypt(t, &p)) > 0)
			s->bytes += n;
	} while (n == 0 && tls_wait(t, 10000) > 0 && tls_receive(t) >= 0);
	tls_close(t, 0);
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

int raw_text(uint16_t port, const struct identity *id, const char *text)
{
	gnutls_certificate_credentials_t cred;
	gnutls_session_t t;
	char in[512];
	int fd = dial(port), n = 0;

	gnutls_certificate_allocate_credentials(&cred);
	if (id) {
		gnutls_datum_t cert = {(unsigned char *)id->cert_pem, strlen(id->cert_pem)};
		gnutls_datum_t key = {(unsigned char *)id->key_pem, strlen(id->key_pem)};

		gnutls_certificate_set_x509_key_mem(cred, &cert, &key, GNUTLS_X509_FMT_PEM);
	}
	gnutls_init(&t, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL | GNUTLS_FORCE_CLIENT_CERT);
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
