/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "log.h"
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

void session_close(struct session *s)
{
	if (!s->p)
		return;
	session_unhold(s);
	progress_clear(s->host, s->p->name);
	durable_free(TAKE(s->durable));
	apply_free(TAKE(s->apply));
	received_free(TAKE(s->received));
	for (unsigned i = 0; i < s->p->volumes; i++)
		volume_free(TAKE(s->v[i]));
	manifest_free(TAKE(s->m));
	state_free(TAKE(s->state));
	partnership_free(TAKE(s->p));
	closep(&s->lock);
	s->lock = -1;
	s->open = false;
}

static int open_volume(struct session *s, unsigned i, struct err *e)
{
	const char *tokens[STATE_CUTS_MAX];

	s->v[i] = volume_open(s->p->volume[i].local, VOLUME_TARGET, s->p->id, e);
	if (!s->v[i])
		return -1;
	for (unsigned k = 0; k < s->state->n; k++)
		tokens[k] = s->state->cut[k]->volume[i].token;
	return s->v[i]->ops->prepare(s->v[i], tokens, s->state->n, s->p->keep, e);
}

int session_open(struct session *s, const struct host *h, const struct partnership *p,
		 struct err *e)
{
	int r = 0;

	s->host = h;
	s->p = xmalloc(sizeof(*s->p));
	*s->p = *p;
	for (unsigned i = 0; i < p->volumes; i++)
		s->fd[i] = -1;
	s->lock = partnership_lock(h, p->name, "srsync serve, receiving", 0, e);
	if (s->lock < 0 || !(s->state = state_load(h, p->name, e)))
		r = -1;
	for (unsigned i = 0; r == 0 && i < p->volumes; i++)
		r = open_volume(s, i, e);
	if (r < 0)
		session_close(s);
	return r;
}

int session_hold(struct session *s, bool may_differ, struct err *e)
{
	const struct state_cut *c = state_newest(s->state);

	for (unsigned i = 0; i < s->p->volumes; i++) {
		const char *token = c ? c->volume[i].token : NULL;

		if (s->v[i]->ops->hold(s->v[i], token, may_differ, &s->fd[i], e) < 0) {
			s->fd[i] = -1;
			session_unhold(s);
			return -1;
		}
	}
	return 0;
}

int session_rewind(struct session *s, struct err *e)
{
	const struct state_cut *c = state_newest(s->state);

	for (unsigned i = 0; c && i < s->p->volumes; i++)
		if (s->v[i]->ops->rewind(s->v[i], c->volume[i].token, e) < 0)
			return err_wrap(e, "bring %s back to cut %llu", s->v[i]->name,
					(unsigned long long)c->seq);
	return 0;
}

int session_forget_cut(struct session *s, struct err *e)
{
	struct host_path manifest = session_file(s, "manifest"), rest = session_file(s, "");

	/* the manifest goes first: without it the rest means nothing */
	if (unlink(manifest.s) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", manifest.s);
	return io_remove_tree(rest.s, e);
}

int session_open_cut(struct session *s, struct buf *out, struct err *e)
{
	const struct state_cut *c = state_newest(s->state);
	_cleanup_(manifest_freep) struct manifest *m = NULL;
	struct err damaged;

	if (io_read_file(session_file(s, "manifest").s, MANIFEST_FRAME_MAX, out, e) < 0)
		return errno == ENOENT ? 0 : -1;
	m = manifest_decode(out->data, out->len, &damaged);
	if (m && (!c || m->seq != c->seq || strcmp(m->generation, c->generation)))
		return 1;
	if (m) /* committed, and then we died before clearing it away */
		return session_forget_cut(s, e);
	return 1; /* not readable: some cut was open, and it cannot be resumed */
}
