/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "fault.h"
#include "io.h"
#include "peers.h"
#include "probe.h"
#include "spool_log.h"

#define ID_SIZE   (FMT_ID_SIZE - 1)
#define SUMMED    (sizeof(SPOOL_MAGIC) - 1 + MANIFEST_DIGEST + ID_SIZE + PEER_NAME_SIZE)
#define HEAD_SIZE (SUMMED + 8)

_Static_assert(HEAD_SIZE <= 512, "a head is written whole or not at all");

enum head_kind { HEAD_NONE, HEAD_DAMAGED, HEAD_FREE, HEAD_OWNED };

struct head {
	enum head_kind kind;
	uint8_t digest[MANIFEST_DIGEST];
	char id[FMT_ID_SIZE], name[PEER_NAME_SIZE];
};

static void decode(const uint8_t *p, struct head *h)
{
	static const uint8_t none[ID_SIZE];
	struct cur c = cur_of(p, HEAD_SIZE);

	*h = (struct head){.kind = HEAD_NONE};
	if (memcmp(cur_bytes(&c, sizeof(SPOOL_MAGIC) - 1), SPOOL_MAGIC, sizeof(SPOOL_MAGIC) - 1))
		return;
	memcpy(h->digest, cur_bytes(&c, MANIFEST_DIGEST), MANIFEST_DIGEST);
	memcpy(h->id, cur_bytes(&c, ID_SIZE), ID_SIZE);
	memcpy(h->name, cur_bytes(&c, PEER_NAME_SIZE), PEER_NAME_SIZE - 1);
	if (cur_le64(&c) != XXH3_64bits(p, SUMMED))
		h->kind = HEAD_DAMAGED;
	else if (!memcmp(h->id, none, ID_SIZE))
		h->kind = HEAD_FREE;
	else
		h->kind = fmt_is_id(h->id) ? HEAD_OWNED : HEAD_DAMAGED;
}

static int read_head(int fd, const char *name, struct head *h, struct err *e)
{
	uint8_t p[HEAD_SIZE];

	if (io_pread(fd, p, sizeof(p), 0) < 0)
		return err_sys(e, "read the log volume %s", name);
	decode(p, h);
	return 0;
}

/* NULL, NULL: free. */
static int write_head(int fd, const char *name, const struct spool_owner *o, const uint8_t *digest,
		      struct err *e)
{
	static const uint8_t zeros[SPOOL_HEAD];
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_put(&b, SPOOL_MAGIC, sizeof(SPOOL_MAGIC) - 1);
	buf_put(&b, digest ? digest : zeros, MANIFEST_DIGEST);
	buf_put(&b, o ? o->id : (const char *)zeros, ID_SIZE);
	buf_put(&b, o ? o->name : "", o ? strlen(o->name) : 0);
	buf_put(&b, zeros, SUMMED - b.len);
	buf_put_le64(&b, XXH3_64bits(b.data, b.len));
	buf_put(&b, zeros, SPOOL_HEAD - b.len);
	if (io_pwrite(fd, b.data, b.len, 0) < 0 || fdatasync(fd) < 0)
		return err_sys(e, "write the log volume %s", name);
	return 0;
}

static bool owned_by(const struct head *h, const struct spool_owner *o)
{
	return h->kind == HEAD_OWNED && !strcmp(h->id, o->id);
}

static int elsewhere(struct err *e)
{
	return err_hint(e, "choose another place with srsync --spool WHERE serve");
}

static int busy(const struct blockdev *b, const struct head *h, struct err *e)
{
	err_set(e, ERR_BUSY,
		"the log volume %s holds a cut of the partnership %s (%s), which is not written in "
		"place yet",
		b->name, h->name, h->id);
	return err_hint(e,
			"repeat when srsync status there says that it is done, or choose another "
			"place with --spool; if that partnership is gone for good: dd if=/dev/zero "
			"of=%s bs=4k count=1 conv=fsync",
			b->path);
}

/* It cannot be opened alone: who has it? */
static int in_use(const struct blockdev *b, const struct spool_owner *o, struct err *e)
{
	_cleanup_close_ int fd = open(b->path, O_RDONLY | O_CLOEXEC);
	char who[PROBE_WORDS_MAX] = "in use";
	struct head h;

	if (fd < 0)
		return err_sys(e, "open the log volume %s", b->name);
	if (read_head(fd, b->name, &h, e) < 0 || probe_user_of(b->path, b->dev, who, e) < 0)
		return -1;
	if (h.kind == HEAD_OWNED && !owned_by(&h, o))
		return busy(b, &h, e);
	err_set(e, h.kind == HEAD_NONE ? ERR_REFUSED : ERR_BUSY, "the log volume %s is %s", b->name,
		who);
	return elsewhere(e);
}

static int open_alone(const struct blockdev *b, const struct spool_owner *o, struct err *e)
{
	int fd;

	if (!b->path[0]) {
		err_set(e, ERR_FAILED, "the log volume %s is not active", b->name);
		return err_hint(e, "lvchange -ay %s, then repeat", b->name);
	}
	fd = open(b->path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY)
		return in_use(b, o, e);
	return fd < 0 ? err_sys(e, "open the log volume %s", b->name) : fd;
}

static int check_free(int fd, const struct blockdev *b, const struct spool_owner *o, struct err *e)
{
	char what[PROBE_WORDS_MAX];
	struct head h;
	int known;

	if (read_head(fd, b->name, &h, e) < 0)
		return -1;
	if (h.kind == HEAD_FREE || owned_by(&h, o))
		return 0;
	if (h.kind == HEAD_OWNED)
		return busy(b, &h, e);
	if (h.kind == HEAD_DAMAGED) {
		err_set(e, ERR_REFUSED, "the head of the log volume %s is damaged", b->name);
		return err_hint(e,
				"if no partnership waits to be written in place (srsync status): "
				"dd if=/dev/zero of=%s bs=4k count=1 conv=fsync",
				b->path);
	}
	known = probe_content(fd, what, e);
	if (known <= 0)
		return known;
	err_set(e, ERR_REFUSED, "%s is no log volume: it holds %s", b->name, what);
	return err_hint(e,
			"wipefs -a %s, if that may be lost; or choose another place with --spool",
			b->path);
}

int spool_log_room(const struct spool *s, uint64_t segments, struct err *e)
{
	const char *name = spool_name(s);
	/* no overflow: the manifest has at most MANIFEST_SEGMENTS_MAX */
	uint64_t need = SPOOL_HEAD + segments * SPOOL_SLOT;
	off_t have = lseek(spool_fd(s), 0, SEEK_END);

	if (have < 0)
		return err_sys(e, "size of the log volume %s", name);
	if (need <= (uint64_t)have)
		return 0;
	err_set(e, ERR_FAILED,
		"the log volume %s has %lld bytes (%s), and the cut needs %" PRIu64
		" (%s): %" PRIu64 " segments of %u bytes and the head",
		name, (long long)have, fmt_bytes(have).s, need, fmt_bytes(need).s, segments,
		SPOOL_SLOT);
	return err_hint(e,
			"make it larger (lvextend -L %" PRIu64 "m), or choose another place with "
			"srsync --spool WHERE serve",
			(need >> 20) + 1);
}

struct spool *spool_log_take(const struct blockdev *b, const struct spool_owner *o,
			     uint64_t segments, struct err *e)
{
	_cleanup_(spool_freep) struct spool *s = NULL;
	int fd = open_alone(b, o, e);

	if (fd < 0)
		return NULL;
	s = spool_of(fd, b->name);
	if (check_free(fd, b, o, e) < 0 || spool_log_room(s, segments, e) < 0)
		return NULL;
	return TAKE(s);
}

int spool_log_claim(struct spool *s, const struct spool_owner *o,
		    const uint8_t digest[static MANIFEST_DIGEST], struct err *e)
{
	return write_head(spool_fd(s), spool_name(s), o, digest, e);
}

struct spool *spool_log_open(const struct blockdev *b, const struct spool_owner *o,
			     const uint8_t digest[static MANIFEST_DIGEST], struct err *e)
{
	_cleanup_close_ int fd = open_alone(b, o, e);
	struct head h;

	if (fd < 0 || read_head(fd, b->name, &h, e) < 0 || !owned_by(&h, o) ||
	    memcmp(h.digest, digest, MANIFEST_DIGEST))
		return NULL;
	return spool_of(take_fd(&fd), b->name);
}

/* Whoever else has it by now: then it is not ours, and nothing is to be done. */
int spool_log_release(const struct blockdev *b, const struct spool_owner *o, struct err *e)
{
	_cleanup_close_ int look = b->path[0] ? open(b->path, O_RDONLY | O_CLOEXEC) : -1;
	_cleanup_close_ int fd = -1;
	struct head h;

	if (look >= 0 && read_head(look, b->name, &h, e) < 0)
		return -1;
	if (look >= 0 && !owned_by(&h, o))
		return 0;
	fd = open_alone(b, o, e);
	if (fd < 0 || read_head(fd, b->name, &h, e) < 0)
		return -1;
	if (owned_by(&h, o) && write_head(fd, b->name, NULL, NULL, e) < 0)
		return -1;
	fault("redo.freed");
	return 0;
}
