/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for people and back: sizes, rates, durations, times; random ids in hex; clocks. */
#ifndef FMT_H
#define FMT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct fmt {
	char s[40];
};

/* Results are values, so that several can stand in one printf: fmt_bytes(n).s */
struct fmt fmt_bytes(uint64_t bytes);         /* "1.4 GiB", "512 B" */
struct fmt fmt_rate(double bytes_per_second); /* "83.1 MiB/s" */
struct fmt fmt_duration(double seconds);      /* "12 ms", "4.2 s", "3m05s", "2h10m", "4d03h" */
struct fmt fmt_time(int64_t unix_ms);         /* "2026-01-31T12:00:00.123Z", "-" for 0 */

/* "60s", "5m", "1h", "1d", "250ms", plain seconds -> milliseconds. */
int fmt_parse_duration(const char *s, uint64_t *ms, struct err *e);
/* "4096", "64K", "1.5G", "10GiB": powers of 1024 -> bytes. */
int fmt_parse_bytes(const char *s, uint64_t *bytes, struct err *e);
/* A decimal number within min..max, nothing after it. */
int fmt_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out, struct err *e);

#define FMT_ID_BYTES 16
#define FMT_ID_SIZE  (2 * FMT_ID_BYTES + 1)

/* A random id: 32 lower-case hex digits and a NUL, from the kernel's generator. */
void fmt_random_id(char out[static FMT_ID_SIZE]);
int fmt_is_id(const char *s); /* 1 if s is exactly such an id */

int64_t fmt_now_ms(void);   /* wall clock, milliseconds since 1970 */
uint64_t fmt_mono_us(void); /* monotonic clock, microseconds */

#endif
