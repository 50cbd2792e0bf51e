/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of LVM as lvmconfig tells them. It is asked at most once a minute on this host: what it
 * said lies in LVM_RUNDIR for other srsync processes, beside the time of LVM's configuration then.
 */
#ifndef LVM_SETTINGS_H
#define LVM_SETTINGS_H

#include <stddef.h>

#include "err.h"

/* name: "locking_dir" or "thin_pool_autoextend_threshold"; its value as text. */
int lvm_setting(const char *name, char *out, size_t size, struct err *e);

#endif
