/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <string.h>

#include "lvm.h"
#include "volume.h"
#include "volume_kinds.h"

static const struct volume_ops *const kinds[] = {&file_ops, &era_ops, &thin_ops, &plain_ops,
						 &raw_ops};

static int check_names(const char *name, const char *partnership, struct err *e)
{
	if (strlen(name) < VOLUME_NAME_MAX &&
	    strlen(partnership) < sizeof(((struct volume *)0)->partnership))
		return 0;
	return err_set(e, ERR_USAGE, "the name of a volume has at most %d bytes",
		       VOLUME_NAME_MAX - 1);
}

int volume_open_as(const struct volume_ops *ops, const char *name, enum volume_role role,
		   const char *partnership, struct volume **out, struct err *e)
{
	struct volume *v = xcalloc(1, ops->size);
	int r;

	v->ops = ops;
	v->role = role;
	strcpy(v->name, name);
	strcpy(v->partnership, partnership);
	r = ops->open(v, e);
	if (r == 0)
		*out = v;
	else
		volume_free(v);
	return r;
}

struct volume *volume_open(const char *name, enum volume_role role, const char *partnership,
			   struct err *e)
{
	struct err why = ERR_INIT; /* why the last one tried is not the one */
	struct volume *v = NULL;
	int r = 1;

	if (check_names(name, partnership, e) < 0)
		return NULL;
	lvm_look_begin();
	for (unsigned i = 0; i < ARRAY_SIZE(kinds) && r == 1; i++)
		r = volume_open_as(kinds[i], name, role, partnership, &v, &why);
	lvm_look_end();
	if (!v)
		*e = why;
	return v;
}

void volume_free(struct volume *v)
{
	if (!v)
		return;
	v->ops->close(v);
	free(v);
}

void volume_health_say(struct volume_health *h, bool refuse, const char *remedy, const char *fmt,
		       ...)
{
	va_list ap;

	if (h->cause[0])
		return;
	h->cut_refused = refuse;
	snprintf(h->remedy, sizeof(h->remedy), "%s", remedy);
	va_start(ap, fmt);
	vsnprintf(h->cause, sizeof(h->cause), fmt, ap);
	va_end(ap);
}

int volume_may_join(const struct volume *v, unsigned volumes, struct err *e)
{
	if (volumes < 2 || !v->ops->alone)
		return 0;
	err_set(e, ERR_REFUSED, "%s %s", v->name, v->ops->alone);
	return err_hint(e, "%s", v->ops->alone_remedy);
}

int volume_check_target(const char *name, bool overwrite, struct err *e)
{
	_cleanup_(volume_freep) struct volume *v = volume_open(name, VOLUME_TARGET, "", e);

	return v ? v->ops->check_target(v, overwrite, e) : -1;
}
