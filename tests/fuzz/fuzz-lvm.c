/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as the output of lvs, and as a token of a cut: refused, or a list whose names can be
 * found and given to LVM as they are; a token that prints as it came. */
#include <stdlib.h>
#include <string.h>

#include "plain.h"
#include "thin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
	if (!b)
		abort();
}

static void check_lv(const struct lvm_list *l, const struct lvm_lv *lv)
{
	char full[2 * LVM_NAME_MAX + 2], vg[LVM_NAME_MAX], name[LVM_NAME_MAX];
	char uuid[LVM_DM_UUID_SIZE];
	struct err e = ERR_INIT;

	snprintf(full, sizeof(full), "%s/%s", lv->vg_name, lv->name);
	must(lvm_split_name(full, vg, name, &e) == 0);
	must(!strcmp(vg, lv->vg_name) && !strcmp(name, lv->name));
	must(lvm_by_name(l, lv->name) && lvm_by_uuid(l, lv->uuid));
	lvm_dm_uuid(lv, "tpool", uuid);
	must(strlen(uuid) == strlen("LVM--tpool") + 64);
	must(!lvm_has_tag(lv, "not=there") || strstr(lv->tags, "not=there"));
}

static void check_token(const uint8_t *data, size_t size)
{
	char text[VOLUME_TOKEN_MAX], again[VOLUME_TOKEN_MAX];
	struct thin_slot s = {0};
	struct err e = ERR_INIT;
	struct thin_token k;

	snprintf(text, sizeof(text), "%.*s", size < 255 ? (int)size : 255, (const char *)data);
	if (thin_token_parse(text, &k, &e) < 0)
		return;
	strcpy(s.uuid, k.uuid);
	s.seen = (struct thin_dev){
		.id = k.id, .creation_time = k.time, .root = k.root, .mapped_blocks = k.mapped};
	thin_token_print(&s, again);
	must(!strcmp(text, again));
}

static void check_plain_token(const uint8_t *data, size_t size)
{
	char text[VOLUME_TOKEN_MAX], again[VOLUME_TOKEN_MAX];
	struct err e = ERR_INIT;
	struct plain_token k;

	snprintf(text, sizeof(text), "%.*s", size < 255 ? (int)size : 255, (const char *)data);
	if (plain_token_parse(text, &k, &e) < 0)
		return;
	plain_token_print(&k, again);
	must(!strcmp(text, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_lvm_list_ struct lvm_list l = {NULL, 0};
	struct err e = ERR_INIT;

	check_token(data, size);
	check_plain_token(data, size);
	must((lvm_parse(data, size, &l, &e) < 0) == (e.code != ERR_NONE));
	for (size_t i = 0; i < l.n; i++)
		check_lv(&l, &l.lv[i]);
	return 0;
}
