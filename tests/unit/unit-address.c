/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: addresses, routes and error bodies are read as documented, and nothing else is let through.
 */
#include <arpa/inet.h>
#include <check.h>
#include <string.h>

#include "address.h"
#include "client.h"
#include "route.h"

START_TEST(addresses)
{
	static const struct {
		const char *s, *host, *port;
	} good[] = {
		{"alpha:7443", "alpha", "7443"},
		{"192.0.2.1:1", "192.0.2.1", "1"},
		{"[2001:db8::1]:65535", "2001:db8::1", "65535"},
		{"[fe80::1%eth0]:7443", "fe80::1%eth0", "7443"},
	};
	static const char *const bad[] = {
		"",          "alpha",     "alpha:",   "alpha:0",      "alpha:65536", ":7443",
		"alpha:x",   "alpha:-1",  "::1:7443", "[::1]",        "[::1]7443",   "[]:1",
		"[::1:7443", "a b:1",     "a/b:1",    "user@alpha:1", "alpha:1:2",   "alpha: 1",
		"[a]b]:1",   "alpha:1/x",
	};
	struct address a;
	struct err e;

	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert_msg(address_parse(good[i].s, &a, &e) == 0, "%s: %s", good[i].s, e.text);
		ck_assert_str_eq(a.host, good[i].host);
		ck_assert_str_eq(a.port, good[i].port);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		e = (struct err)ERR_INIT;
		ck_assert_msg(address_parse(bad[i], &a, &e) == -1, "%s", bad[i]);
		ck_assert_int_eq(e.code, ERR_USAGE);
		ck_assert_str_ne(e.hint, "");
	}
}
END_TEST

START_TEST(listening)
{
	struct address a;
	struct err e = ERR_INIT;
	char long_host[400];

	ck_assert_int_eq(address_parse_listen(":0", &a, &e), 0);
	ck_assert_str_eq(a.host, "");
	ck_assert_str_eq(a.port, "0");
	ck_assert_int_eq(address_parse_listen("[::]:7443", &a, &e), 0);
	ck_assert_str_eq(a.host, "::");
	ck_assert_int_eq(address_parse_listen(":65536", &a, &e), -1);
	memset(long_host, 'a', sizeof(long_host));
	strcpy(long_host + 300, ":1");
	ck_assert_int_eq(address_parse_listen(long_host, &a, &e), -1);
}
END_TEST

START_TEST(address_texts)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(7443)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(7443)};
	char s[ADDRESS_TEXT_SIZE];

	inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
	address_text((struct sockaddr *)&in, sizeof(in), s);
	ck_assert_str_eq(s, "192.0.2.1:7443");
	inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
	address_text((struct sockaddr *)&in6, sizeof(in6), s);
	ck_assert_str_eq(s, "[2001:db8::1]:7443");
}
END_TEST

static void handler(const struct server_request *rq, struct server_reply *rp)
{
	(void)rq;
	rp->status = 204;
}

START_TEST(routes)
{
	static const struct server_route table[] = {
		{"GET", "/v1/a/*", handler, 0, NULL},
		{"PUT", "/v1/a/*/b/*", handler, 1, NULL},
		{"POST", "/v1/a/*/c", handler, 1, NULL},
		{NULL, NULL, NULL, 0, NULL},
	};
	char p[SERVER_PARAMS_MAX][SERVER_PARAM_SIZE], path[200] = "/v1/a/";
	int status;

	ck_assert_ptr_eq(route_find(table, "GET", "/v1/a/x", p, &status), &table[0]);
	ck_assert_str_eq(p[0], "x");
	ck_assert_ptr_eq(route_find(table, "PUT", "/v1/a/x/b/17", p, &status), &table[1]);
	ck_assert_str_eq(p[0], "x");
	ck_assert_str_eq(p[1], "17");
	ck_assert_ptr_eq(route_find(table, "POST", "/v1/a/b/c", p, &status), &table[2]);
	ck_assert_ptr_null(route_find(table, "PUT", "/v1/a/x", p, &status));
	ck_assert_int_eq(status, 405);
	for (unsigned i = 0; i < 6; i++) {
		static const char *const none[] = {"",      "/",        "/v1/a/",
						   "/v1/a", "/v1/a/x/", "/v1/a/x/b/1/"};

		ck_assert_ptr_null(route_find(table, "GET", none[i], p, &status));
		ck_assert_int_eq(status, 404);
	}
	memset(path + 6, 'x', SERVER_PARAM_SIZE - 1);
	ck_assert_ptr_nonnull(route_find(table, "GET", path, p, &status));
	path[6 + SERVER_PARAM_SIZE - 1] = 'x';
	ck_assert_ptr_null(route_find(table, "GET", path, p, &status));
}
END_TEST

static void error_of(const char *body, struct err *e)
{
	struct buf b = {(uint8_t *)body, strlen(body), 0};

	*e = (struct err)ERR_INIT;
	ck_assert_int_eq(client_error(418, &b, e), -1);
}

START_TEST(error_bodies)
{
	struct server_reply rp = {.body = BUF_INIT};
	struct err e = ERR_INIT, back = ERR_INIT;

	err_set(&e, ERR_BUSY, "\"x\" is \xc3\xa4ngstlich");
	err_hint(&e, "wait");
	server_reply_error(&rp, 0, &e);
	ck_assert_int_eq(rp.status, 423);
	ck_assert_int_eq(client_error(423, &rp.body, &back), -1);
	ck_assert_int_eq(back.code, ERR_BUSY);
	ck_assert_str_eq(back.text, e.text);
	ck_assert_str_eq(back.hint, "wait");
	/* a text that was cut in the middle of a character */
	err_set(&e, ERR_REFUSED, "cut\xc3");
	server_reply_error(&rp, 409, &e);
	client_error(409, &rp.body, &back);
	ck_assert_int_eq(back.code, ERR_REFUSED);
	ck_assert_str_eq(back.text, "cut?");
	buf_free(&rp.body);

	error_of("<html>", &e);
	ck_assert_str_eq(e.text, "the peer answered with HTTP status 418");
	error_of("", &e);
	ck_assert_int_eq(e.code, ERR_FAILED);
	error_of("{\"error\":{\"code\":\"busy\"}}", &e);
	ck_assert_str_eq(e.text, "the peer answered with HTTP status 418");
	error_of("{\"error\":{\"code\":\"none\",\"text\":\"a\\u001b[2Jb\"}}", &e);
	ck_assert_int_eq(e.code, ERR_FAILED);
	ck_assert_str_eq(e.text, "a [2Jb");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("address");
	TCase *c = tcase_create("address");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, addresses);
	tcase_add_test(c, listening);
	tcase_add_test(c, address_texts);
	tcase_add_test(c, routes);
	tcase_add_test(c, error_bodies);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
