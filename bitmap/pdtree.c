/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <isa-l/crc.h>
#include <string.h>

#include "pdtree.h"

enum { NODE_INTERNAL = 1, NODE_LEAF = 2 };

uint32_t pd_checksum(const uint8_t block[static BLOCKIO_SIZE], enum pd_kind kind)
{
	/* crc32_iscsi() inverts neither at the start nor at the end, and neither does the kernel.
	 */
	return crc32_iscsi((unsigned char *)block + 4, BLOCKIO_SIZE - 4, UINT32_MAX) ^
	       (uint32_t)kind;
}

static int bad(uint64_t block, const char *why, struct err *e)
{
	return err_set(e, ERR_FAILED, "metadata block %" PRIu64 ": %s", block, why);
}

int pd_check(const uint8_t block[static BLOCKIO_SIZE], uint64_t where, enum pd_kind kind,
	     struct err *e)
{
	if (le32_at(block) != pd_checksum(block, kind))
		return bad(where, "wrong checksum", e);
	if (le64_at(block + 8) != where)
		return bad(where, "holds another block's contents", e);
	return 0;
}

static int check_header(const struct pdnode *n, const struct pdnode_want *want, uint32_t flags,
			struct err *e)
{
	if (flags != NODE_INTERNAL && flags != NODE_LEAF)
		return bad(want->block, "unknown kind of node", e);
	if (n->value_size != (n->leaf ? want->value_size : 8))
		return bad(want->block, "wrong size of values", e);
	if (n->max > (BLOCKIO_SIZE - PDNODE_HEADER) / (8 + n->value_size) || n->nr > n->max)
		return bad(want->block, "more entries than fit", e);
	if (n->nr == 0 && !(n->leaf && want->may_be_empty))
		return bad(want->block, "empty node", e);
	return 0;
}

static int check_keys(const struct pdnode *n, const struct pdnode_want *want, struct err *e)
{
	uint64_t min = want->first, key;

	for (unsigned i = 0; i < n->nr; i++, min = key + 1) {
		key = pdnode_key(n, i);
		if (key < min || key >= want->end)
			return bad(want->block, "keys out of order", e);
	}
	return 0;
}

int pdnode_load(struct pdnode *n, const uint8_t data[static BLOCKIO_SIZE],
		const struct pdnode_want *want, struct err *e)
{
	uint32_t flags = le32_at(data + 4);

	if (pd_check(data, want->block, PD_BTREE, e) < 0)
		return -1;
	*n = (struct pdnode){.data = data,
			     .nr = le32_at(data + 16),
			     .max = le32_at(data + 20),
			     .value_size = le32_at(data + 24),
			     .leaf = flags == NODE_LEAF};
	if (check_header(n, want, flags, e) < 0)
		return -1;
	return check_keys(n, want, e);
}

/* The last entry whose key is not above key; -1 if there is none. */
static int find_entry(const struct pdnode *n, uint64_t key)
{
	unsigned lo = 0, hi = n->nr;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (pdnode_key(n, mid) <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (int)lo - 1;
}

int pdtree_lookup(struct blockio *io, uint64_t root, uint64_t key, unsigned value_size,
		  uint8_t *value, struct err *e)
{
	_cleanup_free_ uint8_t *data = blockio_alloc(1);
	struct pdnode_want want = {root, 0, PDTREE_KEY_END, value_size, true};
	struct pdnode n;

	for (int depth = 0; depth < PDTREE_DEPTH; depth++) {
		if (blockio_read_one(io, want.block, data, e) < 0 ||
		    pdnode_load(&n, data, &want, e) < 0)
			return -1;
		int i = find_entry(&n, key);

		if (i < 0 || (n.leaf && pdnode_key(&n, i) != key))
			return 0;
		if (n.leaf) {
			memcpy(value, pdnode_value(&n, i), value_size);
			return 1;
		}
		want.first = pdnode_key(&n, i);
		want.end = (unsigned)i + 1 < n.nr ? pdnode_key(&n, i + 1) : want.end;
		want.block = pdnode_u64(&n, i);
		want.may_be_empty = false;
	}
	return err_set(e, ERR_FAILED, "the tree at metadata block %" PRIu64 " is too deep", root);
}

struct walk {
	struct blockio *io;
	uint64_t root;
	unsigned value_size;
	pdtree_fn *fn;
	void *arg;
};

/* Every node has keys of its own and is never empty below the root, so a tree that lies cannot make
 * this longer than its range of keys. */
static int walk_node(const struct walk *w, const struct pdnode_want *want, int depth, struct err *e)
{
	_cleanup_free_ uint8_t *data = blockio_alloc(1);
	struct pdnode n;
	int r = 0;

	if (depth == PDTREE_DEPTH)
		return err_set(e, ERR_FAILED, "the tree at metadata block %" PRIu64 " is too deep",
			       w->root);
	if (blockio_read_one(w->io, want->block, data, e) < 0 || pdnode_load(&n, data, want, e) < 0)
		return -1;
	for (unsigned i = 0; i < n.nr && r == 0; i++) {
		struct pdnode_want child = {.value_size = w->value_size};

		if (n.leaf) {
			r = w->fn(w->arg, pdnode_key(&n, i), pdnode_value(&n, i), e);
			continue;
		}
		child.block = pdnode_u64(&n, i);
		child.first = pdnode_key(&n, i);
		child.end = i + 1 < n.nr ? pdnode_key(&n, i + 1) : want->end;
		r = walk_node(w, &child, depth + 1, e);
	}
	return r;
}

int pdtree_walk(struct blockio *io, uint64_t root, unsigned value_size, pdtree_fn *fn, void *arg,
		struct err *e)
{
	struct walk w = {io, root, value_size, fn, arg};
	struct pdnode_want want = {root, 0, PDTREE_KEY_END, value_size, true};

	return walk_node(&w, &want, 0, e);
}
