/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "io.h"
#include "js.h"

json_t *js_parse(const void *text, size_t n, const char *what, struct err *e)
{
	json_error_t je;
	json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);

	if (!j)
		err_set(e, ERR_FAILED, "%s is not valid JSON: line %d: %s", what, je.line, je.text);
	else if (!json_is_object(j))
		err_set(e, ERR_FAILED, "%s is not a JSON object", what);
	else
		return j;
	json_decref(j);
	errno = EINVAL; /* callers tell a missing file by ENOENT */
	return NULL;
}

json_t *js_load(const char *path, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (io_read_file(path, JS_FILE_MAX, &b, e) < 0)
		return NULL;
	return js_parse(b.data, b.len, path, e);
}

int js_save(const char *path, const json_t *j, mode_t mode, struct err *e)
{
	_cleanup_free_ char *text = json_dumps(j, JSON_INDENT(2));
	_cleanup_free_ char *line = text ? xasprintf("%s\n", text) : NULL;

	if (!line)
		return err_set(e, ERR_FAILED, "%s: cannot be written as JSON", path);
	return io_replace(path, line, strlen(line), mode, e);
}

static int missing(const char *key, const char *type, struct err *e)
{
	return err_set(e, ERR_FAILED, "member \"%s\" is missing or not %s", key, type);
}

int js_str(const json_t *o, const char *key, char *out, size_t size, struct err *e)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s)
		return missing(key, "a string", e);
	if (strlen(s) >= size)
		return err_set(e, ERR_FAILED, "member \"%s\" is longer than %zu bytes", key,
			       size - 1);
	strcpy(out, s);
	return 0;
}

int js_u64(const json_t *o, const char *key, uint64_t *out, struct err *e)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return missing(key, "a whole number", e);
	*out = json_integer_value(v);
	return 0;
}

int js_str_or(const json_t *o, const char *key, const char *def, char *out, size_t size,
	      struct err *e)
{
	if (json_object_get(o, key))
		return js_str(o, key, out, size, e);
	snprintf(out, size, "%s", def);
	return 0;
}

int js_u64_or(const json_t *o, const char *key, uint64_t def, uint64_t *out, struct err *e)
{
	if (json_object_get(o, key))
		return js_u64(o, key, out, e);
	*out = def;
	return 0;
}

int js_bool_or(const json_t *o, const char *key, bool def, bool *out, struct err *e)
{
	const json_t *v = json_object_get(o, key);

	if (v && !json_is_boolean(v))
		return missing(key, "true or false", e);
	*out = v ? json_is_true(v) : def;
	return 0;
}

json_t *js_array(const json_t *o, const char *key, struct err *e)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_array(v)) {
		missing(key, "an array", e);
		return NULL;
	}
	return v;
}

void js_print(const json_t *j)
{
	json_dumpf(j, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
	putchar('\n');
}
