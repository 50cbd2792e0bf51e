/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A volume for tests: an image file and a map given by hand. */
#ifndef FAKE_VOLUME_H
#define FAKE_VOLUME_H

#include "manifest.h"
#include "plan.h"

#define FAKE_EXTENTS_MAX 8192

struct fake_volume {
	struct volume v;
	int fd;          /* of the image, for the test; the file has no name */
	int base;        /* of the image that the token "base" names, the test's */
	bool lost;       /* held() says so */
	uint8_t *bytes;  /* what it should hold: size bytes */
	uint32_t grain;  /* bytes per block of sets; 0: v.block_size */
	uint64_t split;  /* bytes: map() cuts extents there, 0: nowhere */
	uint64_t lose;   /* map() leaves out the extent that covers this byte; UINT64_MAX: none */
	bool unreadable; /* reader() gives a descriptor that cannot be read */
	unsigned n;
	struct {
		enum volume_extent kind;
		uint64_t offset, length;
	} x[FAKE_EXTENTS_MAX];
};

/* A random number from state, the same on every machine. */
uint64_t fake_random(uint64_t *state);
/* An unnamed file of size bytes that reads as the given byte; O_DIRECT where there is such a thing.
 */
int fake_file(uint64_t size, uint8_t byte);

/* Past the flag O_DIRECT: of any alignment. */
void fake_write(int fd, const uint8_t *p, uint64_t n, uint64_t offset);

/* size bytes, holes only. */
struct fake_volume *fake_new(uint64_t size);
void fake_free(struct fake_volume *f);
DEFINE_FREEP(fake_free, struct fake_volume);

enum fake_content { FAKE_RANDOM, FAKE_TEXT, FAKE_ZEROS, FAKE_MIXED };

/* Appends to the map, after what is there; data is written to the image. */
void fake_add(struct fake_volume *f, enum volume_extent kind, uint64_t length,
	      enum fake_content content, uint64_t *state);
/* Fills the map with random extents, in multiples of unit bytes, up to the size. */
void fake_fill(struct fake_volume *f, uint64_t unit, uint64_t *state);

/* A manifest of these volumes, counted by plan_count(); pv is filled with them. sets: one per
 * volume, or NULL. */
struct manifest *fake_manifest(struct fake_volume *const *f, const struct bset *const *sets,
			       unsigned n, struct plan_volume *pv);

#endif
