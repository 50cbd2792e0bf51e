/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as what follows the key in the file of a comparison, with a good checksum: refused, or
 * the same again after it is written and read. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "compared.h"

#define DIGEST 16 /* bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
	if (!b)
		abort();
}

static struct bitlog_cut cut = {.generation = "0123456789abcdef0123456789abcdef",
				.seq = 5,
				.volumes = 2,
				.volume = {{.token = "a", .size = 1 << 20, .block_size = 4096},
					   {.token = "b", .size = 1 << 21, .block_size = 4096}}};
static struct state_cut base = {.generation = "0123456789abcdef0123456789abcdef", .seq = 4};

/* The key alone: what an empty result is written as, without its own 18 bytes and the checksum. */
static void put_key(struct buf *b)
{
	_cleanup_(compared_freep) struct compared *none = xcalloc(1, sizeof(*none));

	compared_encode(&cut, &base, none, b);
	b->len -= 2 * 8 + 2 + DIGEST;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(compared_freep) struct compared *c = NULL, *again = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT, back = BUF_INIT;
	XXH128_canonical_t d;

	put_key(&b);
	buf_put(&b, data, size);
	XXH128_canonicalFromHash(&d, XXH3_128bits(b.data, b.len));
	buf_put(&b, d.digest, DIGEST);
	c = compared_decode(b.data, b.len, &cut, &base);
	if (!c)
		return 0;
	compared_encode(&cut, &base, c, &back);
	again = compared_decode(back.data, back.len, &cut, &base);
	must(again && again->bytes == c->bytes && again->differ == c->differ);
	for (unsigned i = 0; i < cut.volumes; i++) {
		must(!again->set[i] == !c->set[i]);
		must(!c->set[i] || (bset_covers(c->set[i], again->set[i]) &&
				    bset_covers(again->set[i], c->set[i])));
	}
	return 0;
}
