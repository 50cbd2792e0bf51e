/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: peers that do not keep to the rules get nothing done, and keep neither memory nor time of
 * the server. */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "raw-peer.h"
#include "served.h"

START_TEST(no_certificate)
{
	serve(4, 0);
	ck_assert_int_eq(
		raw_text(server_port(server), NULL, "GET /bytes/1 HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
	ck_assert_int_eq(calls, 0);
}
END_TEST

/* A key that is granted, but no word of HTTP/2 in the handshake: not even settings come. */
START_TEST(no_protocol)
{
	serve(4, 0);
	ck_assert_int_eq(raw_text(server_port(server), host_a, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
			 0);
	ck_assert_int_eq(calls, 0);
}
END_TEST

static void raw(struct raw_client *r, const char *length, const char *body, bool end)
{
	raw_client_open(r, host_a, server_port(server));
	raw_client_request(r, "/put/x", length, body, end);
	http_turn(&r->http);
}

START_TEST(broken_bodies)
{
	struct raw_client r;

	serve(4, 1);
	raw(&r, "4000", "half", false);
	raw_client_close(&r);
	/* The same, but silent instead of gone: the server gives up. */
	raw(&r, "4000", "half", false);
	ck_assert_int_eq(raw_client_status(&r), 0);
	raw_client_close(&r);
	/* The same, but it says that this was all; and more than was announced. */
	for (int i = 0; i < 2; i++) {
		raw(&r, i ? "2" : "4000", "half", true);
		ck_assert_int_eq(raw_client_status(&r), 0);
		ck_assert_uint_eq(r.why, NGHTTP2_PROTOCOL_ERROR);
		raw_client_close(&r);
	}
	raw(&r, NULL, "without end", false);
	ck_assert_int_eq(raw_client_status(&r), 411);
	raw_client_close(&r);
	raw(&r, "18446744073709551616", "", false);
	ck_assert_int_eq(raw_client_status(&r), 0);
	raw_client_close(&r);
	ck_assert_int_eq(calls, 0);
}
END_TEST

/* One request at a time: one more is turned down before it is looked at. */
START_TEST(two_at_once)
{
	struct raw_client r;

	serve(4, 1);
	raw_client_open(&r, host_a, server_port(server));
	raw_client_request(&r, "/put/x", "4000", "half", false);
	raw_client_get(&r, "/bytes/1"); /* before it has heard of the server's limit */
	ck_assert_int_eq(raw_client_status(&r), 0);
	ck_assert_uint_eq(r.why, NGHTTP2_REFUSED_STREAM);
	raw_client_close(&r);
	ck_assert_int_eq(calls, 0);
}
END_TEST

/* No HTTP at all, after a good handshake. */
START_TEST(garbage)
{
	_cleanup_(client_freep) struct client *c = NULL;
	uint8_t noise[70000];
	struct raw_client r;

	serve(1, 1);
	for (unsigned i = 0; i < sizeof(noise); i++)
		noise[i] = i * 2654435761u >> 11;
	raw_client_open(&r, host_a, server_port(server));
	raw_client_send(&r, noise, sizeof(noise));
	ck_assert_int_eq(raw_client_status(&r), 0);
	raw_client_close(&r);
	c = client_as(host_a, address, 0);
	ck_assert_msg(call(c, "PUT", "/put/x", "body", 4) == 201, "%s", e.text);
}
END_TEST

/* Records that carry no bytes, among others in the same piece: nothing is lost. */
START_TEST(new_keys)
{
	struct raw_client r;

	serve(4, 1);
	raw_client_open(&r, host_a, server_port(server));
	raw_client_rekey(&r);
	raw_client_rekey(&r);
	raw_client_get(&r, "/bytes/70000");
	ck_assert_int_eq(raw_client_status(&r), 200);
	ck_assert_uint_eq(r.bytes, 70000);
	raw_client_close(&r);
}
END_TEST

/* A stranger who asks for ever and reads nothing: his refusals must not fill our memory. */
START_TEST(flood)
{
	static const uint8_t hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	/* HEADERS, END_STREAM and END_HEADERS: GET https / (RFC 7541 appendix A) */
	uint8_t get[12] = {0, 0, 3, 1, 5, 0, 0, 0, 0, 0x82, 0x87, 0x84};
	static uint8_t many[sizeof(get) * 1024];
	_cleanup_(identity_freep) struct identity *x = make("x");
	struct raw_client r;
	unsigned stream = 1, pieces = 0;

	serve(4, 1);
	raw_client_open(&r, x, server_port(server));
	raw_client_send(&r, hello, sizeof(hello));
	do
		for (size_t i = 0; i < sizeof(many); i += sizeof(get), stream += 2) {
			for (int k = 0; k < 4; k++)
				get[5 + k] = stream >> (24 - 8 * k);
			memcpy(many + i, get, sizeof(get));
		}
	while (++pieces < 1000 && raw_client_send(&r, many, sizeof(many)) >= 0);
	ck_assert_uint_lt(pieces, 1000);
	raw_client_close(&r);
}
END_TEST

static void *stop(void *arg)
{
	server_stop(TAKE(server));
	return arg;
}

/* A reply that has left us has not arrived: stopping does not cut it. */
START_TEST(stop_delivers)
{
	struct raw_client r;
	pthread_t t;

	serve(4, 0);
	raw_client_open(&r, host_a, server_port(server));
	raw_client_get(&r, "/bytes/3000000");
	http_turn(&r.http);
	while (calls == 0)
		usleep(1000);
	usleep(100000);
	pthread_create(&t, NULL, stop, NULL);
	usleep(100000);
	ck_assert_int_eq(raw_client_status(&r), 200);
	ck_assert_uint_eq(r.bytes, 3000000);
	raw_client_close(&r);
	pthread_join(t, NULL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {no_certificate, no_protocol, broken_bodies, two_at_once,
				      garbage,        new_keys,    flood,         stop_delivers};
	Suite *s = suite_create("server-http");
	TCase *c = tcase_create("server-http");
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
