/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync verify: compares the newest cut that both hosts hold, from frozen data on both sides, so
 * that a difference is always real.
 *
 * The work is done in rounds of some seconds. A round holds the partnership's lock, so that neither
 * cut goes away; between two rounds run can take its cut, and the rest is compared on the newer
 * one. So each part of the volumes is proven on one cut that both held, from .first_seq to
 * .last_seq. */
#ifndef VERIFY_H
#define VERIFY_H

#include "bset.h"
#include "host.h"
#include "partnership.h"
#include "report.h"

#define VERIFY_ROUND_MS                                                                            \
	10000              /* the lock is held for so long, and to the end of the slices begun     \
			    */
#define VERIFY_GAP_MS 1000 /* between two rounds */

struct verify_options {
	bool repair;   /* mark what differs for the next cut */
	uint64_t rate; /* bytes per second read at the source at most; 0: no limit */
	void (*progress)(void *arg, const struct progress *p); /* may be NULL */
	void *arg;
};

struct verify {
	struct bset *differ[PARTNERSHIP_VOLUMES_MAX]; /* owned; blocks of */
	uint32_t block[PARTNERSHIP_VOLUMES_MAX];      /* bytes */
	uint64_t size[PARTNERSHIP_VOLUMES_MAX];       /* bytes, of the volume when it was begun */
	uint64_t first_seq, last_seq;
	uint64_t bytes;   /* compared */
	uint64_t differs; /* bytes of blocks that differ */
	uint64_t wire;    /* bytes of questions and answers */
	int64_t finished_ms;
	bool marked; /* the next sync ships what differs */
};

void verify_free(struct verify *v);
DEFINE_FREEP(verify_free, struct verify);

/* The result, also when something differs; the caller frees it. NULL: it could not be told. */
struct verify *verify_run(const struct host *h, const char *name, const struct verify_options *o,
			  struct err *e);

#endif
