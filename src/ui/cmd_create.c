/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync create: pairs volumes of this host (the source) with volumes of a peer. */
#include <stdio.h>

#include "cmd.h"
#include "setup.h"

int cmd_create(int argc, char **argv, struct err *e)
{
	_cleanup_free_ struct setup_options *so = xcalloc(1, sizeof(*so));
	struct ui_list volumes = {0};
	const char *fine = fine_word(FINE_AUTO);
	const struct ui_option o[] = {
		{"peer", UI_STRING, &so->peer, "HOST:PORT", "where srsync serve runs on the peer"},
		{"fingerprint", UI_STRING, &so->fingerprint, "F",
		 "the peer's, from srsync id there"},
		{"volume", UI_LIST, &volumes, "SRC=DST",
		 "vg/lv or an image's path, here = there; repeat for a group"},
		{"rpo", UI_DURATION, &so->rpo_ms, "TIME", "how old the replica may be (60s)"},
		{"keep", UI_NUMBER, &so->keep, "N", "cuts kept at the destination (2)"},
		{"rate", UI_BYTES, &so->rate, "SIZE", "bytes per second on the wire at most"},
		{"fine", UI_STRING, &fine, "auto|on|off",
		 "ship only the 4 KiB pages that differ (auto)"},
		{"port", UI_NUMBER, &so->port, "PORT", "of srsync serve on this host (8730)"},
		{"offline", UI_FLAG, &so->offline, NULL,
		 "no network: cuts travel by send and receive"},
		{"seeded", UI_FLAG, &so->seeded, NULL,
		 "the destination holds a copy: compare, ship what differs"},
		{"overwrite", UI_FLAG, &so->overwrite, NULL,
		 "the destination may hold data: lose it"},
		{0}};
	struct host h;

	so->rpo_ms = PARTNERSHIP_RPO_MS;
	so->keep = PARTNERSHIP_KEEP;
	so->port = HOST_PORT;
	if (ui_options(argc, argv, o, 1, 1, e) < 0 || ui_host(&h, e) < 0)
		return -1;
	if (((!so->peer || !so->fingerprint) && !so->offline) || !volumes.n) {
		err_set(e, ERR_USAGE, "create: --peer, --fingerprint and --volume are needed");
		return err_hint(e, "srsync create --help");
	}
	if (!fine_parse(fine, &so->fine))
		return err_set(e, ERR_USAGE, "--fine is auto, on or off, not '%s'", fine);
	so->name = argv[1];
	for (unsigned i = 0; i < volumes.n; i++)
		if (setup_add_volume(so, volumes.word[i], e) < 0)
			return -1;
	if (setup_create(&h, so, e) < 0)
		return -1;
	if (so->offline)
		printf("partnership %s; now: srsync send %s > FILE, and there srsync receive %s "
		       "--accept < FILE\n",
		       so->name, so->name, so->name);
	else
		printf("partnership %s: %u volume%s to %s; now: srsync sync %s\n", so->name,
		       so->volumes, so->volumes > 1 ? "s" : "", so->peer, so->name);
	return 0;
}
