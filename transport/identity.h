/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This host's key and self-signed certificate, made at first use. A host is known by the
 * fingerprint of its public key, as with ssh; the certificate only carries the key: its name, its
 * dates and its signature mean nothing to srsync and are not checked. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "cleanup.h"
#include "err.h"

/* "SHA256:" and 43 characters of base64 (no padding) of the SHA-256 of the DER
 * SubjectPublicKeyInfo. */
#define IDENTITY_FINGERPRINT_SIZE 51

struct identity {
	char name[256]; /* of this host: visible ASCII, no spaces */
	char fingerprint[IDENTITY_FINGERPRINT_SIZE];
	char *cert_pem, *key_pem; /* owned */
};

/* Loads dir/name, dir/key.pem (PKCS #8, Ed25519 when made here) and dir/cert.pem, or makes what is
 * missing, under the lock dir/identity.lock: of two processes at once one makes it, both load it.
 * Half-written states: a name alone, or with a key: the rest is made, and an existing key is kept.
 * A certificate whose key is missing is replaced together with the key, since it is of no use.
 * Refused with a remedy: a key that others may read, a damaged file, a certificate of another key.
 */
struct identity *identity_load(const char *dir, struct err *e);
void identity_free(struct identity *id);
DEFINE_FREEP(identity_free, struct identity);

int identity_is_fingerprint(const char *s); /* 1 if well-formed */

/* The fingerprint of a public key, given as the DER of its SubjectPublicKeyInfo. */
void identity_fingerprint(const void *spki, size_t n, char out[static IDENTITY_FINGERPRINT_SIZE]);

#endif
