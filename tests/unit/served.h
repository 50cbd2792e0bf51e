/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two identities and a server between which the tests of transport pass requests. Failures end the
 * test.
 *
 *   PUT /put/NAME       201, answers NAME; the body's sum_of() is in sum
 *   PUT /aligned/NAME   201; checks that the byte whose number the body's first byte tells is
 * aligned GET /bytes/N        200, N bytes POST /sleep/MS      204 after MS milliseconds */
#ifndef SERVED_H
#define SERVED_H

#include <stdatomic.h>

#include "client.h"
#include "server.h"

#define BODY_MAX (8u << 20)

extern struct identity *host_a, *host_b; /* client, server; only host_a is granted */
extern struct server *server;
extern char address[40];     /* of it */
extern atomic_int calls;     /* of handlers */
extern char last_remote[80]; /* of the connection of the last call */
extern unsigned sum;         /* of the last body */
extern struct buf reply;     /* of call() */
extern struct err e;         /* of all of these */

void setup(void);
void teardown(void);
void serve(unsigned max, unsigned idle_s);
struct server *try_serve(const char *listen, unsigned max, unsigned idle_s);
struct identity *make(const char *name);
struct client *client_as(const struct identity *id, const char *to, unsigned stall_ms);
int call(struct client *c, const char *method, const char *path, const void *body, size_t n);
unsigned sum_of(const uint8_t *p, size_t n);

#endif
