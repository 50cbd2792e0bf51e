/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The floor: buffers and cursors, numbers for people, atomic files, JSON members, locks, helpers.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fmt.h"
#include "io.h"
#include "js.h"
#include "lock.h"
#include "program.h"

static char dir[64], path[96];

static void make_dir(void)
{
	strcpy(dir, "/tmp/unit-base.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
}

static void remove_dir(void)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(io_remove_tree(dir, &e), 0);
	ck_assert_int_eq(access(dir, F_OK), -1);
	ck_assert_int_eq(io_remove_tree(dir, &e), 0); /* missing is fine */
}

START_TEST(test_buf)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char s[4];
	struct cur c;

	buf_put_u8(&b, 1);
	buf_put_le16(&b, 0x0302);
	buf_put_le32(&b, 0);
	buf_put_le64(&b, 0x0f0e0d0c0b0a0908);
	buf_set_le32(&b, 3, 0x07060504);
	for (unsigned i = 0; i < b.len; i++)
		ck_assert_uint_eq(b.data[i], i + 1);
	buf_put_str(&b, "abc");
	for (unsigned i = 0; i < 100000; i++)
		buf_put_u8(&b, i);
	ck_assert_uint_eq(b.len, 15 + 5 + 100000);
	c = cur_of(b.data, b.len);
	ck_assert(cur_u8(&c) == 1 && cur_le16(&c) == 0x0302 && cur_le32(&c) == 0x07060504);
	ck_assert(cur_le64(&c) == 0x0f0e0d0c0b0a0908);
	cur_str(&c, s, sizeof(s));
	ck_assert_str_eq(s, "abc");
	ck_assert(!c.bad && c.left == 100000 && cur_bytes(&c, 100000) == b.data + 20);
	ck_assert(!c.bad && c.left == 0);
}
END_TEST

START_TEST(test_cursor_end)
{
	static const uint8_t bytes[] = {3, 0, 'a', 'b', 'c', 1, 0, 0};
	char s[4] = "?", small[3];
	struct cur c = cur_of(bytes, sizeof(bytes)), d;

	ck_assert_uint_eq(cur_le32(&c), 0x62610003);
	ck_assert(cur_le64(&c) == 0 && c.bad);
	ck_assert(cur_u8(&c) ==
		  0); /* nothing more after the first failure, though bytes are left */
	ck_assert_ptr_null(cur_bytes(&c, 1));
	d = cur_of(bytes, 5);
	cur_str(&d, small, sizeof(small)); /* no room for the NUL */
	ck_assert(d.bad && small[0] == '\0');
	d = cur_of(bytes, 4);
	cur_str(&d, s, sizeof(s)); /* shorter than it says */
	ck_assert(d.bad && s[0] == '\0');
	d = cur_of(bytes + 5, 3);
	cur_str(&d, s, sizeof(s)); /* a NUL within */
	ck_assert(d.bad);
	d = cur_of(bytes, 8);
	ck_assert(cur_bytes(&d, SIZE_MAX) == NULL && d.bad);
}
END_TEST

static const struct {
	uint64_t n;
	const char *s;
} bytes_table[] = {{0, "0 B"},
		   {1023, "1023 B"},
		   {1024, "1 KiB"},
		   {1536, "1.5 KiB"},
		   {(1 << 20) - 1, "1.0 MiB"},
		   {1 << 30, "1 GiB"},
		   {UINT64_MAX, "16 EiB"}};
static const struct {
	double v;
	const char *s;
} duration_table[] = {{-1, "0 ms"},    {0, "0 ms"},       {0.012, "12 ms"}, {0.9996, "1.0 s"},
		      {4.2, "4.2 s"},  {59.96, "1m00s"},  {185, "3m05s"},   {3600, "1h00m"},
		      {7800, "2h10m"}, {356400, "4d03h"}, {NAN, "0 ms"}};

START_TEST(test_fmt_out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bytes_table); i++)
		ck_assert_str_eq(fmt_bytes(bytes_table[i].n).s, bytes_table[i].s);
	for (unsigned i = 0; i < ARRAY_SIZE(duration_table); i++)
		ck_assert_str_eq(fmt_duration(duration_table[i].v).s, duration_table[i].s);
	ck_assert(strlen(fmt_duration(INFINITY).s) > 0);
	ck_assert_str_eq(fmt_rate(1536).s, "1.5 KiB/s");
	ck_assert_str_eq(fmt_rate(-1).s, "0 B/s");
	ck_assert(strstr(fmt_rate(INFINITY).s, "EiB/s"));
	ck_assert_str_eq(fmt_time(0).s, "-");
	ck_assert_str_eq(fmt_time(1769860800123).s, "2026-01-31T12:00:00.123Z");
	ck_assert(strlen(fmt_time(INT64_MAX).s) > 0);
}
END_TEST

static const struct {
	const char *s;
	uint64_t bytes, ms; /* NO: refused */
} parse_table[] = {
#define NO UINT64_MAX
	{"0", 0, 0},
	{"60s", NO, 60000},
	{"5m", 5 << 20, 300000},
	{"1h", NO, 3600000},
	{"1d", NO, 86400000},
	{"250ms", NO, 250},
	{"4096", 4096, 4096000},
	{"64K", 65536, NO},
	{"1.5G", 3ULL << 29, NO},
	{"10GiB", 10ULL << 30, NO},
	{"1kB", 1024, NO},
	{"1.5", 1, 1500},
	{"", NO, NO},
	{"-1", NO, NO},
	{" 1", NO, NO},
	{"1 ", NO, NO},
	{"0x10", NO, NO},
	{"1e3", NO, NO},
	{"1.2.3", NO, NO},
	{"inf", NO, NO},
	{"1Ki", NO, NO},
	{"1KiBs", NO, NO},
	{"16E", NO, NO},
	{"99999999999999999999", NO, NO},
	{"4503599627370497", 4503599627370497, 4503599627370497000},
};

START_TEST(test_fmt_in)
{
	struct err e = ERR_INIT;
	uint64_t v;

	for (unsigned i = 0; i < ARRAY_SIZE(parse_table); i++) {
		v = NO;
		ck_assert_msg(fmt_parse_bytes(parse_table[i].s, &v, &e) ==
				      (parse_table[i].bytes == NO ? -1 : 0),
			      "bytes '%s'", parse_table[i].s);
		ck_assert_uint_eq(v, parse_table[i].bytes);
		v = NO;
		ck_assert_msg(fmt_parse_duration(parse_table[i].s, &v, &e) ==
				      (parse_table[i].ms == NO ? -1 : 0),
			      "duration '%s'", parse_table[i].s);
		ck_assert_uint_eq(v / 1000, parse_table[i].ms / 1000);
	}
	ck_assert_int_eq(e.code, ERR_USAGE);
	ck_assert_int_eq(fmt_parse_u64("18446744073709551615", 0, UINT64_MAX, &v, &e), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(fmt_parse_u64("18446744073709551616", 0, UINT64_MAX, &v, &e), -1);
	ck_assert_int_eq(fmt_parse_u64("5", 1, 4, &v, &e), -1);
	ck_assert_int_eq(fmt_parse_u64("0", 1, 4, &v, &e), -1);
	ck_assert_int_eq(fmt_parse_u64("-1", 0, UINT64_MAX, &v, &e), -1);
	ck_assert_int_eq(fmt_parse_u64("1x", 0, 9, &v, &e), -1);
}
END_TEST

START_TEST(test_id)
{
	char a[FMT_ID_SIZE], b[FMT_ID_SIZE];

	fmt_random_id(a);
	fmt_random_id(b);
	ck_assert(fmt_is_id(a) && fmt_is_id(b) && strcmp(a, b));
	ck_assert(!fmt_is_id("") && !fmt_is_id(a + 1));
	a[5] = 'A';
	ck_assert(!fmt_is_id(a));
}
END_TEST

static void check_content(const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	ck_assert_int_eq(io_read_file(path, 100, &b, &e), 0);
	ck_assert(b.len == strlen(want) && !memcmp(b.data, want, b.len));
}

START_TEST(test_io_replace)
{
	_cleanup_free_ char *tmp = xasprintf("%s.tmp", path), *sub = xasprintf("%s/a/b/", dir);
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	ck_assert_int_eq(io_read_file(path, 100, &b, &e), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(io_replace(path, "first", 5, 0600, &e), 0);
	check_content("first");
	ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	ck_assert_int_eq(mkdir(tmp, 0700), 0); /* in the way: the old content stays */
	ck_assert_int_eq(io_replace(path, "second", 6, 0600, &e), -1);
	check_content("first");
	ck_assert_int_eq(rmdir(tmp), 0);
	ck_assert_int_eq(io_replace(path, "2", 1, 0600, &e), 0);
	check_content("2");
	ck_assert_int_eq(access(tmp, F_OK), -1);
	ck_assert_int_eq(io_read_file(path, 0, &b, &e), -1); /* larger than allowed */
	ck_assert_int_eq(io_mkdirs(sub, 0700, &e), 0);
	ck_assert_int_eq(io_mkdirs(sub, 0700, &e), 0);
	ck_assert(stat(sub, &st) == 0 && S_ISDIR(st.st_mode));
	ck_assert_int_eq(io_mkdirs("", 0700, &e), -1);
	ck_assert_int_eq(io_mkdirs("/", 0700, &e), 0);
}
END_TEST

START_TEST(test_io_ranges)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT, 0600);
	char back[8];

	ck_assert_int_eq(io_pwrite(fd, "abcdef", 6, 10), 0);
	ck_assert(io_pread(fd, back, 6, 10) == 0 && !memcmp(back, "abcdef", 6));
	ck_assert_int_eq(io_pread(fd, back, 7, 10), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(io_read(fd, back, 8), 8);
	ck_assert_int_eq(io_read(fd, back, 8), 8);
	ck_assert_int_eq(io_read(fd, back, 8), 0);
}
END_TEST

START_TEST(test_js)
{
	static const char text[] = "{\"s\": \"abc\", \"n\": 5, \"m\": -5, \"f\": 1.5, \"b\": true, "
				   "\"a\": [1], \"z\": null}";
	struct err e = ERR_INIT;
	_cleanup_json_ json_t *j = js_parse(text, strlen(text), "text", &e), *k = NULL;
	char s[4], small[3];
	uint64_t n;
	bool b;

	ck_assert_ptr_nonnull(j);
	ck_assert(js_str(j, "s", s, sizeof(s), &e) == 0 && !strcmp(s, "abc"));
	ck_assert_int_eq(js_str(j, "s", small, sizeof(small), &e), -1);
	ck_assert_int_eq(js_str(j, "n", s, sizeof(s), &e), -1);
	ck_assert_int_eq(js_str(j, "none", s, sizeof(s), &e), -1);
	ck_assert(strstr(e.text, "none"));
	ck_assert(js_u64(j, "n", &n, &e) == 0 && n == 5);
	ck_assert(js_u64(j, "m", &n, &e) < 0 && js_u64(j, "f", &n, &e) < 0);
	ck_assert(js_u64_or(j, "none", 7, &n, &e) == 0 && n == 7);
	ck_assert_int_eq(js_u64_or(j, "z", 7, &n, &e), -1); /* there, but no number */
	ck_assert(js_str_or(j, "none", "d", s, sizeof(s), &e) == 0 && !strcmp(s, "d"));
	ck_assert(js_bool_or(j, "b", false, &b, &e) == 0 && b);
	ck_assert(js_bool_or(j, "none", true, &b, &e) == 0 && b);
	ck_assert_int_eq(js_bool_or(j, "s", true, &b, &e), -1);
	ck_assert(js_array(j, "a", &e) && !js_array(j, "s", &e));
	ck_assert_ptr_null(js_load(path, &e));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(js_save(path, j, 0600, &e), 0);
	k = js_load(path, &e);
	ck_assert(k && json_equal(j, k));
}
END_TEST

START_TEST(test_js_refused)
{
	static const char *const bad[] = {"",
					  "[]",
					  "5",
					  "{\"a\": 1} x",
					  "{",
					  "{\"a\": 1, \"a\": 2}",
					  "{\"a\": \"\\u0000\"}",
					  "null"};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		ck_assert_msg(!js_parse(bad[i], strlen(bad[i]), "text", &e), "%s", bad[i]);
		ck_assert_int_eq(e.code, ERR_FAILED);
	}
}
END_TEST

START_TEST(test_lock)
{
	struct err e = ERR_INIT;
	char what[300];
	int fd, status;
	pid_t pid;

	ck_assert_int_eq(lock_held(path), 0);
	memset(what, 'w', sizeof(what) - 1);
	what[sizeof(what) - 1] = '\0';
	fd = lock_take(path, what, 0, &e);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(lock_held(path), 1); /* also by ourselves, through another descriptor */
	ck_assert_int_eq(lock_take(path, "x", 30, &e), -1);
	ck_assert_int_eq(e.code, ERR_BUSY);
	ck_assert(strstr(e.text, "www") && strstr(e.text, "(pid "));
	close(fd);
	ck_assert_int_eq(lock_held(path), 0);
	pid = fork();
	if (pid == 0) {
		fd = lock_take(path, "the child", 0, &e);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	fd = lock_take(path, "after it was killed", 0, &e);
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

/* Whoever only asks keeps nobody from taking the lock. */
START_TEST(test_lock_asked)
{
	struct err e = ERR_INIT;
	pid_t pid;

	close(lock_take(path, "make it", 0, &e));
	pid = fork();
	while (pid == 0)
		lock_held(path);
	for (unsigned i = 0; i < 3000; i++) {
		int fd = lock_take(path, "take it", 0, &e);

		ck_assert_msg(fd >= 0, "%s", e.text);
		close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

static int run(const char *script, const struct program *how, struct buf *out, struct buf *errout,
	       struct err *e)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct program s = *how;

	s.argv = argv;
	return program_run(&s, out, errout, e);
}

START_TEST(test_program)
{
	static const char *const env[] = {"SRSYNC_X=y", NULL}, *none[] = {"/no/such/program", NULL};
	_cleanup_buf_ struct buf out = BUF_INIT, err = BUF_INIT;
	struct program plain = {.env = env}, missing = {.argv = none};
	struct err e = ERR_INIT;

	ck_assert_int_eq(run("echo $SRSYNC_X; echo no >&2; exit 3", &plain, &out, &err, &e), 3);
	ck_assert(out.len == 2 && !memcmp(out.data, "y\n", 2));
	ck_assert(err.len == 3 && !memcmp(err.data, "no\n", 3));
	ck_assert_int_eq(run("kill -9 $$", &plain, NULL, NULL, &e), 128 + 9);
	ck_assert_int_eq(run("read x; test $? = 1", &plain, NULL, NULL, &e), 0); /* no input */
	ck_assert_int_eq(program_run(&missing, NULL, NULL, &e), 127);
	plain.out_max = 1000;
	ck_assert_int_eq(run("exec yes", &plain, &out, NULL, &e), -1);
	ck_assert_int_eq(e.code, ERR_FAILED);
}
END_TEST

START_TEST(test_program_input)
{
	_cleanup_buf_ struct buf in = BUF_INIT, out = BUF_INIT;
	struct err e = ERR_INIT;
	struct program s;

	signal(SIGPIPE, SIG_IGN);
	while (in.len < 3 << 20)
		buf_put_le32(&in, in.len);
	s = (struct program){.input = in.data, .input_len = in.len, .timeout_ms = 20000};
	ck_assert_int_eq(run("exec cat", &s, &out, NULL, &e), 0); /* both pipes full at once */
	ck_assert(out.len == in.len && !memcmp(out.data, in.data, in.len));
	ck_assert_int_eq(run("exec true", &s, NULL, NULL, &e), 0); /* reads nothing of it */
}
END_TEST

START_TEST(test_program_time)
{
	struct program s = {.timeout_ms = 200}, patient = {.timeout_ms = 60000};
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	uint64_t t = fmt_mono_us();

	ck_assert_int_eq(run("sleep 50", &s, NULL, NULL, &e), -1);
	ck_assert_int_eq(e.code, ERR_BUSY);
	ck_assert_int_eq(run("exec >&- 2>&-; sleep 50", &s, NULL, NULL, &e), -1);
	ck_assert_int_eq(run("echo a; sleep 5 & exit 4", &patient, &out, NULL, &e), 4);
	ck_assert(out.len == 2);
	ck_assert_uint_lt(fmt_mono_us() - t, 4000000);
}
END_TEST

/* A command that may not be killed is not, also not by our closing what it prints to. */
START_TEST(test_program_never_kill)
{
	_cleanup_free_ char *script = xasprintf("sleep 0.6; echo x; echo y; echo done >%s", path);
	struct program s = {.timeout_ms = 200, .never_kill = true};
	struct err e = ERR_INIT;

	signal(SIGPIPE, SIG_IGN); /* as main does */
	ck_assert_int_eq(run(script, &s, NULL, NULL, &e), -1);
	ck_assert_int_eq(e.code, ERR_BUSY);
	for (unsigned i = 0; i < 500 && access(path, F_OK) < 0; i++)
		usleep(10000);
	usleep(100000);
	check_content("done\n");
	ck_assert_int_gt(waitpid(-1, NULL, 0), 0);
}
END_TEST

START_TEST(test_err)
{
	struct err e = ERR_INIT;

	errno = ENOSPC;
	ck_assert_int_eq(err_sys(&e, "write %s", "x"), -1);
	ck_assert_str_eq(e.text, "write x: No space left on device");
	err_hint(&e, "first");
	err_hint(&e, "second");
	err_wrap(&e, "cut %d", 5);
	ck_assert_str_eq(e.text, "cut 5: write x: No space left on device");
	ck_assert_str_eq(e.hint, "first");
	ck_assert_int_eq(errno, ENOSPC);
	for (int c = ERR_FAILED; c <= ERR_BUSY; c++)
		ck_assert_int_eq(err_code_of(err_word(c)), c);
	ck_assert_int_eq(err_code_of("nonsense"), ERR_FAILED);
	ck_assert_str_eq(err_word(77), "failed");
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, test_buf);
	tcase_add_test(t, test_cursor_end);
	tcase_add_test(t, test_fmt_out);
	tcase_add_test(t, test_fmt_in);
	tcase_add_test(t, test_id);
	tcase_add_test(t, test_io_replace);
	tcase_add_test(t, test_io_ranges);
	tcase_add_test(t, test_js);
	tcase_add_test(t, test_js_refused);
	tcase_add_test(t, test_lock);
	tcase_add_test(t, test_lock_asked);
	tcase_add_test(t, test_program);
	tcase_add_test(t, test_program_input);
	tcase_add_test(t, test_program_time);
	tcase_add_test(t, test_program_never_kill);
	tcase_add_test(t, test_err);
}

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *t = tcase_create("base");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, make_dir, remove_dir);
	add_tests(t);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
