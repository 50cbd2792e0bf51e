/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync run: cut after cut, paced to meet the RPO (pace.h), until SIGTERM or SIGINT. */
#ifndef RUN_H
#define RUN_H

#include "sync.h"

/* done is called after each sync that was committed; may be NULL. */
int run_loop(const struct host *h, const char *name, void (*done)(const struct sync_result *result),
	     struct err *e);

#endif
