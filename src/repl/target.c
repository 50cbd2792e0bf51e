/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/stat.h>

#include "io.h"
#include "js.h"
#include "lock.h"
#include "log.h"
#include "redo.h"
#include "redo_place.h"
#include "state.h"
#include "target.h"

#define LOCK_MS   5000
#define SIZE_STEP (4u << 20) /* bytes: LVM's usual extent */

json_t *target_request_json(const struct target_request *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->volumes; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:I}", "source", r->volume[i].source,
					"target", r->volume[i].target, "uuid", r->volume[i].uuid,
					"size", (json_int_t)r->volume[i].size));
	return json_pack("{s:s, s:I, s:I, s:I, s:b, s:o}", "name", r->name, "keep",
			 (json_int_t)r->keep, "port", (json_int_t)r->port, "rpo_ms",
			 (json_int_t)r->rpo_ms, "overwrite", r->overwrite, "volumes", list);
}

static int parse_volumes(const json_t *list, struct target_request *r, struct err *e)
{
	r->volumes = json_array_size(list);
	if (r->volumes < 1 || r->volumes > PARTNERSHIP_VOLUMES_MAX)
		return err_set(e, ERR_USAGE, "a partnership has 1 to %d volumes, not %u",
			       PARTNERSHIP_VOLUMES_MAX, r->volumes);
	for (unsigned i = 0; i < r->volumes; i++) {
		const json_t *v = json_array_get(list, i);

		if (js_str(v, "source", r->volume[i].source, VOLUME_NAME_MAX, e) < 0 ||
		    js_str(v, "target", r->volume[i].target, VOLUME_NAME_MAX, e) < 0 ||
		    js_str(v, "uuid", r->volume[i].uuid, VOLUME_UUID_MAX, e) < 0 ||
		    js_u64(v, "size", &r->volume[i].size, e) < 0)
			return -1;
	}
	return 0;
}

int target_request_parse(const void *text, size_t len, const char *id, struct target_request *r,
			 struct err *e)
{
	_cleanup_json_ json_t *j = js_parse(text, len, "the request", e);
	json_t *list = j ? js_array(j, "volumes", e) : NULL;

	memset(r, 0, sizeof(*r));
	if (!list || js_str(j, "name", r->name, sizeof(r->name), e) < 0 ||
	    js_u64_or(j, "keep", PARTNERSHIP_KEEP, &r->keep, e) < 0 ||
	    js_u64_or(j, "port", HOST_PORT, &r->port, e) < 0 ||
	    js_u64_or(j, "rpo_ms", PARTNERSHIP_RPO_MS, &r->rpo_ms, e) < 0 ||
	    js_bool_or(j, "overwrite", false, &r->overwrite, e) < 0 ||
	    parse_volumes(list, r, e) < 0)
		return -1;
	if (!fmt_is_id(id) || r->keep < 1 || r->keep > PARTNERSHIP_KEEP_MAX || r->port > 65535)
		return err_set(e, ERR_USAGE, "id, keep or port is out of bounds");
	strcpy(r->id, id);
	return peer_name_check("partnership", r->name, e);
}

/* A device that is no LV may have many names. */
static bool same_target(const char *a, const char *b)
{
	struct stat x, y;

	return !strcmp(a, b) ||
	       (a[0] == '/' && b[0] == '/' && stat(a, &x) == 0 && stat(b, &y) == 0 &&
		S_ISBLK(x.st_mode) && S_ISBLK(y.st_mode) && x.st_rdev == y.st_rdev);
}

/* A volume belongs to one partnership at most on the side that is written; names are LVM's own by
 * now (check_one). A partnership that cannot be read may own the target. */
static int check_unused(const struct host *h, const struct target_request *r, struct err *e)
{
	char **names;
	int n = partnership_names(h, &names, e), bad = n < 0 ? -1 : 0;

	for (unsigned a = 0; a < r->volumes; a++)
		for (unsigned b = 0; b < a && !bad; b++)
			if (!strcmp(r->volume[a].target, r->volume[b].target))
				bad = err_set(e, ERR_USAGE, "%s is named twice",
					      r->volume[a].target);
	for (int i = 0; i < n && !bad; i++) {
		_cleanup_(partnership_freep) struct partnership *p =
			partnership_load(h, names[i], e);

		if (!p)
			bad = -1;
		else if (!strcmp(p->id, r->id))
			bad = err_set(e, ERR_REFUSED, "that id belongs to a partnership already");
		for (unsigned a = 0; p && a < p->volumes && !bad; a++)
			for (unsigned b = 0; b < r->volumes && !bad; b++)
				if (same_target(p->volume[a].local, r->volume[b].target))
					bad = err_set(e, ERR_REFUSED,
						      "%s belongs to the partnership %s",
						      r->volume[b].target, p->name);
	}
	if (n >= 0)
		partnership_names_free(names);
	return bad;
}

/* The same name again: fine when it is a create that was cut short (same owner, nothing committed).
 */
static int check_name(const struct host *h, const struct target_request *r, const char *fingerprint,
		      struct err *e)
{
	struct err none = ERR_INIT;
	_cleanup_(partnership_freep) struct partnership *old = partnership_load(h, r->name, &none);
	_cleanup_(state_freep) struct state *state = NULL;

	if (!old)
		return 0;
	state = state_load(h, r->name, e);
	if (!state)
		return -1;
	if (old->role == VOLUME_TARGET && !strcmp(old->peer_fingerprint, fingerprint) && !state->n)
		return target_remove(h, old, false, e);
	err_set(e, ERR_REFUSED, "the destination has a partnership %s already", r->name);
	return err_hint(e, "choose another name, or run srsync remove %s there", r->name);
}

/* Looks, and changes nothing. Puts the volume's own name into the request: a volume must not be
 * known by two names. */
static int check_one(struct target_request *r, unsigned i, struct err *e)
{
	char *name = r->volume[i].target;
	_cleanup_(volume_freep) struct volume *v = NULL;
	uint64_t step;

	if (volume_check_target(name, r->overwrite, e) < 0)
		return -1;
	v = volume_open(name, VOLUME_TARGET, r->id, e);
	if (!v)
		return -1;
	strcpy(name, v->name);
	/* LVM rounds sizes up to its extents; a difference below one is no difference */
	step = v->size_step > SIZE_STEP ? v->size_step : SIZE_STEP;
	if (v->fixed_size || v->size < r->volume[i].size + step)
		return 0;
	err_set(e, ERR_REFUSED, "sizes differ: %s has %llu bytes, its source %s only %llu", name,
		(unsigned long long)v->size, r->volume[i].source,
		(unsigned long long)r->volume[i].size);
	return err_hint(e, "%s %llu%s %s, or make a new one of that size",
			name[0] == '/' ? "truncate -s" : "lvreduce -L",
			(unsigned long long)r->volume[i].size, name[0] == '/' ? "" : "b", name);
}

static int make_one(const struct target_request *r, unsigned i, struct err *e)
{
	_cleanup_(volume_freep) struct volume *v =
		volume_open(r->volume[i].target, VOLUME_TARGET, r->id, e);

	if (!v || v->ops->prepare(v, NULL, 0, r->keep, e) < 0)
		return -1;
	return v->size < r->volume[i].size ? v->ops->grow(v, r->volume[i].size, e) : 0;
}

static void fill(struct partnership *p, const struct target_request *r, const char *fingerprint,
		 const char *remote)
{
	const char *port = strrchr(remote, ':');

	strcpy(p->name, r->name);
	strcpy(p->id, r->id);
	p->role = VOLUME_TARGET;
	p->keep = r->keep;
	p->rpo_ms = r->rpo_ms;
	snprintf(p->peer_fingerprint, sizeof(p->peer_fingerprint), "%s", fingerprint);
	if (port) /* the port it called from means nothing; that of its serve was told */
		snprintf(p->peer_address, sizeof(p->peer_address), "%.*s:%u", (int)(port - remote),
			 remote, (unsigned)r->port);
	p->volumes = r->volumes;
	for (unsigned i = 0; i < r->volumes; i++) {
		strcpy(p->volume[i].local, r->volume[i].target);
		strcpy(p->volume[i].remote, r->volume[i].source);
		strcpy(p->volume[i].uuid, r->volume[i].uuid);
	}
}

static int make(const struct host *h, const struct target_request *r, const struct partnership *p,
		struct err *e)
{
	struct err undo;

	/* the file comes before the slots, so that a create that is cut short leaves a partnership
	 * that remove, or the next create, can undo */
	if (partnership_save(h, p, false, e) < 0)
		return -1;
	for (unsigned i = 0; i < r->volumes; i++) {
		if (make_one(r, i, e) == 0)
			continue;
		err_wrap(e, "target %s", r->volume[i].target);
		if (target_remove(h, p, false, &undo) < 0)
			log_err(LOG_LEVEL_WARN, &undo);
		return -1;
	}
	return 0;
}

int target_create(const struct host *h, struct target_request *r, const char *fingerprint,
		  const char *remote, struct err *e)
{
	_cleanup_(partnership_freep) struct partnership *p = xcalloc(1, sizeof(*p));
	_cleanup_close_ int lock = -1;

	if (io_mkdirs(h->confdir, 0700, e) < 0)
		return -1;
	lock = lock_take(host_conf(h, "create.lock").s, "srsync create", 60000, e);
	if (lock < 0 || check_name(h, r, fingerprint, e) < 0)
		return -1;
	for (unsigned i = 0; i < r->volumes; i++)
		if (redo_place_refuse(h, r->volume[i].target, e) < 0 || check_one(r, i, e) < 0)
			return err_wrap(e, "target %s", r->volume[i].target);
	if (check_unused(h, r, e) < 0)
		return -1;
	fill(p, r, fingerprint, remote);
	if (make(h, r, p, e) < 0)
		return -1;
	log_info("partnership %s: made for %s (%s)", p->name, p->peer_address, fingerprint);
	return 0;
}

/* A volume that cannot be opened has lost its slots with it, or keeps them: force goes on. */
static int drop_one(const struct partnership *p, unsigned i, bool force, struct err *e)
{
	_cleanup_(volume_freep) struct volume *v =
		volume_open(p->volume[i].local, p->role, p->id, e);

	if (v && v->ops->drop(v, e) == 0)
		return 0;
	err_wrap(e, "remove %s from %s", p->name, p->volume[i].local);
	if (!force)
		return err_hint(e, "if that volume is gone for good: srsync remove %s --local",
				p->name);
	log_err(LOG_LEVEL_WARN, e);
	return 0;
}

int target_remove(const struct host *h, const struct partnership *p, bool force, struct err *e)
{
	_cleanup_close_ int lock = -1;

	/* the target is left as one cut, not as parts of two */
	if (!force && p->role == VOLUME_TARGET && redo_finish(h, p, LOCK_MS, e) < 0)
		return err_hint(e, "srsync remove %s --local leaves it so", p->name);
	lock = partnership_lock(h, p->name, "srsync remove", LOCK_MS, e);
	if (lock < 0)
		return -1;
	for (unsigned i = 0; i < p->volumes; i++)
		if (drop_one(p, i, force, e) < 0)
			return -1;
	if (redo_place_drop(&(struct session){.host = h, .p = (struct partnership *)p}, e) < 0) {
		if (!force)
			return -1;
		log_err(LOG_LEVEL_WARN, e);
	}
	return partnership_delete(h, p, e);
}
