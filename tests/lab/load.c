/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
/* lab-load run ACK FILE... : an application that must not lose what it was told is safe. It writes
 * record n = 1, 2, 3 ... to each FILE in turn, durable in one before it is written to the next;
 * once durable in all, n is put into ACK, durably. A record is 4096 bytes, n repeated; record n
 * lies in slot n modulo SLOTS. Ends by signal.
 *
 * lab-load check LEAST FILE... : is this one instant of such files? Per file the records are whole
 * and the last SLOTS ones are all there, one at least; no file is ahead of the one before it, and
 * all are at most one behind the first; the last is at least at LEAST. Prints its number. 0 yes, 1
 * no. */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"

#define RECORD 4096
#define WORDS  (RECORD / sizeof(uint64_t))
#define SLOTS  64
#define FILES  16

static uint64_t record[WORDS] __attribute__((aligned(RECORD)));

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

static void put(int fd, const char *name, uint64_t slot, uint64_t n)
{
	for (size_t i = 0; i < WORDS; i++)
		record[i] = n;
	if (io_pwrite(fd, record, RECORD, slot * RECORD) < 0)
		die(name);
}

static void settle(int fd, const char *name)
{
	if (fdatasync(fd) < 0)
		die(name);
}

static int begin(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0600);

	if (fd < 0)
		die(name);
	for (uint64_t s = 0; s < SLOTS; s++)
		put(fd, name, s, 0);
	settle(fd, name);
	return fd;
}

static void acknowledge(int fd, uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%20" PRIu64 "\n", n);

	if (io_pwrite(fd, text, (size_t)len, 0) < 0)
		die("acknowledge");
	settle(fd, "acknowledge");
}

static _Noreturn void run(const char *ack_name, int n, char **name)
{
	int ack, fd[FILES];

	for (int i = 0; i < n; i++)
		fd[i] = begin(name[i]);
	ack = open(ack_name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (ack < 0)
		die(ack_name);
	for (uint64_t k = 1;; k++) {
		for (int i = 0; i < n; i++) {
			put(fd[i], name[i], k % SLOTS, k);
			settle(fd[i], name[i]);
		}
		acknowledge(ack, k);
	}
}

/* The number of the record in a slot; a torn one ends the check. */
static uint64_t get(int fd, const char *name, uint64_t slot)
{
	if (io_pread(fd, record, RECORD, slot * RECORD) < 0)
		die(name);
	for (size_t i = 1; i < WORDS; i++)
		if (record[i] != record[0]) {
			printf("%s: torn record in slot %" PRIu64 "\n", name, slot);
			exit(1);
		}
	return record[0];
}

static uint64_t newest(const char *name)
{
	_cleanup_close_ int fd = open(name, O_RDONLY | O_DIRECT);
	uint64_t in[SLOTS], max = 0;

	if (fd < 0)
		fd = open(name, O_RDONLY); /* a file system without O_DIRECT */
	if (fd < 0)
		die(name);
	for (uint64_t s = 0; s < SLOTS; s++) {
		in[s] = get(fd, name, s);
		if (in[s] > max)
			max = in[s];
	}
	if (!max) {
		printf("%s: no record\n", name);
		exit(1);
	}
	for (uint64_t k = max < SLOTS ? 1 : max - SLOTS + 1; k <= max; k++)
		if (in[k % SLOTS] != k) {
			printf("%s: record %" PRIu64 " of %" PRIu64 " is missing\n", name, k, max);
			exit(1);
		}
	return max;
}

static int check(uint64_t least, int n, char **name)
{
	uint64_t first = newest(name[0]), last = first;

	for (int i = 1; i < n; i++) {
		uint64_t here = newest(name[i]);

		if (here > last || here + 1 < first) {
			printf("%s is at %" PRIu64 ", %s at %" PRIu64 "\n", name[i], here, name[0],
			       first);
			return 1;
		}
		last = here;
	}
	printf("%" PRIu64 "\n", last);
	if (last < least)
		printf("%s: record %" PRIu64 " was acknowledged\n", name[n - 1], least);
	return last < least;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && argc - 3 <= FILES && !strcmp(argv[1], "run"))
		run(argv[2], argc - 3, argv + 3);
	if (argc >= 4 && !strcmp(argv[1], "check") && isdigit((unsigned char)*argv[2]))
		return check(strtoull(argv[2], NULL, 10), argc - 3, argv + 3);
	fprintf(stderr, "usage: lab-load run ACK FILE... | check LEAST FILE...\n");
	return 2;
}
