/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "dmdev.h"

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char last_words[256]; /* of the library, in this turn */

static inline void task_freep(struct dm_task **t)
{
	if (*t)
		dm_task_destroy(*t);
}
#define _cleanup_task_ _cleanup_(task_freep)

static inline void unlockp(pthread_mutex_t **m)
{
	pthread_mutex_unlock(*m);
}
#define TAKE_TURN()                                                                                \
	__attribute__((unused)) _cleanup_(unlockp) pthread_mutex_t *turn_ = &turn;                 \
	begin_turn()

__attribute__((format(printf, 5, 6))) static void hear(int level, const char *file, int line,
						       int dm_errno, const char *fmt, ...)
{
	va_list ap;

	(void)file;
	(void)line;
	(void)dm_errno;
	if ((level & 7) > 3) /* syslog's ERR; above it is chatter */
		return;
	va_start(ap, fmt);
	vsnprintf(last_words, sizeof(last_words), fmt, ap);
	va_end(ap);
}

static void begin_turn(void)
{
	pthread_mutex_lock(&turn);
	dm_log_with_errno_init(hear);
	last_words[0] = '\0';
}

static int failed(struct dm_task *t, const char *what, const char *uuid, struct err *e)
{
	int cause = t ? dm_task_get_errno(t) : 0;

	err_set(e, ERR_FAILED, "device-mapper: %s %s: %s%s%s", what, uuid,
		cause ? strerror(cause) : "failed", last_words[0] ? ": " : "", last_words);
	errno = cause;
	return -1;
}

static struct dm_task *task(int type, const char *uuid)
{
	struct dm_task *t = dm_task_create(type);

	if (t && !dm_task_set_uuid(t, uuid)) {
		dm_task_destroy(t);
		return NULL;
	}
	return t;
}

int dmdev_find(const char *uuid, struct dmdev *out, struct err *e)
{
	TAKE_TURN();
	_cleanup_task_ struct dm_task *t = task(DM_DEVICE_INFO, uuid);
	struct dm_info info;

	*out = (struct dmdev){0};
	if (!t || !dm_task_run(t) || !dm_task_get_info(t, &info))
		return failed(t, "look for", uuid, e);
	if (!info.exists)
		return 0;
	out->exists = true;
	out->suspended = info.suspended;
	out->read_only = info.read_only;
	out->open_count = info.open_count;
	out->major = info.major;
	out->minor = info.minor;
	snprintf(out->name, sizeof(out->name), "%s", dm_task_get_name(t));
	return 0;
}

void dmdev_path(const struct dmdev *d, char *out, size_t size)
{
	snprintf(out, size, "/dev/dm-%u", d->minor);
}

int dmdev_table(const char *uuid, struct dmdev_table *out, struct err *e)
{
	TAKE_TURN();
	_cleanup_task_ struct dm_task *t = task(DM_DEVICE_TABLE, uuid);
	uint64_t start;
	char *type = NULL, *params = NULL;
	struct dm_info info;

	if (!t || !dm_task_run(t) || !dm_task_get_info(t, &info))
		return failed(t, "table of", uuid, e);
	if (!info.exists)
		return err_set(e, ERR_FAILED, "there is no active device %s", uuid);
	dm_get_next_target(t, NULL, &start, &out->sectors, &type, &params);
	if (!type || strlen(type) >= sizeof(out->type) || strlen(params) >= sizeof(out->params))
		return err_set(e, ERR_FAILED, "the table of %s is not one we know", uuid);
	strcpy(out->type, type);
	strcpy(out->params, params);
	return 0;
}

static int parse_pool(struct dm_task *t, const char *uuid, struct dmdev_pool *out, struct err *e)
{
	struct dm_status_thin_pool *s = NULL;
	struct dm_pool *mem;
	uint64_t start, length;
	char *type = NULL, *params = NULL;

	dm_get_next_target(t, NULL, &start, &length, &type, &params);
	if (!type || strcmp(type, "thin-pool"))
		return err_set(e, ERR_FAILED, "%s is not an active thin pool", uuid);
	mem = dm_pool_create("status", 512);
	if (!mem || !dm_get_status_thin_pool(mem, params, &s)) {
		if (mem)
			dm_pool_destroy(mem);
		return failed(NULL, "status of", uuid, e);
	}
	*out = (struct dmdev_pool){.transaction_id = s->transaction_id,
				   .meta_used = s->used_metadata_blocks,
				   .meta_total = s->total_metadata_blocks,
				   .data_used = s->used_data_blocks,
				   .data_total = s->total_data_blocks,
				   .read_only = s->read_only,
				   .failed = s->fail || s->error,
				   .needs_check = s->needs_check,
				   .no_space = s->out_of_data_space};
	dm_pool_destroy(mem);
	return 0;
}

int dmdev_pool(const char *uuid, bool commit, struct dmdev_pool *out, struct err *e)
{
	TAKE_TURN();
	_cleanup_task_ struct dm_task *t = task(DM_DEVICE_STATUS, uuid);

	if (!t || (!commit && !dm_task_no_flush(t)) || !dm_task_run(t))
		return failed(t, "status of", uuid, e);
	return parse_pool(t, uuid, out, e);
}

int dmdev_snapshot(const char *uuid, struct dmdev_snapshot *out, struct err *e)
{
	TAKE_TURN();
	_cleanup_task_ struct dm_task *t = task(DM_DEVICE_STATUS, uuid);
	struct dm_status_snapshot *s = NULL;
	struct dm_pool *mem;
	uint64_t start, length;
	char *type = NULL, *params = NULL;

	if (!t || !dm_task_no_flush(t) || !dm_task_run(t))
		return failed(t, "status of", uuid, e);
	dm_get_next_target(t, NULL, &start, &length, &type, &params);
	if (!type || strcmp(type, "snapshot"))
		return 1;
	mem = dm_pool_create("status", 256);
	if (!mem || !dm_get_status_snapshot(mem, params, &s)) {
		err_set(e, ERR_FAILED, "cannot read the status of %s: %s", uuid, params);
		if (mem)
			dm_pool_destroy(mem);
		return -1;
	}
	*out = (struct dmdev_snapshot){
		.invalid = s->invalid, .overflow = s->overflow, .merge_failed = s->merge_failed};
	if (s->total_sectors)
		out->percent = 100.0 * (double)s->used_sectors / (double)s->total_sectors;
	dm_pool_destroy(mem);
	return 0;
}

int dmdev_open(const char *uuid, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct dmdev before, after;
	struct stat st;
	char path[32];

	if (dmdev_find(uuid, &before, e) < 0)
		return -1;
	if (!before.exists)
		return err_set(e, ERR_FAILED, "there is no active device %s", uuid);
	dmdev_path(&before, path, sizeof(path));
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %s", path);
	if (dmdev_find(uuid, &after, e) < 0)
		return -1;
	if (!after.exists || st.st_rdev != makedev(after.major, after.minor))
		return err_set(e, ERR_BUSY, "%s became another device while it was opened", path);
	return take_fd(&fd);
}

int dmdev_message(const char *uuid, const char *text, struct err *e)
{
	TAKE_TURN();
	_cleanup_task_ struct dm_task *t = task(DM_DEVICE_TARGET_MSG, uuid);

	if (!t || !dm_task_set_sector(t, 0) || !dm_task_set_message(t, text) || !dm_task_run(t)) {
		failed(t, text, uuid, e);
		return -1;
	}
	return 0;
}

/* Runs a task that udev hears of, and waits until it has dealt with it. */
static int run_with_udev(struct dm_task *t, uint16_t flags)
{
	uint32_t cookie = 0;
	int ok = dm_task_set_cookie(t, &cookie, flags);

	ok = ok && dm_task_run(t);
	dm_udev_wait(cookie);
	return ok;
}

int dmdev_resume(const char *uuid, struct err *e)
{
	TAKE_TURN();
	_cleanup_task_ struct dm_task *t = task(DM_DEVICE_RESUME, uuid);

	return t && run_with_udev(t, 0) ? 0 : failed(t, "resume", uuid, e);
}

static int create(const char *name, const char *uuid, const struct dmdev_table *table, bool private,
		  dev_t *dev, struct err *e)
{
	_cleanup_task_ struct dm_task *t = task(DM_DEVICE_CREATE, uuid);
	uint16_t hidden = DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |
			  DM_UDEV_DISABLE_OTHER_RULES_FLAG;
	struct dm_info info;

	if (!t || !dm_task_set_name(t, name) || (private && !dm_task_set_ro(t)) ||
	    !dm_task_add_target(t, 0, table->sectors, table->type, table->params) ||
	    !run_with_udev(t, private ? hidden : 0) || !dm_task_get_info(t, &info))
		return failed(t, "create", uuid, e);
	*dev = makedev(info.major, info.minor);
	return 0;
}

char *dmdev_lvm_name(const char *vg, const char *lv)
{
	TAKE_TURN();
	struct dm_pool *mem = dm_pool_create("name", 512);
	const char *name = mem ? dm_build_dm_name(mem, vg, lv, NULL) : NULL;
	char *copy = name ? xstrdup(name) : NULL;

	if (mem)
		dm_pool_destroy(mem);
	return copy;
}

int dmdev_create(const char *name, const char *uuid, const struct dmdev_table *t, struct err *e)
{
	TAKE_TURN();
	dev_t made;

	return create(name, uuid, t, false, &made, e);
}

int dmdev_load(const char *uuid, const struct dmdev_table *table, struct err *e)
{
	TAKE_TURN();
	_cleanup_task_ struct dm_task *t = task(DM_DEVICE_RELOAD, uuid);

	if (t && dm_task_add_target(t, 0, table->sectors, table->type, table->params) &&
	    dm_task_run(t))
		return 0;
	return failed(t, "load a table into", uuid, e);
}

static int remove_uuid(const char *uuid, bool deferred, struct err *e)
{
	_cleanup_task_ struct dm_task *t = task(DM_DEVICE_REMOVE, uuid);

	if (t && (!deferred || dm_task_deferred_remove(t)) && run_with_udev(t, 0))
		return 0;
	return failed(t, "remove", uuid, e);
}

int dmdev_remove(const char *uuid, struct err *e)
{
	TAKE_TURN();

	return remove_uuid(uuid, false, e);
}

int dmdev_open_private(const char *name, const char *uuid, const struct dmdev_table *t,
		       struct err *e)
{
	TAKE_TURN();
	_cleanup_close_ int fd = -1;
	struct stat opened;
	dev_t made = 0;
	char path[32];

	if (create(name, uuid, t, true, &made, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/dm-%u", minor(made));
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &opened) < 0 || opened.st_rdev != made) {
		struct err second;

		err_sys(e, "open %s", path);
		remove_uuid(uuid, false, &second);
		return -1;
	}
	return remove_uuid(uuid, true, e) < 0 ? -1 : take_fd(&fd);
}

static int sweep_one(const char *name, const char *prefix, struct err *e)
{
	_cleanup_task_ struct dm_task *t = dm_task_create(DM_DEVICE_INFO);
	struct dm_info info;
	const char *uuid;

	if (!t || !dm_task_set_name(t, name) || !dm_task_run(t) || !dm_task_get_info(t, &info))
		return failed(t, "look at", name, e);
	uuid = info.exists ? dm_task_get_uuid(t) : "";
	if (strncmp(uuid, prefix, strlen(prefix)) || info.open_count > 0)
		return 0;
	return remove_uuid(uuid, false, e);
}

int dmdev_sweep(const char *prefix, struct err *e)
{
	TAKE_TURN();
	_cleanup_task_ struct dm_task *t = dm_task_create(DM_DEVICE_LIST);
	const struct dm_names *n;

	if (!t || !dm_task_run(t) || !(n = dm_task_get_names(t)))
		return failed(t, "list", "devices", e);
	if (!n->dev)
		return 0;
	for (;; n = (const struct dm_names *)((const char *)n + n->next)) {
		if (sweep_one(n->name, prefix, e) < 0)
			return -1;
		if (!n->next)
			return 0;
	}
}
