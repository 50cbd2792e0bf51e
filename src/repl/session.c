/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "js.h"
#include "log.h"
#include "redo.h"
#include "redo_place.h"
#include "session.h"

struct host_path session_file(const struct session *s, const char *file)
{
	struct host_path p;

	snprintf(p.s, sizeof(p.s), "%s/%s/open/%s", s->host->statedir, s->p->name, file);
	return p;
}

void session_unhold(struct session *s)
{
	struct err e = ERR_INIT;

	for (unsigned i = 0; i < s->p->volumes; i++) {
		if (s->v[i] && s->fd[i] >= 0 && s->v[i]->ops->unhold(s->v[i], &e) < 0)
			log_err(LOG_LEVEL_WARN, &e);
		s->fd[i] = -1;
	}
}

static int save_rest(const struct session *s, const struct cut *cut, struct err *e)
{
	_cleanup_json_ json_t *j = json_pack("{s:[]}", "tokens");

	for (unsigned i = 0; i < s->p->volumes; i++)
		json_array_append_new(json_object_get(j, "tokens"), json_string(cut->token[i]));
	return js_save(session_file(s, "rest").s, j, 0600, e);
}

int session_snap(struct session *s, struct cut *cut, struct err *e)
{
	_cleanup_free_ struct cut *heads = xcalloc(1, sizeof(*heads));
	struct volume *v[PARTNERSHIP_VOLUMES_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < s->p->volumes; i++)
		if (!s->v[i]->ops->redo)
			v[n++] = s->v[i];
	if (n && cut_group(v, n, heads, e) < 0)
		return -1;
	n = 0;
	for (unsigned i = 0; i < s->p->volumes; i++) {
		if (!s->v[i]->ops->redo)
			strcpy(cut->token[i], heads->token[n++]);
		else if (s->v[i]->ops->proof(s->v[i], cut->token[i], e) < 0)
			return -1;
	}
	return 0;
}

static void snap_rest(struct session *s)
{
	_cleanup_free_ struct cut *cut = xcalloc(1, sizeof(*cut));
	struct err e = ERR_INIT;

	if (session_snap(s, cut, &e) < 0 || save_rest(s, cut, &e) < 0)
		log_err(LOG_LEVEL_WARN, &e);
}

/* Damaged, it is as if the server had been killed: the commit then checks what the head holds. */
static int load_rest(struct session *s, struct err *e)
{
	struct host_path path = session_file(s, "rest");
	_cleanup_json_ json_t *j = js_load(path.s, e);
	const json_t *list = json_object_get(j, "tokens");

	if (!j && errno != EINVAL)
		return errno == ENOENT ? 0 : -1;
	if (json_array_size(list) != s->p->volumes) {
		log_warn("%s is damaged and not heeded", path.s);
		return 0;
	}
	s->rest = xcalloc(s->p->volumes, sizeof(*s->rest));
	for (unsigned i = 0; i < s->p->volumes; i++) {
		const char *token = json_string_value(json_array_get(list, i));

		snprintf(s->rest[i], sizeof(s->rest[i]), "%s", token ? token : "");
	}
	return 0;
}

int session_drop_rest(struct session *s, struct err *e)
{
	struct host_path path = session_file(s, "rest");

	if (!s->rest)
		return 0;
	if (unlink(path.s) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", path.s);
	if (io_sync_dir_of(path.s, e) < 0)
		return -1;
	for (unsigned i = 0; i < s->p->volumes; i++)
		if (s->v[i]->ops->release(s->v[i], s->rest[i], e) < 0)
			return -1;
	free(TAKE(s->rest));
	return 0;
}

void session_close(struct session *s)
{
	if (!s->p)
		return;
	if (s->open && s->m)
		snap_rest(s);
	session_unhold(s);
	progress_clear(s->host, s->p->name);
	durable_free(TAKE(s->durable));
	apply_free(TAKE(s->apply));
	received_free(TAKE(s->received));
	spool_free(TAKE(s->spool));
	for (unsigned i = 0; i < s->p->volumes; i++)
		volume_free(TAKE(s->v[i]));
	manifest_free(TAKE(s->m));
	free(TAKE(s->rest));
	state_free(TAKE(s->state));
	partnership_free(TAKE(s->p));
	closep(&s->lock);
	s->lock = -1;
	s->open = false;
}

static int open_volume(struct session *s, unsigned i, struct err *e)
{
	const char *tokens[STATE_CUTS_MAX + 1];
	unsigned n = s->state->n;

	s->v[i] = volume_open(s->p->volume[i].local, VOLUME_TARGET, s->p->id, e);
	if (!s->v[i])
		return -1;
	for (unsigned k = 0; k < s->state->n; k++)
		tokens[k] = s->state->cut[k]->volume[i].token;
	if (s->rest)
		tokens[n++] = s->rest[i];
	s->spooled[i] = s->v[i]->ops->redo && s->state->n > 0;
	return s->v[i]->ops->prepare(s->v[i], tokens, n, s->p->keep, e);
}

int session_open(struct session *s, const struct host *h, const struct partnership *p,
		 unsigned wait_ms, struct err *e)
{
	int r = 0;

	s->host = h;
	s->p = xmalloc(sizeof(*s->p));
	*s->p = *p;
	for (unsigned i = 0; i < p->volumes; i++)
		s->fd[i] = -1;
	s->lock = partnership_lock(h, p->name, "srsync serve, receiving", wait_ms, e);
	if (s->lock < 0 || !(s->state = state_load(h, p->name, e)) || load_rest(s, e) < 0)
		r = -1;
	pthread_rwlock_wrlock(&s->reading); /* prepare frees slots, and private devices */
	for (unsigned i = 0; r == 0 && i < p->volumes; i++)
		r = open_volume(s, i, e);
	pthread_rwlock_unlock(&s->reading);
	if (r < 0)
		session_close(s);
	return r;
}

/* Each head must be what tokens[i] names, unless may_differ; m: see session_hold(), may be NULL. */
static int hold_all(struct session *s, const char *const *tokens, const struct manifest *m,
		    bool may_differ, struct err *e)
{
	for (unsigned i = 0; i < s->p->volumes; i++) {
		bool differ = m && s->spooled[i] ? m->volume[i].full : may_differ;

		if (s->v[i]->ops->hold(s->v[i], tokens[i], differ, &s->fd[i], e) < 0) {
			s->fd[i] = -1;
			session_unhold(s);
			return -1;
		}
	}
	return 0;
}

int session_hold(struct session *s, const struct manifest *m, bool may_differ, struct err *e)
{
	const struct state_cut *c = state_newest(s->state);
	const char *tokens[PARTNERSHIP_VOLUMES_MAX] = {0};

	for (unsigned i = 0; c && i < s->p->volumes; i++)
		tokens[i] = c->volume[i].token;
	return hold_all(s, tokens, m, may_differ, e);
}

int session_resume(struct session *s, const struct manifest *m, struct err *e)
{
	const char *tokens[PARTNERSHIP_VOLUMES_MAX];

	if (!s->rest)
		return session_hold(s, m, true, e);
	for (unsigned i = 0; i < s->p->volumes; i++)
		tokens[i] = s->rest[i];
	if (hold_all(s, tokens, NULL, false, e) < 0)
		return err_wrap(e, "go on with an unfinished cut");
	return session_drop_rest(s, e);
}

int session_rewind(struct session *s, bool strict, struct err *e)
{
	const struct state_cut *c = state_newest(s->state);

	for (unsigned i = 0; c && i < s->p->volumes; i++)
		if ((strict || !s->v[i]->ops->redo) &&
		    s->v[i]->ops->rewind(s->v[i], c->volume[i].token, e) < 0)
			return err_wrap(e, "bring %s back to cut %llu", s->v[i]->name,
					(unsigned long long)c->seq);
	return 0;
}

int session_forget_received(struct session *s, struct err *e)
{
	struct host_path received = session_file(s, "received");

	if (io_mkdirs(session_file(s, "").s, 0700, e) < 0)
		return -1;
	if (unlink(received.s) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", received.s);
	return io_sync_dir_of(received.s, e);
}

int session_forget_cut(struct session *s, struct err *e)
{
	struct host_path manifest = session_file(s, "manifest"), rest = session_file(s, "");

	/* the manifest goes first: without it the rest means nothing */
	if (unlink(manifest.s) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", manifest.s);
	if (redo_place_drop(s, e) < 0 || io_remove_tree(rest.s, e) < 0)
		return -1;
	/* it must not come back after a power loss, beside a head that has been brought back */
	return io_sync_dir_of(rest.s, e);
}

int session_open_cut(struct session *s, struct buf *out, struct err *e)
{
	const struct state_cut *c = state_newest(s->state);
	_cleanup_(manifest_freep) struct manifest *m = NULL;
	struct err damaged;

	if (io_read_file(session_file(s, "manifest").s, MANIFEST_FRAME_MAX, out, e) < 0)
		return errno == ENOENT ? 0 : -1;
	m = manifest_decode(out->data, out->len, &damaged);
	if (m && !state_cut_is(c, m->generation, m->seq, m->time_ms))
		return 1;
	if (m) /* committed, and then we died before clearing it away */
		return session_forget_cut(s, e);
	return 1; /* not readable: some cut was open, and it cannot be resumed */
}
