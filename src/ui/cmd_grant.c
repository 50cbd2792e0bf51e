/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync grant: lets another host, known by its fingerprint, call this one. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "fmt.h"
#include "peers.h"

int cmd_grant(int argc, char **argv, struct err *e)
{
	const char *name = NULL, *role = "push";
	const struct ui_option o[] = {
		{"name", UI_STRING, &name, "HOST", "what to call that host here"},
		{"role", UI_STRING, &role, "push|manage",
		 "push cuts (default), or also drive partnerships from there"},
		{0}};
	struct peer p = {.granted_ms = fmt_now_ms()};
	struct host h;

	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0)
		return -1;
	if (!name)
		return err_set(e, ERR_USAGE, "grant: --name HOST is missing");
	if (peer_name_check("host", name, e) < 0 || peer_role_parse(role, &p.role, e) < 0)
		return -1;
	if (!identity_is_fingerprint(argv[1])) {
		err_set(e, ERR_USAGE, "'%s' is not a fingerprint", argv[1]);
		return err_hint(e, "run srsync id on that host and copy the word that starts with "
				   "SHA256:");
	}
	strcpy(p.name, name);
	strcpy(p.fingerprint, argv[1]);
	if (peers_grant(&h, &p, e) < 0)
		return -1;
	printf("%s may %s\n", p.name,
	       p.role == PEER_PUSH ? "push cuts to this host"
				   : "push cuts and manage partnerships");
	return 0;
}
