/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "fmt.h"

static int bad(const char *s, const char *why, struct err *e)
{
	err_set(e, ERR_USAGE, "address \"%.300s\": %s", s, why);
	return err_hint(e, "write HOST:PORT, 192.0.2.1:PORT or [2001:db8::1]:PORT");
}

/* Finds where the host begins, how long it is, and the colon before the port. */
static int split(const char *s, const char **host, size_t *len, const char **colon, struct err *e)
{
	*host = s;
	if (*s == '[') {
		*host = s + 1;
		*len = strcspn(*host, "]");
		*colon = *host + *len + 1;
		if ((*host)[*len] != ']' || *len == 0)
			return bad(s, "the brackets do not hold an address", e);
	} else {
		*len = strcspn(s, ":");
		*colon = s + *len;
	}
	if (**colon != ':')
		return bad(s, "the port is missing", e);
	if (strchr(*colon + 1, ':'))
		return bad(s, "an IPv6 address stands in brackets", e);
	return 0;
}

static int parse(const char *s, uint64_t port_min, struct address *out, struct err *e)
{
	const char *host, *colon;
	struct err ignored = ERR_INIT;
	uint64_t port;
	size_t len;

	if (split(s, &host, &len, &colon, e) < 0)
		return -1;
	if (len >= sizeof(out->host))
		return bad(s, "the host is too long", e);
	for (size_t i = 0; i < len; i++)
		if (host[i] <= ' ' || host[i] > '~' || strchr("/@[]\"\\", host[i]))
			return bad(s, "the host has a character that no host has", e);
	if (fmt_parse_u64(colon + 1, port_min, 65535, &port, &ignored) < 0)
		return bad(s,
			   port_min ? "the port is not a number from 1 to 65535"
				    : "the port is not a number from 0 to 65535",
			   e);
	memcpy(out->host, host, len);
	out->host[len] = '\0';
	snprintf(out->port, sizeof(out->port), "%u", (unsigned)port);
	return 0;
}

int address_parse(const char *s, struct address *out, struct err *e)
{
	if (*s == ':')
		return bad(s, "the host is missing", e);
	return parse(s, 1, out, e);
}

int address_parse_listen(const char *s, struct address *out, struct err *e)
{
	return parse(s, 0, out, e);
}

void address_text(const struct sockaddr *sa, socklen_t len, char out[static ADDRESS_TEXT_SIZE])
{
	char host[64], port[8];

	if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0 ||
	    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
		snprintf(out, ADDRESS_TEXT_SIZE, "?");
	else
		snprintf(out, ADDRESS_TEXT_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
			 port);
}
