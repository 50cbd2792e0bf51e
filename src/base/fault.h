/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Named fault points: fault("cut.snapped") marks a step of an order that a crash must not break.
 * In srsync it does nothing. In srsync-fault (built by make check) the environment variable
 * SRSYNC_FAULT=NAME[:N] kills the process, without any cleanup, at the N-th passing of NAME;
 * SRSYNC_FAULT=NAME:N:stop:FILE stops it there instead (SIGSTOP) after creating FILE.
 * SRSYNC_FAULT_LIST=FILE appends the name of every point passed. */
#ifndef FAULT_H
#define FAULT_H

void fault(const char *name);

#endif
