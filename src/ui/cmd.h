/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands: one file each (pairs that differ in a word share one). */
#ifndef CMD_H
#define CMD_H

#include "ui.h"

ui_command cmd_bitlog, cmd_changes, cmd_create, cmd_cuts, cmd_era, cmd_grant, cmd_id, cmd_list,
	cmd_pause, cmd_peers, cmd_receive, cmd_remove, cmd_resume, cmd_revoke, cmd_run, cmd_send,
	cmd_serve, cmd_show, cmd_status, cmd_sync, cmd_verify;

#endif
