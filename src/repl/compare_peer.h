/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer of a comparison, over the network: a connection per worker. */
#ifndef COMPARE_PEER_H
#define COMPARE_PEER_H

#include "compare.h"
#include "identity.h"
#include "remote.h"

#define COMPARE_ANSWER_MS 180000 /* the peer reads 256 MiB, perhaps behind others */

struct compare_net {
	const char *id; /* of the partnership */
	struct client *client[COMPARE_STREAMS];
	_Atomic uint64_t wire; /* bytes of questions and answers */
};

int compare_net_open(struct compare_net *n, const struct partnership *p, const struct identity *id,
		     struct err *e);
void compare_net_close(struct compare_net *n);

/* Prepares the comparison of volume i: our cut with the peer's, as far as both reach, with a new
 * seed. The caller adds granule, rate and cancel. */
void compare_init(struct compare *c, struct compare_net *n, struct volume *v, const char *token,
		  unsigned i, const struct state_cut *theirs, uint64_t size);

#endif
