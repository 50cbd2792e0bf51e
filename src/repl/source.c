/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cut.h"
#include "fault.h"
#include "fine.h"
#include "hooks.h"
#include "log.h"
#include "report.h"
#include "source.h"

void source_free(struct source *s)
{
	if (!s)
		return;
	for (unsigned i = 0; s->p && i < s->p->volumes; i++)
		volume_free(s->volume[i]);
	bitlog_free(s->log);
	state_free(s->state);
	partnership_free(s->p);
	closep(&s->lock);
	free(s);
}

/* Rule 2: said aloud in the log, in status, and in the journal. */
__attribute__((format(printf, 2, 3))) static void doubt(struct source *s, const char *fmt, ...)
{
	struct err ignored;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->warning, sizeof(s->warning), fmt, ap);
	va_end(ap);
	log_warn("%s: the next transfer compares with the peer by hash, or ships everything "
		 "(rule 2: a set is a superset)",
		 s->warning);
	report_warn(s->host, s->p->name, s->warning, &ignored);
}

static int open_volume(struct source *s, unsigned i, struct err *e)
{
	const struct partnership_volume *pv = &s->p->volume[i];
	struct volume *v = volume_open(pv->local, VOLUME_SOURCE, s->p->id, e);

	s->volume[i] = v;
	if (!v)
		return -1;
	if (!strcmp(v->uuid, pv->uuid))
		return 0;
	err_set(e, ERR_REFUSED,
		"rule 3 (identity before bytes): %s is another volume than at create: its uuid is "
		"%s, "
		"not %s",
		pv->local, v->uuid, pv->uuid);
	return err_hint(e,
			"if it was replaced on purpose: srsync remove %s, then srsync create anew",
			s->p->name);
}

/* The newest cut of the log is the only one that counts here; all else in a slot is garbage. */
static int prepare(struct source *s, struct err *e)
{
	const struct bitlog_cut *newest = bitlog_newest(s->log);

	for (unsigned i = 0; i < s->p->volumes; i++) {
		struct volume *v = s->volume[i];
		const char *token = newest ? newest->volume[i].token : NULL;

		if (newest && newest->volume[i].size > v->size) {
			err_set(e, ERR_REFUSED,
				"%s shrank from %llu to %llu bytes, and a replica never "
				"shrinks",
				v->name, (unsigned long long)newest->volume[i].size,
				(unsigned long long)v->size);
			return err_hint(e, "grow it again, or srsync remove and create anew");
		}
		if (v->ops->prepare(v, &token, token ? 1 : 0, 1, e) < 0)
			return -1;
	}
	return 0;
}

struct source *source_open(const struct host *h, const char *name, const char *what, struct err *e)
{
	_cleanup_(source_freep) struct source *s = xcalloc(1, sizeof(*s));
	const char *why;

	s->host = h;
	s->lock = -1;
	s->p = partnership_load(h, name, e);
	if (!s->p)
		return NULL;
	if (s->p->role != VOLUME_SOURCE) {
		err_set(e, ERR_FAILED, "%s is a destination on this host", name);
		err_hint(e, "run the command on the source");
		return NULL;
	}
	s->lock = partnership_lock(h, name, what, 0, e);
	if (s->lock < 0 || hooks_mend(h, s->p, e) < 0 || !(s->state = state_load(h, name, e)) ||
	    !(s->log = bitlog_open(host_state(h, name, "bitlog").s, &why, e)))
		return NULL;
	if (why)
		doubt(s, "bitmap log: %s", why);
	for (unsigned i = 0; i < s->p->volumes; i++)
		if (open_volume(s, i, e) < 0)
			return NULL;
	return prepare(s, e) < 0 ? NULL : TAKE(s);
}

static int check_health(struct source *s, struct err *e)
{
	for (unsigned i = 0; i < s->p->volumes; i++) {
		struct volume *v = s->volume[i];
		struct volume_health hl = {0};

		if (v->ops->health(v, &hl, e) < 0)
			return -1;
		if (hl.cut_refused) {
			err_set(e, ERR_FAILED, "no cut of %s: %s", v->name, hl.cause);
			return err_hint(e, "%s", hl.remedy);
		}
		if (hl.cause[0])
			log_warn("%s: %s", v->name, hl.cause);
	}
	return 0;
}

/* Fills one volume's part of the record: what changed since the base, or all when in doubt. */
static int compare(struct source *s, unsigned i, const char *base, struct bitlog_volume *bv,
		   struct err *e)
{
	struct volume *v = s->volume[i];
	_cleanup_(bset_freep) struct bset *chunks = NULL;
	char why[160] = "";
	struct err doubted;
	int held;

	bv->size = v->size;
	bv->block_size = fine_block_size(v->size, v->block_size);
	bv->all = true;
	if (!base)
		return 0;
	held = v->ops->held(v, base, NULL, why, sizeof(why), e);
	if (held < 0)
		return -1;
	if (!held) {
		doubt(s, "%s: the base cut is gone: %s", v->name, why);
		return 0;
	}
	chunks = bset_new();
	switch (v->ops->changes(v, base, bv->token, chunks, &doubted)) {
	case VOLUME_CHANGES_OK:
		bv->set = bset_rescale(chunks, v->block_size, bv->block_size);
		bv->all = bv->set == NULL;
		return 0;
	case VOLUME_CHANGES_DOUBT: doubt(s, "%s: %.200s", v->name, doubted.text); return 0;
	default: *e = doubted; return -1;
	}
}

/* Steps 2 and 3 of the order. */
static int log_cut(struct source *s, const struct cut *cut, struct err *e)
{
	const struct bitlog_cut *newest = bitlog_newest(s->log);
	const struct state_cut *known = state_newest(s->state);
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = xcalloc(1, sizeof(*c));
	char base[PARTNERSHIP_VOLUMES_MAX][VOLUME_TOKEN_MAX] = {{0}};

	c->prev_seq = newest ? newest->seq : 0;
	c->seq = (known && known->seq > c->prev_seq ? known->seq : c->prev_seq) + 1;
	c->time_ms = cut->time_ms;
	c->pause_us = cut->pause_us;
	c->volumes = s->p->volumes;
	if (newest)
		strcpy(c->generation, newest->generation);
	else
		fmt_random_id(c->generation);
	for (unsigned i = 0; i < c->volumes; i++) {
		if (newest)
			strcpy(base[i], newest->volume[i].token);
		strcpy(c->volume[i].token, cut->token[i]);
		if (compare(s, i, newest ? base[i] : NULL, &c->volume[i], e) < 0)
			return err_wrap(e, "find changes of %s", s->volume[i]->name);
	}
	fault("source.compared");
	if (bitlog_append(s->log, c, e) < 0)
		return err_wrap(e, "bitmap log of %s", s->p->name);
	fault("source.logged");
	for (unsigned i = 0; i < c->volumes; i++)
		if (base[i][0] && s->volume[i]->ops->release(s->volume[i], base[i], e) < 0)
			return err_wrap(e, "free the older cut of %s", s->volume[i]->name);
	fault("source.released");
	return 0;
}

/* The application's hooks hold it from before the freeze until after the thaw. */
static int cut_within_hooks(struct source *s, struct cut *cut, struct err *e)
{
	struct err late = ERR_INIT;
	struct hooks *k;
	int r;

	if (hooks_freeze(s->host, s->p, &k, e) < 0)
		return -1;
	r = cut_group(s->volume, s->p->volumes, cut, e);
	if (hooks_thaw(k, &s->hooks_us, r == 0 ? e : &late) == 0)
		return r;
	if (r < 0)
		log_err(LOG_LEVEL_ERROR, &late);
	return -1;
}

int source_cut(struct source *s, struct err *e)
{
	_cleanup_free_ struct cut *cut = xcalloc(1, sizeof(*cut));

	if (check_health(s, e) < 0)
		return -1;
	if (cut_within_hooks(s, cut, e) < 0)
		return err_wrap(e, "cut of %s", s->p->name);
	fault("source.cut");
	return log_cut(s, cut, e);
}

uint64_t source_pending(const struct source *s, bool *all)
{
	uint64_t bytes = 0;

	*all = false;
	for (unsigned i = 0; i < s->p->volumes; i++) {
		bool whole = false;
		_cleanup_(bset_freep) struct bset *set = bitlog_pending(s->log, i, &whole);

		*all |= whole;
		bytes += whole ? s->volume[i]->size
			       : bset_count(set) * bitlog_newest(s->log)->volume[i].block_size;
	}
	return bytes;
}
