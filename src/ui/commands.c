/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands: dispatch and help. */
#include "cmd.h"

const struct ui_entry ui_commands[] = {
	{"id", cmd_id, "[--json]", "this host's name and fingerprint", false},
	{"grant", cmd_grant, "FINGERPRINT --name HOST [--role push|manage]",
	 "let another host call this one", false},
	{"revoke", cmd_revoke, "HOST", "take a grant back", false},
	{"peers", cmd_peers, "[--json]", "who may call this host", false},
	{"serve", cmd_serve, "[--listen ADDR:PORT]", "receive cuts, answer the API", false},
	{"create", cmd_create,
	 "NAME --peer HOST:PORT --fingerprint F --volume SRC=DST [--volume ...] [--rpo 60s]",
	 "pair volumes of this host with a peer's", false},
	{"list", cmd_list, "[--json]", "the partnerships of this host", false},
	{"show", cmd_show, "NAME [--json]", "all there is to know of one", false},
	{"status", cmd_status, "[NAME] [--watch] [--json]", "lag, progress and causes", false},
	{"sync", cmd_sync, "NAME [--json]", "one cut, shipped and committed", false},
	{"run", cmd_run, "NAME [--json]", "cut after cut, paced to meet the RPO", false},
	{"cuts", cmd_cuts, "NAME [--json]", "which cuts exist, and what holds them here", false},
	{"verify", cmd_verify, "NAME [--repair] [--rate SIZE] [--json]",
	 "are the newest cuts of both hosts equal?", false},
	{"pause", cmd_pause, "NAME", "ship nothing until resume", false},
	{"resume", cmd_resume, "NAME", "ship again", false},
	{"remove", cmd_remove, "NAME [--local]", "end a partnership; the volumes stay", false},
	{"era", cmd_era, "attach VG/LV [--block SIZE] | detach VG/LV | list | start [VG/LV ...]",
	 "track the writes to a volume with dm-era", false},
	{"changes", cmd_changes,
	 "--metadata FILE --from ID --to ID [--size BYTES] [--metadata-snapshot] [--json] "
	 "[--stats]",
	 "what differs between two thin devices", true},
	{"send", cmd_send, "NAME [--report FILE] > STREAM", "a cut as a stream on standard output",
	 true},
	{"receive", cmd_receive, "NAME [--accept [--overwrite]] < STREAM",
	 "apply a stream from standard input", true},
	{"bitlog", cmd_bitlog, "NAME [--json]", "the bitmap log of a partnership", true},
	{0},
};
