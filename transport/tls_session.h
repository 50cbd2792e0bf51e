/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of a TLS session: shared by tls.c and tls_io.c, by nobody else. */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "buf.h"
#include "identity.h"
#include "tls.h"

/* What TLS_CHUNK is in records (RFC 8446 section 5.2: header, type and the tag of AES-GCM or
 * ChaCha20). */
#define TLS_RECORD          16384
#define TLS_RECORD_OVERHEAD (5 + 1 + 16)
#define TLS_CHUNK_RECORDS   (TLS_CHUNK / TLS_RECORD * (TLS_RECORD + TLS_RECORD_OVERHEAD))

struct tls {
	gnutls_session_t session;
	int fd, stop_fd; /* borrowed */
	struct buf in;   /* records from the peer; in_used of them pulled by GnuTLS */
	size_t in_used;
	struct buf out; /* records to the peer; the first out_sent bytes are gone */
	size_t out_sent;
	bool in_eof;               /* the peer sends no more */
	uint8_t plain[TLS_RECORD]; /* decrypted: stays in the processor's cache */
	char fingerprint[IDENTITY_FINGERPRINT_SIZE];
};

#endif
