/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

#include "log.h"

static enum log_level threshold = LOG_LEVEL_INFO;
static _Thread_local const char *partnership;

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_set_partnership(const char *name)
{
	partnership = name;
}

#ifdef HAVE_SYSTEMD
/* A command that serve runs inherits the variable, but not the stream: systemd.exec(5). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}
#endif

static int to_journal(enum log_level level, const char *text)
{
#ifdef HAVE_SYSTEMD
	if (!stderr_is_journal())
		return 0;
	return sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", (int)level,
			       "SRSYNC_PARTNERSHIP=%s", partnership ? partnership : "", NULL) == 0;
#else
	(void)level, (void)text;
	return 0;
#endif
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (level > threshold)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (to_journal(level, text))
		return;
	fprintf(stderr, "srsync: %s%s%s%s\n", level == LOG_LEVEL_WARN ? "warning: " : "",
		partnership ? partnership : "", partnership ? ": " : "", text);
}

void log_err(enum log_level level, const struct err *e)
{
	log_at(level, "%s%s%s", e->text, e->hint[0] ? "\n  to do: " : "", e->hint);
}
