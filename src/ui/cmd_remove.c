/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync remove: ends a partnership; volumes and their data stay, on both hosts. */
#include <stdio.h>

#include "cmd.h"
#include "setup.h"

int cmd_remove(int argc, char **argv, struct err *e)
{
	bool local = false;
	const struct ui_option o[] = {
		{"local", UI_FLAG, &local, NULL, "only on this host: the peer is gone for good"},
		{0}};
	struct host h;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0 ||
	    setup_remove(&h, argv[1], local, e) < 0)
		return -1;
	printf("%s is removed; its volumes stay as they are\n", argv[1]);
	return 0;
}
