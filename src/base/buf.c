/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <endian.h>
#include <string.h>

#include "buf.h"

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

void buf_reset(struct buf *b)
{
	b->len = 0;
}

void buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : n < 256 ? 256 : n;

	if (b->cap - b->len >= n)
		return;
	while (cap - b->len < n)
		cap *= 2;
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	buf_reserve(b, n);
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

void buf_put_le16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_put(b, &v, sizeof(v));
}

void buf_put_le32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_put(b, &v, sizeof(v));
}

void buf_put_le64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_put(b, &v, sizeof(v));
}

void buf_put_str(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	assert(n <= UINT16_MAX);
	buf_put_le16(b, n);
	buf_put(b, s, n);
}

void buf_set_le32(struct buf *b, size_t at, uint32_t v)
{
	assert(at + sizeof(v) <= b->len);
	le32_put(b->data + at, v);
}

void buf_set_le64(struct buf *b, size_t at, uint64_t v)
{
	assert(at + sizeof(v) <= b->len);
	le64_put(b->data + at, v);
}

const uint8_t *cur_bytes(struct cur *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || n > c->left) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	c->left -= n;
	return p;
}

uint8_t cur_u8(struct cur *c)
{
	const uint8_t *p = cur_bytes(c, 1);

	return p ? *p : 0;
}

uint16_t cur_le16(struct cur *c)
{
	const uint8_t *p = cur_bytes(c, 2);

	return p ? le16_at(p) : 0;
}

uint32_t cur_le32(struct cur *c)
{
	const uint8_t *p = cur_bytes(c, 4);

	return p ? le32_at(p) : 0;
}

uint64_t cur_le64(struct cur *c)
{
	const uint8_t *p = cur_bytes(c, 8);

	return p ? le64_at(p) : 0;
}

void cur_str(struct cur *c, char *out, size_t size)
{
	size_t n = cur_le16(c);
	const uint8_t *p = cur_bytes(c, n);

	assert(size > 0);
	out[0] = '\0';
	if (!p)
		return;
	if (n >= size || memchr(p, 0, n)) {
		c->bad = true;
		return;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

uint16_t le16_at(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

uint32_t le32_at(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

uint64_t le64_at(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

void le32_put(void *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

void le64_put(void *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}
