/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <stdio.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "api.h"
#include "log.h"
#include "redo.h"
#include "redo_place.h"
#include "serve.h"
#include "stop.h"

#define FINISH_MS       3000 /* little is finished by then, the rest goes on beside */
#define CONNECTIONS_MAX 24   /* each may hold one segment and 0.5 MiB: bounds the memory */

static void tell_systemd(const char *words)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, words);
#else
	(void)words;
#endif
}

/* It may come later, but whoever looks at the log now can still do something about it. */
static void check_spool(const struct host *h)
{
	struct err why = ERR_INIT;

	if (redo_place_check(h, &why) < 0)
		log_err(LOG_LEVEL_WARN, &why);
}

int serve_run(const struct host *h, const char *listen, struct err *e)
{
	_cleanup_(identity_freep) struct identity *id = identity_load(h->confdir, e);
	_cleanup_(replicas_freep) struct replicas *replicas = replicas_new(h);
	struct api api = {.host = h, .replicas = replicas};
	struct server_options o = {.listen = listen,
				   .id = id,
				   .routes = api_routes,
				   .authorize = api_authorize,
				   .arg = &api,
				   .connections_max = CONNECTIONS_MAX};
	struct server *server = NULL;

	if (id) {
		check_spool(h);
		redo_finish_soon(h, NULL, FINISH_MS);
		server = server_start(&o, e);
	}
	if (!server)
		return -1;
	stop_init();
	log_info("%s %s serves on %s (port %u)", id->name, id->fingerprint, listen,
		 server_port(server));
	tell_systemd("READY=1");
	while (!stop_sleep(1000))
		replicas_tick(replicas);
	tell_systemd("STOPPING=1");
	server_stop(server);
	log_info("stopped");
	return 0;
}
