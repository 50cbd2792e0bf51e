/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync pause, srsync resume: no cut is shipped meanwhile; changes stay tracked. */
#include <stdio.h>

#include "cmd.h"
#include "partnership.h"

static int set(int argc, char **argv, bool pause, struct err *e)
{
	const struct ui_option o[] = {{0}};
	_cleanup_(partnership_freep) struct partnership *p = NULL;
	struct host h;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0 ||
	    !(p = partnership_load(&h, argv[1], e)) || partnership_pause(&h, p->name, pause, e) < 0)
		return -1;
	printf("%s is %s\n", p->name, pause ? "paused" : "resumed");
	return 0;
}

int cmd_pause(int argc, char **argv, struct err *e)
{
	return set(argc, argv, true, e);
}

int cmd_resume(int argc, char **argv, struct err *e)
{
	return set(argc, argv, false, e);
}
