/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a peer with a granted key can send to the server: frames in any order, of any content. The
 * first byte says how large the pieces are in which they come; a client's preface is put before
 * them. A body that reaches a handler must be all that was announced, where its route wants it. */
#include <stdlib.h>
#include <string.h>

#include "aio.h"
#include "server_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Instead of tls_io.c: bytes come from the input and go nowhere. */
struct tls {
	struct buf in;
	size_t at, piece;
};

int tls_receive(struct tls *t)
{
	return t->at < t->in.len ? 1 : -1;
}

ssize_t tls_decrypt(struct tls *t, const uint8_t **p)
{
	size_t left = t->in.len - t->at, n = left < t->piece ? left : t->piece;

	*p = t->in.data + t->at;
	t->at += n;
	return n;
}

int tls_encrypt(struct tls *t, const void *p, size_t n)
{
	(void)t, (void)p, (void)n;
	return 0;
}

size_t tls_unsent(const struct tls *t)
{
	(void)t;
	return 0;
}

int tls_send(struct tls *t)
{
	(void)t;
	return 0;
}

int tls_wait(const struct tls *t, unsigned ms)
{
	(void)t, (void)ms;
	return 1;
}

void tls_set_stop(struct tls *t, int fd)
{
	(void)t, (void)fd;
}

void tls_close(struct tls *t, unsigned ms)
{
	(void)t, (void)ms;
}

static void must(int ok)
{
	if (!ok)
		abort();
}

static size_t told_by_first(const uint8_t *body, size_t n)
{
	return n ? body[0] : 0;
}

static void on_put(const struct server_request *rq, struct server_reply *rp)
{
	const uint8_t *p = rq->body;

	must(rq->len <= 1000 && *rq->param[0]);
	must(rq->len == 0 || (uintptr_t)(p + p[0]) % AIO_ALIGN == 0);
	buf_put(&rp->body, p, rq->len);
	rp->status = 200;
}

static void on_get(const struct server_request *rq, struct server_reply *rp)
{
	must(rq->len == 0);
	rp->status = 204;
}

static int everybody(void *arg, const char *fingerprint, struct err *e)
{
	(void)arg, (void)fingerprint, (void)e;
	return 0;
}

static const struct server_route routes[] = {
	{"PUT", "/a/*", on_put, 1000, told_by_first},
	{"GET", "/b", on_get, 0, NULL},
	{NULL, NULL, NULL, 0, NULL},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				      "\0\0\0\4\0\0\0\0"; /* and settings; the last 0 is C's */
	struct tls t = {.in = BUF_INIT, .piece = size ? data[0] + 1 : 1};
	struct server s = {.o = {.routes = routes, .authorize = everybody, .idle_s = 1}};
	struct server_conn c = {.server = &s};
	struct err e = ERR_INIT;

	if (size == 0)
		return 0;
	buf_put(&t.in, preface, sizeof(preface));
	buf_put(&t.in, data + 1, size - 1);
	must(server_http(&c, &t, &e) == 0);
	aio_release(c.body, c.body_cap);
	buf_free(&c.reply);
	buf_free(&t.in);
	return 0;
}
