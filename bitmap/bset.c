/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <roaring/roaring.h>

#include "bset.h"

/* The encoding's unit: one container of Roaring. */
#define CONTAINER_BITS   16
#define CONTAINER_BLOCKS (1u << CONTAINER_BITS)
#define BITMAP_BYTES     (CONTAINER_BLOCKS / 8)
#define RUN_BYTES        4
#define RUNS_MAX         (BITMAP_BYTES / RUN_BYTES - 1) /* from here on the bitmap is no larger */
#define STEPS_MAX        64 /* blocks of a run walked one by one: cheaper than a search */

struct bset {
	roaring_bitmap_t *r;
};

struct bset *bset_new(void)
{
	struct bset *s = xmalloc(sizeof(*s));

	s->r = roaring_bitmap_create();
	if (!s->r)
		abort();
	return s;
}

void bset_free(struct bset *s)
{
	if (!s)
		return;
	roaring_bitmap_free(s->r);
	free(s);
}

int bset_add(struct bset *s, uint64_t first, uint64_t count)
{
	if (first > BSET_MAX_BLOCKS || count > BSET_MAX_BLOCKS - first) {
		errno = ERANGE;
		return -1;
	}
	if (count > 0)
		roaring_bitmap_add_range_closed(s->r, first, first + count - 1);
	return 0;
}

void bset_remove(struct bset *s, uint64_t first, uint64_t count)
{
	assert(first <= BSET_MAX_BLOCKS && count <= BSET_MAX_BLOCKS - first);
	if (count > 0)
		roaring_bitmap_remove_range_closed(s->r, first, first + count - 1);
}

void bset_or(struct bset *into, const struct bset *s)
{
	if (into != s)
		roaring_bitmap_or_inplace(into->r, s->r);
}

bool bset_has(const struct bset *s, uint64_t block)
{
	return block < BSET_MAX_BLOCKS && roaring_bitmap_contains(s->r, block);
}

bool bset_covers(const struct bset *s, const struct bset *sub)
{
	return roaring_bitmap_is_subset(sub->r, s->r);
}

uint64_t bset_count(const struct bset *s)
{
	return roaring_bitmap_get_cardinality(s->r);
}

/* Not roaring_bitmap_contains_range(): in 0.2.66 it ends the program by an assert when the range's
 * last container is missing. */
static bool full(const struct bset *s, uint64_t first, uint64_t count)
{
	return first + count <= BSET_MAX_BLOCKS &&
	       roaring_bitmap_range_cardinality(s->r, first, first + count) == count;
}

/* The end of the run that goes on at block end: by doubling steps, then by halving ones, since a
 * set may be one run of 2^32 blocks. */
static uint64_t gallop(const struct bset *s, uint64_t end)
{
	uint64_t step;

	for (step = STEPS_MAX; full(s, end, step); step *= 2)
		end += step;
	for (; step > 0; step /= 2)
		if (full(s, end, step))
			end += step;
	return end;
}

bool bset_next_run(const struct bset *s, uint64_t from, uint64_t *first, uint64_t *count)
{
	roaring_uint32_iterator_t it;
	uint64_t end;

	if (from >= BSET_MAX_BLOCKS)
		return false;
	roaring_init_iterator(s->r, &it);
	if (!roaring_move_uint32_iterator_equalorlarger(&it, from))
		return false;
	*first = it.current_value;
	for (end = *first; it.has_value && it.current_value == end; end++) {
		if (end - *first == STEPS_MAX) {
			end = gallop(s, end);
			break;
		}
		roaring_advance_uint32_iterator(&it);
	}
	*count = end - *first;
	return true;
}

struct bset *bset_rescale(const struct bset *s, uint32_t from, uint32_t to)
{
	_cleanup_(bset_freep) struct bset *out = bset_new();
	uint64_t at = 0, first, count;

	while (bset_next_run(s, at, &first, &count)) {
		uint64_t a, end;

		at = first + count; /* both factors are at most 2^32 */
		a = from == to ? first : first * from / to;
		end = from == to ? at : at * from / to + (at * from % to != 0);
		if (bset_add(out, a, end - a) < 0)
			return NULL;
	}
	roaring_bitmap_run_optimize(out->r);
	return TAKE(out);
}

static unsigned count_runs(const uint32_t *v, unsigned n)
{
	unsigned runs = 1;

	for (unsigned i = 1; i < n; i++)
		runs += v[i] != v[i - 1] + 1;
	return runs;
}

static void put_runs(const uint32_t *v, unsigned n, struct buf *out)
{
	for (unsigned i = 0; i < n; i++) {
		if (i == 0 || v[i] != v[i - 1] + 1)
			buf_put_le16(out, v[i]);
		if (i == n - 1 || v[i] + 1 != v[i + 1])
			buf_put_le16(out, v[i]);
	}
}

static void put_bitmap(const uint32_t *v, unsigned n, struct buf *out)
{
	uint8_t bits[BITMAP_BYTES] = {0};

	for (unsigned i = 0; i < n; i++)
		bits[(uint16_t)v[i] / 8] |= 1 << v[i] % 8;
	buf_put(out, bits, sizeof(bits));
}

/* v: the n blocks of one container, ascending. */
static void put_container(const uint32_t *v, unsigned n, struct buf *out)
{
	unsigned runs = count_runs(v, n);

	buf_put_le16(out, v[0] >> CONTAINER_BITS);
	buf_put_le16(out, runs <= RUNS_MAX ? runs : 0);
	if (runs <= RUNS_MAX)
		put_runs(v, n, out);
	else
		put_bitmap(v, n, out);
}

static void put_full_container(unsigned key, struct buf *out)
{
	buf_put_le16(out, key);
	buf_put_le16(out, 1);
	buf_put_le16(out, 0);
	buf_put_le16(out, CONTAINER_BLOCKS - 1);
}

void bset_encode(const struct bset *s, struct buf *out)
{
	_cleanup_free_ uint32_t *v = xmalloc(CONTAINER_BLOCKS * sizeof(*v));
	size_t at = out->len;
	roaring_uint32_iterator_t it;
	uint32_t containers = 0;
	uint64_t first, n;

	buf_put_le32(out, 0);
	roaring_init_iterator(s->r, &it);
	for (; it.has_value; containers++) {
		first = it.current_value & ~(uint64_t)(CONTAINER_BLOCKS - 1);
		n = roaring_bitmap_range_cardinality(s->r, first, first + CONTAINER_BLOCKS);
		if (n == CONTAINER_BLOCKS) { /* common, and 65536 steps saved */
			put_full_container(first >> CONTAINER_BITS, out);
			first += CONTAINER_BLOCKS;
			it.has_value = first < BSET_MAX_BLOCKS &&
				       roaring_move_uint32_iterator_equalorlarger(&it, first);
			continue;
		}
		roaring_read_uint32_iterator(&it, v, n);
		put_container(v, n, out);
	}
	buf_set_le32(out, at, containers);
}

static int bad_set(struct err *e, const char *why)
{
	return err_set(e, ERR_FAILED, "changed-block set: %s", why);
}

/* Runs are ascending and maximal: between two of them at least one block is missing. */
static int get_runs(struct bset *s, uint32_t base, unsigned runs, struct cur *c, struct err *e)
{
	const uint8_t *p = cur_bytes(c, (size_t)runs * RUN_BYTES);
	uint32_t next = 0;

	if (!p)
		return bad_set(e, "it ends early");
	for (unsigned i = 0; i < runs; i++, p += RUN_BYTES) {
		uint32_t first = le16_at(p), last = le16_at(p + 2);

		if (first < next || last < first)
			return bad_set(e, "its runs are out of order");
		roaring_bitmap_add_range_closed(s->r, base + first, base + last);
		next = last + 2;
	}
	return 0;
}

static int get_bitmap(struct bset *s, uint32_t base, struct cur *c, struct err *e)
{
	_cleanup_free_ uint32_t *v = xmalloc(CONTAINER_BLOCKS * sizeof(*v));
	const uint8_t *bits = cur_bytes(c, BITMAP_BYTES);
	unsigned n = 0;

	if (!bits)
		return bad_set(e, "it ends early");
	for (unsigned i = 0; i < CONTAINER_BLOCKS; i++)
		if (bits[i / 8] & 1 << i % 8)
			v[n++] = base + i;
	if (n == 0 || count_runs(v, n) <= RUNS_MAX)
		return bad_set(e, "a bitmap stands where runs are shorter");
	roaring_bitmap_add_many(s->r, n, v);
	return 0;
}

static int get_container(struct bset *s, uint32_t *next_key, struct cur *c, struct err *e)
{
	uint32_t key = cur_le16(c), runs = cur_le16(c);

	if (c->bad)
		return bad_set(e, "it ends early");
	if (key < *next_key)
		return bad_set(e, "its containers are out of order");
	if (runs > RUNS_MAX)
		return bad_set(e, "runs stand where a bitmap is no longer");
	*next_key = key + 1;
	return runs ? get_runs(s, key << CONTAINER_BITS, runs, c, e)
		    : get_bitmap(s, key << CONTAINER_BITS, c, e);
}

struct bset *bset_decode(struct cur *c, struct err *e)
{
	_cleanup_(bset_freep) struct bset *s = bset_new();
	uint32_t n = cur_le32(c), next_key = 0;

	if (c->bad || n > BSET_MAX_BLOCKS >> CONTAINER_BITS) {
		bad_set(e, "its number of containers is out of range");
		return NULL;
	}
	while (n-- > 0)
		if (get_container(s, &next_key, c, e) < 0)
			return NULL;
	return TAKE(s);
}
