/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "cut.h"
#include "fault.h"
#include "fmt.h"
#include "watchdog.h"

#define ATTEMPTS 3 /* somebody else may be at the volumes at this very moment */

_Static_assert(WATCHDOG_DEVICES_MAX >= 2 * CUT_VOLUMES_MAX, "two devices a volume");

struct cutting {
	struct volume *const *v;
	unsigned n;
	uint64_t since_us[CUT_VOLUMES_MAX]; /* freeze called */
	uint32_t pause_us;
};

/* memory is locked for the whole process, so one cut at a time */
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

static int by_uuid(const void *a, const void *b)
{
	return strcmp((*(struct volume *const *)a)->uuid, (*(struct volume *const *)b)->uuid);
}

/* allot takes a lock of each volume and waits for those that another process has: everybody in the
 * same order, or two groups that share volumes would wait for each other. */
static int allot_all(struct cutting *c, char *words, size_t size, struct err *e)
{
	struct volume *order[CUT_VOLUMES_MAX];
	size_t n = 0;

	memcpy(order, c->v, c->n * sizeof(struct volume *));
	qsort(order, c->n, sizeof(struct volume *), by_uuid);
	words[0] = '\0';
	for (unsigned i = 0; i < c->n; i++) {
		if (order[i]->ops->allot(order[i], e) < 0 ||
		    order[i]->ops->thaw_words(order[i], words + n, size - n, e) < 0)
			return err_wrap(e, "%s", order[i]->name);
		n += strlen(words + n);
	}
	return 0;
}

static int freeze_all(struct cutting *c, struct err *e)
{
	for (unsigned i = 0; i < c->n; i++) {
		c->since_us[i] = fmt_mono_us();
		if (c->v[i]->ops->freeze(c->v[i], e) < 0)
			return err_wrap(e, "freeze %s", c->v[i]->name);
	}
	return 0;
}

static int snap_all(struct cutting *c, struct err *e)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i]->ops->snap(c->v[i], e) < 0)
			return err_wrap(e, "snapshot of %s", c->v[i]->name);
	return 0;
}

/* All of them, also when one cannot be thawed. */
static int thaw_all(struct cutting *c, struct err *e)
{
	struct err other;
	int bad = 0;

	for (unsigned i = 0; i < c->n; i++) {
		uint64_t pause;

		if (c->v[i]->ops->thaw(c->v[i], bad ? &other : e) < 0 && !bad)
			bad = err_wrap(e, "thaw %s", c->v[i]->name);
		pause = c->since_us[i] ? fmt_mono_us() - c->since_us[i] : 0;
		if (c->v[i]->pause_us)
			pause = c->v[i]->pause_us;
		if (pause > c->pause_us)
			c->pause_us = pause > UINT32_MAX ? UINT32_MAX : (uint32_t)pause;
	}
	return bad;
}

/* What happens while writes are held. Nothing in here allocates, logs or executes. */
static int instant(struct cutting *c, struct watchdog *dog, struct cut *out, struct err *e)
{
	struct err late = ERR_INIT;
	int r = dog ? watchdog_arm(dog, e) : 0, thawed;

	if (r == 0)
		r = freeze_all(c, e);
	if (r == 0) {
		fault("cut.frozen");
		out->time_ms = fmt_now_ms();
		r = snap_all(c, e);
	}
	if (r == 0)
		fault("cut.snapped");
	thawed = thaw_all(c, r == 0 ? e : &late);
	if (thawed < 0)
		r = -1;
	if (dog && watchdog_stop(dog, thawed == 0, r == 0 ? e : &late) < 0)
		r = -1;
	return thawed < 0 ? -1 : r;
}

static int hold_still(struct cutting *c, const char *words, struct cut *out, struct err *e)
{
	struct watchdog *dog;
	int r;

	if (!words[0]) /* nothing that we would have to thaw: neither root nor a watchdog is needed
			*/
		return instant(c, NULL, out, e);
	dog = watchdog_start(words, CUT_LIMIT_MS, e);
	if (!dog)
		return -1;
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
		struct err other;

		err_sys(e, "lock memory for the cut");
		err_hint(e, "raise the limit of locked memory (LimitMEMLOCK=infinity, ulimit -l)");
		watchdog_stop(dog, true, &other);
		return -1;
	}
	r = instant(c, dog, out, e);
	munlockall();
	return r;
}

static int prove_all(struct cutting *c, struct cut *out, struct err *e)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i]->ops->proof(c->v[i], out->token[i], e) < 0)
			return err_wrap(e, "cut of %s", c->v[i]->name);
	return 0;
}

static void calm_all(struct cutting *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i]->ops->calm)
			c->v[i]->ops->calm(c->v[i]);
}

static int steps(struct cutting *c, struct cut *out, struct err *e)
{
	char words[CUT_VOLUMES_MAX * (VOLUME_NAME_MAX + 16)];

	if (allot_all(c, words, sizeof(words), e) < 0)
		return -1;
	fault("cut.allotted");
	calm_all(c);
	if (hold_still(c, words, out, e) < 0)
		return -1;
	out->pause_us = c->pause_us;
	fault("cut.thawed");
	if (prove_all(c, out, e) < 0)
		return -1;
	fault("cut.proved");
	return 0;
}

static int attempt(struct cutting *c, struct cut *out, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < c->n && r == 0; i++) {
		c->v[i]->pause_us = 0;
		r = volume_may_join(c->v[i], c->n, e);
	}
	for (unsigned i = 0; i < c->n && r == 0; i++)
		if (c->v[i]->ops->ready(c->v[i], e) < 0)
			r = err_wrap(e, "%s", c->v[i]->name);
	if (r == 0) {
		calm_all(c);
		r = steps(c, out, e);
	}
	for (unsigned i = 0; i < c->n; i++)
		c->v[i]->ops->done(c->v[i], r == 0);
	return r;
}

int cut_group(struct volume *const *v, unsigned n, struct cut *out, struct err *e)
{
	int r = -1;

	assert(n >= 1 && n <= CUT_VOLUMES_MAX);
	pthread_mutex_lock(&one);
	for (unsigned i = 0; i < n; i++)
		v[i]->in_group = n > 1;
	for (unsigned i = 0; i < ATTEMPTS && r < 0; i++) {
		struct cutting c = {.v = v, .n = n};
		struct err why = ERR_INIT;

		memset(out, 0, sizeof(*out));
		r = attempt(&c, out, &why);
		if (r < 0)
			*e = why;
		if (r < 0 && why.code != ERR_BUSY)
			break;
	}
	pthread_mutex_unlock(&one);
	return r;
}
