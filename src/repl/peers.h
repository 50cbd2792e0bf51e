/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hosts that may call this one: confdir/peers.json, written by grant and revoke. */
#ifndef PEERS_H
#define PEERS_H

#include <stdint.h>

#include "cleanup.h"
#include "host.h"
#include "identity.h"

#define PEERS_MAX      1024
#define PEER_NAME_SIZE 64

/* push: may make replicas here and push cuts to its own. manage: may also drive the partnerships
 * it shares with this host (srsync sync, pause, resume from there). */
enum peer_role { PEER_PUSH, PEER_MANAGE };

struct peer {
	char name[PEER_NAME_SIZE];
	char fingerprint[IDENTITY_FINGERPRINT_SIZE];
	enum peer_role role;
	int64_t granted_ms;
};

struct peers {
	unsigned n;
	struct peer peer[PEERS_MAX];
};

void peers_free(struct peers *p);
DEFINE_FREEP(peers_free, struct peers);

struct peers *peers_load(const struct host *h, struct err *e); /* no file: nobody */
/* Adds, or changes the name or role of a known fingerprint. A name in use by another is refused. */
int peers_grant(const struct host *h, const struct peer *p, struct err *e);
int peers_revoke(const struct host *h, const char *name, struct err *e);
/* The peer with this fingerprint, or NULL. */
const struct peer *peers_find(const struct peers *p, const char *fingerprint);

const char *peer_role_word(enum peer_role r);
int peer_role_parse(const char *word, enum peer_role *r, struct err *e);
/* Names of hosts and partnerships: letters, digits, _ . - ; starts with a letter or digit. */
int peer_name_check(const char *what, const char *name, struct err *e);

#endif
