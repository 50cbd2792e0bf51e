/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "aio_engine.h"

struct aio {
	const struct aio_engine *engine;
	void *state;
	struct aio_req *free; /* requests not in use */
	unsigned busy;        /* queued or in flight */
	struct aio_req req[]; /* depth of them */
};

static void no_memory(void)
{
	fputs("srsync: out of memory or threads\n", stderr);
	abort();
}

struct aio *aio_new(unsigned depth)
{
	struct aio *a = xcalloc(1, sizeof(*a) + depth * sizeof(a->req[0]));
	const char *no = getenv("SRSYNC_NO_URING");

	assert(depth >= 1 && depth <= AIO_DEPTH_MAX);
	a->engine = &aio_uring;
	if (!no || strcmp(no, "1") != 0)
		a->state = a->engine->start(depth);
	if (!a->state) {
		a->engine = &aio_threads;
		a->state = a->engine->start(depth);
	}
	if (!a->state)
		no_memory();
	for (unsigned i = 0; i < depth; i++) {
		a->req[i].next = a->free;
		a->free = &a->req[i];
	}
	return a;
}

void aio_free(struct aio *a)
{
	struct err ignored = ERR_INIT;

	if (!a)
		return;
	aio_drain(a, &ignored); /* the kernel may still write into the caller's memory */
	a->engine->stop(a->state);
	free(a);
}

bool aio_room(const struct aio *a)
{
	return a->free != NULL;
}

bool aio_idle(const struct aio *a)
{
	return a->busy == 0;
}

static void queue(struct aio *a, struct aio_req req)
{
	struct aio_req *r = a->free;

	assert(r && req.need <= req.len && req.len > 0);
	a->free = r->next;
	a->busy++;
	*r = req;
	a->engine->queue(a->state, r);
}

void aio_read(struct aio *a, int fd, void *p, size_t len, size_t need, uint64_t offset, void *user)
{
	queue(a,
	      (struct aio_req){
		      .fd = fd, .p = p, .len = len, .need = need, .offset = offset, .user = user});
}

void aio_write(struct aio *a, int fd, const void *p, size_t len, uint64_t offset, void *user)
{
	queue(a, (struct aio_req){.fd = fd,
				  .p = (uint8_t *)p,
				  .len = len,
				  .need = len,
				  .offset = offset,
				  .user = user,
				  .write = true});
}

enum outcome { AGAIN, DONE, FAILED }; /* FAILED: errno says why */

/* The rest of a short transfer starts at a whole block again, or O_DIRECT would refuse it. */
static enum outcome judge(struct aio_req *r)
{
	size_t before = r->done;

	if (r->result == -EAGAIN)
		aio_move(r); /* io_uring could not wait for us; asking it again might never end */
	if (r->result == -EINTR)
		return AGAIN;
	if (r->result < 0) {
		errno = -r->result;
		return FAILED;
	}
	r->done += r->result;
	if (r->done >= r->need)
		return DONE;
	r->done -= r->done % AIO_ALIGN;
	if (r->done > before)
		return AGAIN;
	errno = r->write ? ENOSPC : ENODATA; /* ended early */
	return FAILED;
}

int aio_next(struct aio *a, void **user, struct err *e)
{
	while (a->busy) {
		struct aio_req *r = a->engine->wait(a->state);
		enum outcome o = judge(r);

		if (o == AGAIN) {
			a->engine->queue(a->state, r);
			continue;
		}
		*user = r->user;
		r->next = a->free;
		a->free = r;
		a->busy--;
		if (o == DONE)
			return 1;
		return err_sys(e, "%s of %zu bytes at offset %" PRIu64, r->write ? "write" : "read",
			       r->need, r->offset);
	}
	return 0;
}

int aio_drain(struct aio *a, struct err *e)
{
	struct err later = ERR_INIT;
	void *user;
	int r, bad = 0;

	while ((r = aio_next(a, &user, bad ? &later : e)) != 0)
		if (r < 0)
			bad = -1;
	return bad;
}

void *aio_alloc(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		no_memory();
	/* a kernel that does not know one of them says no, which is fine */
	madvise(p, n, MADV_HUGEPAGE);
	madvise(p, n, MADV_DONTFORK);
	madvise(p, n, MADV_POPULATE_WRITE); /* last: huge pages are taken now or never */
	return p;
}

void aio_release(void *p, size_t n)
{
	if (p)
		munmap(p, n);
}
