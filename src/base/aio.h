/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many reads and writes in flight at once: io_uring, or a few threads where the kernel has none (or
 * the environment says SRSYNC_NO_URING=1). One thread at a time uses an aio.
 *
 * Requests are queued without a system call; aio_next() hands over all that are queued in one and
 * waits. Short transfers, EINTR and EAGAIN are dealt with here. */
#ifndef AIO_H
#define AIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "err.h"

/* Memory, offsets and lengths that O_DIRECT accepts on every device: logical block sizes end here.
 */
#define AIO_ALIGN     4096
#define AIO_DEPTH_MAX 1024

struct aio;

struct aio *aio_new(unsigned depth); /* requests in flight at most: 1..AIO_DEPTH_MAX */
void aio_free(struct aio *a);        /* waits for what is in flight; NULL is fine */
DEFINE_FREEP(aio_free, struct aio);

bool aio_room(const struct aio *a); /* another request fits */
bool aio_idle(const struct aio *a); /* none is queued or in flight */

/* Queue one request; there must be room. p stays the caller's, untouched until the end is reported
 * with user. A read asks for len bytes, of which need must be there: the last block of a file may
 * be shorter than len. A write is done when all len bytes are. */
void aio_read(struct aio *a, int fd, void *p, size_t len, size_t need, uint64_t offset, void *user);
void aio_write(struct aio *a, int fd, const void *p, size_t len, uint64_t offset, void *user);

/* Waits for one request to end. 1: it is done; -1: it failed, e names offset and length (in both
 * cases *user is the request's); 0: nothing was in flight. */
int aio_next(struct aio *a, void **user, struct err *e);

/* Waits for all. 0, or -1 with the first failure. */
int aio_drain(struct aio *a, struct err *e);

/* Whole bytes of memory for O_DIRECT, from the kernel, on huge pages where it has some: pinning
 * them for each request then costs little. All of it is there at once, so that neighbours in it are
 * neighbours in memory, and a request goes to the device in few pieces. A forked child does not
 * have it: otherwise every page would be copied when next written. Ends the process when there is
 * none, as xmalloc(). */
void *aio_alloc(size_t n);
void aio_release(void *p, size_t n); /* NULL is fine */

#endif
