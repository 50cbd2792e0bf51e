/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A lock file by fcntl(2)'s open file description locks: freed by the kernel when its holder ends,
 * however it ends. */
#ifndef LOCK_H
#define LOCK_H

#include "err.h"

/* The open descriptor that holds the lock (close it to unlock), or -1. Waits up to wait_ms; then
 * ERR_BUSY, naming the holder's pid and what it does. what: the holder's words, stored in the
 * file for that message. */
int lock_take(const char *path, const char *what, unsigned wait_ms, struct err *e);
/* 1 if somebody holds it, 0 if not. */
int lock_held(const char *path);

#endif
