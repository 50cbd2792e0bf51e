/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer, as the source sees it: the calls of /v1 by name. Every call fails with ERR_PEER when
 * the peer cannot be reached, else with the peer's own error. */
#ifndef REMOTE_H
#define REMOTE_H

#include "client.h"
#include "hashes.h"
#include "partnership.h"
#include "state.h"

/* What GET /v1/replicas/ID and the begin of a cut say. */
struct remote_replica {
	struct state *state;               /* the cuts it holds; owned */
	char open_generation[FMT_ID_SIZE]; /* the open cut, or empty */
	uint64_t open_seq;
	struct bset *received; /* durable segments of the open cut; owned */
	/* Of the volumes of the newest cut, in bytes; 0: the peer did not say. */
	uint64_t size[PARTNERSHIP_VOLUMES_MAX];
	bool paused;
};

void remote_replica_free(struct remote_replica *r);
DEFINE_FREEP(remote_replica_free, struct remote_replica);

#define REMOTE_STALL_MS 60000

/* A connection for the partnership. One per thread. stall_ms: an answer may take so long. */
struct client *remote_connect(const struct partnership *p, const struct identity *id,
			      unsigned stall_ms, struct err *e);

struct remote_replica *remote_get(struct client *c, const char *id, struct err *e);
/* PUT of the request made by setup.c. */
int remote_create(struct client *c, const char *id, const json_t *request, struct err *e);
int remote_remove(struct client *c, const char *id, struct err *e);
/* Brings the target back to its committed cut, throwing away what somebody else wrote there. */
int remote_rewind(struct client *c, const char *id, struct err *e);

/* Has what the targets hold adopted as the seed: generation, seq, time_ms and sizes of seed. */
struct remote_replica *remote_adopt(struct client *c, const char *id, const struct state_cut *seed,
				    struct err *e);
/* Asks for hashes; the answer replaces what is in it. wire (may be NULL) gets the bytes of both. */
int remote_hashes(struct client *c, const char *id, const struct hashes *q, struct buf *answer,
		  _Atomic uint64_t *wire, struct err *e);

struct remote_replica *remote_begin(struct client *c, const char *id, uint64_t seq,
				    const struct buf *manifest, struct err *e);
int remote_segment(struct client *c, const char *id, uint64_t seq, uint64_t number,
		   const struct buf *segment, struct err *e);
struct remote_replica *remote_commit(struct client *c, const char *id, uint64_t seq, struct err *e);

/* The same from the JSON itself, as srsync receive reports it. */
struct remote_replica *remote_replica_parse(const void *text, size_t len, struct err *e);

/* Has the peer, a source, run "sync", "verify", "pause" or "resume"; the object it prints (the
 * caller's). */
json_t *remote_drive(struct client *c, const char *id, const char *command, struct err *e);

/* The other direction of the same JSON, for the destination's API. received may be NULL. */
json_t *remote_replica_json(const struct state *s, const char *open_generation, uint64_t open_seq,
			    const struct bset *received, bool paused);

#endif
