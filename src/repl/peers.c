/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "fmt.h"
#include "io.h"
#include "js.h"
#include "lock.h"
#include "peers.h"

static const char *const roles[] = {[PEER_PUSH] = "push", [PEER_MANAGE] = "manage"};

const char *peer_role_word(enum peer_role r)
{
	return roles[r];
}

int peer_role_parse(const char *word, enum peer_role *r, struct err *e)
{
	for (unsigned i = 0; i < ARRAY_SIZE(roles); i++) {
		if (!strcmp(word, roles[i])) {
			*r = i;
			return 0;
		}
	}
	return err_set(e, ERR_USAGE, "role '%s' is not push or manage", word);
}

int peer_name_check(const char *what, const char *name, struct err *e)
{
	if (!isalnum((unsigned char)*name))
		return err_set(e, ERR_USAGE, "%s '%s' must start with a letter or digit", what,
			       name);
	if (strlen(name) >= PEER_NAME_SIZE)
		return err_set(e, ERR_USAGE, "%s '%s' is longer than %d bytes", what, name,
			       PEER_NAME_SIZE - 1);
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			return err_set(e, ERR_USAGE, "%s '%s' may hold letters, digits, _ . - only",
				       what, name);
	return 0;
}

void peers_free(struct peers *p)
{
	free(p);
}

static int parse_peer(const json_t *j, struct peer *p, struct err *e)
{
	char role[16];
	uint64_t granted;

	if (js_str(j, "name", p->name, sizeof(p->name), e) < 0 ||
	    js_str(j, "fingerprint", p->fingerprint, sizeof(p->fingerprint), e) < 0 ||
	    js_str(j, "role", role, sizeof(role), e) < 0 ||
	    js_u64_or(j, "granted_ms", 0, &granted, e) < 0 ||
	    peer_role_parse(role, &p->role, e) < 0)
		return -1;
	p->granted_ms = granted;
	if (!identity_is_fingerprint(p->fingerprint))
		return err_set(e, ERR_FAILED, "'%s' is not a fingerprint", p->fingerprint);
	return 0;
}

struct peers *peers_load(const struct host *h, struct err *e)
{
	struct host_path path = host_conf(h, "peers.json");
	_cleanup_(peers_freep) struct peers *p = xcalloc(1, sizeof(*p));
	_cleanup_json_ json_t *j = js_load(path.s, e);
	json_t *list;

	if (!j)
		return errno == ENOENT ? TAKE(p) : NULL;
	list = js_array(j, "peers", e);
	for (size_t i = 0; list && i < json_array_size(list); i++) {
		if (i == PEERS_MAX || parse_peer(json_array_get(list, i), &p->peer[i], e) < 0) {
			if (i == PEERS_MAX)
				err_set(e, ERR_FAILED, "more than %d peers", PEERS_MAX);
			list = NULL;
			break;
		}
		p->n++;
	}
	if (!list) {
		err_wrap(e, "%s", path.s);
		return NULL;
	}
	return TAKE(p);
}

static int save(const struct host *h, const struct peers *p, struct err *e)
{
	struct host_path path = host_conf(h, "peers.json");
	_cleanup_json_ json_t *j = json_pack("{s:[]}", "peers");
	json_t *list = json_object_get(j, "peers");

	for (unsigned i = 0; i < p->n; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:I}", "name", p->peer[i].name,
						"fingerprint", p->peer[i].fingerprint, "role",
						roles[p->peer[i].role], "granted_ms",
						(json_int_t)p->peer[i].granted_ms));
	return js_save(path.s, j, 0600, e);
}

/* The list under its lock, so that two grants at once lose nothing. */
static struct peers *load_locked(const struct host *h, int *lock, struct err *e)
{
	if (io_mkdirs(h->confdir, 0700, e) < 0)
		return NULL;
	*lock = lock_take(host_conf(h, "peers.lock").s, "srsync grant or revoke", 10000, e);
	return *lock < 0 ? NULL : peers_load(h, e);
}

int peers_grant(const struct host *h, const struct peer *p, struct err *e)
{
	_cleanup_close_ int lock = -1;
	_cleanup_(peers_freep) struct peers *all = load_locked(h, &lock, e);
	struct peer *slot = NULL;

	if (!all)
		return -1;
	for (unsigned i = 0; i < all->n; i++) {
		struct peer *q = &all->peer[i];

		if (!strcmp(q->fingerprint, p->fingerprint))
			slot = q;
		else if (!strcmp(q->name, p->name)) {
			err_set(e, ERR_FAILED, "the name %s belongs to %s", p->name,
				q->fingerprint);
			return err_hint(e, "srsync revoke %s first, or choose another --name",
					p->name);
		}
	}
	if (!slot && all->n == PEERS_MAX)
		return err_set(e, ERR_FAILED, "%d peers are granted already", PEERS_MAX);
	if (!slot)
		slot = &all->peer[all->n++];
	*slot = *p;
	return save(h, all, e);
}

int peers_revoke(const struct host *h, const char *name, struct err *e)
{
	_cleanup_close_ int lock = -1;
	_cleanup_(peers_freep) struct peers *all = load_locked(h, &lock, e);
	unsigned kept = 0, before;

	if (!all)
		return -1;
	before = all->n;
	for (unsigned i = 0; i < all->n; i++)
		if (strcmp(all->peer[i].name, name) && strcmp(all->peer[i].fingerprint, name))
			all->peer[kept++] = all->peer[i];
	all->n = kept;
	if (kept == before) {
		err_set(e, ERR_FAILED, "no peer is named %s", name);
		return err_hint(e, "srsync peers lists them");
	}
	return save(h, all, e);
}

const struct peer *peers_find(const struct peers *p, const char *fingerprint)
{
	for (unsigned i = 0; i < p->n; i++)
		if (!strcmp(p->peer[i].fingerprint, fingerprint))
			return &p->peer[i];
	return NULL;
}
