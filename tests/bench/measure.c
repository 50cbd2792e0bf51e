/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure RUNS COMMAND...: runs it, output thrown away, and prints for the run of median time:
 * microseconds, bytes read from disks, peak memory in KiB. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX 99

struct run {
	long us, bytes, kib;
};

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int by_time(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->us < y->us ? -1 : x->us > y->us;
}

static int measure(char **argv, struct run *r)
{
	struct rusage u;
	int status;
	pid_t pid;

	r->us = now_us();
	pid = fork();
	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &u) != pid || status != 0)
		return -1;
	r->us = now_us() - r->us;
	r->bytes = u.ru_inblock * 512;
	r->kib = u.ru_maxrss;
	return 0;
}

int main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[1]) : 0;
	struct run r[RUNS_MAX];

	if (runs < 1 || runs > RUNS_MAX) {
		fprintf(stderr, "usage: measure RUNS COMMAND...\n");
		return 2;
	}
	for (int i = 0; i < runs; i++) {
		if (measure(argv + 2, &r[i]) < 0) {
			fprintf(stderr, "measure: %s failed\n", argv[2]);
			return 1;
		}
	}
	qsort(r, runs, sizeof(*r), by_time);
	printf("%ld %ld %ld\n", r[runs / 2].us, r[runs / 2].bytes, r[runs / 2].kib);
	return 0;
}
