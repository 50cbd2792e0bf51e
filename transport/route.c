/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <string.h>

#include "route.h"

bool route_matches(const char *pattern, const char *path,
		   char param[static SERVER_PARAMS_MAX][SERVER_PARAM_SIZE])
{
	unsigned n = 0;

	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			size_t len = strcspn(path, "/");

			assert(n < SERVER_PARAMS_MAX);
			if (len == 0 || len >= SERVER_PARAM_SIZE)
				return false;
			memcpy(param[n], path, len);
			param[n++][len] = '\0';
			path += len;
		} else if (*path++ != *pattern) {
			return false;
		}
	}
	return *path == '\0';
}

const struct server_route *route_find(const struct server_route *routes, const char *method,
				      const char *path,
				      char param[static SERVER_PARAMS_MAX][SERVER_PARAM_SIZE],
				      int *status)
{
	*status = 404;
	for (const struct server_route *r = routes; r->method; r++) {
		if (!route_matches(r->pattern, path, param))
			continue;
		if (!strcmp(r->method, method))
			return r;
		*status = 405;
	}
	return NULL;
}
