/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE /* qsort_r */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "thin_cursor.h"

#define MAPPING_SIZE 8 /* bytes of a leaf's value */

static const uint8_t *path_find(const struct thin_path *p, uint64_t block)
{
	for (unsigned i = 0; p && i < p->n; i++)
		if (p->block[i] == block)
			return p->data[i];
	return NULL;
}

/* Levels below the node: known if the other path goes through it. -1: unknown. */
static int path_level(const struct thin_path *p, uint64_t block)
{
	for (unsigned i = 0; p && i < p->n; i++)
		if (p->block[i] == block)
			return (int)(p->n - 1 - i);
	return -1;
}

/* The level of the root, by going down the first children. */
static int find_height(struct thin_cursor *c, uint64_t root, struct err *e)
{
	struct thin_path *p = &c->path;
	struct pdnode_want want = {root, 0, PDTREE_KEY_END, MAPPING_SIZE, true};
	struct pdnode n;
	int below;

	while (p->n < PDTREE_DEPTH) {
		below = path_level(c->twin, want.block);
		if (below >= 0 && p->n + below < PDTREE_DEPTH)
			return (int)p->n + below;
		p->data[p->n] = blockio_alloc(1);
		p->block[p->n] = want.block;
		if (blockio_read_one(c->io, want.block, p->data[p->n++], e) < 0 ||
		    pdnode_load(&n, p->data[p->n - 1], &want, e) < 0)
			return -1;
		if (n.leaf)
			return (int)p->n - 1;
		want.block = pdnode_u64(&n, 0);
		want.may_be_empty = false;
	}
	return err_set(e, ERR_FAILED, "the tree at metadata block %" PRIu64 " is too deep", root);
}

static void frame_start(struct thin_frame *f, const struct pdnode *n, uint64_t end)
{
	f->node = *n;
	f->at = 0;
	f->end = end;
	f->sorted = false;
	memset(f->owner, -1, sizeof(f->owner));
	memset(f->slot, 0, sizeof(f->slot));
}

int thin_cursor_open(struct thin_cursor *c, struct blockio *io, uint64_t root, uint64_t key_end,
		     const struct thin_cursor *twin, struct err *e)
{
	struct pdnode above = {.nr = 1, .max = 1, .value_size = 8};
	int height;

	c->io = io;
	c->twin = twin ? &twin->path : NULL;
	height = find_height(c, root, e);
	if (height < 0)
		return -1;
	c->pretended = xcalloc(1, PDNODE_HEADER + 16);
	le64_put(c->pretended + PDNODE_HEADER + 8, root);
	above.data = c->pretended;
	c->top = c->level = height + 1;
	frame_start(&c->frame[c->top], &above, key_end);
	return 0;
}

void thin_cursor_close(struct thin_cursor *c)
{
	for (unsigned i = 0; i < c->path.n; i++)
		free(c->path.data[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(c->frame); i++)
		free(c->frame[i].buffer);
	free(c->pretended);
}

uint64_t thin_frame_item_end(const struct thin_frame *f, unsigned i)
{
	return i + 1 < f->node.nr ? pdnode_key(&f->node, i + 1) : f->end;
}

bool thin_cursor_head(struct thin_cursor *c, struct thin_item *it)
{
	const struct thin_frame *f;

	while (c->level <= c->top && c->frame[c->level].at >= c->frame[c->level].node.nr)
		c->level++;
	if (c->level > c->top)
		return false;
	f = &c->frame[c->level];
	it->level = c->level - 1;
	it->key = pdnode_key(&f->node, f->at);
	it->end = it->level < 0 ? it->key + 1 : thin_frame_item_end(f, f->at);
	it->value = pdnode_u64(&f->node, f->at);
	return true;
}

void thin_cursor_skip(struct thin_cursor *c)
{
	c->frame[c->level].at++;
}

/* Gives child j a free buffer; what is there already needs no read. */
static void claim(struct thin_cursor *c, struct thin_frame *f, unsigned j, unsigned b,
		  struct blockio_req *req, unsigned *n)
{
	uint64_t block = pdnode_u64(&f->node, j);
	uint8_t *data = f->buffer + (size_t)b * BLOCKIO_SIZE;
	const uint8_t *known = path_find(&c->path, block);

	if (!known)
		known = path_find(c->twin, block);
	if (f->owner[b] >= 0)
		f->slot[f->owner[b]] = 0;
	f->owner[b] = (int16_t)j;
	f->slot[j] = (uint8_t)(b + 1);
	if (known)
		memcpy(data, known, BLOCKIO_SIZE);
	else
		req[(*n)++] = (struct blockio_req){block, data};
}

/* Reads the head and as many wanted children after it as there is room for. */
static int read_ahead(struct thin_cursor *c, struct thin_frame *f, struct err *e)
{
	struct blockio_req req[THIN_WINDOW];
	unsigned n = 0, b = 0;

	if (!f->buffer)
		f->buffer = blockio_alloc(THIN_WINDOW);
	for (unsigned j = f->at; j < f->node.nr; j++) {
		if (f->slot[j] || (j > f->at && !c->want(c->arg, c, f, j)))
			continue;
		while (b < THIN_WINDOW && f->owner[b] >= (int)f->at)
			b++;
		if (b == THIN_WINDOW)
			break;
		claim(c, f, j, b, req, &n);
	}
	return blockio_read(c->io, req, n, e);
}

int thin_cursor_load(struct thin_cursor *c, struct pdnode *n, struct err *e)
{
	struct thin_frame *f = &c->frame[c->level];
	struct pdnode_want want;

	assert(c->level > 0);
	want = (struct pdnode_want){.block = pdnode_u64(&f->node, f->at),
				    .first = pdnode_key(&f->node, f->at),
				    .end = thin_frame_item_end(f, f->at),
				    .value_size = MAPPING_SIZE,
				    .may_be_empty = c->level == c->top};
	if (!f->slot[f->at] && read_ahead(c, f, e) < 0)
		return -1;
	assert(f->slot[f->at]);
	if (pdnode_load(n, f->buffer + (size_t)(f->slot[f->at] - 1) * BLOCKIO_SIZE, &want, e) < 0)
		return -1;
	if (n->leaf != (c->level == 1))
		return err_set(e, ERR_FAILED,
			       "metadata block %" PRIu64 ": leaves at different depths",
			       want.block);
	return 0;
}

int thin_cursor_expand(struct thin_cursor *c, struct err *e)
{
	struct thin_frame *f = &c->frame[c->level];
	struct pdnode n;

	if (thin_cursor_load(c, &n, e) < 0)
		return -1;
	frame_start(&c->frame[c->level - 1], &n, thin_frame_item_end(f, f->at));
	f->at++;
	c->level--;
	return 0;
}

struct thin_frame *thin_cursor_frame(struct thin_cursor *c, int level)
{
	return level >= c->level && level <= c->top ? &c->frame[level] : NULL;
}

static int by_child(const void *a, const void *b, void *arg)
{
	const struct pdnode *n = arg;
	uint64_t x = pdnode_u64(n, *(const uint16_t *)a), y = pdnode_u64(n, *(const uint16_t *)b);

	return x < y ? -1 : x > y;
}

static void sort_children(struct thin_frame *f)
{
	for (unsigned i = 0; i < f->node.nr; i++)
		f->children[i] = (uint16_t)i;
	qsort_r(f->children, f->node.nr, sizeof(*f->children), by_child, &f->node);
	f->sorted = true;
}

bool thin_frame_lists(struct thin_frame *f, uint64_t block)
{
	unsigned lo = 0, hi = f->node.nr;

	if (!f->sorted)
		sort_children(f);
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		uint64_t b = pdnode_u64(&f->node, f->children[mid]);

		if (b == block)
			return f->children[mid] >= f->at;
		if (b < block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

bool thin_cursor_ahead(struct thin_cursor *c, const struct thin_item *it)
{
	struct thin_frame *f = thin_cursor_frame(c, it->level + 1);

	return it->level >= 0 && f && thin_frame_lists(f, it->value);
}
