/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. The one check of
 * foreign text. Any thread.
 */
#ifndef LOGMILL_COMMON_UTF8_H
#define LOGMILL_COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence at `text`, 1 to 4 (a NUL counts as one), or 0 where there is none. len
 * >= 1. */
size_t lm_utf8_sequence(const char *text, size_t len);

enum lm_utf8_verdict { LM_UTF8_OK, LM_UTF8_NUL, LM_UTF8_INVALID };
/* What PostgreSQL would say about `len` bytes as text: the first fault decides. */
enum lm_utf8_verdict lm_utf8_check(const char *text, size_t len);

/* Writes the scalar value `code` (not a surrogate, at most 0x10FFFF) to `out`, of 4 bytes at least; returns
 * how many. */
size_t lm_utf8_write(uint32_t code, char *out);

/* The largest length <= `max` that does not cut a character of the valid text `text` of `len` bytes in two.
 */
size_t lm_utf8_cut(const char *text, size_t len, size_t max);

#endif
