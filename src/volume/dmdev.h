/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device-mapper devices by libdevmapper: what there is, its table and status, pool messages,
 * private devices. The only file that links that library, which is made for one thread: calls take
 * turns. Its log lines become the text of errors. */
#ifndef DMDEV_H
#define DMDEV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

#define DMDEV_PARAMS_MAX 512

struct dmdev {
	bool exists, suspended, read_only;
	int open_count;
	unsigned major, minor;
	char name[128]; /* as in /dev/mapper */
};

/* No such device is no error: exists is false. */
int dmdev_find(const char *uuid, struct dmdev *out, struct err *e);
/* "/dev/dm-N": made by the kernel, so it needs no udev. */
void dmdev_path(const struct dmdev *d, char *out, size_t size);

struct dmdev_table {
	uint64_t sectors; /* of 512 bytes */
	char type[32];
	char params[DMDEV_PARAMS_MAX];
};

/* The first target of the table of a device that must be there. */
int dmdev_table(const char *uuid, struct dmdev_table *out, struct err *e);

struct dmdev_pool {
	uint64_t transaction_id;
	uint64_t meta_used, meta_total; /* blocks of 4096 bytes */
	uint64_t data_used, data_total; /* chunks */
	bool read_only, failed, needs_check, no_space;
};

/* commit: the pool writes out its metadata first; without it the call waits for nothing. */
int dmdev_pool(const char *uuid, bool commit, struct dmdev_pool *out, struct err *e);
/* A device of target type snapshot: of a classic snapshot, not of its origin. */
struct dmdev_snapshot {
	bool invalid, overflow, merge_failed;
	double percent; /* of its store that is used */
};

/* 1: the device is of another type. Waits for nothing. */
int dmdev_snapshot(const char *uuid, struct dmdev_snapshot *out, struct err *e);
int dmdev_message(const char *uuid, const char *text, struct err *e); /* errno tells the cause */
int dmdev_resume(const char *uuid, struct err *e);

/* LVM's name of the device of a volume; the caller frees it. NULL: not enough memory. */
char *dmdev_lvm_name(const char *vg, const char *lv);
/* A device that all may use; removed again by dmdev_remove(), which fails while it is open. */
int dmdev_create(const char *name, const char *uuid, const struct dmdev_table *t, struct err *e);
int dmdev_remove(const char *uuid, struct err *e);
/* The table that the next resume puts in place. */
int dmdev_load(const char *uuid, const struct dmdev_table *t, struct err *e);

/* An active device opened O_RDONLY | O_DIRECT: the descriptor. While it is open nobody can give its
 * number to another device, so what was opened is what has the uuid. */
int dmdev_open(const char *uuid, struct err *e);

/* Makes a read-only device that udev, and so everybody else, is told to leave alone, opens it with
 * O_DIRECT and asks the kernel to remove it with its last close. Between these steps a crash can
 * leave it behind unopened: dmdev_sweep(). */
int dmdev_open_private(const char *name, const char *uuid, const struct dmdev_table *t,
		       struct err *e);
/* Removes all devices whose uuid begins with prefix and that nobody has open. */
int dmdev_sweep(const char *prefix, struct err *e);

#endif
