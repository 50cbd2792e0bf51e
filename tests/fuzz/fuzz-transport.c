/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What transport reads itself from outside: addresses, request paths, error bodies. The first byte
 * chooses. What is accepted must obey the contracts of address.h, route.h and client.h. */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "client.h"
#include "route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
	if (!ok)
		abort();
}

static void address(const char *s)
{
	struct address a;
	struct err e = ERR_INIT;

	if (address_parse(s, &a, &e) == 0) {
		must(*a.host && strlen(a.host) < sizeof(a.host) && atoi(a.port) > 0);
		must(address_parse_listen(s, &a, &e) == 0);
	} else {
		must(e.code == ERR_USAGE && *e.text && *e.hint);
	}
	must(identity_is_fingerprint(s) == 0 || strlen(s) == IDENTITY_FINGERPRINT_SIZE - 1);
}

static void route(const char *s)
{
	static const struct server_route table[] = {{"GET", "/v1/*", NULL, 0, NULL},
						    {"GET", "/v1/*/x/*", NULL, 0, NULL},
						    {"GET", "*/*/*/*", NULL, 0, NULL},
						    {NULL, NULL, NULL, 0, NULL}};
	char p[SERVER_PARAMS_MAX][SERVER_PARAM_SIZE] = {{0}};
	int status;

	if (route_find(table, "GET", s, p, &status))
		must(*p[0] && strlen(p[0]) < SERVER_PARAM_SIZE && !strchr(p[0], '/'));
	else
		must(status == 404);
}

static void error_body(const uint8_t *data, size_t size)
{
	struct buf b = {(uint8_t *)data, size, 0};
	struct server_reply rp = {.body = BUF_INIT};
	struct err e = ERR_INIT, back = ERR_INIT;

	must(client_error(500, &b, &e) == -1 && e.code != ERR_NONE);
	for (const char *s = e.text; *s; s++)
		must((unsigned char)*s >= ' ');
	server_reply_error(&rp, 0, &e);
	must(client_error(rp.status, &rp.body, &back) == -1 && back.code == e.code);
	buf_free(&rp.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char s[1000] = "";

	if (size == 0)
		return 0;
	memcpy(s, data + 1, size - 1 < sizeof(s) ? size - 1 : sizeof(s) - 1);
	if (*data == 'a')
		address(s);
	else if (*data == 'r')
		route(s);
	else
		error_body(data + 1, size - 1);
	return 0;
}
