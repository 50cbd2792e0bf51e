/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the bitmap log share: a folder of its own, cuts, and the log's invariants. */
#ifndef BITLOG_TOOLS_H
#define BITLOG_TOOLS_H

#include "bitlog.h"

#define GENERATION "0123456789abcdef0123456789abcdef"
#define BLOCK      65536

void make_dir(void); /* before each test: log_path() lies in a new folder */
void remove_dir(void);
const char *log_path(void);
void put_file(const void *p, size_t n); /* the log's file is these bytes */
void get_file(struct buf *image);       /* appends the log's file */
void reseal_mark(uint8_t *mark);        /* puts the right checksum */

/* With doubt NULL, any doubt fails the test. */
struct bitlog *open_log(const char **doubt);
void reopen(struct bitlog **l, const char **doubt);
/* A cut of two volumes of 1000 blocks; blocks first, count of volume 0 changed. */
struct bitlog_cut *make_cut(uint64_t seq, uint64_t prev, uint64_t first, uint64_t count);
void append_ok(struct bitlog *l, uint64_t seq, uint64_t first, uint64_t count);
void commit_ok(struct bitlog *l, uint64_t seq);
uint64_t pending_count(const struct bitlog *l); /* blocks of volume 0; fails if everything */

/* The invariants of bitlog.h, of what is in memory and of the file. */
void bitlog_check(const struct bitlog *l);

#endif
