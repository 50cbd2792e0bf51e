/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cut of a plain volume: one lvcreate -s, which suspends the volume and resumes it.
 *
 * How long writes were held is seen by asking the kernel for the volume's state every millisecond:
 * from the last look at which LVM had not made the new snapshot's devices, which it does right
 * before it freezes, to the first look at the volume resumed. So it was not longer than that. */
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
	(void)v;
	(void)e;
	return 0;
}

/* From here to done only one srsync works on the volume, and a mark says so. LVM is asked under
 * that lock, so that the name is free; no volume of another kind is allotted meanwhile, see alone.
 */
int plain_allot(struct volume *v, struct err *e)
{
	struct plain *t = plain_of(v);

	t->failed = false;
	if (freeze_open(&t->freeze, t->dm_uuid, e) < 0 || plain_load(t, e) != 0 ||
	    plain_store_wanted(t, &t->store, e) < 0)
		return -1;
	strcpy(t->into, t->next);
	return 0;
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
	int control;
	struct dmcall volume, real; /* real: the device below the volume, once it has a snapshot */
	atomic_bool stop;
	uint64_t us;
};

/* Of the device below: the table of the new snapshot holds it too, shortly before the suspend. */
static int32_t holders(struct watch *w)
{
	return dmcall_run(w->control, &w->real) < 0 ? 0 : w->real.run.head.open_count;
}

static void *watch(void *arg)
{
	struct watch *w = arg;
	uint64_t calm = fmt_mono_us(), since = 0, now;
	int32_t first = holders(w);
	bool seen = false, suspended, begun;

	for (bool over = false; !over; usleep(LOOK_EVERY_US)) {
		over = atomic_load(&w->stop); /* one look more: to the command's end at most */
		now = fmt_mono_us();
		if (dmcall_run(w->control, &w->volume) < 0)
			break;
		suspended = dmcall_is_suspended(&w->volume);
		begun = suspended || dmcall_is_loaded(&w->volume) || holders(w) != first;
		seen |= suspended;
		if (begun && !since)
			since = calm;
		if (!since)
			calm = now;
		else if (!suspended && (seen || over))
			over = true;
	}
	w->us = since ? fmt_mono_us() - since : 0;
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
	struct watch w = {.control = t->freeze.control};
	pthread_t thread;
	bool watched;
	int r;

	dmcall_status(&w.volume, t->dm_uuid);
	dmcall_status(&w.real, t->real_dm_uuid);
	watched = t->freeze.active && pthread_create(&thread, NULL, watch, &w) == 0;
	r = create(t, e);
	atomic_store(&w.stop, true);
	if (watched)
		pthread_join(thread, NULL);
	v->pause_us = w.us > UINT32_MAX ? UINT32_MAX : (uint32_t)w.us;
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
