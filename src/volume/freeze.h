/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One device-mapper device held still for the instant of a cut.
 *
 * Only one srsync process freezes a device at a time (a lock file in LVM_RUNDIR). A mark beside it
 * says that we are about to freeze it, so that after a crash that also took the watchdog the device
 * is known as ours to resume; a reboot, which resumes everything, takes the mark away. */
#ifndef FREEZE_H
#define FREEZE_H

#include "dmcall.h"
#include "lvm.h"

struct freeze {
	char mark[sizeof(LVM_RUNDIR) + LVM_DM_UUID_SIZE + 8];
	int lock, control;
	struct dmcall status, suspend, resume;
	bool active; /* there is a device; else nobody can write, and that must stay so */
	bool frozen; /* by us */
	bool broken; /* somebody else resumed or activated it before we were done */
};

#define FREEZE_INIT                                                                                \
	{                                                                                          \
		.lock = -1, .control = -1                                                          \
	}

int freeze_open(struct freeze *f, const char *uuid, struct err *e);
int freeze_begin(struct freeze *f, struct err *e);
/* Idempotent. -1: it could not be resumed, and the watchdog must. */
int freeze_end(struct freeze *f, struct err *e);
void freeze_close(struct freeze *f); /* lets go of lock and mark; a frozen device keeps its mark */

/* 1: such a mark is there, 0: not. */
int freeze_marked(const char *uuid);
/* Resumes a device that a killed srsync has left frozen. */
int freeze_mend(const char *uuid, struct err *e);

#endif
