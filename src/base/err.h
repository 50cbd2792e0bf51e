/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one error idiom: the caller owns a struct err, the last argument of every function that can
 * fail for a reason worth words. It is set where the failure happens, wrapped with context on the
 * way out, and printed once at the edge (main, an HTTP reply, the journal). Functions return 0, or
 * -1 with the err filled; on success it is untouched. */
#ifndef ERR_H
#define ERR_H

/* The values are the exit codes of srsync(8) and travel in HTTP error bodies. */
enum err_code {
	ERR_NONE = 0,
	ERR_FAILED = 1,  /* failed; state unchanged or safe to repeat */
	ERR_USAGE = 2,   /* the call's words are off */
	ERR_REFUSED = 3, /* refused by a safety rule, which the text names */
	ERR_PEER = 4,    /* peer unreachable or timed out */
	ERR_BUSY = 5,    /* somebody else is at it */
};

struct err {
	enum err_code code;
	char text[768]; /* what failed and why: one line, no full stop */
	char hint[384]; /* the next thing to do, or empty */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		.code = ERR_NONE                                                                   \
	}

/* All four return -1, so that they can end a function: return err_set(e, ...).
 * errno is kept. e may not be NULL. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *e, enum err_code code,
						  const char *fmt, ...);
/* ERR_FAILED with ": " and the text of errno appended. */
__attribute__((format(printf, 2, 3))) int err_sys(struct err *e, const char *fmt, ...);
/* Puts "context: " before the text. */
__attribute__((format(printf, 2, 3))) int err_wrap(struct err *e, const char *fmt, ...);
/* Sets the remedy, unless one nearer to the cause is there already. */
__attribute__((format(printf, 2, 3))) int err_hint(struct err *e, const char *fmt, ...);

/* "failed", "usage", "refused", "peer", "busy": the word used in JSON. */
const char *err_word(enum err_code code);
enum err_code err_code_of(const char *word); /* ERR_FAILED for an unknown word */

#endif
