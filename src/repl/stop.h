/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SIGTERM and SIGINT as a flag and a bounded sleep, for long work that ends in good order. */
#ifndef STOP_H
#define STOP_H

#include <stdbool.h>
#include <stdint.h>

void stop_init(void);         /* from now on the two signals only set the flag */
bool stop_wanted(void);       /* thread-safe */
bool stop_sleep(uint64_t ms); /* true: woken by a signal, or the flag was set already */

#endif
