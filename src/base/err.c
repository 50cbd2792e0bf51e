/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "err.h"

static const char *const words[] = {
	[ERR_NONE] = "none",       [ERR_FAILED] = "failed", [ERR_USAGE] = "usage",
	[ERR_REFUSED] = "refused", [ERR_PEER] = "peer",     [ERR_BUSY] = "busy",
};

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	e->code = code;
	e->hint[0] = '\0';
	errno = saved;
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	char what[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, ERR_FAILED, "%s: %s", what, strerror(saved));
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	char inner[sizeof(e->text)], outer[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(outer, sizeof(outer), fmt, ap);
	va_end(ap);
	memcpy(inner, e->text, sizeof(inner));
	snprintf(e->text, sizeof(e->text), "%.350s: %.400s", outer, inner);
	errno = saved;
	return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (e->hint[0] == '\0') {
		va_start(ap, fmt);
		vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
		va_end(ap);
	}
	errno = saved;
	return -1;
}

const char *err_word(enum err_code code)
{
	return (unsigned)code < ARRAY_SIZE(words) ? words[code] : words[ERR_FAILED];
}

enum err_code err_code_of(const char *word)
{
	for (unsigned i = 1; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i]))
			return i;
	return ERR_FAILED;
}
