/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dmcall.h"

#define CONTROL "/dev/" DM_DIR "/" DM_CONTROL_NODE

static void make(struct dmcall *c, unsigned long request, unsigned flags, const char *uuid)
{
	struct dm_ioctl *h = &c->made.head;

	assert(uuid[0] && strlen(uuid) < sizeof(h->uuid));
	memset(c, 0, sizeof(*c));
	c->request = request;
	/* the oldest interface that has all that is used here; newer kernels accept it */
	h->version[0] = 4;
	h->data_size = sizeof(c->made);
	h->data_start = sizeof(struct dm_ioctl);
	h->flags = flags;
	strcpy(h->uuid, uuid);
}

void dmcall_suspend(struct dmcall *c, const char *uuid)
{
	make(c, DM_DEV_SUSPEND, DM_SUSPEND_FLAG, uuid);
}

void dmcall_resume(struct dmcall *c, const char *uuid)
{
	make(c, DM_DEV_SUSPEND, 0, uuid);
}

void dmcall_status(struct dmcall *c, const char *uuid)
{
	make(c, DM_DEV_STATUS, 0, uuid);
}

void dmcall_message(struct dmcall *c, const char *uuid, const char *fmt, ...)
{
	/* struct dm_target_msg: the sector (0), then the text */
	size_t text;
	va_list ap;
	int n;

	make(c, DM_TARGET_MSG, 0, uuid);
	text = sizeof(struct dm_ioctl) + offsetof(struct dm_target_msg, message);
	va_start(ap, fmt);
	n = vsnprintf((char *)c->made.bytes + text, sizeof(c->made) - text, fmt, ap);
	va_end(ap);
	assert(n > 0 && (size_t)n < sizeof(c->made) - text);
}

int dmcall_open(struct err *e)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		err_sys(e, "open %s", CONTROL);
		return err_hint(e, "run as root, on a kernel with device-mapper (modprobe dm-mod)");
	}
	return fd;
}

int dmcall_run(int control, struct dmcall *c)
{
	int r;

	do {
		memcpy(&c->run, &c->made, sizeof(c->run));
		r = ioctl(control, c->request, &c->run);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;
}

bool dmcall_is_suspended(const struct dmcall *c)
{
	return c->run.head.flags & DM_SUSPEND_FLAG;
}

bool dmcall_is_loaded(const struct dmcall *c)
{
	return c->run.head.flags & DM_INACTIVE_PRESENT_FLAG;
}
