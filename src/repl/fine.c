/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "bset.h"
#include "fine.h"

static const char *const words[] = {"auto", "on", "off"};

uint32_t fine_block_size(uint64_t size, uint32_t chunk)
{
	bool numbered = size <= BSET_MAX_BLOCKS * FINE_PAGE;

	return numbered && chunk % FINE_PAGE == 0 ? FINE_PAGE : chunk;
}

bool fine_wanted(enum fine_mode mode, const struct fine_history *h, uint64_t changed, uint64_t size)
{
	if (mode != FINE_AUTO || changed == 0)
		return mode == FINE_ON && changed > 0;
	if (changed > size / FINE_LARGE)
		return false;
	if (changed <= FINE_SMALL || h->chunks == 0 || h->skipped >= FINE_PROBE)
		return true;
	return (double)h->pages / h->chunks < FINE_PERCENT / 100.0;
}

void fine_learn(struct fine_history *h, uint64_t chunks, uint64_t pages)
{
	h->chunks = h->chunks / 2 + chunks;
	h->pages = h->pages / 2 + pages;
	h->skipped = 0;
	h->failed = false;
}

const char *fine_word(enum fine_mode mode)
{
	return words[mode];
}

bool fine_parse(const char *word, enum fine_mode *mode)
{
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i])) {
			*mode = i;
			return true;
		}
	return false;
}
