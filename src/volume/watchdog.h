/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule 7, thaw always happens: a process of its own, started before the first freeze, that resumes
 * every device and thaws every file system when the one who froze them dies or is late. It needs
 * nothing from us any more: its memory is locked, its calls are made, it listens on a socket whose
 * other end only we hold.
 *
 *   us: watchdog_start   watchdog_arm  freeze ... thaw  watchdog_stop
 *   it: looks at every device once, "ready"; then until stop: our end closes, or limit_ms after the
 *       arming have passed -> resume all.
 *
 * If both are killed at once, freeze_mend() and fsfreeze_mend() release them at the next start. */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include <stdbool.h>

#include "err.h"

#define WATCHDOG_DEVICES_MAX 128 /* an era device and what is below it, for every volume */

struct watchdog;

/* words: a line "dm UUID" for each device, "fs PATH" for each file system (a folder on it; twice is
 * fine), as thaw_words() of the kinds make them. NULL on failure. */
struct watchdog *watchdog_start(const char *words, unsigned limit_ms, struct err *e);
int watchdog_arm(struct watchdog *w, struct err *e); /* the limit counts from here */
/* Ends it. thawed: all devices have been resumed; else it does that now. -1 if it had released
 * anything, or died: then writes may have reached the volumes before the snapshots were taken. */
int watchdog_stop(struct watchdog *w, bool thawed, struct err *e);

#endif
