/* The two clocks and RFC 3339. Microseconds everywhere: the log record's and PostgreSQL's resolution. */
#ifndef LOGMILL_COMMON_CLOCK_H
#define LOGMILL_COMMON_CLOCK_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define LM_SECOND_US INT64_C(1000000)
#define LM_MINUTE_US (60 * LM_SECOND_US)
#define LM_HOUR_US (60 * LM_MINUTE_US)
#define LM_DAY_US (24 * LM_HOUR_US)

/* Microseconds since 1970-01-01T00:00:00Z, by the wall clock. */
int64_t lm_clock_wall_us(void);
/* Monotonic microseconds since an arbitrary point. */
int64_t lm_clock_mono_us(void);

#define LM_RFC3339_SIZE 40
/* All of this on any thread. */

/* Writes "2026-03-18T05:35:20.123456Z" (trailing zeros of the fraction dropped, none when whole) into `out`
 * of at least LM_RFC3339_SIZE bytes; returns the length. NUL-terminated. A time before year 1 or after 9999
 * is written as the first or last microsecond of that range. */
size_t lm_rfc3339_format(int64_t us, char *out);
/* Accepts RFC 3339 with 'T', 't' or ' ', fraction with '.' or ',' (digits beyond the sixth dropped), "Z",
 * "z",
 * "+09:00", "+0900" or "+09"; without an offset it is UTC. A leap second (":60") is the first second of the
 * next minute, as PostgreSQL reads it. Years 1..9999, in UTC too. Returns 0 and *us, or -1 (LM_DEAD_LETTER,
 * "timestamp"). */
int lm_rfc3339_parse(const char *text, size_t len, int64_t *us, struct lm_error *error) LM_MUST_CHECK;

#endif
