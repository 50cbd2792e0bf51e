/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fmt.h"
#include "identity.h"
#include "ui.h"

#define OPTIONS_MAX 32

static void print_help(const char *name, const struct ui_option *o)
{
	const struct ui_entry *c = ui_commands;

	while (c->name && strcmp(c->name, name))
		c++;
	if (c->name)
		printf("usage: srsync %s %s\n%s\n", c->name, c->words, c->help);
	for (; o->name; o++) {
		char word[64];

		snprintf(word, sizeof(word), "--%s%s%s", o->name, o->what ? " " : "",
			 o->what ? o->what : "");
		printf("  %-26s %s\n", word, o->help);
	}
}

static int store(const struct ui_option *o, const char *arg, struct err *e)
{
	struct ui_list *l = o->to;

	switch (o->type) {
	case UI_FLAG: *(bool *)o->to = true; return 0;
	case UI_STRING: *(const char **)o->to = arg; return 0;
	case UI_DURATION: return fmt_parse_duration(arg, o->to, e);
	case UI_BYTES: return fmt_parse_bytes(arg, o->to, e);
	case UI_NUMBER: return fmt_parse_u64(arg, 0, INT64_MAX, o->to, e);
	case UI_LIST:
		if (l->n == UI_LIST_MAX)
			return err_set(e, ERR_USAGE, "more than %d times", UI_LIST_MAX);
		l->word[l->n++] = arg;
		return 0;
	}
	return 0;
}

static int fill(struct option *lo, const struct ui_option *o)
{
	int n = 0;

	for (; o[n].name; n++) {
		assert(n < OPTIONS_MAX);
		lo[n] = (struct option){o[n].name, o[n].type != UI_FLAG, NULL, n};
	}
	lo[n] = (struct option){"help", 0, NULL, n};
	lo[n + 1] = (struct option){NULL, 0, NULL, 0};
	return n;
}

int ui_options(int argc, char **argv, const struct ui_option *o, int min, int max, struct err *e)
{
	struct option lo[OPTIONS_MAX + 2];
	int help = fill(lo, o), c, n;

	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, ":", lo, NULL)) != -1) {
		if (c == help) {
			print_help(argv[0], o);
			exit(0);
		}
		if (c == '?' || c == ':') {
			err_set(e, ERR_USAGE, "%s: %s '%s'", argv[0],
				c == '?' ? "there is no option" : "a value is missing after",
				argv[optind - 1]);
			return err_hint(e, "srsync %s --help", argv[0]);
		}
		if (store(&o[c], optarg, e) < 0)
			return err_wrap(e, "--%s", o[c].name);
	}
	n = argc - optind;
	if (n < min || n > max) {
		err_set(e, ERR_USAGE, "%s: %s", argv[0],
			n < min ? "a name is missing" : "too many words");
		return err_hint(e, "srsync %s --help", argv[0]);
	}
	memmove(argv + 1, argv + optind, n * sizeof(*argv));
	return n;
}

int ui_host(struct host *h, struct err *e)
{
	return host_init(h, NULL, NULL, e);
}

struct identity *ui_identity(struct err *e)
{
	struct host h;

	return ui_host(&h, e) < 0 ? NULL : identity_load(h.confdir, e);
}

void ui_row(struct ui_table *t, unsigned columns, ...)
{
	va_list ap;

	assert(columns <= UI_COLUMNS_MAX && (!t->rows || t->columns == columns));
	t->columns = columns;
	t->cell = xrealloc(t->cell, (t->rows + 1) * columns * sizeof(*t->cell));
	va_start(ap, columns);
	for (unsigned i = 0; i < columns; i++)
		t->cell[t->rows * columns + i] = xstrdup(va_arg(ap, const char *));
	va_end(ap);
	t->rows++;
}

void ui_table_print(struct ui_table *t)
{
	size_t width[UI_COLUMNS_MAX] = {0};

	for (unsigned i = 0; i < t->rows * t->columns; i++)
		if (strlen(t->cell[i]) > width[i % t->columns])
			width[i % t->columns] = strlen(t->cell[i]);
	for (unsigned i = 0; i < t->rows * t->columns; i++) {
		bool last = (i + 1) % t->columns == 0;

		printf("%-*s%s", last ? 0 : (int)width[i % t->columns], t->cell[i],
		       last ? "\n" : "  ");
		free(t->cell[i]);
	}
	free(t->cell);
	*t = (struct ui_table){0};
}

#define BAR 24 /* cells */

void ui_bar(void *arg, const struct progress *p)
{
	double part = p->bytes_total ? (double)p->bytes / p->bytes_total : 0;
	int full = part > 1 ? BAR : (int)(part * BAR);
	char cells[BAR + 1];

	(void)arg;
	memset(cells, '.', BAR);
	memset(cells, '#', full);
	cells[BAR] = '\0';
	fprintf(stderr, "\r\033[Kcut %llu %s [%s] %3.0f %% %s of %s, %s, %s left",
		(unsigned long long)p->seq, p->phase, cells, part * 100, fmt_bytes(p->bytes).s,
		fmt_bytes(p->bytes_total).s, fmt_rate(p->rate).s,
		p->rate && p->bytes < p->bytes_total
			? fmt_duration((double)(p->bytes_total - p->bytes) / p->rate).s
			: "-");
}
