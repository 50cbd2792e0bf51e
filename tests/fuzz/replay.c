/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Feeds every file named on the command line, or in a folder named there, to a fuzzer's target: so
 * the corpus is a test also where there is no fuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "io.h"

#define FILE_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path, unsigned *n)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	if (io_read_file(path, FILE_MAX, &b, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	LLVMFuzzerTestOneInput(b.data, b.len);
	++*n;
	return 0;
}

static int replay_dir(const char *path, unsigned *n)
{
	_cleanup_(closedirp) DIR *d = opendir(path);
	struct dirent *f;

	if (!d)
		return replay(path, n);
	while ((f = readdir(d))) {
		_cleanup_free_ char *file = xasprintf("%s/%s", path, f->d_name);

		if (f->d_name[0] != '.' && replay(file, n) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned n = 0;

	for (int i = 1; i < argc; i++)
		if (replay_dir(argv[i], &n) < 0)
			return 1;
	printf("%u inputs\n", n);
	return n == 0; /* an empty corpus tests nothing */
}
