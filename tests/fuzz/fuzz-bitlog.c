/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a bitmap log. The first byte says whether they are the file itself, or records whose
 * checksums and marks are put right here, so that what lies behind them is reached too. What is
 * read without doubt must be written and read again the same. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "bitlog_record.h"
#include "io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
	if (!b)
		abort();
}

/* Takes the bytes as records by their length fields, as far as they go. */
static void seal(struct buf *b)
{
	struct bitlog_mark m = {.count = 0, .end = BITLOG_FIRST, .salt = 1, .sum = 1};
	size_t n;

	for (; b->len - m.end >= BITLOG_RECORD_MIN; m.end += n) {
		n = bitlog_record_length(b->data + m.end);
		if (n == 0 || n > b->len - m.end)
			break;
		m.sum = XXH3_64bits_withSeed(b->data + m.end, n - 8, m.sum);
		le64_put(b->data + m.end + n - 8, m.sum);
	}
	bitlog_mark_encode(&m, b->data);
	m.count++;
	bitlog_mark_encode(&m, b->data + BITLOG_MARK_ROOM);
}

static void use(const char *path)
{
	const char *doubt = NULL;
	struct err e = ERR_INIT;
	_cleanup_(bitlog_freep) struct bitlog *l = bitlog_open(path, &doubt, &e), *again = NULL;
	const struct bitlog_cut *newest = l ? bitlog_newest(l) : NULL;
	uint64_t seq = newest ? newest->seq : 0;

	must(!l || !doubt || !newest);
	if (!newest)
		return;
	must(bitlog_commit(l, newest->generation, seq, &e) == 0);
	must(bitlog_forget(l, &e) == 0);
	again = bitlog_open(path, &doubt, &e);
	must(again && !doubt && !bitlog_committed(again) && bitlog_newest(again)->seq == seq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/tmp/fuzz-bitlog.XXXXXX";
	_cleanup_free_ char *path = mkdtemp(dir) ? xasprintf("%s/log", dir) : NULL;
	_cleanup_buf_ struct buf b = BUF_INIT;
	uint8_t zeros[BITLOG_FIRST] = {0};
	struct err e = ERR_INIT;
	bool framed = size > 0 && data[0] % 2;

	if (framed)
		buf_put(&b, zeros, sizeof(zeros));
	if (size > 0)
		buf_put(&b, data + 1, size - 1);
	if (framed)
		seal(&b);
	must(path && io_replace(path, b.data, b.len, 0600, &e) == 0);
	use(path);
	must(io_remove_tree(dir, &e) == 0);
	return 0;
}
