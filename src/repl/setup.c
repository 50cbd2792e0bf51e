/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "js.h"
#include "log.h"
#include "redo_place.h"
#include "remote.h"
#include "setup.h"
#include "source.h"
#include "target.h"

#define SETUP_ANSWER_MS 300000 /* the peer runs LVM commands, one per slot */

int setup_add_volume(struct setup_options *o, const char *word, struct err *e)
{
	const char *eq = strchr(word, '=');
	size_t n = eq ? (size_t)(eq - word) : 0;

	if (!eq || n == 0 || n >= VOLUME_NAME_MAX || !eq[1] || strlen(eq + 1) >= VOLUME_NAME_MAX) {
		err_set(e, ERR_USAGE, "'%s' is not SOURCE=DESTINATION", word);
		return err_hint(e, "for example --volume vg0/data=vg1/data");
	}
	if (o->volumes == PARTNERSHIP_VOLUMES_MAX)
		return err_set(e, ERR_USAGE, "more than %d volumes", PARTNERSHIP_VOLUMES_MAX);
	memcpy(o->volume[o->volumes].source, word, n);
	o->volume[o->volumes].source[n] = '\0';
	strcpy(o->volume[o->volumes].target, eq + 1);
	for (unsigned i = 0; i < o->volumes; i++)
		if (!strcmp(o->volume[i].source, o->volume[o->volumes].source) ||
		    !strcmp(o->volume[i].target, o->volume[o->volumes].target))
			return err_set(e, ERR_USAGE, "a volume is named twice: %s", word);
	o->volumes++;
	return 0;
}

/* Looks at the source's volumes; fills both sides' description. */
static int describe(const struct host *h, const struct setup_options *o, struct partnership *p,
		    struct target_request *r, struct err *e)
{
	for (unsigned i = 0; i < o->volumes; i++) {
		_cleanup_(volume_freep) struct volume *v =
			volume_open(o->volume[i].source, VOLUME_SOURCE, p->id, e);

		if (!v)
			return err_wrap(e, "source %s", o->volume[i].source);
		for (unsigned k = 0; k < i; k++)
			if (!strcmp(p->volume[k].uuid, v->uuid))
				return err_set(e, ERR_USAGE, "%s and %s are the same volume",
					       o->volume[k].source, o->volume[i].source);
		if (volume_may_join(v, o->volumes, e) < 0 || redo_place_refuse(h, v->name, e) < 0)
			return -1;
		strcpy(p->volume[i].local, v->name);
		strcpy(p->volume[i].remote, o->volume[i].target);
		strcpy(p->volume[i].uuid, v->uuid);
		strcpy(r->volume[i].source, v->name);
		strcpy(r->volume[i].target, o->volume[i].target);
		strcpy(r->volume[i].uuid, v->uuid);
		r->volume[i].size = v->size;
	}
	p->volumes = r->volumes = o->volumes;
	return 0;
}

static int fill_peer(const struct setup_options *o, struct partnership *p, struct err *e)
{
	if (o->offline)
		return 0;
	if (!identity_is_fingerprint(o->fingerprint)) {
		err_set(e, ERR_USAGE, "'%s' is not a fingerprint", o->fingerprint);
		return err_hint(e, "srsync id on the peer prints it");
	}
	if (strlen(o->peer) >= sizeof(p->peer_address) - sizeof(":65535"))
		return err_set(e, ERR_USAGE, "the peer's address is too long");
	strcpy(p->peer_fingerprint, o->fingerprint);
	strcpy(p->peer_address, o->peer);
	if (!strchr(o->peer, ':'))
		snprintf(p->peer_address, sizeof(p->peer_address), "%.240s:%d", o->peer, HOST_PORT);
	return 0;
}

static int fill(const struct setup_options *o, struct partnership *p, struct target_request *r,
		struct err *e)
{
	if (peer_name_check("partnership", o->name, e) < 0 || fill_peer(o, p, e) < 0)
		return -1;
	if (o->seeded && o->offline)
		return err_set(e, ERR_USAGE, "--seeded compares over the network: not --offline");
	if (o->keep < 1 || o->keep > PARTNERSHIP_KEEP_MAX)
		return err_set(e, ERR_USAGE, "--keep must be 1 to %d", PARTNERSHIP_KEEP_MAX);
	strcpy(p->name, o->name);
	fmt_random_id(p->id);
	p->role = VOLUME_SOURCE;
	p->rpo_ms = r->rpo_ms = o->rpo_ms;
	p->keep = r->keep = o->keep;
	p->rate = o->rate;
	p->seeded = o->seeded;
	p->fine = o->fine;
	r->port = o->port;
	r->overwrite = o->overwrite || o->seeded;
	strcpy(r->name, o->name);
	strcpy(r->id, p->id);
	return 0;
}

static int create_remote(const struct host *h, const struct partnership *p,
			 const struct target_request *r, struct err *e)
{
	_cleanup_(identity_freep) struct identity *id = identity_load(h->confdir, e);
	_cleanup_(client_freep) struct client *c =
		id ? remote_connect(p, id, SETUP_ANSWER_MS, e) : NULL;
	_cleanup_json_ json_t *request = target_request_json(r);

	if (!c || remote_create(c, p->id, request, e) < 0)
		return err_wrap(e, "create %s at %s", p->name, p->peer_address);
	return 0;
}

/* Our file comes first: a create that is cut short leaves something that remove can undo. */
int setup_create(const struct host *h, const struct setup_options *o, struct err *e)
{
	_cleanup_(partnership_freep) struct partnership *p = xcalloc(1, sizeof(*p));
	_cleanup_free_ struct target_request *r = xcalloc(1, sizeof(*r));
	_cleanup_(source_freep) struct source *s = NULL;
	struct err undo;

	if (fill(o, p, r, e) < 0 || describe(h, o, p, r, e) < 0 ||
	    partnership_save(h, p, true, e) < 0)
		return -1;
	if (!o->offline && create_remote(h, p, r, e) < 0) {
		if (partnership_delete(h, p, &undo) < 0)
			log_err(LOG_LEVEL_WARN, &undo);
		return -1;
	}
	s = source_open(h, p->name, "srsync create", e);
	if (s)
		return 0;
	if (setup_remove(h, p->name, o->offline, &undo) < 0)
		log_err(LOG_LEVEL_WARN, &undo);
	return -1;
}

static int remove_remote(const struct host *h, const struct partnership *p, struct err *e)
{
	_cleanup_(identity_freep) struct identity *id = identity_load(h->confdir, e);
	_cleanup_(client_freep) struct client *c =
		id ? remote_connect(p, id, SETUP_ANSWER_MS, e) : NULL;

	if (c && remote_remove(c, p->id, e) == 0)
		return 0;
	if (c && e->code != ERR_PEER && strstr(e->text, "no partnership has the id"))
		return 0; /* it is gone there already */
	return err_hint(e, "srsync remove %s --local removes this host's side only", p->name);
}

int setup_remove(const struct host *h, const char *name, bool local, struct err *e)
{
	_cleanup_(partnership_freep) struct partnership *p = partnership_load(h, name, e);

	if (!p)
		return -1;
	if (p->role == VOLUME_SOURCE && !local && p->peer_address[0] && remove_remote(h, p, e) < 0)
		return -1;
	return target_remove(h, p, local, e);
}
