/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fine changes are kept: pure functions, no I/O. */
#ifndef FINE_H
#define FINE_H

#include <stdint.h>

#define FINE_PAGE 4096 /* bytes: the grain of sets, and what a fine comparison tells apart */

/* Bytes per block of the sets of a volume of size bytes whose kind tells changes in chunks: pages
 * while a set can number them (16 TiB), else chunks. Chunks that are no whole pages stay. */
uint32_t fine_block_size(uint64_t size, uint32_t chunk);

#endif
