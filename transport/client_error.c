/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "js.h"

static void copy_line(char *out, size_t size, const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	snprintf(out, size, "%s", s ? s : "");
	/* It goes to terminals and logs: no control character of the other side does. */
	for (; *out; out++)
		if ((unsigned char)*out < ' ' || *out == 0x7f)
			*out = ' ';
}

int client_error(int status, const struct buf *reply, struct err *e)
{
	struct err ignored = ERR_INIT;
	_cleanup_json_ json_t *j =
		js_parse(reply->len ? (char *)reply->data : "", reply->len, "reply", &ignored);
	const json_t *o = json_object_get(j, "error");
	const char *code = json_string_value(json_object_get(o, "code"));

	if (!code || !json_is_string(json_object_get(o, "text")))
		return err_set(e, ERR_FAILED, "the peer answered with HTTP status %d", status);
	err_set(e, err_code_of(code), "%s", "");
	copy_line(e->text, sizeof(e->text), o, "text");
	copy_line(e->hint, sizeof(e->hint), o, "hint");
	return -1;
}
