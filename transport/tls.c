/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GnuTLS works on memory here: it pulls from in, pushes to out, and never sees a socket, so that
 * how many bytes go into one system call is ours to say. */
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <string.h>

#include "fmt.h"
#include "tls.h"
#include "tls_session.h"

/* AES-128-GCM first: the fastest wherever the processor has AES instructions. */
#define PRIORITIES                                                                                 \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"

struct tls_keys {
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
};

void tls_keys_free(struct tls_keys *k)
{
	if (!k)
		return;
	if (k->cred)
		gnutls_certificate_free_credentials(k->cred);
	if (k->priority)
		gnutls_priority_deinit(k->priority);
	free(k);
}

struct tls_keys *tls_keys_new(const struct identity *id, struct err *e)
{
	_cleanup_(tls_keys_freep) struct tls_keys *k = xcalloc(1, sizeof(*k));
	gnutls_datum_t cert = {(unsigned char *)id->cert_pem, strlen(id->cert_pem)};
	gnutls_datum_t key = {(unsigned char *)id->key_pem, strlen(id->key_pem)};
	int r = gnutls_certificate_allocate_credentials(&k->cred);

	if (r >= 0)
		r = gnutls_certificate_set_x509_key_mem2(k->cred, &cert, &key, GNUTLS_X509_FMT_PEM,
							 NULL, GNUTLS_PKCS_PLAIN);
	if (r >= 0)
		r = gnutls_priority_init(&k->priority, PRIORITIES, NULL);
	if (r >= 0)
		return TAKE(k);
	err_set(e, ERR_FAILED, "TLS with this host's key: %s", gnutls_strerror(r));
	return NULL;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t n)
{
	struct tls *t = ptr;

	buf_put(&t->out, data, n);
	return n;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *data, size_t n)
{
	struct tls *t = ptr;
	size_t have = t->in.len - t->in_used;

	if (have == 0) {
		gnutls_transport_set_errno(t->session, EAGAIN);
		return t->in_eof ? 0 : -1;
	}
	if (n > have)
		n = have;
	memcpy(data, t->in.data + t->in_used, n);
	t->in_used += n;
	return n;
}

/* GnuTLS asks before it pulls during a handshake; EAGAIN of pull() says the same. */
static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	(void)ptr, (void)ms;
	return 1;
}

struct tls *tls_new(enum tls_side side, const struct tls_keys *k, int fd, int stop_fd,
		    struct err *e)
{
	_cleanup_(tls_freep) struct tls *t = xcalloc(1, sizeof(*t));
	static const gnutls_datum_t h2 = {(unsigned char *)"h2", 2};
	unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;
	int r;

	t->fd = fd;
	t->stop_fd = stop_fd;
	/* FORCE_CLIENT_CERT: show it whatever issuers the server lists. */
	r = gnutls_init(&t->session,
			flags | (side == TLS_SERVER ? GNUTLS_SERVER
						    : GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT));
	if (r >= 0)
		r = gnutls_priority_set(t->session, k->priority);
	if (r >= 0)
		r = gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, k->cred);
	if (r >= 0)
		r = gnutls_alpn_set_protocols(t->session, &h2, 1, GNUTLS_ALPN_MANDATORY);
	if (r < 0) {
		err_set(e, ERR_FAILED, "TLS: %s", gnutls_strerror(r));
		return NULL;
	}
	if (side == TLS_SERVER)
		gnutls_certificate_server_set_request(t->session, GNUTLS_CERT_REQUIRE);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_push_function(t->session, push);
	gnutls_transport_set_pull_function(t->session, pull);
	gnutls_transport_set_pull_timeout_function(t->session, pull_timeout);
	gnutls_handshake_set_timeout(t->session, 0);
	return TAKE(t);
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	if (t->session)
		gnutls_deinit(t->session);
	buf_free(&t->in);
	buf_free(&t->out);
	free(t);
}

const char *tls_fingerprint(const struct tls *t)
{
	return t->fingerprint;
}

void tls_set_stop(struct tls *t, int stop_fd)
{
	t->stop_fd = stop_fd;
}

/* Of the certificate whose key signed the handshake. */
static int take_fingerprint(struct tls *t)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(t->session, &n);
	gnutls_x509_crt_t crt = NULL;
	gnutls_pubkey_t key = NULL;
	gnutls_datum_t spki = {NULL, 0};
	int r = der && n > 0 ? gnutls_x509_crt_init(&crt) : GNUTLS_E_NO_CERTIFICATE_FOUND;

	if (r >= 0)
		r = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER);
	if (r >= 0)
		r = gnutls_pubkey_init(&key);
	if (r >= 0)
		r = gnutls_pubkey_import_x509(key, crt, 0);
	if (r >= 0)
		r = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &spki);
	if (r >= 0)
		identity_fingerprint(spki.data, spki.size, t->fingerprint);
	gnutls_free(spki.data);
	if (key)
		gnutls_pubkey_deinit(key);
	if (crt)
		gnutls_x509_crt_deinit(crt);
	return r;
}

/* Waits for the socket until the deadline (monotonic microseconds). */
static int wait_socket(struct tls *t, short events, uint64_t deadline, struct err *e)
{
	struct pollfd p[2] = {{t->fd, events, 0}, {t->stop_fd, POLLIN, 0}};
	uint64_t now = fmt_mono_us();
	int r = now < deadline ? poll(p, 2, (deadline - now) / 1000 + 1) : 0;

	if (r < 0) /* a signal: the caller comes again */
		return 0;
	if (r == 0) {
		err_set(e, ERR_PEER, "the TLS handshake timed out");
		return err_hint(e, "see the log of srsync serve there: it may have no connection "
				   "free for another peer");
	}
	if (p[1].revents)
		return err_set(e, ERR_FAILED, "cancelled");
	return 0;
}

static int flush_handshake(struct tls *t, uint64_t deadline, struct err *e)
{
	while (t->out.len > 0) {
		if (tls_send(t) < 0)
			return err_set(e, ERR_PEER, "TLS handshake: %s", strerror(errno));
		if (t->out.len > 0 && wait_socket(t, POLLOUT, deadline, e) < 0)
			return -1;
	}
	return 0;
}

static int fill_handshake(struct tls *t, uint64_t deadline, struct err *e)
{
	if (wait_socket(t, POLLIN, deadline, e) < 0)
		return -1;
	if (tls_receive(t) < 0)
		return err_set(e, ERR_PEER, "TLS handshake: %s", strerror(errno));
	return 0;
}

/* GnuTLS refuses other protocols, but not a peer that names none. */
static int check_protocol(const struct tls *t, struct err *e)
{
	gnutls_datum_t name;

	if (gnutls_alpn_get_selected_protocol(t->session, &name) == 0)
		return 0;
	err_set(e, ERR_PEER, "the other side does not speak HTTP/2");
	return err_hint(e, "is srsync of the same version on both hosts, and nothing in between?");
}

static int handshake_failed(struct tls *t, int r, struct err *e)
{
	if (r == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return err_set(e, ERR_PEER, "the TLS handshake was refused by the other side: %s",
			       gnutls_alert_get_name(gnutls_alert_get(t->session)));
	if (t->in_eof)
		return err_set(e, ERR_PEER, "the connection was closed in the TLS handshake");
	return err_set(e, ERR_PEER, "the TLS handshake failed: %s", gnutls_strerror(r));
}

int tls_handshake(struct tls *t, unsigned ms, struct err *e)
{
	uint64_t deadline = fmt_mono_us() + ms * 1000ULL;
	struct err ignored = ERR_INIT;
	int r;

	while ((r = gnutls_handshake(t->session)) < 0) {
		if (gnutls_error_is_fatal(r)) {
			gnutls_alert_send_appropriate(t->session, r);
			flush_handshake(t, deadline, &ignored);
			return handshake_failed(t, r, e);
		}
		if (flush_handshake(t, deadline, e) < 0)
			return -1;
		if (t->in_used == t->in.len && !t->in_eof && fill_handshake(t, deadline, e) < 0)
			return -1;
	}
	r = take_fingerprint(t);
	if (r < 0)
		return err_set(e, ERR_PEER, "the other side's certificate: %s", gnutls_strerror(r));
	return flush_handshake(t, deadline, e) < 0 ? -1 : check_protocol(t, e);
}
