/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one logger: standard error for a person, the journal (with the fields SRSYNC_PARTNERSHIP and
 * PRIORITY) when systemd started us. Thread-safe. */
#ifndef LOG_H
#define LOG_H

#include "err.h"

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_set_level(enum log_level level); /* default: info */
/* Names the partnership that the calling thread works for; NULL: none. Not copied. */
void log_set_partnership(const char *name);

__attribute__((format(printf, 2, 3))) void log_at(enum log_level level, const char *fmt, ...);
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

void log_err(enum log_level level, const struct err *e); /* text, and the hint on a second line */

#endif
