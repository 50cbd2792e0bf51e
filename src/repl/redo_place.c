/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "fault.h"
#include "io.h"
#include "redo_place.h"
#include "spool_log.h"

#define LOG "log:" /* begins the text of a link to a log volume */

struct place {
	bool log;
	struct blockdev dev;   /* of a log volume */
	struct host_path file; /* else */
};

static struct spool_owner owner(const struct session *s)
{
	return (struct spool_owner){s->p->id, s->p->name};
}

/* The text of open/spool; false: it is no link. */
static bool read_link(const struct session *s, struct host_path *text)
{
	ssize_t n = readlink(session_file(s, "spool").s, text->s, sizeof(text->s) - 1);

	text->s[n < 0 ? 0 : n] = '\0';
	return n >= 0;
}

static bool is_log(const char *text)
{
	return !strncmp(text, LOG, strlen(LOG));
}

bool redo_place_shared(const struct session *s)
{
	struct host_path text;

	return read_link(s, &text) && is_log(text.s);
}

/* Whoever really has lost it has a way on, by a step that nobody does by mistake. */
static int away(const struct session *s, struct err *e)
{
	err_wrap(e, "the log volume that holds the spool of %s is away", s->p->name);
	return err_hint(e,
			"bring it back (lvchange -ay), then repeat; if it is gone for good: rm %s, "
			"and srsync sync %s --full on the source",
			session_file(s, "spool").s, s->p->name);
}

static int remembered(const struct session *s, struct place *p, struct err *e)
{
	struct host_path text;

	*p = (struct place){.file = session_file(s, "spool")};
	if (!read_link(s, &text))
		return 0;
	p->log = is_log(text.s);
	if (!p->log) {
		p->file = text;
		return 0;
	}
	if (blockdev_find(text.s + strlen(LOG), &p->dev, e) != 0)
		return away(s, e);
	if (p->dev.path[0])
		return 0;
	err_set(e, ERR_FAILED, "%s is not active", p->dev.name);
	return away(s, e);
}

/* The folder's own path: a link would not find a relative one. */
static int in_folder(const struct session *s, const char *dir, struct host_path *out, struct err *e)
{
	_cleanup_free_ char *real = realpath(dir, NULL);

	if (!real)
		return err_sys(e, "the spool's folder %s", dir);
	if (snprintf(out->s, sizeof(out->s), "%s/%s.spool", real, s->p->id) >=
	    (int)sizeof(out->s) - 8)
		return err_set(e, ERR_USAGE, "the name of the spool's folder %s is too long", real);
	return 0;
}

/* The volumes of a partnership, whatever is said about the log volume, are not to be written. */
static int check_partnerships(const struct host *h, const struct blockdev *b, struct err *e)
{
	char **names;
	int n = partnership_names(h, &names, e), bad = n < 0 ? -1 : 0;

	for (int i = 0; i < n && !bad; i++) {
		_cleanup_(partnership_freep) struct partnership *p =
			partnership_load(h, names[i], e);

		bad = p ? 0 : -1;
		for (unsigned k = 0; p && k < p->volumes && !bad; k++) {
			const char *local = p->volume[k].local;
			struct stat st;

			if (!strcmp(local, b->name) ||
			    (local[0] == '/' && stat(local, &st) == 0 && S_ISBLK(st.st_mode) &&
			     st.st_rdev == b->dev))
				bad = err_set(e, ERR_REFUSED,
					      "%s cannot be the log volume: it is a volume of the "
					      "partnership %s",
					      b->name, p->name);
		}
	}
	if (n >= 0)
		partnership_names_free(names);
	if (!bad && b->tagged)
		bad = err_set(
			e, ERR_REFUSED,
			"%s cannot be the log volume: by its tags it belongs to a partnership",
			b->name);
	return bad ? err_hint(e, "name another with srsync --spool WHERE serve") : 0;
}

/* Where the setting wants a new one. */
static int wanted(const struct session *s, struct place *p, struct err *e)
{
	const char *where = s->host->spool;
	struct stat st;
	int r;

	*p = (struct place){.file = session_file(s, "spool")};
	if (!*where)
		return 0;
	if (stat(where, &st) == 0 && S_ISDIR(st.st_mode))
		return in_folder(s, where, &p->file, e);
	p->log = true;
	r = strchr(where, '/') ? blockdev_find(where, &p->dev, e)
			       : err_set(e, ERR_FAILED, "it is not there");
	if (r != 0) {
		err_wrap(e, "the spool %s is neither a folder nor a block device", where);
		e->code = ERR_FAILED;
		return err_hint(e, "make it, or choose another with srsync --spool WHERE serve");
	}
	return check_partnerships(s->host, &p->dev, e);
}

int redo_place_check(const struct host *h, struct err *e)
{
	struct partnership none = {.volumes = 0};
	struct place p;

	if (wanted(&(struct session){.host = h, .p = &none}, &p, e) < 0)
		return -1;
	if (!p.log || p.dev.path[0])
		return 0;
	err_set(e, ERR_FAILED, "the log volume %s is not active", p.dev.name);
	return err_hint(e, "lvchange -ay %s", p.dev.name);
}

static int remember(const struct session *s, const char *text, struct err *e)
{
	struct host_path link = session_file(s, "spool");

	if (symlink(text, link.s) < 0)
		return err_sys(e, "link %s", link.s);
	if (io_sync_dir_of(link.s, e) < 0)
		return -1;
	fault("redo.linked");
	return 0;
}

static struct spool *create_log(const struct session *s, const struct place *p,
				const struct manifest *m, const uint8_t *digest, struct err *e)
{
	const struct spool_owner o = owner(s);
	_cleanup_free_ char *text = xasprintf(LOG "%s", p->dev.stable);
	_cleanup_(spool_freep) struct spool *log = spool_log_take(&p->dev, &o, m->segments, e);

	if (!log || remember(s, text, e) < 0 || spool_log_claim(log, &o, digest, e) < 0)
		return NULL;
	fault("redo.claimed");
	return TAKE(log);
}

struct spool *redo_place_create(const struct session *s, const struct manifest *m,
				const uint8_t *digest, uint64_t bytes, struct err *e)
{
	struct host_path own = session_file(s, "spool");
	struct place p;

	if (wanted(s, &p, e) < 0)
		return NULL;
	if (p.log)
		return create_log(s, &p, m, digest, e);
	if (spool_room(p.file.s, bytes, e) < 0 ||
	    (strcmp(p.file.s, own.s) && remember(s, p.file.s, e) < 0))
		return NULL;
	return spool_create(p.file.s, digest, e);
}

struct spool *redo_place_open(const struct session *s, const uint8_t *digest, struct err *e)
{
	const struct spool_owner o = owner(s);
	struct place p;

	if (remembered(s, &p, e) < 0)
		return NULL;
	return p.log ? spool_log_open(&p.dev, &o, digest, e) : spool_open(p.file.s, digest, e);
}

int redo_place_room(const struct session *s, const struct spool *spool, const struct manifest *m,
		    uint64_t bytes, struct err *e)
{
	uint64_t used = spool_used(spool);

	if (redo_place_shared(s))
		return spool_log_room(spool, m->segments, e);
	return spool_room(spool_name(spool), bytes > used ? bytes - used : 0, e);
}

int redo_place_drop(const struct session *s, struct err *e)
{
	struct host_path link = session_file(s, "spool");
	const struct spool_owner o = owner(s);
	struct place p;

	if (remembered(s, &p, e) < 0 || (p.log && spool_log_release(&p.dev, &o, e) < 0))
		return -1;
	if (!p.log && unlink(p.file.s) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", p.file.s);
	if (unlink(link.s) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", link.s);
	return 0;
}

int redo_place_reach(const struct session *s, struct err *e)
{
	struct place p;

	return remembered(s, &p, e);
}

static bool is_at(const char *stable, const struct blockdev *b)
{
	struct blockdev log;
	struct err ignored = ERR_INIT;

	return !strcmp(stable, b->stable) ||
	       (stable[0] == '/' && blockdev_find(stable, &log, &ignored) == 0 &&
		blockdev_same(&log, b));
}

/* What some partnership's spool lies on, also after the setting was changed. */
static int check_remembered(const struct host *h, const struct blockdev *b, struct err *e)
{
	char **names;
	int n = partnership_names(h, &names, e), bad = n < 0 ? -1 : 0;

	for (int i = 0; i < n && !bad; i++) {
		struct partnership p = {.volumes = 0};
		struct session s = {.host = h, .p = &p};
		struct host_path text;

		snprintf(p.name, sizeof(p.name), "%s", names[i]);
		if (read_link(&s, &text) && is_log(text.s) && is_at(text.s + strlen(LOG), b))
			bad = err_set(e, ERR_REFUSED, "%s holds the spool of the partnership %s",
				      b->name, p.name);
	}
	if (n >= 0)
		partnership_names_free(names);
	return bad;
}

int redo_place_refuse(const struct host *h, const char *volume, struct err *e)
{
	struct blockdev b, log;
	struct err other = ERR_INIT;

	if (blockdev_find(volume, &b, &other) != 0)
		return 0; /* a file */
	if (check_remembered(h, &b, e) < 0)
		return -1;
	if (!h->spool[0] || blockdev_find(h->spool, &log, &other) != 0 || !blockdev_same(&b, &log))
		return 0;
	err_set(e, ERR_REFUSED, "%s is this host's log volume (--spool, SRSYNC_SPOOL)", b.name);
	return err_hint(e, "name another volume");
}
