/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: what a client sends arrives whole or not at all, only between the right keys; neither side
 * waits for ever for the other. */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "fmt.h"
#include "raw-peer.h"
#include "served.h"

static double now(void)
{
	return fmt_mono_us() / 1e6;
}

START_TEST(bodies_arrive)
{
	static uint8_t body[BODY_MAX];
	static const size_t sizes[] = {0, 1, 16384, 16385, 262144, 1000003, 4 << 20, BODY_MAX, 7};
	_cleanup_(client_freep) struct client *c = NULL;
	char first[80];

	serve(4, 0);
	c = client_as(host_a, address, 0);
	for (size_t i = 0; i < BODY_MAX; i++)
		body[i] = i * 2654435761u >> 13;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		ck_assert_msg(call(c, "PUT", "/put/some.id", body, sizes[i]) == 201, "%s", e.text);
		ck_assert_uint_eq(sum, sum_of(body, sizes[i]));
		ck_assert_uint_eq(reply.len, 7);
		ck_assert_mem_eq(reply.data, "some.id", 7);
		if (i == 0)
			strcpy(first, last_remote);
		ck_assert_str_eq(last_remote, first); /* one connection is kept */
	}
	ck_assert_int_eq(call(c, "GET", "/bytes/9000000", NULL, 0), 200);
	ck_assert_uint_eq(reply.len, 9000000);
	ck_assert_int_eq(call(c, "GET", "/bytes/0", NULL, 0), 200);
	ck_assert_uint_eq(reply.len, 0);
	ck_assert_int_eq(call(c, "GET", "/bytes/17000000", NULL, 0), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "reply larger than"));
	ck_assert_int_eq(call(c, "POST", "/sleep/0", NULL, 0), 204);
}
END_TEST

START_TEST(bodies_are_aligned)
{
	static uint8_t body[BODY_MAX] = {52};
	_cleanup_(client_freep) struct client *c = NULL;

	serve(4, 0);
	c = client_as(host_a, address, 0);
	for (size_t i = 1; i < BODY_MAX; i++)
		body[i] = i * 2654435761u >> 13;
	for (unsigned n = 1; n <= BODY_MAX; n *= 2) {
		body[0] = n * 7;
		ck_assert_msg(call(c, "PUT", "/aligned/x", body, n) == 201, "%s", e.text);
		ck_assert_uint_eq(sum, sum_of(body, n));
	}
}
END_TEST

START_TEST(refusals)
{
	static uint8_t body[BODY_MAX + 1];
	_cleanup_(client_freep) struct client *c = NULL;
	struct err why = ERR_INIT;

	serve(4, 0);
	c = client_as(host_a, address, 0);
	ck_assert_int_eq(call(c, "GET", "/nothing", NULL, 0), 404);
	ck_assert_int_eq(call(c, "GET", "/put/x", NULL, 0), 405);
	for (int i = 0; i < 5; i++) {
		ck_assert_msg(call(c, "PUT", "/put/x", body, sizeof(body)) == 413, "%s", e.text);
		client_error(413, &reply, &why);
		ck_assert_ptr_nonnull(strstr(why.text, "larger than 8388608"));
		ck_assert_int_eq(call(c, "POST", "/sleep/0", body, 1), 413);
		ck_assert_int_eq(call(c, "PUT", "/put/x", body, 1), 201);
	}
	ck_assert_int_eq(calls, 5);
}
END_TEST

START_TEST(stranger)
{
	static uint8_t body[4 << 20];
	_cleanup_(identity_freep) struct identity *x = make("x");
	_cleanup_(client_freep) struct client *c = NULL;
	struct err why = ERR_INIT;

	serve(4, 0);
	c = client_as(x, address, 0);
	ck_assert_msg(call(c, "PUT", "/put/x", body, sizeof(body)) == 403, "%s", e.text);
	client_error(403, &reply, &why);
	ck_assert_int_eq(why.code, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(why.text, x->fingerprint));
	ck_assert_int_eq(calls, 0);
}
END_TEST

START_TEST(wrong_key)
{
	_cleanup_(identity_freep) struct identity *x = make("x");
	_cleanup_(client_freep) struct client *c = NULL;
	struct raw_server s;

	raw_server_start(&s, x);
	c = client_as(host_a, s.address, 0);
	ck_assert_int_eq(call(c, "PUT", "/put/secret", "secret", 6), -1);
	ck_assert_int_eq(e.code, ERR_PEER);
	ck_assert_ptr_nonnull(strstr(e.text, x->fingerprint));
	ck_assert_ptr_nonnull(strstr(e.text, host_b->fingerprint));
	ck_assert_str_ne(e.hint, "");
	client_free(TAKE(c));
	/* The handshake was made, and then not one byte came. */
	ck_assert_uint_eq(raw_server_end(&s), 0);
	ck_assert_str_eq(s.fingerprint, host_a->fingerprint);
}
END_TEST

START_TEST(unreachable)
{
	_cleanup_(client_freep) struct client *c = NULL;
	struct client_peer p = {"127.0.0.1:1", "SHA256:short", 0, 0};
	struct server *other;

	c = client_as(host_a, "127.0.0.1:1", 0);
	ck_assert_int_eq(call(c, "GET", "/bytes/1", NULL, 0), -1);
	ck_assert_int_eq(e.code, ERR_PEER);
	ck_assert_str_eq(e.text, "127.0.0.1:1: connect: Connection refused");
	client_free(TAKE(c));
	ck_assert_ptr_null(client_new(&p, host_a, &e));
	ck_assert_int_eq(e.code, ERR_USAGE);
	c = client_as(host_a, "no-such-host.invalid:7443", 0);
	ck_assert_int_eq(call(c, "GET", "/bytes/1", NULL, 0), -1);
	ck_assert_int_eq(e.code, ERR_PEER);

	serve(4, 0);
	other = try_serve(address, 4, 0);
	ck_assert_ptr_null(other);
	ck_assert_ptr_nonnull(strstr(e.text, "Address already in use"));
	ck_assert_ptr_nonnull(strstr(e.hint, strchr(address, ':') + 1));
	ck_assert_ptr_null(try_serve("192.0.2.1:0", 4, 0));
	ck_assert_ptr_nonnull(strstr(e.hint, "192.0.2.1"));
}
END_TEST

START_TEST(all_addresses)
{
	static const char *const to[] = {"127.0.0.1:%u", "[::1]:%u", "localhost:%u"};

	server = try_serve(":0", 4, 0);
	ck_assert_msg(server != NULL, "%s", e.text);
	for (int i = 0; i < 3; i++) {
		_cleanup_(client_freep) struct client *c = NULL;

		snprintf(address, sizeof(address), to[i], server_port(server));
		c = client_as(host_a, address, 0);
		ck_assert_msg(call(c, "GET", "/bytes/1", NULL, 0) == 200, "%s", e.text);
	}
}
END_TEST

START_TEST(reconnects)
{
	_cleanup_(client_freep) struct client *c = NULL;

	serve(4, 1);
	c = client_as(host_a, address, 0);
	ck_assert_int_eq(call(c, "GET", "/bytes/1", NULL, 0), 200);
	usleep(2500000); /* the idle connection is closed */
	ck_assert_msg(call(c, "PUT", "/put/x", "body", 4) == 201, "%s", e.text);
	server_stop(server);
	ck_assert_int_eq(call(c, "GET", "/bytes/1", NULL, 0), -1);
	ck_assert_int_eq(e.code, ERR_PEER);
	server = try_serve(address, 4, 0);
	ck_assert_msg(server != NULL, "%s", e.text);
	ck_assert_msg(call(c, "PUT", "/put/x", "body", 4) == 201, "%s", e.text);
}
END_TEST

START_TEST(slow_handler)
{
	_cleanup_(client_freep) struct client *c = NULL, *hasty = NULL;
	double t;

	serve(4, 1);
	c = client_as(host_a, address, 0);
	/* longer than an idle connection lives */
	ck_assert_msg(call(c, "POST", "/sleep/3000", NULL, 0) == 204, "%s", e.text);
	hasty = client_as(host_a, address, 1000);
	t = now();
	ck_assert_int_eq(call(hasty, "POST", "/sleep/6000", NULL, 0), -1);
	ck_assert_int_eq(e.code, ERR_PEER);
	ck_assert_ptr_nonnull(strstr(e.text, "no answer"));
	ck_assert(now() - t < 5);
}
END_TEST

static void *cancel_soon(void *c)
{
	usleep(300000);
	client_cancel(c);
	return NULL;
}

START_TEST(cancel)
{
	_cleanup_(client_freep) struct client *c = NULL;
	pthread_t t;
	double start = now();

	serve(4, 0);
	c = client_as(host_a, address, 0);
	pthread_create(&t, NULL, cancel_soon, c);
	ck_assert_int_eq(call(c, "POST", "/sleep/3000", NULL, 0), -1);
	ck_assert_str_eq(e.text, "cancelled");
	ck_assert(now() - start < 2);
	pthread_join(t, NULL);
	ck_assert_int_eq(call(c, "GET", "/bytes/1", NULL, 0), -1);
	ck_assert_str_eq(e.text, "cancelled");
}
END_TEST

/* A listener that accepts and says nothing: the handshake must end, by time or by cancel. */
START_TEST(silent_peer)
{
	struct client_peer p = {address, host_b->fingerprint, 500, 0};
	_cleanup_(client_freep) struct client *c = NULL, *patient = NULL;
	int fd = raw_listen(address, sizeof(address));
	pthread_t t;
	double start = now();

	c = client_new(&p, host_a, &e);
	ck_assert_int_eq(call(c, "GET", "/bytes/1", NULL, 0), -1);
	ck_assert_int_eq(e.code, ERR_PEER);
	ck_assert_ptr_nonnull(strstr(e.text, "timed out"));
	ck_assert(now() - start < 2);
	patient = client_as(host_a, address, 0);
	pthread_create(&t, NULL, cancel_soon, patient);
	ck_assert_int_eq(call(patient, "GET", "/bytes/1", NULL, 0), -1);
	ck_assert_str_eq(e.text, "cancelled");
	ck_assert(now() - start < 3);
	pthread_join(t, NULL);
	close(fd);
}
END_TEST

static void *sleep_call(void *c)
{
	struct err mine = ERR_INIT;
	_cleanup_buf_ struct buf b = BUF_INIT;

	return (void *)(intptr_t)client_call(c, "POST", "/sleep/1500", NULL, 0, &b, &mine);
}

START_TEST(stop_waits)
{
	_cleanup_(client_freep) struct client *c = NULL;
	pthread_t t;
	void *status;

	serve(4, 0);
	c = client_as(host_a, address, 0);
	pthread_create(&t, NULL, sleep_call, c);
	while (calls == 0)
		usleep(1000);
	server_stop(TAKE(server));
	pthread_join(t, &status);
	ck_assert_int_eq((intptr_t)status, 204);
}
END_TEST

START_TEST(full_house)
{
	struct client_peer p = {address, host_b->fingerprint, 300, 0};
	_cleanup_(client_freep) struct client *c = NULL, *later = NULL, *hasty = NULL;
	double start;

	serve(1, 1);
	c = client_as(host_a, address, 0);
	later = client_as(host_a, address, 0);
	hasty = client_new(&p, host_a, &e);
	ck_assert_int_eq(call(c, "GET", "/bytes/1", NULL, 0), 200);
	ck_assert_int_eq(call(hasty, "GET", "/bytes/1", NULL, 0), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "timed out"));
	ck_assert_ptr_nonnull(strstr(e.hint, "no connection free"));
	ck_assert_int_eq(call(c, "GET", "/bytes/1", NULL, 0), 200);
	start = now();
	/* gets its turn when the idle one has been closed */
	ck_assert_msg(call(later, "GET", "/bytes/1", NULL, 0) == 200, "%s", e.text);
	ck_assert(now() - start > 0.5);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		bodies_arrive, bodies_are_aligned, refusals,   stranger,     wrong_key,
		unreachable,   all_addresses,      reconnects, slow_handler, cancel,
		silent_peer,   stop_waits,         full_house,
	};
	Suite *s = suite_create("client-server");
	TCase *c = tcase_create("client-server");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
