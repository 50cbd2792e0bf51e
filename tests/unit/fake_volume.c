/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <string.h>

#include "fake_volume.h"
#include "io.h"

uint64_t fake_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

int fake_file(uint64_t size, uint8_t byte)
{
	char path[] = "fake-XXXXXX";
	_cleanup_close_ int fd = mkostemp(path, 0);
	uint8_t block[65536];
	int direct;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	memset(block, byte, sizeof(block));
	for (uint64_t at = 0; byte && at < size; at += sizeof(block))
		ck_assert_int_eq(io_pwrite(fd, block, size - at < 65536 ? size - at : 65536, at),
				 0);
	direct = open(path, O_RDWR | O_DIRECT);
	if (direct < 0)
		direct = open(path, O_RDWR); /* tmpfs */
	unlink(path);
	return direct;
}

static int map_range(struct fake_volume *f, unsigned i, uint64_t from, uint64_t to,
		     volume_extent_fn *fn, void *arg)
{
	uint64_t end = f->x[i].offset + f->x[i].length, n;
	int r = 0;

	from = from < f->x[i].offset ? f->x[i].offset : from;
	to = to < end ? to : end;
	if (from < to && f->lose >= f->x[i].offset && f->lose < end)
		return 0;
	for (; from < to && !r; from += n) {
		n = to - from;
		if (f->split && n > f->split - from % f->split)
			n = f->split - from % f->split;
		r = fn(arg, f->x[i].kind, from, n);
	}
	return r;
}

static int fake_map(struct volume *v, const char *token, const struct bset *set, uint64_t offset,
		    volume_extent_fn *fn, void *arg, struct err *e)
{
	struct fake_volume *f = (struct fake_volume *)v;
	uint64_t first = 0, count, next = 0;
	int r = 0;

	(void)token, (void)offset, (void)e;
	for (unsigned i = 0; !set && i < f->n && !r; i++)
		r = map_range(f, i, 0, v->size, fn, arg);
	while (set && !r && bset_next_run(set, next, &first, &count)) {
		next = first + count;
		for (unsigned i = 0; i < f->n && !r; i++)
			r = map_range(f, i, first * v->block_size, next * v->block_size, fn, arg);
	}
	return r;
}

static int fake_reader(struct volume *v, const char *token, struct err *e)
{
	struct fake_volume *f = (struct fake_volume *)v;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", strcmp(token, "base") ? f->fd : f->base);
	fd = open(path, (f->unreadable ? O_WRONLY : O_RDONLY) | (fcntl(f->fd, F_GETFL) & O_DIRECT));
	return fd < 0 ? err_sys(e, "open") : fd;
}

static int fake_held(struct volume *v, const char *token, char *name, char *why, size_t size,
		     struct err *e)
{
	(void)token, (void)name, (void)e;
	snprintf(why, size, "it is lost");
	return !((struct fake_volume *)v)->lost;
}

static const struct volume_ops fake_ops = {
	.kind = "fake", .map = fake_map, .reader = fake_reader, .held = fake_held};

struct fake_volume *fake_new(uint64_t size)
{
	struct fake_volume *f = xcalloc(1, sizeof(*f));

	f->v.ops = &fake_ops;
	strcpy(f->v.name, "fake");
	strcpy(f->v.uuid, "fake-uuid");
	f->v.size = size;
	f->v.block_size = 65536;
	f->lose = UINT64_MAX;
	f->fd = fake_file(size, 0);
	f->bytes = xcalloc(1, size);
	return f;
}

void fake_free(struct fake_volume *f)
{
	if (!f)
		return;
	close(f->fd);
	free(f->bytes);
	free(f);
}

static void fill(uint8_t *p, size_t n, enum fake_content content, uint64_t *state)
{
	static const char text[] = "the quick brown fox jumps over the lazy dog, again and again; ";

	for (size_t i = 0; i < n; i++) {
		enum fake_content c = content;

		if (c == FAKE_MIXED)
			c = i / 4096 % 5 == 0 ? FAKE_RANDOM : i / 4096 % 3 ? FAKE_ZEROS : FAKE_TEXT;
		if (c == FAKE_RANDOM)
			p[i] = fake_random(state);
		else
			p[i] = c == FAKE_TEXT ? text[(i + i / 977) % (sizeof(text) - 1)] : 0;
	}
}

void fake_write(int fd, const uint8_t *p, uint64_t n, uint64_t offset)
{
	_cleanup_close_ int buffered = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	buffered = open(path, O_WRONLY);
	ck_assert_int_eq(io_pwrite(buffered, p, n, offset), 0);
}

void fake_add(struct fake_volume *f, enum volume_extent kind, uint64_t length,
	      enum fake_content content, uint64_t *state)
{
	uint64_t offset = f->n ? f->x[f->n - 1].offset + f->x[f->n - 1].length : 0;

	ck_assert_uint_lt(f->n, FAKE_EXTENTS_MAX);
	ck_assert_uint_le(offset + length, f->v.size);
	f->x[f->n].kind = kind;
	f->x[f->n].offset = offset;
	f->x[f->n++].length = length;
	if (kind == VOLUME_HOLE)
		return;
	fill(f->bytes + offset, length, content, state);
	fake_write(f->fd, f->bytes + offset, length, offset);
}

void fake_fill(struct fake_volume *f, uint64_t unit, uint64_t *state)
{
	uint64_t at = 0;

	while (at < f->v.size) {
		uint64_t n = (fake_random(state) % (fake_random(state) % 8 ? 12 : 120) + 1) * unit;
		enum volume_extent kind = fake_random(state) % 3 ? VOLUME_DATA : VOLUME_HOLE;

		n = n < f->v.size - at ? n : f->v.size - at;
		fake_add(f, kind, n, fake_random(state) % 4, state);
		at += n;
	}
}

struct manifest *fake_manifest(struct fake_volume *const *f, const struct bset *const *sets,
			       unsigned n, struct plan_volume *pv)
{
	struct manifest *m = xcalloc(1, sizeof(*m));
	struct err e = ERR_INIT;

	strcpy(m->partnership, "00112233445566778899aabbccddeeff");
	strcpy(m->generation, "0123456789abcdef0123456789abcdef");
	strcpy(m->base_generation, m->generation);
	m->seq = 7;
	m->base_seq = 6;
	m->time_ms = 1767225600000;
	m->pause_us = 8123;
	m->seed = 0x5eed5eed5eed5eed;
	m->volumes = n;
	for (unsigned i = 0; i < n; i++) {
		struct manifest_volume *mv = &m->volume[i];

		pv[i] = (struct plan_volume){&f[i]->v, "token", sets ? sets[i] : NULL,
					     f[i]->grain ? f[i]->grain : f[i]->v.block_size,
					     f[i]->v.size};
		strcpy(mv->uuid, f[i]->v.uuid);
		strcpy(mv->name, "vg0/data");
		strcpy(mv->target, "vg1/replica");
		mv->size = f[i]->v.size;
		mv->block_size = pv[i].block_size;
		mv->full = !pv[i].set;
	}
	ck_assert_msg(plan_count(pv, n, &m->segments, &m->data_bytes, &e) == 0, "%s", e.text);
	return m;
}
