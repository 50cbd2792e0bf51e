/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Goal: an identity is made once, survives every half-written state with the same key, and what is
 * damaged, mismatched or readable by others is refused with a remedy. */
#include <check.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "identity.h"
#include "io.h"

static char dir[] = "/tmp/unit-identity.XXXXXX";
static char path[100];

/* Made by openssl, and so is its fingerprint: openssl pkey -pubout -outform DER |
 * openssl dgst -sha256 -binary | base64 */
static const char openssl_key[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIPoPHFHzYi4+4FV9dQ7t2iAYO5fSIlEZds/ID9c4+l/D\n"
	"-----END PRIVATE KEY-----\n";
static const char openssl_fingerprint[] = "SHA256:F7Ui+xGN6ZV0uGPwpLzP6JSPYASBC7TjVuILBeWN4y4";

static const char *in(const char *name)
{
	snprintf(path, sizeof(path), "%s/id/%s", dir, name);
	return path;
}

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(io_remove_tree(dir, &e), 0);
}

static struct identity *load(struct err *e)
{
	char id[sizeof(dir) + 4];

	snprintf(id, sizeof(id), "%s/id", dir);
	return identity_load(id, e);
}

static void put(const char *name, const char *text)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(io_replace(in(name), text, strlen(text), 0600, &e), 0);
}

/* The fingerprint, or "" and e. */
static const char *fingerprint(struct err *e)
{
	static char out[IDENTITY_FINGERPRINT_SIZE];
	_cleanup_(identity_freep) struct identity *id = load(e);

	strcpy(out, id ? id->fingerprint : "");
	return out;
}

START_TEST(made_once)
{
	struct err e = ERR_INIT;
	_cleanup_(identity_freep) struct identity *a = load(&e), *b = load(&e);
	struct stat st;

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_str_eq(a->fingerprint, b->fingerprint);
	ck_assert_str_eq(a->key_pem, b->key_pem);
	ck_assert(identity_is_fingerprint(a->fingerprint));
	ck_assert_uint_gt(strlen(a->name), 0);
	ck_assert_int_eq(stat(in("key.pem"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(half_written)
{
	struct err e = ERR_INIT;
	char first[IDENTITY_FINGERPRINT_SIZE];

	strcpy(first, fingerprint(&e));
	unlink(in("cert.pem"));
	ck_assert_str_eq(fingerprint(&e), first);
	unlink(in("name"));
	ck_assert_str_eq(fingerprint(&e), first);
	put("key.pem.tmp", "-----BEGIN");
	ck_assert_str_eq(fingerprint(&e), first);
	/* A certificate without its key is of no use: both are new. */
	unlink(in("key.pem"));
	ck_assert_str_ne(fingerprint(&e), first);
	ck_assert_str_ne(fingerprint(&e), "");
}
END_TEST

START_TEST(two_at_once)
{
	struct err e = ERR_INIT;
	int p[2];
	char f[8][IDENTITY_FINGERPRINT_SIZE];

	ck_assert_int_eq(pipe(p), 0);
	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			const char *s = fingerprint(&e);

			_exit(write(p[1], s, sizeof(f[0])) != sizeof(f[0]));
		}
	ck_assert_int_eq(io_read(p[0], f, sizeof(f)), sizeof(f));
	for (int i = 0; i < 8; i++) {
		ck_assert(identity_is_fingerprint(f[i]));
		ck_assert_str_eq(f[i], f[0]);
		wait(NULL);
	}
	close(p[0]);
	close(p[1]);
}
END_TEST

static void refused(const char *text, enum err_code code)
{
	struct err e = ERR_INIT;

	ck_assert_str_eq(fingerprint(&e), "");
	ck_assert_msg(strstr(e.text, text) != NULL, "\"%s\" not in \"%s\"", text, e.text);
	ck_assert_int_eq(e.code, code);
	ck_assert_str_ne(e.hint, "");
}

START_TEST(damaged)
{
	struct err e = ERR_INIT;
	char first[IDENTITY_FINGERPRINT_SIZE];

	strcpy(first, fingerprint(&e));
	chmod(in("key.pem"), 0640);
	refused("key.pem may be read by others (mode 640)", ERR_REFUSED);
	chmod(in("key.pem"), 0600);
	put("name", "two words\n");
	refused("does not hold a host name", ERR_FAILED);
	put("name", "hostname\n");
	put("cert.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	refused("cert.pem holds no usable certificate", ERR_FAILED);
	unlink(in("cert.pem"));
	ck_assert_str_eq(fingerprint(&e), first);
	put("key.pem", openssl_key);
	refused("is not the certificate of", ERR_FAILED);
	put("key.pem", "");
	refused("key.pem holds no usable private key", ERR_FAILED);
}
END_TEST

START_TEST(agrees_with_openssl)
{
	struct err e = ERR_INIT;

	fingerprint(&e);
	unlink(in("cert.pem"));
	put("key.pem", openssl_key);
	ck_assert_str_eq(fingerprint(&e), openssl_fingerprint);
}
END_TEST

START_TEST(fingerprints)
{
	char s[60];

	ck_assert(identity_is_fingerprint(openssl_fingerprint));
	strcpy(s, openssl_fingerprint);
	s[49] = 'B'; /* bits beyond the hash */
	ck_assert(!identity_is_fingerprint(s));
	s[49] = '\0';
	ck_assert(!identity_is_fingerprint(s));
	snprintf(s, sizeof(s), "%s=", openssl_fingerprint);
	ck_assert(!identity_is_fingerprint(s));
	strcpy(s, openssl_fingerprint);
	s[20] = '-';
	ck_assert(!identity_is_fingerprint(s));
	ck_assert(!identity_is_fingerprint(""));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("identity");
	TCase *c = tcase_create("identity");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, made_once);
	tcase_add_test(c, half_written);
	tcase_add_test(c, two_at_once);
	tcase_add_test(c, damaged);
	tcase_add_test(c, agrees_with_openssl);
	tcase_add_test(c, fingerprints);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
