/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync cuts: which cuts exist, and what holds them on this host. */
#include "cmd.h"
#include "js.h"
#include "status.h"

static void print_table(const json_t *j)
{
	struct ui_table t = {0};
	const json_t *c, *name;
	size_t i, k;

	ui_row(&t, 4, "CUT", "TIME", "PEER", "HERE");
	json_array_foreach(json_object_get(j, "cuts"), i, c)
	{
		_cleanup_free_ char *seq =
			xasprintf("%lld", (long long)json_integer_value(json_object_get(c, "seq")));
		_cleanup_free_ char *here = xstrdup("");

		json_array_foreach(json_object_get(c, "here"), k, name)
		{
			char *more =
				xasprintf("%s%s%s", here, k ? " " : "", json_string_value(name));

			free(here);
			here = more;
		}
		ui_row(&t, 4, seq, json_string_value(json_object_get(c, "time")),
		       json_is_true(json_object_get(c, "peer")) ? "yes" : "no", *here ? here : "-");
	}
	ui_table_print(&t);
}

int cmd_cuts(int argc, char **argv, struct err *e)
{
	bool json = false;
	const struct ui_option o[] = {{"json", UI_FLAG, &json, NULL, "print JSON"}, {0}};
	_cleanup_(partnership_freep) struct partnership *p = NULL;
	_cleanup_json_ json_t *j = NULL;
	struct host h;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0 ||
	    !(p = partnership_load(&h, argv[1], e)) || !(j = status_cuts_json(&h, p, e)))
		return -1;
	if (json)
		js_print(j);
	else
		print_table(j);
	return 0;
}
