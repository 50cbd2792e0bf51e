/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

static int choose(char *out, size_t size, const char *option, const char *env, const char *def,
		  struct err *e)
{
	const char *dir = option ? option : getenv(env);

	if (!dir || !*dir)
		dir = def;
	/* half of HOST_PATH_MAX, so that any file below fits */
	if (strlen(dir) >= size)
		return err_set(e, ERR_USAGE, "a name of more than %zu bytes: %s", size - 1, dir);
	strcpy(out, dir);
	return 0;
}

int host_init(struct host *h, const char *confdir, const char *statedir, struct err *e)
{
	if (choose(h->confdir, sizeof(h->confdir), confdir, "SRSYNC_CONFDIR", HOST_CONFDIR, e) <
		    0 ||
	    choose(h->spool, sizeof(h->spool), NULL, "SRSYNC_SPOOL", "", e) < 0)
		return -1;
	return choose(h->statedir, sizeof(h->statedir), statedir, "SRSYNC_STATEDIR", HOST_STATEDIR,
		      e);
}

struct host_path host_conf(const struct host *h, const char *file)
{
	struct host_path p;

	snprintf(p.s, sizeof(p.s), "%s/%s", h->confdir, file);
	return p;
}

struct host_path host_state(const struct host *h, const char *partnership, const char *file)
{
	struct host_path p;

	snprintf(p.s, sizeof(p.s), "%s/%s/%s", h->statedir, partnership, file);
	return p;
}
