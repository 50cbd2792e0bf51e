/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fine.h"
#include "bset.h"

uint32_t fine_block_size(uint64_t size, uint32_t chunk)
{
	bool numbered = size <= BSET_MAX_BLOCKS * FINE_PAGE;

	return numbered && chunk % FINE_PAGE == 0 ? FINE_PAGE : chunk;
}
