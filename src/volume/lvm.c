/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "buf.h"
#include "fmt.h"
#include "io.h"
#include "js.h"
#include "lock.h"
#include "lvm.h"
#include "lvm_settings.h"
#include "program.h"

#define TIMEOUT_MS (10 * 60 * 1000) /* a busy group makes LVM wait for its lock */
#define LOCK_MS    TIMEOUT_MS
#define REPORT_MAX (64u << 20) /* bytes; about 1 KiB a volume */

static const char fields[] = "vg_name,vg_uuid,lv_name,lv_uuid,segtype,lv_tags,lv_size,"
			     "lv_skip_activation,pool_lv_uuid,origin_uuid,thin_id,transaction_id,"
			     "chunk_size,zero,lv_role,lv_permissions,lv_merging,vg_free,"
			     "vg_extent_size";

/* LVM explains itself in lines; a person gets those that matter, in one. */
static void one_line(const struct buf *b, char *out, size_t size)
{
	size_t n = 0;

	for (const char *p = (const char *)b->data, *end = p + b->len; b->len && p < end;) {
		const char *nl = memchr(p, '\n', end - p);
		size_t len = (nl ? nl : end) - p;

		while (len && *p == ' ') {
			p++;
			len--;
		}
		if (len && strncmp(p, "WARNING:", len < 8 ? len : 8))
			n += snprintf(out + n, size - n, "%s%.*s", n ? "; " : "", (int)len, p);
		if (n >= size)
			return;
		p = nl ? nl + 1 : end;
	}
}

int lvm_output(const char *const *argv, struct buf *out, struct err *e)
{
	static const char *const env[] = {"LC_ALL=C", "LVM_SUPPRESS_FD_WARNINGS=1", NULL};
	_cleanup_buf_ struct buf errout = BUF_INIT;
	struct program s = {.argv = argv,
			    .env = env,
			    .timeout_ms = TIMEOUT_MS,
			    .never_kill = true,
			    .out_max = REPORT_MAX};
	char why[400] = "it gives no reason";
	int status = program_run(&s, out, &errout, e);

	if (status == 0)
		return 0;
	if (status == 127) {
		err_set(e, ERR_FAILED, "%s cannot be run", argv[0]);
		return err_hint(e, "install the package lvm2");
	}
	if (status < 0 && e->code == ERR_BUSY)
		return err_hint(
			e, "it still runs and is not killed: LVM may wait for a lock or a device; "
			   "see ps and dmsetup info");
	if (status < 0)
		return -1;
	one_line(&errout, why, sizeof(why));
	return err_set(e, ERR_FAILED, "%s failed (%d): %s", argv[0], status, why);
}

int lvm_run(const char *const *argv, struct err *e)
{
	return lvm_output(argv, NULL, e);
}

/* json has strings only, json_std numbers and null as well. */
static int text_of(const json_t *row, const char *key, char *out, size_t size, struct err *e)
{
	const json_t *v = json_object_get(row, key);
	const char *s = "";
	char number[32];

	if (json_is_string(v)) {
		s = json_string_value(v);
	} else if (json_is_integer(v)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
		s = number;
	} else if (!json_is_null(v)) {
		return err_set(e, ERR_FAILED, "lvs: no usable member %s", key);
	}
	if (strlen(s) >= size)
		return err_set(e, ERR_FAILED, "lvs: %s is longer than %zu bytes", key, size - 1);
	strcpy(out, s);
	return 0;
}

/* A list: joined by commas, an array in json_std. */
static int words_of(const json_t *row, const char *key, char *out, size_t size, struct err *e)
{
	const json_t *v = json_object_get(row, key), *word;
	size_t i, n = 0;

	if (!json_is_array(v))
		return text_of(row, key, out, size, e);
	out[0] = '\0';
	json_array_foreach(v, i, word)
	{
		if (!json_is_string(word))
			return err_set(e, ERR_FAILED, "lvs: a word of %s is no string", key);
		n += snprintf(out + n, size - n, "%s%s", n ? "," : "", json_string_value(word));
		if (n >= size)
			return err_set(e, ERR_FAILED, "lvs: %s is longer than %zu bytes", key,
				       size - 1);
	}
	return 0;
}

static int number_of(const json_t *row, const char *key, uint64_t max, uint64_t *out, struct err *e)
{
	struct err off;
	char s[32];

	*out = 0;
	if (text_of(row, key, s, sizeof(s), e) < 0)
		return -1;
	if (s[0] && fmt_parse_u64(s, 0, max, out, &off) < 0)
		return err_set(e, ERR_FAILED, "lvs: %s: %.200s", key, off.text);
	return 0;
}

/* --binary: "0", "1", "" or -1, which says "not known". Other versions use words. */
static int flag_of(const json_t *row, const char *key, bool *out, struct err *e)
{
	char s[32];

	if (text_of(row, key, s, sizeof(s), e) < 0)
		return -1;
	*out = !strcmp(s, "1");
	if (*out || !strcmp(s, "0") || !strcmp(s, "") || !strcmp(s, "-1"))
		return 0;
	return err_set(e, ERR_FAILED, "lvs: %s is neither 0 nor 1", key);
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, word, n) && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

static bool is_name(const char *s)
{
	return s[0] && s[0] != '-' && strcmp(s, ".") && strcmp(s, "..") &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-")];
}

static bool is_uuid(const char *s)
{
	for (unsigned i = 0; i < LVM_UUID_SIZE - 1; i++) {
		bool dash = i == 6 || i == 11 || i == 16 || i == 21 || i == 26 || i == 31;
		bool alnum = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') ||
			     (s[i] >= 'A' && s[i] <= 'Z');

		if (dash ? s[i] != '-' : !alnum)
			return false;
	}
	return s[LVM_UUID_SIZE - 1] == '\0';
}

static int uuid_of(const json_t *row, const char *key, bool optional, char *out, struct err *e)
{
	char s[64];

	if (text_of(row, key, s, sizeof(s), e) < 0)
		return -1;
	out[0] = '\0';
	if (optional && !s[0])
		return 0;
	if (!is_uuid(s))
		return err_set(e, ERR_FAILED, "lvs: %s is not a uuid", key);
	strcpy(out, s);
	return 0;
}

/* Hidden volumes are printed in brackets. */
static int name_of(const json_t *row, struct lvm_lv *lv, struct err *e)
{
	char s[LVM_NAME_MAX + 2];
	size_t n;

	if (text_of(row, "vg_name", lv->vg_name, sizeof(lv->vg_name), e) < 0 ||
	    text_of(row, "lv_name", s, sizeof(s), e) < 0)
		return -1;
	n = strlen(s);
	if (n > 2 && s[0] == '[' && s[n - 1] == ']') {
		s[n - 1] = '\0';
		memmove(s, s + 1, n - 1);
	}
	if (strlen(s) >= sizeof(lv->name) || !is_name(s) || !is_name(lv->vg_name))
		return err_set(e, ERR_FAILED, "lvs: the name of a volume is off");
	strcpy(lv->name, s);
	return 0;
}

/* What only thick volumes and their snapshots have. */
static int parse_thick(const json_t *row, struct lvm_lv *lv, struct err *e)
{
	char role[LVM_ROLE_MAX], permissions[32];

	if (words_of(row, "lv_role", role, sizeof(role), e) < 0 ||
	    text_of(row, "lv_permissions", permissions, sizeof(permissions), e) < 0 ||
	    flag_of(row, "lv_merging", &lv->merging, e) < 0 ||
	    number_of(row, "vg_free", INT64_MAX, &lv->vg_free, e) < 0 ||
	    number_of(row, "vg_extent_size", INT64_MAX, &lv->extent_size, e) < 0)
		return -1;
	lv->hidden = has_word(role, "private");
	/* or "read-only-override": by a setting */
	lv->read_only = !strncmp(permissions, "read-only", strlen("read-only"));
	return 0;
}

static int parse_row(const json_t *row, struct lvm_lv *lv, struct err *e)
{
	if (name_of(row, lv, e) < 0 || uuid_of(row, "vg_uuid", false, lv->vg_uuid, e) < 0 ||
	    uuid_of(row, "lv_uuid", false, lv->uuid, e) < 0 ||
	    uuid_of(row, "pool_lv_uuid", true, lv->pool_uuid, e) < 0 ||
	    uuid_of(row, "origin_uuid", true, lv->origin_uuid, e) < 0)
		return -1;
	if (text_of(row, "segtype", lv->segtype, sizeof(lv->segtype), e) < 0 ||
	    words_of(row, "lv_tags", lv->tags, sizeof(lv->tags), e) < 0 ||
	    number_of(row, "lv_size", INT64_MAX, &lv->size, e) < 0 ||
	    number_of(row, "thin_id", (1u << 24) - 1, &lv->thin_id, e) < 0 ||
	    number_of(row, "transaction_id", UINT64_MAX, &lv->transaction_id, e) < 0 ||
	    number_of(row, "chunk_size", 1u << 30, &lv->chunk_size, e) < 0)
		return -1;
	if (flag_of(row, "lv_skip_activation", &lv->skip_activation, e) < 0)
		return -1;
	if (flag_of(row, "zero", &lv->zero, e) < 0)
		return -1;
	return parse_thick(row, lv, e);
}

void lvm_list_free(struct lvm_list *l)
{
	free(l->lv);
	*l = (struct lvm_list){NULL, 0};
}

static int parse_rows(const json_t *rows, struct lvm_list *out, struct err *e)
{
	const json_t *row;
	size_t i;

	if (json_array_size(rows) > LVM_LVS_MAX)
		return err_set(e, ERR_FAILED, "lvs: more than %d volumes", LVM_LVS_MAX);
	out->lv = xcalloc(json_array_size(rows), sizeof(*out->lv));
	json_array_foreach(rows, i, row)
	{
		struct lvm_lv *lv = &out->lv[out->n];

		*lv = (struct lvm_lv){0};
		if (!json_is_object(row))
			return err_set(e, ERR_FAILED, "lvs: a row is no object");
		if (parse_row(row, lv, e) < 0)
			return -1;
		/* one row per segment, and they follow each other */
		out->n += out->n == 0 || strcmp(lv->uuid, lv[-1].uuid) != 0;
	}
	return 0;
}

int lvm_parse(const void *text, size_t n, struct lvm_list *out, struct err *e)
{
	_cleanup_json_ json_t *j = js_parse(text, n, "lvs", e);
	json_t *report = j ? js_array(j, "report", e) : NULL, *rows;

	*out = (struct lvm_list){NULL, 0};
	if (!report)
		return -1;
	if (json_array_size(report) != 1)
		return err_set(e, ERR_FAILED, "lvs: not one report");
	rows = js_array(json_array_get(report, 0), "lv", e);
	if (!rows)
		return -1;
	if (parse_rows(rows, out, e) == 0)
		return 0;
	lvm_list_free(out);
	return -1;
}

static _Thread_local struct {
	bool on;
	char vg[LVM_NAME_MAX]; /* "": nothing is known so far */
	struct buf said;
} look;

void lvm_look_begin(void)
{
	assert(!look.on);
	look.on = true;
	look.vg[0] = '\0';
	look.said = (struct buf)BUF_INIT;
}

void lvm_look_end(void)
{
	look.on = false;
	buf_free(&look.said);
}

#define LVS                                                                                        \
	"lvs", "-a", "--reportformat", "json", "--units", "b", "--nosuffix", "--binary", "-o",     \
		fields

int lvm_list(const char *vg, struct lvm_list *out, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	const char *const argv[] = {LVS, vg, NULL};

	*out = (struct lvm_list){NULL, 0};
	if (look.on && vg && !strcmp(look.vg, vg))
		return lvm_parse(look.said.data, look.said.len, out, e);
	if (lvm_output(argv, &b, e) < 0)
		return -1;
	if (look.on && vg) {
		snprintf(look.vg, sizeof(look.vg), "%s", vg);
		buf_free(&look.said);
		buf_put(&look.said, b.data, b.len);
	}
	return lvm_parse(b.data, b.len, out, e);
}

int lvm_list_pinned(const char *vg, struct lvm_list *out, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	const char *const argv[] = {LVS, "--config", "global/prioritise_write_locks=0", vg, NULL};

	*out = (struct lvm_list){NULL, 0};
	return lvm_output(argv, &b, e) < 0 ? -1 : lvm_parse(b.data, b.len, out, e);
}

const struct lvm_lv *lvm_by_name(const struct lvm_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->lv[i].name, name))
			return &l->lv[i];
	return NULL;
}

const struct lvm_lv *lvm_by_uuid(const struct lvm_list *l, const char *uuid)
{
	for (size_t i = 0; i < l->n && uuid[0]; i++)
		if (!strcmp(l->lv[i].uuid, uuid))
			return &l->lv[i];
	return NULL;
}

bool lvm_has_tag(const struct lvm_lv *lv, const char *tag)
{
	return has_word(lv->tags, tag);
}

int lvm_split_name(const char *s, char vg[static LVM_NAME_MAX], char lv[static LVM_NAME_MAX],
		   struct err *e)
{
	const char *p = strncmp(s, "/dev/", 5) ? s : s + 5;
	const char *slash = strchr(p, '/');

	if (slash && slash > p && slash - p < LVM_NAME_MAX && strlen(slash + 1) < LVM_NAME_MAX) {
		snprintf(vg, LVM_NAME_MAX, "%.*s", (int)(slash - p), p);
		strcpy(lv, slash + 1);
		if (is_name(vg) && is_name(lv))
			return 0;
	}
	return err_set(e, ERR_USAGE, "%s is not the name of a logical volume, as vg/lv", s);
}

bool lvm_is_foreign(const char *name)
{
	char path[64], prefix[5] = "";
	struct stat st;
	FILE *f;

	if (name[0] != '/' || stat(name, &st) < 0 || !S_ISBLK(st.st_mode))
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/uuid", major(st.st_rdev),
		 minor(st.st_rdev));
	f = fopen(path, "re");
	if (f) {
		if (!fgets(prefix, sizeof(prefix), f))
			prefix[0] = '\0';
		fclose(f);
	}
	return strcmp(prefix, "LVM-") != 0;
}

void lvm_dm_uuid(const struct lvm_lv *lv, const char *layer, char out[static LVM_DM_UUID_SIZE])
{
	size_t n = 4;

	strcpy(out, "LVM-");
	for (const char *p = lv->vg_uuid; *p; p++)
		if (*p != '-')
			out[n++] = *p;
	for (const char *p = lv->uuid; *p; p++)
		if (*p != '-')
			out[n++] = *p;
	snprintf(out + n, LVM_DM_UUID_SIZE - n, "%s%.32s", *layer ? "-" : "", layer);
}

int lvm_devices(const char *vg, char *out, size_t size, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	const char *const argv[] = {"vgs", "--noheadings", "-o", "pv_name", vg, NULL};
	size_t n = 0;

	if (lvm_output(argv, &b, e) < 0)
		return -1;
	buf_put_u8(&b, '\0');
	out[0] = '\0';
	for (char *p = (char *)b.data, *word; (word = strsep(&p, " \n"));) {
		if (word[0])
			n += snprintf(out + n, size - n, "%s%s", n ? "," : "", word);
		if (n >= size)
			return err_set(e, ERR_FAILED, "the group %s has too many devices", vg);
	}
	return 0;
}

int lvm_autoextend_threshold(double *percent, struct err *e)
{
	char s[32], *end;

	if (lvm_setting("thin_pool_autoextend_threshold", s, sizeof(s), e) < 0)
		return -1;
	*percent = strtod(s, &end);
	if (*end || !(*percent > 0 && *percent <= 100))
		*percent = 100;
	return 0;
}

int lvm_lock(const char *vg, const char *what, struct err *e)
{
	char path[sizeof(LVM_RUNDIR) + LVM_NAME_MAX + 8];

	if (io_mkdirs(LVM_RUNDIR, 0700, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/vg-%s", LVM_RUNDIR, vg);
	return lock_take(path, what, LOCK_MS, e);
}

static bool still_there(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Kept for ever: nobody moves it while volumes are active, and no program can be run while one is
 * frozen. */
static int locking_dir(char *out, size_t size, struct err *e)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static char dir[256];
	int r = 0;

	pthread_mutex_lock(&mutex);
	if (!dir[0])
		r = lvm_setting("locking_dir", dir, sizeof(dir), e);
	snprintf(out, size, "%s", dir);
	pthread_mutex_unlock(&mutex);
	return r;
}

int lvm_pin(const char *vg, unsigned wait_ms, struct err *e)
{
	char dir[256], path[512];
	uint64_t end = fmt_mono_us() + wait_ms * 1000ULL;

	if (locking_dir(dir, sizeof(dir), e) < 0 || io_mkdirs(dir, 0700, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/V_%s", dir, vg);
	for (;;) {
		_cleanup_close_ int fd = open(path, O_CREAT | O_APPEND | O_RDWR | O_CLOEXEC, 0600);

		if (fd < 0)
			return err_sys(e, "open LVM's lock %s", path);
		if (flock(fd, LOCK_SH | LOCK_NB) == 0 && still_there(fd, path))
			return take_fd(&fd);
		if (fmt_mono_us() > end)
			break;
		usleep(5000);
	}
	err_set(e, ERR_BUSY, "a command of LVM has been changing group %s for %u ms", vg, wait_ms);
	return err_hint(e, "wait for it to end: fuser -v %s", path);
}

int lvm_pinned(const char *vg, struct err *e)
{
	char dir[256], path[512];
	_cleanup_close_ int fd = -1;

	if (locking_dir(dir, sizeof(dir), e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/V_%s", dir, vg);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}
