/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all commands share: their table, options, this host's folders, and small output helpers. */
#ifndef UI_H
#define UI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "host.h"
#include "report.h"
#include "state.h"

/* A command gets its own words (argv[0] is its name). It returns the exit code, or -1 with e set:
 * then the code is e's. */
typedef int ui_command(int argc, char **argv, struct err *e);

struct ui_entry {
	const char *name;
	ui_command *run;
	const char *words; /* grammar after the name */
	const char *help;  /* one line */
	bool plumbing;
};

extern const struct ui_entry ui_commands[]; /* ends with .name == NULL */

enum ui_type { UI_FLAG, UI_STRING, UI_LIST, UI_DURATION, UI_BYTES, UI_NUMBER };

#define UI_LIST_MAX 64

struct ui_list {
	unsigned n;
	const char *word[UI_LIST_MAX];
};

struct ui_option {
	const char *name; /* without the dashes; .name == NULL ends the list */
	enum ui_type type;
	void *to; /* bool, const char *, struct ui_list, or uint64_t (milliseconds, bytes, number)
		   */
	const char *what; /* name of the argument, NULL for a flag */
	const char *help;
};

/* Reads the options; the other words stay in order in argv[1..]. Their count, or -1 (ERR_USAGE). It
 * must be within min..max. --help prints the command's grammar and options and ends the process. */
int ui_options(int argc, char **argv, const struct ui_option *o, int min, int max, struct err *e);

int ui_host(struct host *h, struct err *e);  /* folders by the environment or the defaults */
struct identity *ui_identity(struct err *e); /* this host's, made at first use */

/* A table: columns as wide as their widest cell, two spaces apart. */
#define UI_COLUMNS_MAX 12
struct ui_table {
	unsigned columns, rows;
	char **cell; /* owned */
};
void ui_row(struct ui_table *t, unsigned columns, ...); /* const char * cells, copied */
void ui_table_print(struct ui_table *t);                /* prints and frees */

/* A line of progress on standard error, over the one before. */
void ui_bar(void *arg, const struct progress *p);

#endif
