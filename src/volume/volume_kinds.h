/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All kinds of volumes; a kind is known to volume.c, and to a kind above it, only. */
#ifndef VOLUME_KINDS_H
#define VOLUME_KINDS_H

#include "volume.h"

extern const struct volume_ops file_ops, era_ops, thin_ops, plain_ops, raw_ops;

/* As volume_open(), of this kind only: what its open() returns. For a kind that stands on another;
 * the words have been checked. */
int volume_open_as(const struct volume_ops *ops, const char *name, enum volume_role role,
		   const char *partnership, struct volume **out, struct err *e);

#endif
