/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between aio.c and the two engines that move the bytes. */
#ifndef AIO_ENGINE_H
#define AIO_ENGINE_H

#include "aio.h"

struct aio_req {
	struct aio_req *next; /* in a list of the engine or of free requests */
	void *user;
	int fd;
	bool write;
	uint8_t *p;
	size_t len, need; /* bytes */
	size_t done;      /* bytes moved so far */
	uint64_t offset;  /* of p on fd */
	long result;      /* of the engine's last try: bytes moved, or -errno */
};

/* Tries to move p[done..len) to or from offset + done and sets result. */
struct aio_engine {
	void *(*start)(unsigned depth); /* NULL: not available here */
	void (*stop)(void *state);      /* nothing is in flight */
	void (*queue)(void *state, struct aio_req *r);
	/* Starts what is queued and waits for one to end; something is in flight. */
	struct aio_req *(*wait)(void *state);
};

extern const struct aio_engine aio_uring, aio_threads;

/* The same by pread(2) or pwrite(2), at once. */
void aio_move(struct aio_req *r);

#endif
