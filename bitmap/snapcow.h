/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the exception store of a persistent classic snapshot (LVM's VG-SNAP-cow device, or a copy
 * of it in a file): which chunks of the origin have been written since the snapshot was made.
 *
 * The format is the kernel's, drivers/md/dm-snap-persistent.c, little-endian, without checksums:
 *   chunk 0               {magic "SnAp", valid, version 1, chunk size in sectors}, each 32 bits
 *   chunk 1 + a * (E + 1) area a: E = chunk bytes / 16 entries {old_chunk, new_chunk}, each 64 bits
 *   other chunks          copies of what the origin held
 * The first entry whose new_chunk is 0 ends the table. Entries are only ever appended, a write to
 * the origin waits until its entry is durable, and the area after a full one is emptied before the
 * full one is. So the table of a snapshot in use is read while it grows: what is in it when the
 * reading begins is found, and later entries may be. A store that was overrun says so (valid 0). */
#ifndef SNAPCOW_H
#define SNAPCOW_H

#include <stdint.h>

#include "bset.h"
#include "err.h"

#define SNAPCOW_CHUNK_MIN 4096
#define SNAPCOW_CHUNK_MAX (512u << 10) /* what LVM allows; bytes */

struct snapcow {
	uint32_t chunk_size; /* bytes: the unit of the set */
	uint64_t entries;
};

/* Adds every chunk of the table to set, or nothing on failure. Bounded memory: the set and one
 * batch of blocks. origin_size: bytes; an entry beyond it is damage. An error of any cause means
 * that the table is not to be trusted: the store is invalid, foreign, half-written, damaged or
 * cannot be read. */
int snapcow_read(const char *path, uint64_t origin_size, struct bset *set, struct snapcow *out,
		 struct err *e);

#endif
