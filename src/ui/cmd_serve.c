/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync serve: receives cuts and answers the API. */
#include "cmd.h"
#include "serve.h"

int cmd_serve(int argc, char **argv, struct err *e)
{
	const char *listen = ":8730";
	const struct ui_option o[] = {{"listen", UI_STRING, &listen, "ADDR:PORT",
				       "where to listen (all addresses, 8730)"},
				      {0}};
	struct host h;

	if (ui_options(argc, argv, o, 0, 0, e) < 0 || ui_host(&h, e) < 0)
		return -1;
	return serve_run(&h, listen, e);
}
