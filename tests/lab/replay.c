/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power loss, from what dm-log-writes recorded.
 *
 *   lab-replay list LOG                 marks as "mark INDEX TEXT", then "entries N flushes N ..."
 *   lab-replay replay LOG DEV N SEED    DEV as it may look after power loss at entry N
 *
 * Format (drivers/md/dm-log-writes.c), all little-endian, counted in sectors of the given size:
 *   sector 0    u64 magic, u64 version = 1, u64 entries, u32 sector size in bytes
 *   entry       one sector {u64 sector, u64 sectors, u64 flags, u64 length of the mark's text} and
 * the mark's text; then the data, of so many sectors, but none for a discard
 *
 * The target logs a write when a flush has covered it (with FUA at once), and then that flush. A
 * volatile cache may drop what no flush covered: of the entries from the last flush before N on,
 * each one without FUA survives or not, by a generator seeded with SEED; all before it survive.
 * SEED 0 keeps everything: a crash that is no power loss. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"

#define MAGIC       0x6a736677736872ULL
#define SECTOR_MAX  4096
#define ENTRIES_MAX (16 * 1000 * 1000)
#define PIECE       (1 << 20)

enum { FLUSH = 1, FUA = 2, DISCARD = 4, MARK = 8 };

struct entry {
	uint64_t sector, count; /* in sectors of the log */
	uint64_t flags;
	uint64_t at; /* byte offset of the data in the log */
	char mark[SECTOR_MAX - 32 + 1];
};

struct log {
	int fd;
	uint64_t entries;
	uint32_t sector_size;
	uint64_t next; /* byte offset of the next entry */
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

static _Noreturn void bad(const char *what)
{
	fprintf(stderr, "not a log of dm-log-writes: %s\n", what);
	exit(2);
}

static struct log log_open(const char *name)
{
	struct log l = {.fd = open(name, O_RDONLY)};
	uint8_t head[28];

	if (l.fd < 0 || io_pread(l.fd, head, sizeof(head), 0) < 0)
		die(name);
	if (le64_at(head) != MAGIC || le64_at(head + 8) != 1)
		bad("magic or version");
	l.entries = le64_at(head + 16);
	l.sector_size = le32_at(head + 24);
	if (l.sector_size < 512 || l.sector_size > SECTOR_MAX || l.entries > ENTRIES_MAX)
		bad("sector size or number of entries");
	l.next = l.sector_size;
	return l;
}

static void log_next(struct log *l, struct entry *e)
{
	uint8_t head[SECTOR_MAX];
	uint64_t text;

	if (io_pread(l->fd, head, l->sector_size, l->next) < 0)
		die("entry");
	e->sector = le64_at(head);
	e->count = le64_at(head + 8);
	e->flags = le64_at(head + 16);
	text = le64_at(head + 24);
	if (text > l->sector_size - 32 || e->count > INT64_MAX / SECTOR_MAX ||
	    e->sector > INT64_MAX / SECTOR_MAX)
		bad("entry");
	memcpy(e->mark, head + 32, text);
	e->mark[text] = 0;
	e->at = l->next + l->sector_size;
	l->next = e->at + (e->flags & DISCARD ? 0 : e->count * l->sector_size);
}

static int list(struct log *l)
{
	uint64_t flush = 0, fua = 0, discard = 0, bytes = 0;
	struct entry e;

	for (uint64_t i = 0; i < l->entries; i++) {
		log_next(l, &e);
		if (e.flags & MARK)
			printf("mark %" PRIu64 " %s\n", i, e.mark);
		flush += !!(e.flags & FLUSH);
		fua += !!(e.flags & FUA);
		discard += !!(e.flags & DISCARD);
		bytes += l->next - e.at;
	}
	printf("entries %" PRIu64 " flushes %" PRIu64 " fua %" PRIu64 " discards %" PRIu64
	       " bytes %" PRIu64 "\n",
	       l->entries, flush, fua, discard, bytes);
	return 0;
}

/* Index of the last entry with FLUSH before n; 0 if there is none. */
static uint64_t last_flush(struct log l, uint64_t n)
{
	uint64_t last = 0;
	struct entry e;

	for (uint64_t i = 0; i < n; i++) {
		log_next(&l, &e);
		if (e.flags & FLUSH)
			last = i;
	}
	return last;
}

static void apply(const struct log *l, const struct entry *e, int dev)
{
	static uint8_t piece[PIECE];
	uint64_t left = e->count * l->sector_size, from = e->at, to = e->sector * l->sector_size;

	memset(piece, 0, sizeof(piece)); /* what a discard leaves */
	while (left) {
		size_t n = left < PIECE ? left : PIECE;

		if (!(e->flags & DISCARD) && io_pread(l->fd, piece, n, from) < 0)
			die("log");
		if (io_pwrite(dev, piece, n, to) < 0)
			die("device");
		left -= n;
		from += n;
		to += n;
	}
}

static int replay(struct log *l, const char *name, uint64_t n, unsigned seed)
{
	_cleanup_close_ int dev = open(name, O_WRONLY);
	uint64_t flushed = last_flush(*l, n), lost = 0;
	struct entry e;

	if (dev < 0)
		die(name);
	srandom(seed);
	for (uint64_t i = 0; i < n; i++) {
		log_next(l, &e);
		if (e.flags & MARK || !e.count)
			continue;
		if (seed && i >= flushed && !(e.flags & FUA) && random() & 1)
			lost++;
		else
			apply(l, &e, dev);
	}
	if (fsync(dev) < 0)
		die(name);
	printf("entries %" PRIu64 " flushed %" PRIu64 " lost %" PRIu64 "\n", n, flushed, lost);
	return 0;
}

int main(int argc, char **argv)
{
	struct log l;
	uint64_t n;

	if (argc == 3 && !strcmp(argv[1], "list")) {
		l = log_open(argv[2]);
		return list(&l);
	}
	if (argc == 6 && !strcmp(argv[1], "replay")) {
		l = log_open(argv[2]);
		n = strtoull(argv[4], NULL, 10);
		return replay(&l, argv[3], n < l.entries ? n : l.entries,
			      (unsigned)strtoul(argv[5], NULL, 10));
	}
	fprintf(stderr, "usage: lab-replay list LOG | replay LOG DEVICE N SEED\n");
	return 2;
}
