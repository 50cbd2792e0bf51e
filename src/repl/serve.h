/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync serve: the HTTPS server with the API of api.h, until SIGTERM or SIGINT. */
#ifndef SERVE_H
#define SERVE_H

#include "host.h"

/* listen: ADDR:PORT. Says on the log where it listens; tells systemd when ready. */
int serve_run(const struct host *h, const char *listen, struct err *e);

#endif
