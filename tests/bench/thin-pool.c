/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thin-pool FILE MAPPINGS CHANGED UNMAPPED [SEED]: writes the metadata of a thin pool whose device
 * 0 has so many blocks and whose device 1 is a snapshot of it, altered in so many random ones. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "thin_image.h"

static uint64_t next_random(uint64_t n)
{
	return ((uint64_t)rand() << 31 | (unsigned)rand()) % n;
}

/* Two thirds full, as the kernel's nodes are after a while. */
static struct thin_image *make(uint64_t mappings, uint64_t changed, uint64_t unmapped)
{
	struct thin_image *t = ti_new(252, 128);
	char *gone = calloc(mappings, 1);

	ti_create(t, 0);
	ti_fill(t, 0, mappings, 168);
	ti_commit(t);
	ti_snap(t, 1, 0);
	while (changed--)
		ti_map(t, 1, next_random(mappings));
	while (unmapped--) {
		uint64_t key = next_random(mappings);

		if (!gone[key])
			ti_unmap(t, 1, key);
		gone[key] = 1;
	}
	ti_commit(t);
	free(gone);
	return t;
}

int main(int argc, char **argv)
{
	struct thin_image *t;
	int fd;

	if (argc < 5 || argc > 6 || atoll(argv[2]) < 1) {
		fprintf(stderr, "usage: thin-pool FILE MAPPINGS CHANGED UNMAPPED [SEED]\n");
		return 2;
	}
	fd = open(argv[1], O_CREAT | O_TRUNC | O_WRONLY, 0644);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	srand(argc > 5 ? atoi(argv[5]) : 1);
	t = make(atoll(argv[2]), atoll(argv[3]), atoll(argv[4]));
	ti_write(t, fd);
	ti_free(t);
	return fsync(fd) < 0 || close(fd) < 0;
}
