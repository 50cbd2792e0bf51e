/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "js.h"
#include "lock.h"
#include "partnership.h"

const char *partnership_role_word(enum volume_role role)
{
	return role == VOLUME_SOURCE ? "source" : "destination";
}

void partnership_free(struct partnership *p)
{
	free(p);
}

static struct host_path file_of(const struct host *h, const char *name)
{
	struct host_path p;

	snprintf(p.s, sizeof(p.s), "%s/partnerships/%s.json", h->confdir, name);
	return p;
}

static int parse_volume(const json_t *j, struct partnership_volume *v, struct err *e)
{
	if (js_str(j, "local", v->local, sizeof(v->local), e) < 0 ||
	    js_str(j, "remote", v->remote, sizeof(v->remote), e) < 0)
		return -1;
	return js_str(j, "uuid", v->uuid, sizeof(v->uuid), e);
}

static int parse(const json_t *j, struct partnership *p, struct err *e)
{
	char role[16], fine[8];
	json_t *list;

	if (js_str(j, "name", p->name, sizeof(p->name), e) < 0 ||
	    js_str(j, "id", p->id, sizeof(p->id), e) < 0 ||
	    js_str(j, "role", role, sizeof(role), e) < 0 ||
	    js_str(j, "peer_address", p->peer_address, sizeof(p->peer_address), e) < 0 ||
	    js_str(j, "peer_fingerprint", p->peer_fingerprint, sizeof(p->peer_fingerprint), e) <
		    0 ||
	    js_u64_or(j, "rpo_ms", PARTNERSHIP_RPO_MS, &p->rpo_ms, e) < 0 ||
	    js_u64_or(j, "keep", PARTNERSHIP_KEEP, &p->keep, e) < 0 ||
	    js_u64_or(j, "rate", 0, &p->rate, e) < 0 ||
	    js_bool_or(j, "seeded", false, &p->seeded, e) < 0 ||
	    js_str_or(j, "fine", fine_word(FINE_AUTO), fine, sizeof(fine), e) < 0 ||
	    !(list = js_array(j, "volumes", e)))
		return -1;
	p->role = strcmp(role, "source") ? VOLUME_TARGET : VOLUME_SOURCE;
	p->volumes = json_array_size(list);
	if (!fmt_is_id(p->id) || p->volumes < 1 || p->volumes > PARTNERSHIP_VOLUMES_MAX ||
	    p->keep < 1 || p->keep > PARTNERSHIP_KEEP_MAX ||
	    (p->role == VOLUME_TARGET && strcmp(role, "destination")) ||
	    !fine_parse(fine, &p->fine))
		return err_set(e, ERR_FAILED,
			       "id, role, keep, fine or number of volumes is out of bounds");
	for (unsigned i = 0; i < p->volumes; i++)
		if (parse_volume(json_array_get(list, i), &p->volume[i], e) < 0)
			return -1;
	return 0;
}

struct partnership *partnership_load(const struct host *h, const char *name, struct err *e)
{
	_cleanup_(partnership_freep) struct partnership *p = xcalloc(1, sizeof(*p));
	struct host_path path;
	_cleanup_json_ json_t *j = NULL;

	if (peer_name_check("partnership", name, e) < 0)
		return NULL;
	path = file_of(h, name);
	j = js_load(path.s, e);
	if (!j && errno == ENOENT) {
		err_set(e, ERR_FAILED, "there is no partnership %s on this host", name);
		err_hint(e, "srsync list names those there are; srsync create makes one");
	}
	if (!j)
		return NULL;
	if (parse(j, p, e) < 0) {
		err_wrap(e, "%s", path.s);
		return NULL;
	}
	return TAKE(p);
}

static json_t *volumes_json(const struct partnership *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->volumes; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s}", "local", p->volume[i].local, "remote",
					p->volume[i].remote, "uuid", p->volume[i].uuid));
	return list;
}

int partnership_save(const struct host *h, const struct partnership *p, bool fresh, struct err *e)
{
	struct host_path path = file_of(h, p->name);
	_cleanup_json_ json_t *j = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:b, s:o}", "format", 1, "name",
		p->name, "id", p->id, "role", partnership_role_word(p->role), "peer_address",
		p->peer_address, "peer_fingerprint", p->peer_fingerprint, "rpo_ms",
		(json_int_t)p->rpo_ms, "keep", (json_int_t)p->keep, "rate", (json_int_t)p->rate,
		"fine", fine_word(p->fine), "seeded", p->seeded, "volumes", volumes_json(p));

	if (fresh && access(path.s, F_OK) == 0) {
		err_set(e, ERR_FAILED, "there is a partnership %s on this host already", p->name);
		return err_hint(e, "choose another name, or srsync remove %s", p->name);
	}
	if (io_mkdirs(host_conf(h, "partnerships").s, 0700, e) < 0 ||
	    io_mkdirs(host_state(h, p->name, "").s, 0700, e) < 0)
		return -1;
	return js_save(path.s, j, 0600, e);
}

int partnership_delete(const struct host *h, const struct partnership *p, struct err *e)
{
	struct host_path path = file_of(h, p->name);

	if (unlink(path.s) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", path.s);
	if (io_sync_dir_of(path.s, e) < 0)
		return -1;
	return io_remove_tree(host_state(h, p->name, "").s, e);
}

static int is_ours(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && d->d_name[0] != '.' && !strcmp(d->d_name + n - 5, ".json");
}

int partnership_names(const struct host *h, char ***names, struct err *e)
{
	struct host_path dir = host_conf(h, "partnerships");
	struct dirent **list;
	int n = scandir(dir.s, &list, is_ours, alphasort);

	if (n < 0 && errno == ENOENT) {
		*names = xcalloc(1, sizeof(**names));
		return 0;
	}
	if (n < 0)
		return err_sys(e, "read %s", dir.s);
	*names = xcalloc(n + 1, sizeof(**names));
	for (int i = 0; i < n; i++) {
		(*names)[i] = xstrdup(list[i]->d_name);
		(*names)[i][strlen(list[i]->d_name) - 5] = '\0';
		free(list[i]);
	}
	free(list);
	return n;
}

void partnership_names_free(char **names)
{
	for (char **p = names; p && *p; p++)
		free(*p);
	free(names);
}

struct partnership *partnership_find_id(const struct host *h, const char *id, struct err *e)
{
	char **names;
	int n = partnership_names(h, &names, e);
	struct partnership *found = NULL;

	if (n < 0)
		return NULL;
	for (int i = 0; i < n && !found; i++) {
		struct err ignored; /* a damaged neighbour must not stop this one */
		struct partnership *p = partnership_load(h, names[i], &ignored);

		if (p && !strcmp(p->id, id))
			found = TAKE(p);
		partnership_free(p);
	}
	partnership_names_free(names);
	if (!found)
		err_set(e, ERR_FAILED, "no partnership has the id %s", id);
	return found;
}

int partnership_lock(const struct host *h, const char *name, const char *what, unsigned wait_ms,
		     struct err *e)
{
	return lock_take(host_state(h, name, "lock").s, what, wait_ms, e);
}

int partnership_pause(const struct host *h, const char *name, bool pause, struct err *e)
{
	struct host_path path = host_state(h, name, "paused");

	if (pause)
		return io_replace(path.s, "", 0, 0600, e);
	if (unlink(path.s) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", path.s);
	return io_sync_dir_of(path.s, e);
}

bool partnership_paused(const struct host *h, const char *name)
{
	return access(host_state(h, name, "paused").s, F_OK) == 0;
}
