/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cut of a plain volume: one lvcreate -s, which suspends the volume and resumes it.
 *
 * How long writes were held is seen by asking the kernel for the volume's state every millisecond:
 * from the last look before LVM had loaded a table or suspended it, to the first look after. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "fmt.h"
#include "log.h"
#include "plain.h"
#include "tags.h"

#define LOOK_EVERY_US 1000

int plain_ready(struct volume *v, struct err *e)
{
	struct plain *t = plain_of(v);

	if (plain_load(t, e) != 0 || plain_store_wanted(t, &t->store, e) < 0)
		return -1;
	strcpy(t->into, t->next);
	return 0;
}

/* From here to done only one srsync works on the volume, and a mark says so. */
int plain_allot(struct volume *v, struct err *e)
{
	struct plain *t = plain_of(v);

	t->failed = false;
	return freeze_open(&t->freeze, t->dm_uuid, e);
}

/* There is nothing that the watchdog could thaw: LVM's command does, whatever becomes of us. */
int plain_thaw_words(struct volume *v, char *out, size_t size, struct err *e)
{
	(void)v;
	(void)e;
	snprintf(out, size, "%s", "");
	return 0;
}

int plain_freeze(struct volume *v, struct err *e)
{
	(void)v;
	(void)e;
	return 0;
}

struct watch {
	struct freeze *freeze;
	atomic_bool stop;
	uint64_t longest_us;
};

static void *watch(void *arg)
{
	struct watch *w = arg;
	uint64_t calm = fmt_mono_us(), since = 0;

	while (!atomic_load(&w->stop)) {
		uint64_t before = fmt_mono_us();

		if (dmcall_run(w->freeze->control, &w->freeze->status) < 0)
			break;
		if (dmcall_is_suspended(&w->freeze->status) ||
		    dmcall_is_loaded(&w->freeze->status)) {
			since = since ? since : calm;
		} else {
			if (since && fmt_mono_us() - since > w->longest_us)
				w->longest_us = fmt_mono_us() - since;
			calm = before;
			since = 0;
		}
		usleep(LOOK_EVERY_US);
	}
	return NULL;
}

static int create(struct plain *t, struct err *e)
{
	struct tags tags = tags_of(&t->v);
	char size[32];

	snprintf(size, sizeof(size), "%" PRIu64 "b", t->store);
	return lvm_do(e, "lvcreate", "-q", "-y", "-s", "-pr", "-c", PLAIN_CHUNK_LVM, "-L", size,
		      "-n", t->into, "--addtag", tags.partnership, "--addtag", tags.volume,
		      t->v.name, t->devices ? "--devices" : NULL, t->devices);
}

int plain_snap(struct volume *v, struct err *e)
{
	struct plain *t = plain_of(v);
	struct watch w = {.freeze = &t->freeze};
	pthread_t thread;
	bool watched = t->freeze.active && pthread_create(&thread, NULL, watch, &w) == 0;
	int r = create(t, e);

	atomic_store(&w.stop, true);
	if (watched)
		pthread_join(thread, NULL);
	v->pause_us = w.longest_us > UINT32_MAX ? UINT32_MAX : (uint32_t)w.longest_us;
	t->failed = r < 0;
	return r;
}

/* A command that was killed may have left the volume suspended. */
int plain_thaw(struct volume *v, struct err *e)
{
	struct plain *t = plain_of(v);

	if (!t->failed || plain_refresh(t, e) == 0)
		return 0;
	t->freeze.frozen = true; /* keeps the mark, for the next prepare */
	return -1;
}

static struct plain_snap *by_name(struct plain *t, const char *name)
{
	for (unsigned i = 0; i < t->snaps; i++)
		if (!strcmp(t->snap[i].name, name))
			return &t->snap[i];
	return NULL;
}

/* The command has made it under this name; from here on it is known by its uuid. */
int plain_proof(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e)
{
	struct plain *t = plain_of(v);
	struct dmdev_table table;
	struct plain_token k;
	struct plain_snap *s;
	char why[256];
	int r;

	if (plain_load(t, e) != 0)
		return -1;
	s = by_name(t, t->into);
	if (!s)
		return err_set(e, ERR_FAILED, "LVM does not list the snapshot that it has made");
	if (dmdev_table(s->dm_uuid, &table, e) < 0)
		return -1;
	v->size = k.size = table.sectors * 512;
	strcpy(k.uuid, s->uuid);
	strcpy(k.origin, v->uuid);
	plain_token_print(&k, token);
	r = plain_held(v, token, NULL, why, sizeof(why), e);
	return r == 0 ? err_set(e, ERR_FAILED, "the new snapshot is of no use: %s", why)
		      : (r < 0 ? -1 : 0);
}

void plain_done(struct volume *v, bool good)
{
	struct plain *t = plain_of(v);
	struct err e = ERR_INIT;
	struct plain_snap *s;

	freeze_close(&t->freeze);
	if (!good && t->into[0]) {
		s = plain_load(t, &e) == 0 ? by_name(t, t->into) : NULL;
		if (s && plain_remove(t, s->uuid, &e) < 0)
			log_err(LOG_LEVEL_WARN, &e); /* else the next prepare does it */
	}
	t->into[0] = '\0';
}
