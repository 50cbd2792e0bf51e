/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at a block device before it is overwritten: what is on it, and who uses it. */
#ifndef PROBE_H
#define PROBE_H

#include <stddef.h>
#include <sys/types.h>

#include "err.h"

#define PROBE_WORDS_MAX 256

/* 1 and words, as `a file system (xfs, label "data")`; 0: nothing that libblkid knows, all of it
 * may still be data. fd: open for reading. */
int probe_content(int fd, char words[static PROBE_WORDS_MAX], struct err *e);
/* 1 and words, as "mounted on /srv", "used as swap", "held by vg-x"; 0: nobody uses it as far as
 * this host can tell, and it could be opened exclusively. path: to open the device. */
int probe_user_of(const char *path, dev_t dev, char words[static PROBE_WORDS_MAX], struct err *e);
/* The same of a device-mapper device. */
int probe_user(unsigned dm_major, unsigned dm_minor, char words[static PROBE_WORDS_MAX],
	       struct err *e);
/* 1 and words, as "open in qemu (pid 77)": another process has it open, as far as /proc shows. What
 * for device-mapper devices is known without a search: struct dmdev. */
int probe_opened(dev_t dev, char words[static PROBE_WORDS_MAX], struct err *e);

#endif
