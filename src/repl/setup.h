/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and removing a partnership from its source. */
#ifndef SETUP_H
#define SETUP_H

#include "partnership.h"

struct setup_options {
	const char *name, *peer, *fingerprint;
	unsigned volumes;
	struct {
		char source[VOLUME_NAME_MAX], target[VOLUME_NAME_MAX];
	} volume[PARTNERSHIP_VOLUMES_MAX];
	uint64_t rpo_ms, keep, rate;
	enum fine_mode fine;
	uint64_t port; /* of srsync serve on this host, told to the peer */
	bool overwrite;
	bool seeded;  /* the targets hold a copy of the volumes: compare, ship what differs */
	bool offline; /* no network between the two: peer and fingerprint may be NULL */
};

/* "vg/data=vg/copy" into volume[volumes++]. */
int setup_add_volume(struct setup_options *o, const char *word, struct err *e);
/* Checks both ends, makes the partnership on both, and the slots. Nothing is left on failure. */
int setup_create(const struct host *h, const struct setup_options *o, struct err *e);
/* On either host. From the source the peer's side goes too, unless local: then only this host's. */
int setup_remove(const struct host *h, const char *name, bool local, struct err *e);

#endif
