/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How an append survives: record behind the end, fsync, then the mark that says where the new end
 * is, fsync. The two marks are written in turn, each in 4096 bytes of its own, so a torn write
 * leaves the other one, and the record whose mark was torn is already durable behind it. So every
 * byte before the end has been promised, and one that does not check out is damage, never a crash;
 * in particular the last record cannot be lost for a torn one. srsync-bitlog(5) has the table. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "bitlog_file.h"
#include "fault.h"
#include "io.h"

/* What a step of reading found; the rest of the words are in l->doubt or the err. */
enum found { FOUND_OK = 0, FOUND_DAMAGE = 1, FOUND_ERROR = -1 };

__attribute__((format(printf, 2, 3))) static enum found damage(struct bitlog *l, const char *fmt,
							       ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	free(l->doubt);
	l->doubt = xasprintf("the bitmap log %s is damaged: %s", l->path, what);
	return FOUND_DAMAGE;
}

static enum found io_error(const struct bitlog *l, struct err *e)
{
	err_sys(e, "read %s", l->path);
	err_hint(e, "if this stays, move the file away: the next cut is then shipped whole");
	return FOUND_ERROR;
}

/* Takes the newer of the two marks as the end of the log. */
static enum found choose_mark(struct bitlog *l, const struct bitlog_mark m[static 2],
			      const enum bitlog_mark_state state[static 2], uint64_t size)
{
	bool good[2] = {state[0] == BITLOG_MARK_GOOD, state[1] == BITLOG_MARK_GOOD};

	if (!good[0] && !good[1])
		return damage(l, "neither of its marks is whole");
	for (unsigned i = 0; i < 2; i++)
		if (good[i] && (m[i].count % 2 != i || m[i].end > size))
			return damage(l, "mark %u is misplaced or names an end past the file's", i);
	if (good[0] && good[1] &&
	    (m[0].salt != m[1].salt ||
	     (m[0].count + 1 != m[1].count && m[1].count + 1 != m[0].count)))
		return damage(l, "its marks do not belong together");
	l->mark = m[good[1] && (!good[0] || m[1].count > m[0].count)];
	return FOUND_OK;
}

static enum found load_marks(struct bitlog *l, int fd, bool *one_bad, uint64_t *size, struct err *e)
{
	enum bitlog_mark_state state[2];
	struct bitlog_mark m[2] = {0};
	uint8_t raw[BITLOG_MARK_BYTES];
	struct stat st;

	for (unsigned i = 0; i < 2; i++) {
		if (io_pread(fd, raw, sizeof(raw), i * BITLOG_MARK_ROOM) < 0)
			return io_error(l, e);
		state[i] = bitlog_mark_decode(raw, &m[i]);
		if (state[i] == BITLOG_MARK_NEWER)
			return err_set(e, ERR_FAILED, "%s was written by a newer srsync", l->path);
	}
	*one_bad = state[0] != state[1];
	if (fstat(fd, &st) < 0) /* after the marks: status reads while an append may be under way */
		return io_error(l, e);
	*size = st.st_size;
	return choose_mark(l, m, state, *size);
}

/* A record that checks out must also follow the one before it (invariant 1). */
static bool take_record(struct bitlog *l, enum bitlog_type type, struct bitlog_cut *c)
{
	const struct bitlog_cut *before = bitlog_newest(l);

	if (l->n == BITLOG_CUTS_MAX ||
	    (before && (type == BITLOG_COMMITTED || c->prev_seq != before->seq)))
		return false;
	if (type == BITLOG_COMMITTED)
		l->base = c;
	else
		bitlog_push(l, c);
	return true;
}

static enum found load_record(struct bitlog *l, int fd, uint64_t *at, uint64_t end, uint64_t *sum,
			      struct err *e)
{
	_cleanup_(bitlog_cut_freep) struct bitlog_cut *c = NULL;
	_cleanup_free_ uint8_t *p = NULL;
	struct err why = ERR_INIT;
	enum bitlog_type type;
	uint8_t head[4];
	size_t n;

	if (end - *at < BITLOG_RECORD_MIN)
		return damage(l, "the record at byte %" PRIu64 " is incomplete", *at);
	if (io_pread(fd, head, sizeof(head), *at) < 0)
		return io_error(l, e);
	n = bitlog_record_length(head);
	if (n == 0 || n > end - *at)
		return damage(l, "the record at byte %" PRIu64 " has a wrong length", *at);
	p = xmalloc(n);
	if (io_pread(fd, p, n, *at) < 0)
		return io_error(l, e);
	c = bitlog_record_decode(p, n, sum, &type, &why);
	if (!c)
		return damage(l, "the record at byte %" PRIu64 ": %s", *at, why.text);
	if (!take_record(l, type, c))
		return damage(l, "the record at byte %" PRIu64 " does not follow the one before it",
			      *at);
	TAKE(c); /* l owns it from here */
	*at += n;
	return FOUND_OK;
}

/* With one mark bad its write was torn, and then a whole record stands behind the end that the
 * other one gives. If none does, the mark was damaged later and the true end is not known. */
static enum found load_past_end(struct bitlog *l, int fd, uint64_t at, uint64_t size, uint64_t sum,
				struct err *e)
{
	enum found f = load_record(l, fd, &at, size, &sum, e);

	if (f == FOUND_DAMAGE)
		return damage(l, "one of its marks is not whole and no record follows the other");
	l->mark.count++;
	l->mark.end = at;
	l->mark.sum = sum;
	l->anew = true; /* an append in place would overwrite the only good mark */
	return f;
}

static enum found load_all(struct bitlog *l, int fd, struct err *e)
{
	bool one_bad = false;
	uint64_t at = BITLOG_FIRST, sum, size = 0;
	struct stat st;
	enum found f;

	if (fstat(fd, &st) < 0)
		return io_error(l, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED, "%s is not a regular file", l->path);
	if (st.st_size < BITLOG_FIRST)
		return damage(l, "it ends in its head");
	f = load_marks(l, fd, &one_bad, &size, e);
	if (f != FOUND_OK)
		return f;
	sum = l->mark.salt;
	while (at < l->mark.end) {
		f = load_record(l, fd, &at, l->mark.end, &sum, e);
		if (f != FOUND_OK)
			return f;
	}
	if (sum != l->mark.sum)
		return damage(l, "its last record is not the one that its mark names");
	return one_bad ? load_past_end(l, fd, at, size, sum, e) : FOUND_OK;
}

int bitlog_file_load(struct bitlog *l, struct err *e)
{
	_cleanup_close_ int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum found f;

	if (fd < 0) {
		l->anew = true;
		return errno == ENOENT ? 0 : err_sys(e, "open %s", l->path);
	}
	f = load_all(l, fd, e);
	if (f == FOUND_DAMAGE) {
		bitlog_clear(l);
		l->mark = (struct bitlog_mark){0};
		l->damaged = l->anew = true;
		return 0;
	}
	if (f == FOUND_ERROR)
		return -1;
	/* a process killed while it wrote leaves it in memory only; what we report must stay */
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s", l->path);
	return io_sync_dir_of(l->path, e);
}

static int write_record(int fd, enum bitlog_type type, const struct bitlog_cut *c,
			struct bitlog_mark *m)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	bitlog_record_encode(type, c, BITLOG_RECORD_MAX, &m->sum, &b);
	if (io_pwrite(fd, b.data, b.len, m->end) < 0)
		return -1;
	m->end += b.len;
	return 0;
}

static int write_mark(int fd, const struct bitlog_mark *m)
{
	uint8_t raw[BITLOG_MARK_BYTES];

	bitlog_mark_encode(m, raw);
	return io_pwrite(fd, raw, sizeof(raw), m->count % 2 * BITLOG_MARK_ROOM);
}

/* Fills an empty file; m becomes its newest mark. */
static int write_all(int fd, const struct bitlog_cut *base, struct bitlog_cut *const *cut,
		     unsigned n, struct bitlog_mark *m)
{
	*m = (struct bitlog_mark){.count = 0, .end = BITLOG_FIRST};
	if (getrandom(&m->salt, sizeof(m->salt), 0) != sizeof(m->salt))
		return -1;
	m->sum = m->salt;
	if (base && write_record(fd, BITLOG_COMMITTED, base, m) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (write_record(fd, BITLOG_CUT, cut[i], m) < 0)
			return -1;
	m->anew = m->end;
	/* a log without records is as long as its head */
	if (ftruncate(fd, m->end) < 0 || write_mark(fd, m) < 0)
		return -1;
	m->count++;
	return write_mark(fd, m) < 0 ? -1 : fsync(fd);
}

static int keep_damaged(struct bitlog *l, struct err *e)
{
	_cleanup_free_ char *kept = xasprintf("%s.damaged", l->path);

	/* no log at all until the new one is in place says the same: everything is shipped */
	if (rename(l->path, kept) < 0 && errno != ENOENT)
		return err_sys(e, "rename %s to %s", l->path, kept);
	l->damaged = false;
	return 0;
}

int bitlog_file_replace(struct bitlog *l, const struct bitlog_cut *base,
			struct bitlog_cut *const *cut, unsigned n, struct err *e)
{
	_cleanup_free_ char *tmp = xasprintf("%s.tmp", l->path);
	_cleanup_close_ int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct bitlog_mark m;

	if (fd < 0)
		return err_sys(e, "open %s", tmp);
	if (write_all(fd, base, cut, n, &m) < 0) {
		err_sys(e, "write %s", tmp);
		unlink(tmp); /* on a full disk its space is wanted */
		return -1;
	}
	fault("bitlog.prune.written");
	if (l->damaged && keep_damaged(l, e) < 0)
		return -1;
	l->anew = true; /* until the new name is durable nothing may be appended behind it */
	if (rename(tmp, l->path) < 0)
		return err_sys(e, "rename %s", l->path);
	fault("bitlog.prune.renamed");
	if (io_sync_dir_of(l->path, e) < 0)
		return -1;
	l->anew = false;
	l->mark = m;
	return 0;
}

int bitlog_file_append(struct bitlog *l, const struct bitlog_cut *c, struct err *e)
{
	_cleanup_close_ int fd = open(l->path, O_WRONLY | O_CLOEXEC);
	struct bitlog_mark m = l->mark;

	if (fd < 0)
		return err_sys(e, "open %s", l->path);
	if (write_record(fd, BITLOG_CUT, c, &m) < 0)
		return err_sys(e, "write %s", l->path);
	fault("bitlog.append.written");
	l->anew = true; /* after a failed flush nobody knows what the disk holds */
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s", l->path);
	fault("bitlog.append.synced");
	m.count++;
	if (write_mark(fd, &m) < 0)
		return err_sys(e, "write %s", l->path);
	fault("bitlog.append.marked");
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s", l->path);
	l->anew = false;
	l->mark = m;
	return 0;
}
