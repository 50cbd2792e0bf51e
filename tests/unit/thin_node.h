/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Btree nodes of a thin_image: bytes, entries, reference counts, copy on write. */
#ifndef THIN_NODE_H
#define THIN_NODE_H

#include "thin_image.h"

enum { INTERNAL = 1, LEAF = 2, HEADER = 32 };

uint32_t tn_crc32c(const uint8_t *p, size_t n);
void tn_put32(uint8_t *p, uint32_t v);
void tn_put64(uint8_t *p, uint64_t v);
uint32_t tn_get32(const uint8_t *p);
uint64_t tn_get64(const uint8_t *p);
uint8_t *tn_at(const struct thin_image *t, uint64_t b);
unsigned tn_nr_of(const uint8_t *n);
unsigned tn_max_of(const uint8_t *n);
unsigned tn_size_of(const uint8_t *n);
bool tn_is_leaf(const uint8_t *n);
uint8_t *tn_key_at(uint8_t *n, unsigned i);
uint8_t *tn_value_at(uint8_t *n, unsigned i);
uint64_t tn_key_of(uint8_t *n, unsigned i);
uint64_t tn_child_of(uint8_t *n, unsigned i);
uint64_t tn_alloc_block(struct thin_image *t);
uint64_t tn_new_node(struct thin_image *t, unsigned kind, unsigned max, unsigned size);
void tn_drop(struct thin_image *t, uint64_t b);
uint64_t tn_shadow(struct thin_image *t, uint64_t b);
void tn_insert_entry(uint8_t *n, unsigned i, uint64_t key, uint64_t value);
void tn_remove_entry(uint8_t *n, unsigned i);
void tn_level_out(uint8_t *l, uint8_t *r, unsigned want);
unsigned tn_count_upto(uint8_t *n, uint64_t key);

#endif
