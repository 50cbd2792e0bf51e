/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of volume.h as commands, for the tests in the lab; live fault points. VOLUME is
 * ROLE:NAME:KEEP[,TOKEN...], ROLE is source or target. All but check prepare it first. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "cut.h"
#include "fmt.h"
#include "io.h"

#define PARTNERSHIP "00112233445566778899aabbccddeeff"
#define TOKENS_MAX  80
#define CHUNK       (1u << 20)

struct job {
	struct volume *v;
	const char *name, *token[TOKENS_MAX];
	unsigned tokens, keep;
	enum volume_role role;
};

static int parse(char *word, struct job *j, struct err *e)
{
	char *p = word, *role = strsep(&p, ":"), *rest;

	j->role = !strcmp(role, "target") ? VOLUME_TARGET : VOLUME_SOURCE;
	j->name = strsep(&p, ":");
	if (!p)
		return err_set(e, ERR_USAGE, "%s: not ROLE:NAME:KEEP", word);
	rest = p;
	j->keep = (unsigned)atoi(strsep(&rest, ","));
	while (rest && j->tokens < TOKENS_MAX)
		j->token[j->tokens++] = strsep(&rest, ",");
	return 0;
}

static const char *newest(const struct job *j)
{
	return j->tokens ? j->token[j->tokens - 1] : NULL;
}

static int do_cut(struct job *j, unsigned n, char **arg, struct err *e)
{
	struct volume *v[CUT_VOLUMES_MAX];
	struct cut *cut = xcalloc(1, sizeof(*cut));
	int r = 0, fd;

	(void)arg;
	for (unsigned i = 0; i < n && r == 0; i++) {
		v[i] = j[i].v;
		if (j[i].role == VOLUME_TARGET)
			r = v[i]->ops->hold(v[i], newest(&j[i]), true, &fd, e);
	}
	if (r == 0)
		r = cut_group(v, n, cut, e);
	for (unsigned i = 0; i < n && r == 0; i++)
		printf("%s\n", cut->token[i]);
	if (r == 0)
		fprintf(stderr, "pause %u us\n", cut->pause_us);
	free(cut);
	return r;
}

static int do_prepare(struct job *j, unsigned n, char **arg, struct err *e)
{
	(void)j, (void)n, (void)arg, (void)e;
	return 0;
}

/* The same process cuts again and again; between two cuts it waits for a line on standard input. */
static int do_cuts(struct job *j, unsigned n, char **arg, struct err *e)
{
	char line[16];
	int r = 0;

	while (r == 0 && fgets(line, sizeof(line), stdin)) {
		r = do_cut(j, n, arg, e);
		fflush(stdout);
	}
	return r;
}

static int do_held(struct job *j, unsigned n, char **arg, struct err *e)
{
	char name[VOLUME_NAME_MAX] = "", why[200] = "";
	int r = j->v->ops->held(j->v, arg[0], name, why, sizeof(why), e);

	(void)n;
	if (r >= 0)
		printf("%d %s%s\n", r, name, why);
	return r < 0 ? -1 : 0;
}

static int do_changes(struct job *j, unsigned n, char **arg, struct err *e)
{
	struct bset *set = bset_new();
	uint64_t first = 0, count = 0;
	int r = j->v->ops->changes(j->v, arg[0], arg[1], set, e);

	(void)n;
	while (r == 0 && bset_next_run(set, first + count, &first, &count))
		printf("%" PRIu64 " %" PRIu64 "\n", first, count);
	bset_free(set);
	if (r == VOLUME_CHANGES_DOUBT)
		printf("doubt: %s\n", e->text);
	return r < 0 ? -1 : 0;
}

/* apply VOLUME FROM TO FILE: copies the changed blocks of the cut TO into FILE, and nothing else */
static int do_apply(struct job *j, unsigned n, char **arg, struct err *e)
{
	_cleanup_close_ int out = open(arg[2], O_WRONLY | O_CLOEXEC);
	_cleanup_close_ int in = j->v->ops->reader(j->v, arg[1], e);
	_cleanup_free_ void *p = aligned_alloc(4096, j->v->block_size);
	_cleanup_(bset_freep) struct bset *set = bset_new();
	uint64_t first = 0, count = 0, bs = j->v->block_size;

	(void)n;
	if (out < 0 || in < 0 ||
	    j->v->ops->changes(j->v, arg[0], arg[1], set, e) != VOLUME_CHANGES_OK)
		return -1;
	for (; bset_next_run(set, first, &first, &count); first++) {
		uint64_t left = j->v->size - first * bs;

		if (io_pread(in, p, left < bs ? left : bs, first * bs) < 0 ||
		    io_pwrite(out, p, left < bs ? left : bs, first * bs) < 0)
			return err_sys(e, "copy");
	}
	printf("%" PRIu64 "\n", bset_count(set));
	return 0;
}

static int print_extent(void *arg, enum volume_extent kind, uint64_t offset, uint64_t length)
{
	(void)arg;
	printf("%s %" PRIu64 " %" PRIu64 "\n", kind == VOLUME_DATA ? "data" : "hole", offset,
	       length);
	return 0;
}

/* map VOLUME TOKEN OFFSET [FIRST COUNT]: of the blocks FIRST.. only */
static int do_map(struct job *j, unsigned n, char **arg, struct err *e)
{
	struct bset *set = arg[2] ? bset_new() : NULL;
	int r;

	(void)n;
	if (set)
		bset_add(set, strtoull(arg[2], NULL, 10), strtoull(arg[3], NULL, 10));
	r = j->v->ops->map(j->v, arg[0], set, strtoull(arg[1], NULL, 10), print_extent, NULL, e);
	bset_free(set);
	return r;
}

static int do_read(struct job *j, unsigned n, char **arg, struct err *e)
{
	_cleanup_close_ int fd = j->v->ops->reader(j->v, arg[0], e);
	_cleanup_free_ void *p = aligned_alloc(4096, CHUNK);
	ssize_t got = fd < 0 ? -1 : 1;

	(void)n;
	while (got > 0) {
		got = read(fd, p, CHUNK);
		if (got > 0 && io_write(1, p, (size_t)got) < 0)
			return err_sys(e, "write");
	}
	return fd < 0 ? -1 : got < 0 ? err_sys(e, "read") : 0;
}

/* Holds a reader open until its standard input ends. */
static int do_reader(struct job *j, unsigned n, char **arg, struct err *e)
{
	_cleanup_close_ int fd = j->v->ops->reader(j->v, arg[0], e);

	(void)n;
	puts("open");
	fflush(stdout);
	while (fd >= 0 && getchar() != EOF)
		;
	return fd < 0 ? -1 : 0;
}

static int do_release(struct job *j, unsigned n, char **arg, struct err *e)
{
	(void)n;
	return j->v->ops->release(j->v, arg[0], e);
}

/* write VOLUME TOKEN|- MAY_DIFFER OFFSET LENGTH BYTE: into the held head */
static int do_write(struct job *j, unsigned n, char **arg, struct err *e)
{
	uint64_t offset = strtoull(arg[2], NULL, 10), length = strtoull(arg[3], NULL, 10);
	_cleanup_free_ void *p = aligned_alloc(4096, CHUNK);
	int fd;

	(void)n;
	if (j->v->ops->hold(j->v, arg[0][0] == '-' ? NULL : arg[0], arg[1][0] == '1', &fd, e) < 0)
		return -1;
	memset(p, atoi(arg[4]), CHUNK);
	for (uint64_t at = 0; at < length; at += CHUNK)
		if (io_pwrite(fd, p, length - at < CHUNK ? length - at : CHUNK, offset + at) < 0)
			return err_sys(e, "write");
	return j->v->ops->unhold(j->v, e);
}

static int do_rewind(struct job *j, unsigned n, char **arg, struct err *e)
{
	(void)n;
	return j->v->ops->rewind(j->v, arg[0], e);
}

static int do_grow(struct job *j, unsigned n, char **arg, struct err *e)
{
	(void)n;
	return j->v->ops->grow(j->v, strtoull(arg[0], NULL, 10), e);
}

static int do_drop(struct job *j, unsigned n, char **arg, struct err *e)
{
	(void)n;
	(void)arg;
	return j->v->ops->drop(j->v, e);
}

static int do_health(struct job *j, unsigned n, char **arg, struct err *e)
{
	struct volume_health h;

	(void)n;
	(void)arg;
	if (j->v->ops->health(j->v, &h, e) < 0)
		return -1;
	printf("data %.1f meta %.1f snapshots %" PRIu64 " refused %d cause %s\n", h.data_percent,
	       h.meta_percent, h.snapshots, h.cut_refused, h.cause);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(struct job *j, unsigned n, char **arg, struct err *e);
	int args; /* after the one volume; -1: any number of volumes */
} commands[] = {
	{"prepare", do_prepare, -1}, {"cut", do_cut, -1},        {"cuts", do_cuts, -1},
	{"held", do_held, 1},        {"changes", do_changes, 2}, {"apply", do_apply, 3},
	{"map", do_map, 2},          {"read", do_read, 1},       {"reader", do_reader, 1},
	{"release", do_release, 1},  {"write", do_write, 5},     {"rewind", do_rewind, 1},
	{"grow", do_grow, 1},        {"drop", do_drop, 0},       {"health", do_health, 0},
};

static int open_all(struct job *j, char **word, unsigned n, struct err *e)
{
	for (unsigned i = 0; i < n; i++) {
		if (parse(word[i], &j[i], e) < 0)
			return -1;
		j[i].v = volume_open(j[i].name, j[i].role, PARTNERSHIP, e);
		if (!j[i].v ||
		    j[i].v->ops->prepare(j[i].v, j[i].token, j[i].tokens, j[i].keep, e) < 0)
			return -1;
	}
	return 0;
}

static int command(int argc, char **argv, struct err *e)
{
	static struct job j[CUT_VOLUMES_MAX];
	int r = -1;

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		int n = commands[i].args < 0 ? argc - 2 : 1;

		if (strcmp(argv[1], commands[i].name) || n < 1 || argc < 2 + n + commands[i].args)
			continue;
		r = open_all(j, argv + 2, (unsigned)n, e);
		if (r == 0)
			r = commands[i].fn(j, (unsigned)n, argv + 2 + n, e);
		for (int k = 0; k < n; k++)
			volume_free(j[k].v);
		return r;
	}
	return err_set(e, ERR_USAGE, "no command, or words are missing");
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r = -1;

	if (argc == 4 && !strcmp(argv[1], "check"))
		r = volume_check_target(argv[2], argv[3][0] == '1', &e);
	else if (argc > 2)
		r = command(argc, argv, &e);
	if (r == 0)
		return 0;
	fprintf(stderr, "volume-tool: %s%s%s\n", e.text, e.hint[0] ? "; hint: " : "", e.hint);
	return e.code ? (int)e.code : 1;
}
