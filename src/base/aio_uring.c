/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>

#include "aio_engine.h"

static void *start(unsigned depth)
{
	struct io_uring *ring = xcalloc(1, sizeof(*ring));

	/* COOP_TASKRUN spares an interrupt per completion; kernels before 5.19 do not know it. */
	if (io_uring_queue_init(depth, ring, IORING_SETUP_COOP_TASKRUN) == 0 ||
	    io_uring_queue_init(depth, ring, 0) == 0)
		return ring;
	free(ring);
	return NULL;
}

static void stop(void *state)
{
	io_uring_queue_exit(state);
	free(state);
}

/* There is always an entry: the ring has as many as there are requests. */
static void queue(void *state, struct aio_req *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(state);

	if (r->write)
		io_uring_prep_write(sqe, r->fd, r->p + r->done, r->len - r->done,
				    r->offset + r->done);
	else
		io_uring_prep_read(sqe, r->fd, r->p + r->done, r->len - r->done,
				   r->offset + r->done);
	io_uring_sqe_set_data(sqe, r);
}

static struct aio_req *wait(void *state)
{
	struct io_uring *ring = state;
	struct io_uring_cqe *cqe = NULL;
	struct aio_req *r;

	for (;;) {
		bool ready = io_uring_peek_cqe(ring, &cqe) == 0;
		int n = 0;

		if (!ready || io_uring_sq_ready(ring))
			n = io_uring_submit_and_wait(ring, ready ? 0 : 1);
		if (ready || io_uring_peek_cqe(ring, &cqe) == 0)
			break;
		if (n == -EAGAIN || n == -EBUSY) {
			usleep(1000); /* the kernel is short of memory for requests */
		} else if (n < 0 && n != -EINTR) {
			/* buffers of unknown state: nothing that a caller could do is safe */
			fprintf(stderr, "srsync: io_uring: %s\n", strerror(-n));
			abort();
		}
	}
	r = io_uring_cqe_get_data(cqe);
	r->result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return r;
}

const struct aio_engine aio_uring = {start, stop, queue, wait};
