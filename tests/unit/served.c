/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <string.h>

#include "aio.h"
#include "io.h"
#include "served.h"

static char dir[] = "/tmp/unit-served.XXXXXX";
struct identity *host_a, *host_b;
struct server *server;
char address[40];
atomic_int calls;
char last_remote[80];
unsigned sum;
struct buf reply = BUF_INIT;
struct err e;

unsigned sum_of(const uint8_t *p, size_t n)
{
	unsigned s = n;

	while (n--)
		s = s * 31 + *p++;
	return s;
}

static void on_put(const struct server_request *rq, struct server_reply *rp)
{
	calls++;
	sum = sum_of(rq->body, rq->len);
	snprintf(last_remote, sizeof(last_remote), "%s", rq->remote);
	ck_assert_str_eq(rq->fingerprint, host_a->fingerprint);
	ck_assert_ptr_eq(rq->arg, dir);
	buf_put(&rp->body, rq->param[0], strlen(rq->param[0]));
	rp->status = 201;
}

/* Bodies whose data begins after as many bytes as the first one says. */
static size_t told_by_first(const uint8_t *body, size_t n)
{
	return n ? body[0] : 0;
}

/* PUT /aligned/ */
static void on_aligned(const struct server_request *rq, struct server_reply *rp)
{
	const uint8_t *body = rq->body;

	calls++;
	sum = sum_of(body, rq->len);
	ck_assert_uint_eq((uintptr_t)(body + body[0]) % AIO_ALIGN, 0);
	rp->status = 201;
}

/* GET /bytes/N: N bytes. */
static void on_bytes(const struct server_request *rq, struct server_reply *rp)
{
	size_t n = strtoul(rq->param[0], NULL, 10);

	calls++;
	buf_reserve(&rp->body, n + 1);
	memset(rp->body.data, 'x', n);
	rp->body.len = n;
	rp->status = 200;
}

/* POST /sleep/MS */
static void on_sleep(const struct server_request *rq, struct server_reply *rp)
{
	calls++;
	usleep(strtoul(rq->param[0], NULL, 10) * 1000);
	rp->status = 204;
}

static int only_a(void *arg, const char *fingerprint, struct err *why)
{
	(void)arg;
	if (!strcmp(fingerprint, host_a->fingerprint))
		return 0;
	return err_set(why, ERR_REFUSED, "%s is not granted", fingerprint);
}

static const struct server_route routes[] = {
	{"PUT", "/put/*", on_put, BODY_MAX, NULL},
	{"PUT", "/aligned/*", on_aligned, BODY_MAX, told_by_first},
	{"GET", "/bytes/*", on_bytes, 0, NULL},
	{"POST", "/sleep/*", on_sleep, 0, NULL},
	{NULL, NULL, NULL, 0, NULL},
};

struct server *try_serve(const char *listen, unsigned max, unsigned idle_s)
{
	struct server_options o = {.listen = listen,
				   .id = host_b,
				   .routes = routes,
				   .authorize = only_a,
				   .arg = dir,
				   .connections_max = max,
				   .idle_s = idle_s};

	e = (struct err)ERR_INIT;
	return server_start(&o, &e);
}

void serve(unsigned max, unsigned idle_s)
{
	server = try_serve("127.0.0.1:0", max, idle_s);
	ck_assert_msg(server != NULL, "%s", e.text);
	snprintf(address, sizeof(address), "127.0.0.1:%u", server_port(server));
}

struct identity *make(const char *name)
{
	char path[80];
	struct identity *id;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	id = identity_load(path, &e);
	ck_assert_msg(id != NULL, "%s", e.text);
	return id;
}

void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	host_a = make("a");
	host_b = make("b");
}

void teardown(void)
{
	server_stop(server);
	buf_free(&reply);
	identity_free(host_a);
	identity_free(host_b);
	io_remove_tree(dir, &e);
}

struct client *client_as(const struct identity *id, const char *to, unsigned stall_ms)
{
	struct client_peer p = {to, host_b->fingerprint, 0, stall_ms};
	struct client *c = client_new(&p, id, &e);

	ck_assert_msg(c != NULL, "%s", e.text);
	return c;
}

int call(struct client *c, const char *method, const char *path, const void *body, size_t n)
{
	e = (struct err)ERR_INIT;
	return client_call(c, method, path, body, n, &reply, &e);
}
