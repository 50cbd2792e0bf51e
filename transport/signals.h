/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that leave the program's signals to the program. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <pthread.h>

#include "err.h"

/* pthread_create() of a thread in which every signal is blocked. */
int signals_thread(pthread_t *t, void *(*run)(void *), void *arg, struct err *e);

#endif
