/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls of device-mapper for the instant of a cut, by bare ioctl (linux/dm-ioctl.h): made before
 * the first freeze, run without allocating, logging or executing anything, and safe in a process
 * that has just been forked. libdevmapper allocates for every call; it is used everywhere else
 * (dmdev.h). */
#ifndef DMCALL_H
#define DMCALL_H

#include <linux/dm-ioctl.h>
#include <stdbool.h>

#include "err.h"

#define DMCALL_SIZE 1024 /* bytes of one call with its message */

struct dmcall {
	unsigned long request;
	union {
		struct dm_ioctl head;
		unsigned char bytes[DMCALL_SIZE];
	} made, run; /* the kernel writes its answer over run */
};

/* uuid: of the device, always: names can be given to other devices. */
void dmcall_suspend(struct dmcall *c,
		    const char *uuid); /* freezes a file system on it, drains I/O */
void dmcall_resume(struct dmcall *c, const char *uuid); /* of a running device: no effect */
void dmcall_status(struct dmcall *c, const char *uuid);
/* A message for the target at the device's start. */
__attribute__((format(printf, 3, 4))) void dmcall_message(struct dmcall *c, const char *uuid,
							  const char *fmt, ...);

int dmcall_open(struct err *e); /* a descriptor of the control device */
/* 0, or -1 with errno: ENXIO, no such device. May be run any number of times. */
int dmcall_run(int control, struct dmcall *c);
/* The answer to a status call. */
bool dmcall_is_suspended(const struct dmcall *c);
bool dmcall_is_loaded(const struct dmcall *c); /* with a table that the next resume brings in */

#endif
