/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync changes: what differs between two thin devices of a pool. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "buf.h"
#include "cmd.h"
#include "fmt.h"
#include "thin_diff.h"

#define UNSET    UINT64_MAX
#define TEXT_MAX (4u << 20) /* bytes held in memory; more goes to a file */

struct words {
	const char *metadata;
	uint64_t from, to, size;
	bool json, stats, held;
};

/* Output that is printed only when the walk has proved true: what a failed one told is void. */
struct output {
	const struct words *w;
	uint32_t block_size;
	struct buf text;
	FILE *spill; /* without a name; what does not fit into text */
	uint64_t ranges;
	struct err e;
};

static int spill(struct output *o)
{
	if (!o->spill && !(o->spill = tmpfile()))
		return err_sys(&o->e, "temporary file for the output");
	if (fwrite(o->text.data, 1, o->text.len, o->spill) != o->text.len || fflush(o->spill))
		return err_sys(&o->e, "write to a temporary file");
	buf_reset(&o->text);
	return 0;
}

__attribute__((format(printf, 2, 3))) static void add(struct output *o, const char *fmt, ...)
{
	char line[128];
	va_list ap;

	va_start(ap, fmt);
	buf_put(&o->text, line, vsnprintf(line, sizeof(line), fmt, ap));
	va_end(ap);
}

static int on_change(void *arg, enum thin_change kind, uint64_t first, uint64_t count)
{
	static const char *const word[] = {
		[THIN_CHANGED] = "changed", [THIN_UNMAPPED] = "unmapped"};
	struct output *o = arg;
	uint64_t offset = first * o->block_size, length = count * o->block_size;

	if (offset >= o->w->size)
		return 1; /* what follows lies beyond as well */
	if (length > o->w->size - offset)
		length = o->w->size - offset;
	if (o->w->json)
		add(o, "%s{\"type\": \"%s\", \"offset\": %" PRIu64 ", \"length\": %" PRIu64 "}",
		    o->ranges ? ",\n" : "", word[kind], offset, length);
	else
		add(o, "%s\t%" PRIu64 "\t%" PRIu64 "\n", word[kind], offset, length);
	o->ranges++;
	return o->text.len > TEXT_MAX ? spill(o) : 0;
}

static int print_spill(struct output *o, struct err *e)
{
	char part[65536];
	size_t n;

	if (!o->spill)
		return 0;
	rewind(o->spill);
	while ((n = fread(part, 1, sizeof(part), o->spill)) > 0)
		fwrite(part, 1, n, stdout);
	return ferror(o->spill) ? err_sys(e, "read a temporary file") : 0;
}

static int print(struct output *o, struct err *e)
{
	if (o->w->json)
		fputs("[", stdout);
	if (print_spill(o, e) < 0)
		return -1;
	fwrite(o->text.data, 1, o->text.len, stdout);
	if (o->w->json)
		fputs("]\n", stdout);
	return 0;
}

static int find(struct thin_meta *m, struct thin_dev dev[2], const struct words *w, struct err *e)
{
	dev[0].id = w->from;
	dev[1].id = w->to;
	if (thin_meta_find(m, dev, 2, e) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (!dev[i].present) {
			err_set(e, ERR_FAILED, "no thin device %" PRIu32 " in %s", dev[i].id,
				w->metadata);
			return err_hint(e, "lvs -o name,thin_id lists the devices of a pool");
		}
	return 0;
}

static int walk(struct thin_meta *m, struct output *o, struct err *e)
{
	struct thin_dev dev[2];
	int r;

	if (find(m, dev, o->w, e) < 0)
		return -1;
	o->block_size = thin_meta_block_size(m);
	r = thin_diff(m, &dev[0], &dev[1], on_change, o, e);
	if (r < 0 && o->e.code != ERR_NONE)
		*e = o->e;
	return r < 0 ? -1 : print(o, e);
}

static void print_stats(const struct thin_meta *m, uint64_t start_us)
{
	struct thin_stats s = thin_meta_stats(m);

	fprintf(stderr, "metadata blocks read: %" PRIu64 "\n", s.blocks);
	fprintf(stderr, "metadata bytes read: %" PRIu64 "\n", s.bytes);
	fprintf(stderr, "milliseconds: %.3f\n", (double)(fmt_mono_us() - start_us) / 1000);
}

static int run(const struct words *w, struct err *e)
{
	_cleanup_(thin_meta_freep) struct thin_meta *m = NULL;
	struct output o = {.w = w, .text = BUF_INIT, .e = ERR_INIT};
	uint64_t start = fmt_mono_us();
	int r = -1;

	m = thin_meta_open(w->metadata, w->held ? THIN_HELD : THIN_LIVE, e);
	if (m)
		r = walk(m, &o, e);
	if (m && w->stats)
		print_stats(m, start);
	buf_free(&o.text);
	fclosep(&o.spill);
	return r;
}

int cmd_changes(int argc, char **argv, struct err *e)
{
	struct words w = {.from = UNSET, .to = UNSET, .size = UNSET};
	const struct ui_option o[] = {
		{"metadata", UI_STRING, &w.metadata, "FILE_OR_DEVICE",
		 "the pool's metadata device (VG-POOL_tmeta), or a copy of it"},
		{"from", UI_NUMBER, &w.from, "DEVID", "the older device"},
		{"to", UI_NUMBER, &w.to, "DEVID", "the newer device"},
		{"size", UI_BYTES, &w.size, "BYTES", "leave out what lies beyond"},
		{"metadata-snapshot", UI_FLAG, &w.held, NULL,
		 "read the metadata snapshot that is held: for devices in use"},
		{"json", UI_FLAG, &w.json, NULL, "print JSON"},
		{"stats", UI_FLAG, &w.stats, NULL, "say what was read, on standard error"},
		{0}};

	if (ui_options(argc, argv, o, 0, 0, e) < 0)
		return -1;
	if (!w.metadata || w.from == UNSET || w.to == UNSET) {
		err_set(e, ERR_USAGE, "changes: --metadata, --from and --to are needed");
		return err_hint(e, "srsync changes --help");
	}
	if (w.from > THIN_ID_MAX || w.to > THIN_ID_MAX)
		return err_set(e, ERR_USAGE, "changes: a thin device id is at most %u",
			       THIN_ID_MAX);
	return run(&w, e);
}
