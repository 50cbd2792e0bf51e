/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "js.h"
#include "manifest.h"

static const char magic[4] = "SRMF";

void manifest_free(struct manifest *m)
{
	free(m);
}

void manifest_digest(const void *frame, size_t len, uint8_t digest[static MANIFEST_DIGEST])
{
	XXH128_hash_t h = XXH3_128bits(frame, len);

	le64_put(digest, h.low64);
	le64_put(digest + 8, h.high64);
}

static json_t *volume_json(const struct manifest_volume *v)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "uuid", v->uuid, "name", v->name,
			 "target", v->target, "size", (json_int_t)v->size, "block_size",
			 (json_int_t)v->block_size, "full", v->full);
}

static json_t *to_json(const struct manifest *m)
{
	_cleanup_json_ json_t *list = json_array();
	json_t *base = json_null();
	char seed[17];

	for (unsigned i = 0; i < m->volumes; i++)
		if (json_array_append_new(list, volume_json(&m->volume[i])) < 0)
			return NULL;
	if (m->base_seq)
		base = json_pack("{s:s, s:I}", "generation", m->base_generation, "seq",
				 (json_int_t)m->base_seq);
	snprintf(seed, sizeof(seed), "%016" PRIx64, m->seed);
	return json_pack("{s:i, s:s, s:s, s:I, s:o, s:I, s:I, s:s, s:I, s:I, s:O}", "format",
			 MANIFEST_FORMAT, "partnership", m->partnership, "generation",
			 m->generation, "seq", (json_int_t)m->seq, "base", base, "time_ms",
			 (json_int_t)m->time_ms, "pause_us", (json_int_t)m->pause_us, "seed", seed,
			 "segments", (json_int_t)m->segments, "data_bytes",
			 (json_int_t)m->data_bytes, "volumes", list);
}

int manifest_encode(const struct manifest *m, struct buf *out, struct err *e)
{
	_cleanup_json_ json_t *j = to_json(m);
	_cleanup_free_ char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	size_t start = out->len;
	uint8_t digest[MANIFEST_DIGEST];

	if (!text)
		return err_set(e, ERR_FAILED, "a name of a volume is not UTF-8");
	assert(strlen(text) <= MANIFEST_JSON_MAX); /* 64 volumes with every byte escaped fit */
	buf_put(out, magic, sizeof(magic));
	buf_put_le32(out, strlen(text));
	buf_put(out, text, strlen(text));
	manifest_digest(out->data + start, out->len - start, digest);
	buf_put(out, digest, sizeof(digest));
	return 0;
}

size_t manifest_frame_size(const uint8_t head[static MANIFEST_HEAD])
{
	uint32_t n = le32_at(head + sizeof(magic));

	if (memcmp(head, magic, sizeof(magic)) || n > MANIFEST_JSON_MAX)
		return 0;
	return MANIFEST_HEAD + n + MANIFEST_DIGEST;
}

struct manifest *manifest_decode(const void *frame, size_t len, struct err *e)
{
	const uint8_t *p = frame;
	uint8_t digest[MANIFEST_DIGEST];
	size_t body = len - MANIFEST_DIGEST;

	if (len < MANIFEST_HEAD || manifest_frame_size(p) != len) {
		err_set(e, ERR_FAILED, "not the manifest of a cut (%zu bytes)", len);
		return NULL;
	}
	manifest_digest(p, body, digest);
	if (memcmp(digest, p + body, sizeof(digest))) {
		err_set(e, ERR_FAILED, "the manifest is damaged: its checksum differs");
		return NULL;
	}
	return manifest_parse(p + MANIFEST_HEAD, body - MANIFEST_HEAD, e);
}

/* A name goes into messages and terminals: no control characters, not empty. */
static int parse_name(const json_t *j, const char *key, char *out, size_t size, struct err *e)
{
	if (js_str(j, key, out, size, e) < 0)
		return -1;
	for (const char *s = out; *s; s++)
		if (iscntrl((unsigned char)*s))
			return err_set(e, ERR_FAILED, "member \"%s\" has control characters", key);
	return *out ? 0 : err_set(e, ERR_FAILED, "member \"%s\" is empty", key);
}

static int parse_id(const json_t *j, const char *key, char out[static FMT_ID_SIZE], struct err *e)
{
	if (js_str(j, key, out, FMT_ID_SIZE, e) < 0)
		return -1;
	return fmt_is_id(out) ? 0 : err_set(e, ERR_FAILED, "member \"%s\" is not an id", key);
}

static int parse_u64(const json_t *j, const char *key, uint64_t min, uint64_t max, uint64_t *out,
		     struct err *e)
{
	if (js_u64(j, key, out, e) < 0)
		return -1;
	if (*out < min || *out > max)
		return err_set(e, ERR_FAILED, "member \"%s\" is out of bounds", key);
	return 0;
}

static int parse_seed(const json_t *j, uint64_t *seed, struct err *e)
{
	char hex[17];

	if (js_str(j, "seed", hex, sizeof(hex), e) < 0)
		return -1;
	if (strspn(hex, "0123456789abcdef") != 16)
		return err_set(e, ERR_FAILED, "member \"seed\" is not 16 hex digits");
	*seed = strtoull(hex, NULL, 16);
	return 0;
}

static int parse_base(const json_t *j, struct manifest *m, struct err *e)
{
	const json_t *base = json_object_get(j, "base");

	if (json_is_null(base))
		return 0;
	if (parse_id(base, "generation", m->base_generation, e) < 0 ||
	    parse_u64(base, "seq", 1, INT64_MAX, &m->base_seq, e) < 0)
		return err_wrap(e, "member \"base\"");
	return 0;
}

static int parse_volume(const json_t *j, struct manifest_volume *v, struct err *e)
{
	const json_t *full = json_object_get(j, "full");
	uint64_t block_size;

	if (parse_name(j, "uuid", v->uuid, sizeof(v->uuid), e) < 0 ||
	    parse_name(j, "name", v->name, sizeof(v->name), e) < 0 ||
	    parse_name(j, "target", v->target, sizeof(v->target), e) < 0 ||
	    parse_u64(j, "size", 1, INT64_MAX, &v->size, e) < 0 ||
	    parse_u64(j, "block_size", 1, UINT32_MAX, &block_size, e) < 0)
		return -1;
	if (!json_is_boolean(full))
		return err_set(e, ERR_FAILED, "member \"full\" is missing or not true or false");
	v->block_size = block_size;
	v->full = json_is_true(full);
	return 0;
}

static int parse_volumes(const json_t *j, struct manifest *m, struct err *e)
{
	const json_t *list = js_array(j, "volumes", e);
	size_t n = json_array_size(list);

	if (!list)
		return -1;
	if (n < 1 || n > MANIFEST_VOLUMES_MAX)
		return err_set(e, ERR_FAILED, "%zu volumes, not 1 to %d", n, MANIFEST_VOLUMES_MAX);
	m->volumes = n;
	for (unsigned i = 0; i < n; i++) {
		if (parse_volume(json_array_get(list, i), &m->volume[i], e) < 0)
			return err_wrap(e, "volume %u", i);
		if (!m->volume[i].full && !m->base_seq)
			return err_set(e, ERR_FAILED, "volume %u: changes without a base", i);
	}
	return 0;
}

static int parse(const json_t *j, struct manifest *m, struct err *e)
{
	uint64_t format, time_ms;

	if (js_u64(j, "format", &format, e) < 0)
		return -1;
	if (format != MANIFEST_FORMAT) {
		err_set(e, ERR_FAILED, "it is of format %" PRIu64 ", this srsync knows %d", format,
			MANIFEST_FORMAT);
		return err_hint(e, "run the same version of srsync on both hosts");
	}
	if (parse_id(j, "partnership", m->partnership, e) < 0 ||
	    parse_id(j, "generation", m->generation, e) < 0 ||
	    parse_u64(j, "seq", 1, INT64_MAX, &m->seq, e) < 0 || parse_base(j, m, e) < 0 ||
	    parse_u64(j, "time_ms", 0, INT64_MAX, &time_ms, e) < 0 ||
	    parse_u64(j, "pause_us", 0, INT64_MAX, &m->pause_us, e) < 0 ||
	    parse_seed(j, &m->seed, e) < 0 ||
	    parse_u64(j, "segments", 0, MANIFEST_SEGMENTS_MAX, &m->segments, e) < 0 ||
	    parse_u64(j, "data_bytes", 0, INT64_MAX, &m->data_bytes, e) < 0)
		return -1;
	m->time_ms = time_ms;
	return parse_volumes(j, m, e);
}

struct manifest *manifest_parse(const void *json, size_t len, struct err *e)
{
	_cleanup_json_ json_t *j = js_parse(json, len, "the manifest", e);
	_cleanup_(manifest_freep) struct manifest *m = xcalloc(1, sizeof(*m));

	if (!j)
		return NULL;
	if (parse(j, m, e) < 0) {
		err_wrap(e, "manifest");
		return NULL;
	}
	return TAKE(m);
}
