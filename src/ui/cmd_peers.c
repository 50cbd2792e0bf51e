/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync peers: who may call this host. */
#include "cmd.h"
#include "fmt.h"
#include "js.h"
#include "peers.h"

static void print_json(const struct peers *p)
{
	_cleanup_json_ json_t *j = json_pack("{s:[]}", "peers");
	json_t *list = json_object_get(j, "peers");

	for (unsigned i = 0; i < p->n; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s}", "name", p->peer[i].name,
						"fingerprint", p->peer[i].fingerprint, "role",
						peer_role_word(p->peer[i].role), "granted",
						fmt_time(p->peer[i].granted_ms).s));
	js_print(j);
}

int cmd_peers(int argc, char **argv, struct err *e)
{
	bool json = false;
	const struct ui_option o[] = {{"json", UI_FLAG, &json, NULL, "print JSON"}, {0}};
	_cleanup_(peers_freep) struct peers *p = NULL;
	struct ui_table t = {0};
	struct host h;

	if (ui_options(argc, argv, o, 0, 0, e) < 0 || ui_host(&h, e) < 0 ||
	    !(p = peers_load(&h, e)))
		return -1;
	if (json) {
		print_json(p);
		return 0;
	}
	ui_row(&t, 4, "HOST", "ROLE", "FINGERPRINT", "GRANTED");
	for (unsigned i = 0; i < p->n; i++)
		ui_row(&t, 4, p->peer[i].name, peer_role_word(p->peer[i].role),
		       p->peer[i].fingerprint, fmt_time(p->peer[i].granted_ms).s);
	ui_table_print(&t);
	return 0;
}
