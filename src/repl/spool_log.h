/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log volume: a block device that takes the spool of one cut at a time, of any partnership of
 * this host. Its frames lie as in spool.h; its head tells whose they are.
 *
 *   head = "SRSPOOL1", 16 bytes of the XXH3-128 of the manifest's frame, 32 hex digits: the id of
 *          the partnership, 64 bytes: its name and zeros, le64 XXH3-64 of all before; zeros up to
 *          SPOOL_HEAD. Digest, id and name of zeros: free.
 *
 * All that counts lies in the first sector, so a power loss leaves the old head or the new one.
 * open/spool is "log:" and a name of the device that outlives a reboot (blockdev.h).
 *
 * Order of taking it: link open/spool, flushed; head, flushed; open/manifest; frames.
 * Order of letting it go: open/manifest removed; head made free, flushed; link removed.
 * So, of partnership P:
 *   1. linked, the head is not P's: a crash between the first two, or the last two. Nothing of P
 *      is there, and the next begin of P removes the link.
 *   2. linked, the head is P's, its digest is that of open/manifest: the cut is being received, or
 *      committed and to be written in place. Nobody but P may touch it, however long that takes.
 *   3. linked, the head is P's, open/manifest is another or none, or is of a cut that is written in
 *      place: a crash in between. The next begin of P, or start of serve, makes it free.
 *   4. not linked, the head is P's: the device was away when P was removed by force, or somebody
 *      removed the link. Only a person can tell that nothing is lost.
 *   5. a head whose sum is wrong: damaged. Nobody takes it.
 * A device without such a head is taken if libblkid finds nothing on it. Frames of older cuts stay
 * behind a free head: they may look like anything, so what libblkid says counts no longer. */
#ifndef SPOOL_LOG_H
#define SPOOL_LOG_H

#include "blockdev.h"
#include "spool.h"

struct spool_owner {
	const char *id, *name; /* of a partnership */
};

/* Opens it for a new spool of so many segments, exclusively: it is large enough, nobody uses it,
 * and it is empty, free, or already of this owner. Nothing is written yet. ERR_BUSY: it holds a cut
 * of another partnership; ERR_REFUSED: it is no log volume. */
struct spool *spool_log_take(const struct blockdev *b, const struct spool_owner *o,
			     uint64_t segments, struct err *e);
/* Writes the head: from now on it is this owner's, after a power loss too. */
int spool_log_claim(struct spool *s, const struct spool_owner *o,
		    const uint8_t digest[static MANIFEST_DIGEST], struct err *e);

/* The spool of this manifest, or NULL without an error (e->code stays ERR_NONE): there is none. */
struct spool *spool_log_open(const struct blockdev *b, const struct spool_owner *o,
			     const uint8_t digest[static MANIFEST_DIGEST], struct err *e);
/* Is it large enough for so many segments? ERR_FAILED with the numbers. */
int spool_log_room(const struct spool *s, uint64_t segments, struct err *e);
/* Makes it free, if it is this owner's. */
int spool_log_release(const struct blockdev *b, const struct spool_owner *o, struct err *e);

#endif
