/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Group commit: many threads hand in records and wait; one of them flushes for all that are there.
 * A record handed in while a flush runs waits for the next one, since its data may have been
 * written after the running flush began (rule 4: durable before acknowledged). */
#ifndef DURABLE_H
#define DURABLE_H

#include "buf.h"
#include "err.h"

/* Makes everything written before durable, then the batch of records. Never runs twice at once. */
typedef int durable_flush(void *arg, const struct buf *batch, struct err *e);

struct durable;

struct durable *durable_new(durable_flush *flush, void *arg);
void durable_free(struct durable *d); /* nobody may be waiting; NULL is fine */
DEFINE_FREEP(durable_free, struct durable);

/* Returns when record is durable. After a failed flush every call fails with its error. */
int durable_put(struct durable *d, const struct buf *record, struct err *e);

#endif
