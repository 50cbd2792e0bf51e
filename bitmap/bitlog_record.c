/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "bitlog_record.h"
#include "fmt.h"

#define MAGIC    "srbitlog"
#define VERSION  1
#define MARK_SUM (BITLOG_MARK_BYTES - 8) /* offset of its checksum */
#define ID_RAW   (FMT_ID_SIZE / 2)       /* bytes of a generation on the disk */

enum changes { CHANGES_NONE, CHANGES_ALL, CHANGES_SET };

void bitlog_mark_encode(const struct bitlog_mark *m, uint8_t out[static BITLOG_MARK_BYTES])
{
	memcpy(out, MAGIC, 8);
	le32_put(out + 8, VERSION);
	le32_put(out + 12, 0);
	le64_put(out + 16, m->count);
	le64_put(out + 24, m->end);
	le64_put(out + 32, m->salt);
	le64_put(out + 40, m->sum);
	le64_put(out + 48, m->anew);
	le64_put(out + MARK_SUM, XXH3_64bits(out, MARK_SUM));
}

enum bitlog_mark_state bitlog_mark_decode(const uint8_t in[static BITLOG_MARK_BYTES],
					  struct bitlog_mark *m)
{
	if (memcmp(in, MAGIC, 8) || le64_at(in + MARK_SUM) != XXH3_64bits(in, MARK_SUM))
		return BITLOG_MARK_BAD;
	if (le32_at(in + 8) != VERSION || le32_at(in + 12) != 0)
		return BITLOG_MARK_NEWER;
	*m = (struct bitlog_mark){le64_at(in + 16), le64_at(in + 24), le64_at(in + 32),
				  le64_at(in + 40), le64_at(in + 48)};
	return m->end >= BITLOG_FIRST ? BITLOG_MARK_GOOD : BITLOG_MARK_BAD;
}

static void put_id(const char *hex, struct buf *out)
{
	unsigned byte;

	for (unsigned i = 0; i < ID_RAW; i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		buf_put_u8(out, byte);
	}
}

static void put_volume(enum bitlog_type type, const struct bitlog_volume *v, bool all,
		       struct buf *out)
{
	buf_put_str(out, v->token);
	buf_put_le64(out, v->size);
	buf_put_le32(out, v->block_size);
	if (type == BITLOG_COMMITTED) {
		buf_put_u8(out, CHANGES_NONE);
	} else if (all) {
		buf_put_u8(out, CHANGES_ALL);
	} else {
		buf_put_u8(out, CHANGES_SET);
		bset_encode(v->set, out);
	}
}

static void put_cut(enum bitlog_type type, const struct bitlog_cut *c, bool all, struct buf *out)
{
	put_id(c->generation, out);
	buf_put_le64(out, c->seq);
	buf_put_le64(out, c->prev_seq);
	buf_put_le64(out, c->time_ms);
	buf_put_le32(out, c->pause_us);
	buf_put_le16(out, c->volumes);
	for (unsigned i = 0; i < c->volumes; i++)
		put_volume(type, &c->volume[i], all || c->volume[i].all, out);
}

void bitlog_record_encode(enum bitlog_type type, const struct bitlog_cut *c, size_t max,
			  uint64_t *sum, struct buf *out)
{
	size_t at = out->len, n;

	for (int all = 0; all < 2; all++) {
		out->len = at;
		buf_put_le32(out, 0);
		buf_put_le32(out, type);
		put_cut(type, c, all, out);
		if (out->len - at + 8 <= max)
			break;
	}
	n = out->len - at;
	buf_set_le32(out, at, n + 8);
	*sum = XXH3_64bits_withSeed(out->data + at, n, *sum);
	buf_put_le64(out, *sum);
}

size_t bitlog_record_length(const uint8_t in[static 4])
{
	size_t n = le32_at(in);

	return n >= BITLOG_RECORD_MIN && n <= BITLOG_RECORD_MAX ? n : 0;
}

static int get_volume(enum bitlog_type type, struct bitlog_volume *v, struct cur *c, struct err *e)
{
	unsigned changes;

	cur_str(c, v->token, sizeof(v->token));
	v->size = cur_le64(c);
	v->block_size = cur_le32(c);
	changes = cur_u8(c);
	if (c->bad)
		return err_set(e, ERR_FAILED, "it ends early");
	if (!bitlog_size_ok(v))
		return err_set(e, ERR_FAILED, "a volume's size is out of range");
	if ((changes == CHANGES_NONE) != (type == BITLOG_COMMITTED) || changes > CHANGES_SET)
		return err_set(e, ERR_FAILED, "unknown kind of changes %u", changes);
	v->all = changes == CHANGES_ALL;
	if (changes == CHANGES_NONE)
		v->set = bset_new();
	if (changes == CHANGES_SET)
		v->set = bset_decode(c, e);
	return v->all || v->set ? 0 : -1;
}

static int get_cut(enum bitlog_type type, struct bitlog_cut *cut, struct cur *c, struct err *e)
{
	const uint8_t *id = cur_bytes(c, ID_RAW);
	unsigned n;

	for (unsigned i = 0; id && i < ID_RAW; i++)
		snprintf(cut->generation + 2 * i, 3, "%02x", id[i]);
	cut->seq = cur_le64(c);
	cut->prev_seq = cur_le64(c);
	cut->time_ms = cur_le64(c);
	cut->pause_us = cur_le32(c);
	n = cur_le16(c);
	if (c->bad || cut->seq == 0 || n == 0 || n > BITLOG_VOLUMES_MAX)
		return err_set(e, ERR_FAILED, "its cut or number of volumes is out of range");
	for (; cut->volumes < n; cut->volumes++)
		if (get_volume(type, &cut->volume[cut->volumes], c, e) < 0)
			return -1;
	return c->left ? err_set(e, ERR_FAILED, "it is longer than its content") : 0;
}

struct bitlog_cut *bitlog_record_decode(const uint8_t *p, size_t n, uint64_t *sum,
					enum bitlog_type *type, struct err *e)
{
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *cut = NULL;
	struct cur c;

	if (n < BITLOG_RECORD_MIN || le32_at(p) != n) {
		err_set(e, ERR_FAILED, "its length is wrong");
		return NULL;
	}
	*sum = XXH3_64bits_withSeed(p, n - 8, *sum);
	*type = le32_at(p + 4);
	if (le64_at(p + n - 8) != *sum) {
		err_set(e, ERR_FAILED, "its checksum does not match");
		return NULL;
	}
	if (*type != BITLOG_CUT && *type != BITLOG_COMMITTED) {
		err_set(e, ERR_FAILED, "its type %u is unknown", *type);
		return NULL;
	}
	cut = xcalloc(1, sizeof(*cut));
	c = cur_of(p + 8, n - 16);
	return get_cut(*type, cut, &c, e) < 0 ? NULL : TAKE(cut);
}
