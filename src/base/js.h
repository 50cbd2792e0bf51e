/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON by jansson, with our errors: reading members of outside data, writing files and lines. */
#ifndef JS_H
#define JS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "err.h"

#define JS_FILE_MAX (4u << 20) /* bytes; state and configuration files are a few KiB */

#define _cleanup_json_ _cleanup_(json_decrefp) /* from jansson.h */

/* A text of n bytes, which must be one JSON object and nothing else; what names it in errors.
 * The caller owns the result; NULL with e filled on failure. */
json_t *js_parse(const void *text, size_t n, const char *what, struct err *e);
json_t *js_load(const char *path, struct err *e); /* errno is ENOENT when there is no file */
int js_save(const char *path, const json_t *j, mode_t mode, struct err *e); /* by io_replace() */

/* Members of an object. The plain forms want the member and its type; the _or forms give the
 * default when it is missing and fail on a wrong type. */
int js_str(const json_t *o, const char *key, char *out, size_t size, struct err *e);
int js_u64(const json_t *o, const char *key, uint64_t *out, struct err *e);
int js_str_or(const json_t *o, const char *key, const char *def, char *out, size_t size,
	      struct err *e);
int js_u64_or(const json_t *o, const char *key, uint64_t def, uint64_t *out, struct err *e);
int js_bool_or(const json_t *o, const char *key, bool def, bool *out, struct err *e);
/* The array under key (borrowed), or NULL with e filled. */
json_t *js_array(const json_t *o, const char *key, struct err *e);

void js_print(const json_t *j); /* one line on standard output */

#endif
