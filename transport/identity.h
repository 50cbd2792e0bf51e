/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This host's key and self-signed certificate, made at first use. A host is known by the
 * fingerprint of its public key, as with ssh; certificates carry no other trust. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "cleanup.h"
#include "err.h"

/* "SHA256:" and 43 characters of base64 (no padding) of the SHA-256 of the DER SubjectPublicKeyInfo. */
#define IDENTITY_FINGERPRINT_SIZE 51

struct identity {
	char name[256]; /* of this host */
	char fingerprint[IDENTITY_FINGERPRINT_SIZE];
	char *cert_pem, *key_pem; /* owned */
};

/* Loads dir/key.pem, dir/cert.pem and dir/name, or makes them (mode 0600, two at once: one wins). */
struct identity *identity_load(const char *dir, struct err *e);
void identity_free(struct identity *id);
DEFINE_FREEP(identity_free, struct identity);

int identity_is_fingerprint(const char *s); /* 1 if well-formed */

#endif
