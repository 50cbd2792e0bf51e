/* SPDX-License-Identifier: GPL-2.0-or-later */
/* srsync COMMAND: finds the command, prints its error once, turns it into an exit code. */
#define _GNU_SOURCE
#include <config.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "ui.h"

#define STACK_SIZE (512L << 10) /* bytes; more than twice what the deepest calls need */

static void usage(FILE *f)
{
	fputs("usage: srsync [--confdir DIR] [--statedir DIR] [--spool WHERE] [--verbose] COMMAND "
	      "...\n\n",
	      f);
	for (int plumbing = 0; plumbing < 2; plumbing++) {
		if (plumbing)
			fputs("\nplumbing:\n", f);
		for (const struct ui_entry *c = ui_commands; c->name; c++)
			if (c->plumbing == plumbing)
				fprintf(f, "  %-8s %s\n", c->name, c->help);
	}
	fputs("\nsrsync COMMAND --help explains one; srsync(8) explains all.\n", f);
}

/* A cut locks the memory of the process (cut.c), whole stacks too: the usual 8 MiB for each thread
 * of srsync serve would be most of what it then holds, and most of the time that a commit takes. */
static void small_stacks(void)
{
	pthread_attr_t a;

	pthread_attr_init(&a);
	if (pthread_attr_setstacksize(&a, STACK_SIZE) == 0)
		pthread_setattr_default_np(&a);
	pthread_attr_destroy(&a);
}

/* The variable of the environment that a global option stands for, or NULL. */
static const char *variable(const char *word)
{
	static const struct {
		const char *option, *env;
	} all[] = {{"--confdir", "SRSYNC_CONFDIR"},
		   {"--statedir", "SRSYNC_STATEDIR"},
		   {"--spool", "SRSYNC_SPOOL"}};
	size_t n = strcspn(word, "=");

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (n == strlen(all[i].option) && !strncmp(word, all[i].option, n))
			return all[i].env;
	return NULL;
}

/* Takes the global options out of argv, wherever they stand; the new argc, or -1. */
static int global_options(int argc, char **argv, struct err *e)
{
	int n = 1;

	for (int i = 1; i < argc; i++) {
		const char *env = variable(argv[i]);
		const char *eq = env ? strchr(argv[i], '=') : NULL;

		if (!strcmp(argv[i], "--verbose"))
			log_set_level(LOG_LEVEL_DEBUG);
		else if (!env)
			argv[n++] = argv[i];
		else if (!eq && i + 1 == argc)
			return err_set(e, ERR_USAGE, "%s: a value is missing", argv[i]);
		else
			setenv(env, eq ? eq + 1 : argv[++i], 1);
	}
	argv[n] = NULL;
	return n;
}

static int run(int argc, char **argv, struct err *e)
{
	argc = global_options(argc, argv, e);
	if (argc < 0)
		return -1;
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? ERR_USAGE : 0;
	}
	if (!strcmp(argv[1], "--version")) {
		puts(PACKAGE_STRING);
		return 0;
	}
	for (const struct ui_entry *c = ui_commands; c->name; c++)
		if (!strcmp(c->name, argv[1]))
			return c->run(argc - 1, argv + 1, e);
	err_set(e, ERR_USAGE, "there is no command '%s'", argv[1]);
	return err_hint(e, "srsync --help lists them");
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r;

	signal(SIGPIPE, SIG_IGN);
	small_stacks();
	r = run(argc, argv, &e);
	if (r < 0) {
		fflush(stdout);
		log_err(LOG_LEVEL_ERROR, &e);
		return e.code;
	}
	if (fflush(stdout) || ferror(stdout)) {
		fputs("srsync: cannot write to standard output\n", stderr);
		return ERR_FAILED;
	}
	return r;
}
