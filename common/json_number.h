/*
 * Numbers as JSON writes them (RFC 8259), exactly: integers by their digits and never through a double, and
 * doubles rounded once. Up to nineteen digits without an exponent, which is nearly every number of a log,
 * are read as one 64-bit integer and a power of ten; the rest goes digit by digit through 128 bits. Any
 * thread.
 */
#ifndef LOGMILL_COMMON_JSON_NUMBER_H
#define LOGMILL_COMMON_JSON_NUMBER_H

#include "common/error.h"
#include "common/record/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The end of the number that starts at `at`, or NULL where none does. */
const char *lm_json_number_end(const char *at, const char *end);
/* Whether the text is a JSON number from its first byte to its last. */
bool lm_json_is_number(const char *text, size_t len);

/* All of these take valid number text. */

/* The number's value where it is an integer that fits (1, 1.0 and 1e3 are integers; 1.5 is none): 0 or -1. */
int lm_json_int64(struct lm_slice number, int64_t *out) LM_MUST_CHECK;
/* The number times 10^`shift`, rounded to the nearest integer (halves away from zero), by its decimal digits
 * and never through a double. 0, or -1 where it does not fit. |shift| <= 18. */
int lm_json_scaled(struct lm_slice number, int shift, int64_t *out) LM_MUST_CHECK;
/* The nearest double; infinite where it is beyond the largest. */
double lm_json_double(struct lm_slice number);
/* Whether PostgreSQL's numeric, which is what jsonb keeps numbers as, holds it. */
bool lm_json_fits_numeric(struct lm_slice number);

#endif
