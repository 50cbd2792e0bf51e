/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exception stores for tests, built as the kernel builds them. */
#ifndef SNAPCOW_IMAGE_H
#define SNAPCOW_IMAGE_H

#include <stdint.h>

/* Into an empty file: a valid store with these chunks of the origin in its table, in this order.
 * The area behind a full one is there and empty. Bytes of the file. */
uint64_t si_write(int fd, uint32_t chunk_size, const uint64_t *chunk, uint64_t n);
/* Where entry i stands: bytes. */
uint64_t si_entry(uint32_t chunk_size, uint64_t i);
void si_put32(int fd, uint64_t at, uint32_t v);
void si_put64(int fd, uint64_t at, uint64_t v);

#endif
