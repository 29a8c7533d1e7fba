/*
 * Sixteen bytes of text at once. SSE2, which every x86-64 has, or plain C with the same answers (both are
 * always compiled; a test compares them). A mask has bit i for byte i. Reads sixteen bytes at `text`, which
 * needs no alignment. Any thread.
 */
#ifndef LOGMILL_COMMON_BYTE_BLOCK_H
#define LOGMILL_COMMON_BYTE_BLOCK_H

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { LM_BLOCK = 16 };

/* What a JSON string cannot hold as it is, or what needs a look: quotes, backslashes, control characters and
 * all beyond ASCII. */
static inline unsigned lm_block_not_plain_c(const char *text)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < LM_BLOCK; i++)
        mask |= (unsigned)((signed char)text[i] < 0x20 || text[i] == '"' || text[i] == '\\') << i;
    return mask;
}

/* NULs and all beyond ASCII. */
static inline unsigned lm_block_not_ascii_c(const char *text)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < LM_BLOCK; i++)
        mask |= (unsigned)((signed char)text[i] <= 0) << i;
    return mask;
}

/* All but ASCII letters. */
static inline unsigned lm_block_not_letter_c(const char *text)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < LM_BLOCK; i++)
        mask |= (unsigned)((text[i] | 0x20) < 'a' || (text[i] | 0x20) > 'z') << i;
    return mask;
}

#ifdef __SSE2__

/* Compared as signed numbers, bytes beyond ASCII are below the blank too. */
static inline unsigned lm_block_not_plain(const char *text)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
    __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    __m128i low = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), low));
}

static inline unsigned lm_block_not_ascii(const char *text)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);

    return (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(block, _mm_set1_epi8(1)));
}

/* In lower case and moved so that 'z' is the largest signed number: only letters are within 26 of it. */
static inline unsigned lm_block_not_letter(const char *text)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
    __m128i moved = _mm_add_epi8(_mm_or_si128(block, _mm_set1_epi8(0x20)), _mm_set1_epi8(INT8_MAX - 'z'));

    return (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(moved, _mm_set1_epi8(INT8_MAX - 25)));
}

#else

static inline unsigned lm_block_not_letter(const char *text)
{
    return lm_block_not_letter_c(text);
}

static inline unsigned lm_block_not_plain(const char *text)
{
    return lm_block_not_plain_c(text);
}

static inline unsigned lm_block_not_ascii(const char *text)
{
    return lm_block_not_ascii_c(text);
}

#endif
#endif
