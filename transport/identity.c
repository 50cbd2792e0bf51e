/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "identity.h"
#include "io.h"
#include "lock.h"

#define FILE_MAX     65536 /* bytes; ours are below 1 KiB */
#define LOCK_WAIT_MS 10000
#define DAY_2000     946684800 /* valid before any clock that is merely wrong */

struct paths {
	char *name, *key, *cert, *lock;
};

static void paths_free(struct paths *p)
{
	free(p->name);
	free(p->key);
	free(p->cert);
	free(p->lock);
}

static void key_free(gnutls_x509_privkey_t *k)
{
	if (*k)
		gnutls_x509_privkey_deinit(*k);
}

static void crt_free(gnutls_x509_crt_t *c)
{
	if (*c)
		gnutls_x509_crt_deinit(*c);
}

static void pubkey_free(gnutls_pubkey_t *k)
{
	if (*k)
		gnutls_pubkey_deinit(*k);
}

static void datum_free(gnutls_datum_t *d)
{
	gnutls_free(d->data);
}

void identity_fingerprint(const void *spki, size_t n, char out[static IDENTITY_FINGERPRINT_SIZE])
{
	uint8_t hash[32];
	gnutls_datum_t in = {hash, sizeof(hash)};
	_cleanup_(datum_free) gnutls_datum_t text = {NULL, 0};

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, spki, n, hash) < 0 ||
	    gnutls_base64_encode2(&in, &text) < 0 || text.size != 44)
		abort(); /* out of memory: as xmalloc() */
	memcpy(out, "SHA256:", 7);
	memcpy(out + 7, text.data, 43); /* the 44th is the padding */
	out[50] = '\0';
}

int identity_is_fingerprint(const char *s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	/* 43 digits hold 258 bits, so that the last one carries only four of the hash. */
	return !strncmp(s, "SHA256:", 7) && strlen(s) == IDENTITY_FINGERPRINT_SIZE - 1 &&
	       strspn(s + 7, digits) == 43 && (strchr(digits, s[49]) - digits) % 4 == 0;
}

static int fingerprint_of(gnutls_pubkey_t k, char out[static IDENTITY_FINGERPRINT_SIZE])
{
	_cleanup_(datum_free) gnutls_datum_t der = {NULL, 0};
	int r = gnutls_pubkey_export2(k, GNUTLS_X509_FMT_DER, &der);

	if (r == 0)
		identity_fingerprint(der.data, der.size, out);
	return r;
}

static int make_key(const char *path, struct err *e)
{
	_cleanup_(key_free) gnutls_x509_privkey_t k = NULL;
	_cleanup_(datum_free) gnutls_datum_t pem = {NULL, 0};
	int r = gnutls_x509_privkey_init(&k);

	if (r == 0)
		r = gnutls_x509_privkey_generate(k, GNUTLS_PK_EDDSA_ED25519, 256, 0);
	if (r == 0)
		r = gnutls_x509_privkey_export2_pkcs8(k, GNUTLS_X509_FMT_PEM, NULL,
						      GNUTLS_PKCS_PLAIN, &pem);
	if (r < 0)
		return err_set(e, ERR_FAILED, "cannot make a key: %s", gnutls_strerror(r));
	return io_replace(path, pem.data, pem.size, 0600, e);
}

static int import_key(gnutls_x509_privkey_t *k, const char *path, const char *pem, struct err *e)
{
	gnutls_datum_t d = {(unsigned char *)pem, strlen(pem)};
	int r = gnutls_x509_privkey_init(k);

	if (r == 0)
		r = gnutls_x509_privkey_import2(*k, &d, GNUTLS_X509_FMT_PEM, NULL,
						GNUTLS_PKCS_PLAIN);
	if (r == 0)
		return 0;
	err_set(e, ERR_FAILED, "%s holds no usable private key: %s", path, gnutls_strerror(r));
	return err_hint(e,
			"restore it from a backup, or remove it: a new identity is made, which the "
			"peers must be granted again");
}

static int sign_cert(gnutls_x509_crt_t c, gnutls_x509_privkey_t k, const char *name)
{
	uint8_t serial[16];
	int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

	serial[0] = (serial[0] & 0x3f) | 0x40; /* positive, and no leading zeros */
	if (r == 0)
		r = gnutls_x509_crt_set_version(c, 3);
	if (r == 0)
		r = gnutls_x509_crt_set_serial(c, serial, sizeof(serial));
	if (r == 0)
		r = gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, name,
						  strnlen(name, 64));
	if (r == 0)
		r = gnutls_x509_crt_set_activation_time(c, DAY_2000);
	if (r == 0)
		r = gnutls_x509_crt_set_expiration_time(c, GNUTLS_X509_NO_WELL_DEFINED_EXPIRATION);
	if (r == 0)
		r = gnutls_x509_crt_set_key(c, k);
	if (r == 0)
		r = gnutls_x509_crt_sign2(c, c, k, GNUTLS_DIG_SHA512, 0);
	return r;
}

static int make_cert(const struct paths *p, const char *key_pem, const char *name, struct err *e)
{
	_cleanup_(key_free) gnutls_x509_privkey_t k = NULL;
	_cleanup_(crt_free) gnutls_x509_crt_t c = NULL;
	_cleanup_(datum_free) gnutls_datum_t pem = {NULL, 0};
	int r;

	if (import_key(&k, p->key, key_pem, e) < 0)
		return -1;
	r = gnutls_x509_crt_init(&c);
	if (r == 0)
		r = sign_cert(c, k, name);
	if (r == 0)
		r = gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &pem);
	if (r < 0)
		return err_set(e, ERR_FAILED, "cannot make a certificate: %s", gnutls_strerror(r));
	return io_replace(p->cert, pem.data, pem.size, 0644, e);
}

static char *read_text(const char *path, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (io_read_file(path, FILE_MAX, &b, e) < 0)
		return NULL;
	buf_put_u8(&b, '\0');
	return (char *)TAKE(b.data);
}

static int check_private(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "stat %s", path);
	if ((st.st_mode & 077) == 0)
		return 0;
	err_set(e, ERR_REFUSED, "%s may be read by others (mode %03o)", path, st.st_mode & 0777);
	return err_hint(e,
			"chmod 600 %s; if somebody may have read it, remove it instead: a new "
			"identity is made, which the peers must be granted again",
			path);
}

static int load_name(struct identity *id, const char *path, struct err *e)
{
	_cleanup_free_ char *text = read_text(path, e);
	size_t n;

	if (!text)
		return -1;
	n = strcspn(text, "\n");
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			n = 0;
	if (n == 0 || n >= sizeof(id->name) || strlen(text) > n + 1) {
		err_set(e, ERR_FAILED, "%s does not hold a host name in one line", path);
		return err_hint(e, "write this host's name into it, or remove it");
	}
	memcpy(id->name, text, n);
	id->name[n] = '\0';
	return 0;
}

/* The certificate must be of our key, or every handshake would fail for no visible reason. */
static int check_pair(struct identity *id, const struct paths *p, gnutls_pubkey_t of_key,
		      struct err *e)
{
	_cleanup_(crt_free) gnutls_x509_crt_t c = NULL;
	_cleanup_(pubkey_free) gnutls_pubkey_t of_cert = NULL;
	gnutls_datum_t d = {(unsigned char *)id->cert_pem, strlen(id->cert_pem)};
	char other[IDENTITY_FINGERPRINT_SIZE] = "";
	int r = gnutls_x509_crt_init(&c);

	if (r == 0)
		r = gnutls_x509_crt_import(c, &d, GNUTLS_X509_FMT_PEM);
	if (r == 0)
		r = gnutls_pubkey_init(&of_cert);
	if (r == 0)
		r = gnutls_pubkey_import_x509(of_cert, c, 0);
	if (r == 0)
		r = fingerprint_of(of_cert, other);
	if (r == 0)
		r = fingerprint_of(of_key, id->fingerprint);
	if (r < 0)
		err_set(e, ERR_FAILED, "%s holds no usable certificate: %s", p->cert,
			gnutls_strerror(r));
	else if (strcmp(other, id->fingerprint) != 0)
		err_set(e, ERR_FAILED, "%s is not the certificate of %s", p->cert, p->key);
	else
		return 0;
	return err_hint(e, "remove %s: it is made again from the key, the fingerprint stays",
			p->cert);
}

static int load(struct identity *id, const struct paths *p, struct err *e)
{
	_cleanup_(key_free) gnutls_x509_privkey_t k = NULL;
	_cleanup_(pubkey_free) gnutls_pubkey_t pub = NULL;
	gnutls_privkey_t abstract = NULL;
	int r;

	if (load_name(id, p->name, e) < 0 || check_private(p->key, e) < 0 ||
	    !(id->key_pem = read_text(p->key, e)) || !(id->cert_pem = read_text(p->cert, e)) ||
	    import_key(&k, p->key, id->key_pem, e) < 0)
		return -1;
	r = gnutls_pubkey_init(&pub);
	if (r == 0)
		r = gnutls_privkey_init(&abstract);
	if (r == 0)
		r = gnutls_privkey_import_x509(abstract, k, GNUTLS_PRIVKEY_IMPORT_COPY);
	if (r == 0)
		r = gnutls_pubkey_import_privkey(pub, abstract, 0, 0);
	if (abstract)
		gnutls_privkey_deinit(abstract);
	if (r < 0)
		return err_set(e, ERR_FAILED, "%s: no public key: %s", p->key, gnutls_strerror(r));
	return check_pair(id, p, pub, e);
}

static int make_name(const char *path, struct err *e)
{
	char name[256] = "";
	_cleanup_free_ char *line = NULL;

	if (gethostname(name, sizeof(name) - 1) < 0 || !*name)
		strcpy(name, "localhost");
	line = xasprintf("%s\n", name);
	return io_replace(path, line, strlen(line), 0644, e);
}

static int make_missing(const struct paths *p, struct err *e)
{
	_cleanup_close_ int lock = lock_take(p->lock, "making the identity", LOCK_WAIT_MS, e);
	_cleanup_(identity_freep) struct identity *id = xcalloc(1, sizeof(*id));

	if (lock < 0)
		return -1;
	if (access(p->name, F_OK) < 0 && make_name(p->name, e) < 0)
		return -1;
	if (access(p->key, F_OK) < 0) {
		if (unlink(p->cert) < 0 && errno != ENOENT)
			return err_sys(e, "remove %s", p->cert);
		if (make_key(p->key, e) < 0)
			return -1;
	}
	if (access(p->cert, F_OK) == 0)
		return 0;
	if (load_name(id, p->name, e) < 0 || check_private(p->key, e) < 0 ||
	    !(id->key_pem = read_text(p->key, e)))
		return -1;
	return make_cert(p, id->key_pem, id->name, e);
}

struct identity *identity_load(const char *dir, struct err *e)
{
	_cleanup_(identity_freep) struct identity *id = xcalloc(1, sizeof(*id));
	_cleanup_(paths_free) struct paths p = {
		.name = xasprintf("%s/name", dir),
		.key = xasprintf("%s/key.pem", dir),
		.cert = xasprintf("%s/cert.pem", dir),
		.lock = xasprintf("%s/identity.lock", dir),
	};

	if (access(p.name, F_OK) < 0 || access(p.key, F_OK) < 0 || access(p.cert, F_OK) < 0)
		if (io_mkdirs(dir, 0700, e) < 0 || make_missing(&p, e) < 0)
			goto fail;
	if (load(id, &p, e) < 0)
		goto fail;
	return TAKE(id);
fail:
	err_wrap(e, "identity of this host");
	return NULL;
}

void identity_free(struct identity *id)
{
	if (!id)
		return;
	if (id->key_pem)
		explicit_bzero(id->key_pem, strlen(id->key_pem));
	free(id->key_pem);
	free(id->cert_pem);
	free(id);
}
