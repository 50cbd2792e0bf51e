/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync receive: cuts from a stream, with the same checks and steps as from the network. */
#ifndef RECEIVE_H
#define RECEIVE_H

#include <jansson.h>
#include <stdbool.h>

#include "host.h"

struct receive_options {
	bool accept; /* make this host's side of the partnership from the stream, if there is none
		      */
	bool overwrite; /* with accept: the targets may hold data */
};

#define RECEIVE_THREADS 3 /* that write at once */

/* Reads streams from fd until its end. *report (the caller's) is what the source's send wants to
 * know, JSON of remote.h; it is given on failure too, when the partnership is known, else NULL. */
int receive_streams(const struct host *h, const char *name, const struct receive_options *o, int fd,
		    json_t **report, struct err *e);

#endif
