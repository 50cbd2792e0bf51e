/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "log.h"

/* At the target nobody but us writes to the head, which we hold: it needs no freeze. */
static bool must_freeze(const struct file *f)
{
	return f->v.in_group && f->v.role == VOLUME_SOURCE;
}

int file_ready(struct volume *v, struct err *e)
{
	(void)v;
	(void)e;
	return 0;
}

/* The very image that was opened by name, also if somebody has replaced it meanwhile. */
static int open_image(struct file *f, struct err *e)
{
	char uuid[VOLUME_UUID_MAX];
	struct file_id id;

	f->image = f->held_fd >= 0 ? f->held_fd : file_openat(f, f->base, O_RDONLY);
	if (f->image < 0)
		return err_sys(e, "open %s", f->v.name);
	if (fdatasync(f->image) < 0) /* so that the cut has little left to flush */
		return err_sys(e, "flush %s", f->v.name);
	if (f->held_fd >= 0)
		return 0;
	if (file_id_of(f->image, &id, e) < 0)
		return -1;
	file_uuid(f, &id, uuid);
	if (strcmp(uuid, f->v.uuid))
		return err_set(e, ERR_REFUSED,
			       "rule 3 (identity before bytes): the file was replaced by another");
	return 0;
}

int file_allot(struct volume *v, struct err *e)
{
	struct file *f = file_of(v);

	if (open_image(f, e) < 0 || (f->clone = file_temporary(f, e)) < 0)
		return -1;
	if (!must_freeze(f))
		return 0;
	if (file_clone(f->clone, f->image, e) < 0 || file_save_open(f, e) < 0)
		return -1;
	f->freeze = fsfreeze_open(f->dir_fd, f->fs, e);
	return f->freeze ? 0 : -1;
}

int file_thaw_words(struct volume *v, char *out, size_t size, struct err *e)
{
	struct file *f = file_of(v);
	int n = f->freeze ? snprintf(out, size, "fs %s\n", f->dir) : snprintf(out, size, "%s", "");

	return n >= 0 && (size_t)n < size ? 0 : err_set(e, ERR_FAILED, "too many volumes");
}

int file_freeze(struct volume *v, struct err *e)
{
	struct file *f = file_of(v);

	return f->freeze ? fsfreeze_begin(f->freeze, e) : 0;
}

/* Alone: the clone itself is the instant. Its pause is the time that this call takes. */
int file_snap(struct volume *v, struct err *e)
{
	struct file *f = file_of(v);

	return f->freeze ? file_save(f, e) : file_clone(f->clone, f->image, e);
}

int file_thaw(struct volume *v, struct err *e)
{
	return fsfreeze_end(file_of(v)->freeze, e);
}

int file_proof(struct volume *v, char token[static VOLUME_TOKEN_MAX], struct err *e)
{
	struct file *f = file_of(v);
	struct file_id id;

	if (f->freeze && fsfreeze_broken(f->freeze)) {
		err_set(e, ERR_BUSY,
			"somebody else thawed the file system in the middle of the cut");
		return err_hint(e, "run no fsfreeze -u on it meanwhile; then repeat");
	}
	if ((f->freeze && file_save_apply(f, e) < 0) ||
	    file_keep_slot(f, f->clone, f->linked, e) < 0 || file_id_of(f->clone, &id, e) < 0)
		return -1;
	file_token_print(f->fs, &id, token);
	file_set_size(f, id.size);
	return 0;
}

void file_done(struct volume *v, bool good)
{
	struct file *f = file_of(v);

	if (!good && f->linked[0] && unlinkat(f->dir_fd, f->linked, 0) < 0)
		log_warn("remove %s/%s: %s", f->dir, f->linked, strerror(errno));
	f->linked[0] = '\0';
	file_save_close(f);
	fsfreeze_close(f->freeze);
	f->freeze = NULL;
	if (f->image != f->held_fd)
		closep(&f->image);
	closep(&f->clone);
	f->image = f->clone = -1;
}
