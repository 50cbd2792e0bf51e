/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ships the newest logged cut to the peer, or into a stream: what the log says has changed since the
 * committed cut, in segments. */
#ifndef SHIP_H
#define SHIP_H

#include "identity.h"
#include "manifest.h"
#include "remote.h"
#include "source.h"
#include "sync.h"

#define SHIP_STREAMS 3 /* connections, each with one segment in flight */

struct ship {
	struct source *s;
	const struct sync_options *options;
	/* results */
	struct report_cut cut;
	bool partial; /* segments are durable at the peer, and the cut is not committed */
};

/* Everything that describes the newest cut against base (NULL: the peer has nothing). The sets are
 * the caller's; sets[v] NULL: the whole volume. */
int ship_manifest(const struct source *s, const struct state_cut *base, bool full,
		  struct bset *sets[PARTNERSHIP_VOLUMES_MAX], struct manifest **out,
		  struct err *e);

/* To the peer, resuming what it holds of this very cut; returns when it has committed. *after: what
 * the peer holds then. */
int ship_to_peer(struct ship *sh, const struct identity *id, const struct state_cut *base,
		 struct remote_replica **after, struct err *e);

#endif
