/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "compare_peer.h"

static int ask(void *arg, unsigned worker, const struct hashes *q, struct buf *answer,
	       struct err *e)
{
	struct compare_net *n = arg;

	return remote_hashes(n->client[worker], n->id, q, answer, &n->wire, e);
}

int compare_net_open(struct compare_net *n, const struct partnership *p, const struct identity *id,
		     struct err *e)
{
	n->id = p->id;
	for (unsigned i = 0; i < COMPARE_STREAMS; i++)
		if (!(n->client[i] = remote_connect(p, id, COMPARE_ANSWER_MS, e)))
			return -1;
	return 0;
}

void compare_net_close(struct compare_net *n)
{
	for (unsigned i = 0; i < COMPARE_STREAMS; i++)
		client_free(TAKE(n->client[i]));
}

void compare_init(struct compare *c, struct compare_net *n, struct volume *v, const char *token,
		  unsigned i, const struct state_cut *theirs, uint64_t size)
{
	char random[FMT_ID_SIZE];
	struct hashtree t = {.size = size};

	memset(c, 0, sizeof(*c));
	fmt_random_id(random);
	random[16] = '\0';
	c->v = v;
	c->token = token;
	c->peer = (struct compare_peer){ask, n};
	strcpy(c->cut.generation, theirs->generation);
	c->cut.seq = theirs->seq;
	c->cut.time_ms = theirs->time_ms;
	c->cut.volume = i;
	c->cut.size = size;
	c->cut.seed = strtoull(random, NULL, 16);
	c->end = hashtree_nodes(&t, 2);
}
