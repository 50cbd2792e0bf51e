/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "compare_peer.h"
#include "compared.h"
#include "fault.h"
#include "io.h"
#include "log.h"
#include "watch.h"

#define DIGEST 16 /* bytes */

static const char magic[8] = "SRCMPD1\n";

void compared_free(struct compared *c)
{
	for (unsigned i = 0; c && i < PARTNERSHIP_VOLUMES_MAX; i++)
		bset_free(c->set[i]);
	free(c);
}

/* What the found sets are of; the file begins with it. */
static void encode_key(const struct bitlog_cut *cut, const struct state_cut *base, struct buf *out)
{
	buf_put(out, magic, sizeof(magic));
	buf_put_str(out, cut->generation);
	buf_put_le64(out, cut->seq);
	buf_put_le64(out, cut->time_ms);
	buf_put_str(out, base->generation);
	buf_put_le64(out, base->seq);
	buf_put_le64(out, base->time_ms);
	buf_put_le16(out, cut->volumes);
	for (unsigned i = 0; i < cut->volumes; i++) {
		buf_put_str(out, cut->volume[i].token);
		buf_put_le64(out, cut->volume[i].size);
		buf_put_le32(out, cut->volume[i].block_size);
	}
}

static void put_digest(struct buf *b)
{
	XXH128_canonical_t d;

	XXH128_canonicalFromHash(&d, XXH3_128bits(b->data, b->len));
	buf_put(b, d.digest, DIGEST);
}

void compared_encode(const struct bitlog_cut *cut, const struct state_cut *base,
		     const struct compared *c, struct buf *out)
{
	encode_key(cut, base, out);
	buf_put_le64(out, c->bytes);
	buf_put_le64(out, c->differ);
	for (unsigned i = 0; i < cut->volumes; i++) {
		buf_put_u8(out, c->set[i] != NULL);
		if (c->set[i])
			bset_encode(c->set[i], out);
	}
	put_digest(out);
}

static bool digest_good(const uint8_t *p, size_t len)
{
	XXH128_canonical_t d;

	if (len < DIGEST)
		return false;
	XXH128_canonicalFromHash(&d, XXH3_128bits(p, len - DIGEST));
	return !memcmp(d.digest, p + len - DIGEST, DIGEST);
}

struct compared *compared_decode(const void *p, size_t len, const struct bitlog_cut *cut,
				 const struct state_cut *base)
{
	_cleanup_(compared_freep) struct compared *c = xcalloc(1, sizeof(*c));
	_cleanup_buf_ struct buf key = BUF_INIT;
	struct err ignored;
	const uint8_t *begin;
	struct cur in;

	encode_key(cut, base, &key);
	if (!digest_good(p, len))
		return NULL;
	in = cur_of(p, len - DIGEST);
	begin = cur_bytes(&in, key.len);
	if (!begin || memcmp(begin, key.data, key.len))
		return NULL;
	c->bytes = cur_le64(&in);
	c->differ = cur_le64(&in);
	for (unsigned i = 0; i < cut->volumes; i++) {
		uint8_t there = cur_u8(&in);

		if (in.bad || there > 1 || (there && !(c->set[i] = bset_decode(&in, &ignored))))
			return NULL;
	}
	return in.bad || in.left ? NULL : TAKE(c);
}

static struct host_path file_of(const struct source *s)
{
	return host_state(s->host, s->p->name, "compared");
}

void compared_forget(const struct source *s)
{
	struct host_path path = file_of(s);

	/* one that stays is of cuts that do not come again */
	if (unlink(path.s) < 0 && errno != ENOENT)
		log_warn("remove %s: %s", path.s, strerror(errno));
}

static struct compared *load(const struct source *s, const struct state_cut *base)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err ignored;

	if (io_read_file(file_of(s).s, COMPARED_FILE_MAX, &b, &ignored) < 0)
		return NULL;
	return compared_decode(b.data, b.len, bitlog_newest(s->log), base);
}

static int save(const struct source *s, const struct state_cut *base, const struct compared *c,
		struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	compared_encode(bitlog_newest(s->log), base, c, &b);
	return b.len > COMPARED_FILE_MAX ? 0 : io_replace(file_of(s).s, b.data, b.len, 0600, e);
}

/* Everything is to be shipped of it, and the peer has something to compare with. */
static bool wanted(const struct source *s, const struct remote_replica *peer, unsigned i)
{
	bool all;

	bset_free(bitlog_pending(s->log, i, &all));
	return all && peer->size[i] > 0;
}

static uint64_t common_size(const struct source *s, const struct remote_replica *peer, unsigned i)
{
	uint64_t ours = bitlog_newest(s->log)->volume[i].size;

	return ours < peer->size[i] ? ours : peer->size[i];
}

struct job {
	struct source *s;
	const struct remote_replica *peer;
	struct compare_net net;
	struct compare_progress g;
	struct watch w;
};

/* Beyond the end of the peer's cut everything differs. */
static int add_tail(const struct bitlog_volume *bv, uint64_t common, struct bset *set,
		    struct err *e)
{
	uint64_t first = common / bv->block_size;
	uint64_t end = (bv->size + bv->block_size - 1) / bv->block_size;

	if (common < bv->size && bset_add(set, first, end - first) < 0)
		return err_sys(e, "blocks of a volume");
	return 0;
}

static int compare_volume(struct job *j, unsigned i, struct compared *out, struct err *e)
{
	const struct bitlog_volume *bv = &bitlog_newest(j->s->log)->volume[i];
	uint64_t common = common_size(j->s, j->peer, i);
	struct compare c;

	compare_init(&c, &j->net, j->s->volume[i], bv->token, i, state_newest(j->peer->state),
		     common);
	c.granule = bv->block_size;
	c.cancel = &j->w.cancel;
	out->set[i] = bset_new();
	if (compare_run(&c, out->set[i], &j->g, e) < 0)
		return err_wrap(e, "compare %s with the peer", j->s->volume[i]->name);
	if (add_tail(bv, common, out->set[i], e) < 0)
		return -1;
	out->bytes += common;
	out->differ += bset_count(out->set[i]) * bv->block_size;
	return 0;
}

static int compare_all(struct job *j, const struct identity *id, struct compared *out,
		       struct err *e)
{
	int r = watch_start(&j->w, e);

	if (r < 0)
		return -1;
	r = compare_net_open(&j->net, j->s->p, id, e);
	for (unsigned i = 0; r == 0 && i < j->s->p->volumes; i++)
		if (wanted(j->s, j->peer, i))
			r = compare_volume(j, i, out, e);
	compare_net_close(&j->net);
	watch_stop(&j->w);
	if (r < 0 && j->w.cancel)
		watch_explain(&j->w, e);
	return r;
}

static void prepare(struct job *j, const struct sync_options *o)
{
	j->w.host = j->s->host;
	j->w.name = j->s->p->name;
	j->w.show = o->progress;
	j->w.arg = o->arg;
	j->w.again = "srsync sync";
	j->w.bytes = &j->g.bytes;
	j->w.segments = &j->g.slices;
	j->w.wire = &j->net.wire;
	strcpy(j->w.p.phase, "comparing");
	j->w.p.seq = bitlog_newest(j->s->log)->seq;
	for (unsigned i = 0; i < j->s->p->volumes; i++)
		if (wanted(j->s, j->peer, i))
			j->w.p.bytes_total += common_size(j->s, j->peer, i);
}

static void say(const struct source *s, const struct compared *c, bool kept)
{
	log_info("%s: compared %s by hash%s, %s differ", s->p->name, fmt_bytes(c->bytes).s,
		 kept ? " earlier" : "", fmt_bytes(c->differ).s);
}

static int compare_now(struct job *j, const struct identity *id, const struct sync_options *o,
		       struct compared **out, struct err *e)
{
	_cleanup_(compared_freep) struct compared *c = xcalloc(1, sizeof(*c));

	prepare(j, o);
	if (compare_all(j, id, c, e) < 0) {
		if (j->w.cancel || e->code == ERR_PEER || e->code == ERR_BUSY)
			return -1;
		log_warn("%s: %s: everything is shipped", j->s->p->name, e->text);
		return 0;
	}
	say(j->s, c, false);
	if (save(j->s, state_newest(j->peer->state), c, e) < 0)
		return -1;
	fault("compared.saved");
	*out = TAKE(c);
	return 0;
}

int compared_find(struct source *s, const struct remote_replica *peer, const struct identity *id,
		  const struct sync_options *o, bool kept_only, struct compared **out,
		  struct err *e)
{
	const struct state_cut *base = state_newest(peer->state);
	struct job j = {.s = s, .peer = peer};
	bool any = false;

	*out = NULL;
	for (unsigned i = 0; base && i < s->p->volumes; i++)
		any |= wanted(s, peer, i);
	if (!any)
		return 0;
	*out = load(s, base);
	if (*out)
		say(s, *out, true);
	return *out || kept_only ? 0 : compare_now(&j, id, o, out, e);
}
