/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. The one check of
 * foreign text. Any thread.
 */
#ifndef LOGMILL_COMMON_UTF8_H
#define LOGMILL_COMMON_UTF8_H

#include "common/byte_block.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the well-formed sequence at `text`, 1 to 4 (a NUL counts as one), or 0 where there is none. len
 * >= 1. */
size_t lm_utf8_sequence(const char *text, size_t len);

/* Over the characters beyond ASCII that begin at `text`: the first byte that is ASCII or begins no
 * well-formed sequence, `end` where there is none. */
const char *lm_utf8_run(const char *text, const char *end);

enum lm_utf8_verdict { LM_UTF8_OK, LM_UTF8_NUL, LM_UTF8_INVALID };
/* lm_utf8_check of any text. */
enum lm_utf8_verdict lm_utf8_check_any(const char *text, size_t len);

/* Whether none of the eight bytes is 0 or above 0x7F. */
static inline bool lm_utf8_is_plain_word(uint64_t word)
{
    return (((word - UINT64_C(0x0101010101010101)) | word) & UINT64_C(0x8080808080808080)) == 0;
}

/* Whether none of the `len` bytes is 0 or above 0x7F. Most fields of a log are short: what is left of the
 * last block is read again with bytes before it rather than one by one. */
static inline bool lm_utf8_is_plain(const char *text, size_t len)
{
    uint64_t first = 0, last = 0;

    if (len >= LM_BLOCK) {
        unsigned other = lm_block_not_ascii(text + len - LM_BLOCK);
        for (size_t i = 0; i + LM_BLOCK < len; i += LM_BLOCK)
            other |= lm_block_not_ascii(text + i);
        return other == 0;
    }
    if (len >= 8) {
        memcpy(&first, text, 8);
        memcpy(&last, text + len - 8, 8);
        return lm_utf8_is_plain_word(first) && lm_utf8_is_plain_word(last);
    }
    if (len >= 4) {
        memcpy(&first, text, 4);
        memcpy(&last, text + len - 4, 4);
        return lm_utf8_is_plain_word(first << 32 | last);
    }
    for (size_t i = 0; i < len; i++) {
        if ((signed char)text[i] <= 0)
            return false;
    }
    return true;
}

/* What PostgreSQL would say about `len` bytes as text: the first fault decides. */
static inline enum lm_utf8_verdict lm_utf8_check(const char *text, size_t len)
{
    return lm_utf8_is_plain(text, len) ? LM_UTF8_OK : lm_utf8_check_any(text, len);
}

/* Writes the scalar value `code` (not a surrogate, at most 0x10FFFF) to `out`, of 4 bytes at least; returns
 * how many. */
size_t lm_utf8_write(uint32_t code, char *out);

/* The largest length <= `max` that does not cut a character of the valid text `text` of `len` bytes in two.
 */
size_t lm_utf8_cut(const char *text, size_t len, size_t max);

#endif
