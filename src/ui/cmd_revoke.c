/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync revoke: takes a grant back; it holds from the peer's next request on. */
#include <stdio.h>

#include "cmd.h"
#include "peers.h"

int cmd_revoke(int argc, char **argv, struct err *e)
{
	const struct ui_option o[] = {{0}};
	struct host h;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0 ||
	    peers_revoke(&h, argv[1], e) < 0)
		return -1;
	printf("%s may no longer call this host\n", argv[1]);
	return 0;
}
