/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "io.h"
#include "stream.h"

static const char header_magic[8] = "srsync\r\n", end_magic[4] = "SREN";

static void put_header(struct buf *b)
{
	buf_put(b, header_magic, sizeof(header_magic));
	buf_put_le32(b, STREAM_FORMAT);
	buf_put_le32(b, 0);
}

/* There is one right end for each manifest and count. */
static void put_end(struct buf *b, const struct manifest *m, uint64_t segments)
{
	buf_put(b, end_magic, sizeof(end_magic));
	buf_put_le32(b, 0);
	buf_put_le64(b, segments);
	buf_put_le64(b, 0); /* the checksum's place */
	buf_put_le64(b, 0);
	segment_seal(b->data, b->len, m->seed);
}

static int write_out(int fd, const struct buf *b, struct err *e)
{
	return io_write(fd, b->data, b->len) < 0 ? err_sys(e, "write the stream") : 0;
}

int stream_write_begin(int fd, const struct manifest *m, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	put_header(&b);
	if (manifest_encode(m, &b, e) < 0)
		return -1;
	return write_out(fd, &b, e);
}

int stream_write_segment(int fd, const struct buf *frame, struct err *e)
{
	return write_out(fd, frame, e);
}

int stream_write_end(int fd, const struct manifest *m, uint64_t segments, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	put_end(&b, m, segments);
	return write_out(fd, &b, e);
}

void stream_free(struct stream *s)
{
	manifest_free(s->m);
	buf_free(&s->manifest);
	buf_free(&s->frame);
}

/* Appends exactly n bytes of the input; 0: it was at its end already. */
static int take(struct stream *s, struct buf *b, size_t n, struct err *e)
{
	ssize_t r;

	buf_reserve(b, n);
	r = io_read(s->fd, b->data + b->len, n);
	if (r < 0)
		return err_sys(e, "read the stream");
	b->len += r;
	if (r == 0 || (size_t)r == n)
		return r > 0;
	err_set(e, ERR_FAILED, "the stream ends in the middle");
	return err_hint(e, "it was cut short on its way: send it again");
}

/* The same where an end would be too early. */
static int take_all(struct stream *s, struct buf *b, size_t n, struct err *e)
{
	int r = take(s, b, n, e);

	if (r != 0 || n == 0)
		return r < 0 ? -1 : 0;
	err_set(e, ERR_FAILED, "the stream ends before segment %" PRIu64 " of %" PRIu64, s->next,
		s->m ? s->m->segments : 0);
	return err_hint(e, "it was cut short on its way: send it again");
}

static int read_header(struct stream *s, struct err *e)
{
	_cleanup_buf_ struct buf got = BUF_INIT, want = BUF_INIT;
	int r = take(s, &got, STREAM_HEADER, e);

	if (r <= 0)
		return r;
	put_header(&want);
	if (!memcmp(got.data, want.data, want.len))
		return 1;
	if (memcmp(got.data, header_magic, sizeof(header_magic)))
		return err_set(e, ERR_FAILED, "not a stream of srsync, or damaged");
	err_set(e, ERR_FAILED, "a stream of format %u, this srsync knows %d",
		le32_at(got.data + sizeof(header_magic)), STREAM_FORMAT);
	return err_hint(e, "run the same version of srsync on both hosts");
}

int stream_read_begin(struct stream *s, struct err *e)
{
	int r = read_header(s, e);
	size_t size;

	if (r <= 0)
		return r;
	manifest_free(TAKE(s->m));
	buf_reset(&s->manifest);
	s->next = s->count = 0;
	if (take_all(s, &s->manifest, MANIFEST_HEAD, e) < 0)
		return -1;
	size = manifest_frame_size(s->manifest.data);
	if (!size)
		return err_set(e, ERR_FAILED,
			       "the stream is damaged: no manifest after its header");
	if (take_all(s, &s->manifest, size - MANIFEST_HEAD, e) < 0)
		return -1;
	s->m = manifest_decode(s->manifest.data, s->manifest.len, e);
	return s->m ? 1 : -1;
}

static int check_end(const struct stream *s, struct err *e)
{
	_cleanup_buf_ struct buf want = BUF_INIT;
	uint64_t said = le64_at(s->frame.data + 8);

	put_end(&want, s->m, said);
	if (memcmp(s->frame.data, want.data, want.len))
		return err_set(e, ERR_FAILED, "the stream's end is damaged or of another cut");
	if (said != s->count)
		return err_set(e, ERR_FAILED,
			       "the stream holds %" PRIu64 " segments, its end says %" PRIu64,
			       s->count, said);
	return 0;
}

int stream_read_segment(struct stream *s, struct segment **out, struct err *e)
{
	size_t size;

	buf_reset(&s->frame);
	if (take_all(s, &s->frame, SEGMENT_HEAD, e) < 0)
		return -1;
	if (!memcmp(s->frame.data, end_magic, sizeof(end_magic)))
		return check_end(s, e);
	size = segment_frame_size(s->frame.data);
	if (!size)
		return err_set(e, ERR_FAILED, "the stream is damaged after segment %" PRIu64,
			       s->next);
	if (take_all(s, &s->frame, size - SEGMENT_HEAD, e) < 0)
		return -1;
	*out = segment_decode(s->frame.data, s->frame.len, s->m, e);
	if (!*out)
		return -1;
	if ((*out)->number >= s->next) {
		s->next = (*out)->number + 1;
		s->count++;
		return 1;
	}
	err_set(e, ERR_FAILED, "segment %" PRIu64 " comes after segment %" PRIu64, (*out)->number,
		s->next - 1);
	segment_free(TAKE(*out));
	return -1;
}
