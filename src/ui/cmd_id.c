/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync id: this host's name and fingerprint. */
#include <stdio.h>

#include "cmd.h"
#include "identity.h"
#include "js.h"

int cmd_id(int argc, char **argv, struct err *e)
{
	bool json = false;
	const struct ui_option o[] = {{"json", UI_FLAG, &json, NULL, "print JSON"}, {0}};
	_cleanup_(identity_freep) struct identity *id = NULL;
	_cleanup_json_ json_t *j = NULL;

	if (ui_options(argc, argv, o, 0, 0, e) < 0 || !(id = ui_identity(e)))
		return -1;
	j = json_pack("{s:s, s:s}", "name", id->name, "fingerprint", id->fingerprint);
	if (json)
		js_print(j);
	else
		printf("%s  %s\n", id->name, id->fingerprint);
	return 0;
}
