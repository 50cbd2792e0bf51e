/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "fmt.h"

static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

struct fmt fmt_bytes(uint64_t bytes)
{
	struct fmt f;
	double v = bytes;
	unsigned u = 0;

	while (v >= (u ? 1023.95 : 1024) && u < 6) { /* "1024.0" is the next unit's "1" */
		v /= 1024;
		u++;
	}
	if (u == 0 || v == (double)(uint64_t)v)
		snprintf(f.s, sizeof(f.s), "%.0f %s", v, units[u]);
	else
		snprintf(f.s, sizeof(f.s), "%.1f %s", v, units[u]);
	return f;
}

struct fmt fmt_rate(double bytes_per_second)
{
	struct fmt f, n = fmt_bytes(bytes_per_second > 0 ? fmin(bytes_per_second, 9e18) : 0);

	snprintf(f.s, sizeof(f.s), "%.30s/s", n.s);
	return f;
}

struct fmt fmt_duration(double seconds)
{
	struct fmt f;
	uint64_t s = seconds > 0 ? (uint64_t)fmin(seconds, 1e15) : 0;

	if (!(seconds >= 0.9995)) /* not a number, too */
		snprintf(f.s, sizeof(f.s), "%.0f ms", seconds > 0 ? seconds * 1000 : 0);
	else if (seconds < 59.95)
		snprintf(f.s, sizeof(f.s), "%.1f s", seconds);
	else if (s < 60)
		snprintf(f.s, sizeof(f.s), "1m00s");
	else if (s < 3600)
		snprintf(f.s, sizeof(f.s), "%" PRIu64 "m%02us", s / 60, (unsigned)(s % 60));
	else if (s < 86400)
		snprintf(f.s, sizeof(f.s), "%" PRIu64 "h%02um", s / 3600, (unsigned)(s / 60 % 60));
	else
		snprintf(f.s, sizeof(f.s), "%" PRIu64 "d%02uh", s / 86400,
			 (unsigned)(s / 3600 % 24));
	return f;
}

struct fmt fmt_time(int64_t unix_ms)
{
	struct fmt f = {"-"};
	time_t t = unix_ms / 1000;
	struct tm tm;
	size_t n;

	if (unix_ms <= 0 || !gmtime_r(&t, &tm))
		return f;
	n = strftime(f.s, sizeof(f.s), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(f.s + n, sizeof(f.s) - n, ".%03uZ", (unsigned)(unix_ms % 1000));
	return f;
}

/* Multiplies the number at s by the factor of the unit behind it. */
static int parse_scaled(const char *s, const char *what, double (*factor)(const char *),
			double *out, struct err *e)
{
	char *end;
	double v, f;

	if (!isdigit((unsigned char)*s))
		return err_set(e, ERR_USAGE, "'%s' is not a %s", s, what);
	errno = 0;
	v = strtod(s, &end);
	f = factor(end);
	/* strtod also takes hexadecimal numbers and exponents */
	if ((size_t)(end - s) != strspn(s, "0123456789.") || errno || f == 0 || !isfinite(v) ||
	    v * f >= 9e18)
		return err_set(e, ERR_USAGE, "'%s' is not a %s", s, what);
	*out = v * f;
	return 0;
}

static double duration_factor(const char *unit)
{
	static const struct {
		const char *unit;
		double ms;
	} tab[] = {{"", 1e3}, {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};

	for (size_t i = 0; i < sizeof(tab) / sizeof(tab[0]); i++)
		if (!strcmp(unit, tab[i].unit))
			return tab[i].ms;
	return 0;
}

static double bytes_factor(const char *unit)
{
	static const char letters[] = "KMGTPE";
	const char *l;

	if (!*unit || !strcmp(unit, "B"))
		return 1;
	l = strchr(letters, toupper((unsigned char)*unit));
	if (!l || (strcmp(unit + 1, "") && strcmp(unit + 1, "B") && strcmp(unit + 1, "iB")))
		return 0;
	return pow(1024, l - letters + 1);
}

int fmt_parse_duration(const char *s, uint64_t *ms, struct err *e)
{
	double v;

	if (parse_scaled(s, "duration (60s, 5m, 1h, 1d, 250ms)", duration_factor, &v, e) < 0)
		return -1;
	*ms = v;
	return 0;
}

int fmt_parse_bytes(const char *s, uint64_t *bytes, struct err *e)
{
	double v;

	if (parse_scaled(s, "size (4096, 64K, 1.5G)", bytes_factor, &v, e) < 0)
		return -1;
	*bytes = v;
	return 0;
}

int fmt_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out, struct err *e)
{
	char *end;

	errno = 0;
	*out = strtoull(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end || errno || *out < min || *out > max)
		return err_set(e, ERR_USAGE, "'%s' is not a number from %" PRIu64 " to %" PRIu64, s,
			       min, max);
	return 0;
}

void fmt_random_id(char out[static FMT_ID_SIZE])
{
	uint8_t raw[FMT_ID_BYTES];

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		abort(); /* 16 bytes come whole or the kernel has no generator at all */
	for (unsigned i = 0; i < sizeof(raw); i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

int fmt_is_id(const char *s)
{
	return strlen(s) == FMT_ID_SIZE - 1 && strspn(s, "0123456789abcdef") == FMT_ID_SIZE - 1;
}

int64_t fmt_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

uint64_t fmt_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}
