/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a helper program by its argument list, never by a shell. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"

struct program {
	const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
	const char *const *env;  /* extra NAME=VALUE words, NULL-terminated, or NULL */
	const void *input;       /* bytes for standard input, or NULL for /dev/null */
	size_t input_len;
	unsigned timeout_ms; /* 0: wait for ever; else the child is killed, see below */
	bool never_kill;     /* on timeout leave it running and fail with ERR_BUSY: LVM */
	size_t out_max;      /* more output than this (default 16 MiB) is a failure */
};

/* Runs it in its own process group, waits for its end, and collects standard output and standard
 * error (each may be NULL: then it is thrown away). What it leaves running in the background is not
 * waited for, also if that holds the outputs open. The child's exit status (0..255; 127 also if the
 * program cannot be executed), 128+signal if a signal ended it, or -1 with e filled if it could not
 * be started, timed out or wrote too much. The process ignores SIGPIPE (as main does), and so does
 * a child with never_kill. */
int program_run(const struct program *s, struct buf *out, struct buf *errout, struct err *e);

#endif
