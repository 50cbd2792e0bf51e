/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>

#include "thin_cursor.h"
#include "thin_map.h"

struct map {
	struct thin_cursor c;
	const struct bset *set;
	uint64_t from;
	thin_map_fn *fn;
	void *arg;
	uint64_t first, count; /* the run being gathered */
};

/* Whether any block of key <= block < end is asked for. */
static bool asked(const struct map *m, uint64_t key, uint64_t end)
{
	uint64_t first, count;

	if (key < m->from)
		key = m->from;
	if (key >= end)
		return false;
	return !m->set || (bset_next_run(m->set, key, &first, &count) && first < end);
}

static bool want_child(void *arg, const struct thin_cursor *c, const struct thin_frame *f,
		       unsigned j)
{
	(void)c;
	return asked(arg, pdnode_key(&f->node, j), thin_frame_item_end(f, j));
}

static int flush(struct map *m)
{
	uint64_t count = m->count;

	m->count = 0;
	return count ? m->fn(m->arg, m->first, count) : 0;
}

static int emit(struct map *m, uint64_t key)
{
	int r = 0;

	if (!m->count || key != m->first + m->count) {
		r = flush(m);
		m->first = key;
	}
	m->count++;
	return r;
}

static int walk(struct map *m, struct err *e)
{
	struct thin_item it;
	int r = 0;

	while (r == 0 && thin_cursor_head(&m->c, &it)) {
		if (asked(m, it.key, it.end) && it.level >= 0) {
			r = thin_cursor_expand(&m->c, e);
			continue;
		}
		thin_cursor_skip(&m->c);
		if (it.level < 0 && asked(m, it.key, it.end))
			r = emit(m, it.key);
	}
	return r ? r : flush(m);
}

static void map_free(struct map *m)
{
	thin_cursor_close(&m->c);
	free(m);
}
DEFINE_FREEP(map_free, struct map);

int thin_map(struct thin_meta *m, const struct thin_dev *dev, const struct bset *set, uint64_t from,
	     thin_map_fn *fn, void *arg, struct err *e)
{
	_cleanup_(map_freep) struct map *w = xcalloc(1, sizeof(*w));
	uint64_t end = UINT64_MAX / thin_meta_block_size(m);
	int r;

	assert(dev->present);
	w->set = set;
	w->from = from;
	w->fn = fn;
	w->arg = arg;
	w->c.want = want_child;
	w->c.arg = w;
	r = thin_cursor_open(&w->c, thin_meta_io(m), dev->root, end, NULL, e);
	if (r == 0)
		r = walk(w, e);
	return thin_meta_confirm(m, dev, 1, r, e);
}
