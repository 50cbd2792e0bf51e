/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync receive: applies streams from standard input; prints what this host holds afterwards. */
#include <unistd.h>

#include "cmd.h"
#include "js.h"
#include "receive.h"

int cmd_receive(int argc, char **argv, struct err *e)
{
	struct receive_options ro = {0};
	const struct ui_option o[] = {
		{"accept", UI_FLAG, &ro.accept, NULL, "make the partnership from the stream"},
		{"overwrite", UI_FLAG, &ro.overwrite, NULL,
		 "with --accept: lose what the targets hold"},
		{0}};
	json_t *report = NULL;
	struct host h;
	int r;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0)
		return -1;
	r = receive_streams(&h, argv[1], &ro, STDIN_FILENO, &report, e);
	if (report)
		js_print(report);
	json_decref(report);
	return r;
}
