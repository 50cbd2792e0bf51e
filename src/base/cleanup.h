/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cleanup by attribute: a local is released on every way out of its block. */
#ifndef CLEANUP_H
#define CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* DEFINE_FREEP(x_free, struct x) defines x_freep() for _cleanup_; x_free(NULL) must be safe. */
#define DEFINE_FREEP(func, type)                                                                   \
	static inline void func##p(type **p)                                                       \
	{                                                                                          \
		func(*p);                                                                          \
	}                                                                                          \
	struct cleanup_semicolon

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_free_  _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)

/* Hand a pointer over: the cleanup then finds NULL. */
#define TAKE(p)                                                                                    \
	({                                                                                         \
		__typeof__(p) take_ = (p);                                                         \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})

/* The same for a file descriptor. */
static inline int take_fd(int *fd)
{
	int f = *fd;

	*fd = -1;
	return f;
}

/* Memory that must be there: a failed allocation ends the process, which is one more crash that
 * recovery already passes. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
__attribute__((format(printf, 1, 2))) char *xasprintf(const char *fmt, ...);

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
