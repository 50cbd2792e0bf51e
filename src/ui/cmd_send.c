/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync send: a cut as a stream on standard output. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "fmt.h"
#include "stop.h"
#include "sync.h"

int cmd_send(int argc, char **argv, struct err *e)
{
	const char *report = NULL;
	struct sync_options so = {0};
	const struct ui_option o[] = {
		{"report", UI_STRING, &report, "FILE",
		 "what srsync receive printed after the last stream"},
		{"full", UI_FLAG, &so.full, NULL, "ship everything, whatever is known"},
		{0}};
	struct sync_result r;
	struct host h;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0)
		return -1;
	if (isatty(STDOUT_FILENO)) {
		err_set(e, ERR_USAGE, "a stream is nothing for a terminal");
		return err_hint(e, "srsync send %s | ssh HOST srsync receive %s, or > FILE",
				argv[1], argv[1]);
	}
	stop_init();
	if (sync_to_stream(&h, argv[1], report, &so, STDOUT_FILENO, &r, e) < 0)
		return -1;
	if (fsync(STDOUT_FILENO) < 0 && errno != EINVAL && errno != EROFS)
		return err_sys(e, "flush the stream");
	fprintf(stderr, "cut %llu of %s: %s%s shipped, %s written\n", (unsigned long long)r.cut.seq,
		fmt_time(r.cut.time_ms).s, r.cut.full ? "everything, " : "",
		fmt_bytes(r.cut.shipped).s, fmt_bytes(r.cut.wire).s);
	return 0;
}
