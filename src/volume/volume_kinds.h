/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All kinds of volumes; a kind is known to volume.c only. */
#ifndef VOLUME_KINDS_H
#define VOLUME_KINDS_H

#include "volume.h"

extern const struct volume_ops file_ops, thin_ops, plain_ops, raw_ops;

#endif
