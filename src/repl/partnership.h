/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A partnership as this host knows it: confdir/partnerships/NAME.json. Both hosts hold one of the
 * same name and id, seen from their own side. */
#ifndef PARTNERSHIP_H
#define PARTNERSHIP_H

#include <jansson.h>

#include "bitlog.h"
#include "fine.h"
#include "fmt.h"
#include "peers.h"
#include "volume.h"

#define PARTNERSHIP_VOLUMES_MAX BITLOG_VOLUMES_MAX
#define PARTNERSHIP_RPO_MS      60000
#define PARTNERSHIP_KEEP        2 /* cuts kept at the destination */
#define PARTNERSHIP_KEEP_MAX    64
#define PARTNERSHIPS_MAX        1024

struct partnership_volume {
	char local[VOLUME_NAME_MAX];  /* on this host */
	char remote[VOLUME_NAME_MAX]; /* on the peer */
	char uuid[VOLUME_UUID_MAX];   /* of the source's volume: identity before bytes */
};

struct partnership {
	char name[PEER_NAME_SIZE];
	char id[FMT_ID_SIZE];
	enum volume_role role;
	char peer_address[256]; /* HOST:PORT of the peer's srsync serve; may be empty at the target
				 */
	char peer_fingerprint[IDENTITY_FINGERPRINT_SIZE];
	uint64_t rpo_ms;
	uint64_t keep;
	uint64_t rate;       /* bytes per second at most; 0: no limit */
	enum fine_mode fine; /* of the source */
	bool seeded;         /* at the source: the targets held a copy before the first cut */
	unsigned volumes;
	struct partnership_volume volume[PARTNERSHIP_VOLUMES_MAX];
};

void partnership_free(struct partnership *p);
DEFINE_FREEP(partnership_free, struct partnership);

struct partnership *partnership_load(const struct host *h, const char *name, struct err *e);
struct partnership *partnership_find_id(const struct host *h, const char *id, struct err *e);
/* Writes it; with fresh, a partnership of that name must not exist yet. Makes its state folder. */
int partnership_save(const struct host *h, const struct partnership *p, bool fresh, struct err *e);
/* Removes the file, then the state folder. */
int partnership_delete(const struct host *h, const struct partnership *p, struct err *e);

/* All names, sorted; the caller frees the array with partnership_names_free(). The count, or -1. */
int partnership_names(const struct host *h, char ***names, struct err *e);
void partnership_names_free(char **names);

/* "source" or "destination". */
const char *partnership_role_word(enum volume_role role);

/* Takes the lock of the partnership on this host: whoever changes its data or state holds it.
 * The descriptor, or -1; ERR_BUSY when another has it. */
int partnership_lock(const struct host *h, const char *name, const char *what, unsigned wait_ms,
		     struct err *e);

/* The administrator's pause, a marker file, so that it needs no lock. */
int partnership_pause(const struct host *h, const char *name, bool pause, struct err *e);
bool partnership_paused(const struct host *h, const char *name);

#endif
