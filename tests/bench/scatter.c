/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scatter FROM TO: writes the pages of FROM to places all over TO, one in each equal part of it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

int main(int argc, char **argv)
{
	static unsigned char page[PAGE];
	struct stat from, to;
	int in, out;

	if (argc != 3 || (in = open(argv[1], O_RDONLY)) < 0 ||
	    (out = open(argv[2], O_WRONLY)) < 0 || fstat(in, &from) < 0 || fstat(out, &to) < 0 ||
	    from.st_size < PAGE)
		return perror("scatter"), 1;
	srandom(1);
	for (off_t i = 0, n = from.st_size / PAGE, part = to.st_size / PAGE / n; i < n; i++)
		if (read(in, page, PAGE) != PAGE ||
		    pwrite(out, page, PAGE, (i * part + random() % part) * PAGE) != PAGE)
			return perror("scatter"), 1;
	return fsync(out) < 0 ? (perror("scatter"), 1) : 0;
}
