/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which route a request takes. */
#ifndef ROUTE_H
#define ROUTE_H

#include "server.h"

/* Whether path is of the pattern; the stars' parts go to param. A part that is empty or does not
 * fit SERVER_PARAM_SIZE matches nothing. */
bool route_matches(const char *pattern, const char *path,
		   char param[static SERVER_PARAMS_MAX][SERVER_PARAM_SIZE]);

/* The route, or NULL with *status 404 (no such path) or 405 (not by this method). */
const struct server_route *route_find(const struct server_route *routes, const char *method,
				      const char *path,
				      char param[static SERVER_PARAMS_MAX][SERVER_PARAM_SIZE],
				      int *status);

#endif
