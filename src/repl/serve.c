/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <stdio.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "api.h"
#include "log.h"
#include "redo.h"
#include "serve.h"
#include "stop.h"

#define FINISH_MS       20000 /* most is finished by then, and the service manager still patient */
#define CONNECTIONS_MAX 16    /* each may hold one segment: bounds the memory */

static void tell_systemd(const char *words)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, words);
#else
	(void)words;
#endif
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
