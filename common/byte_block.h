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

/* Bytes of characters beyond ASCII: all of them, those behind the first, those that begin three bytes but E0,
 * and those from A0 on that stand behind ED, where a surrogate would be. Korean is EA to ED. */
struct lm_block_utf8 {
    unsigned high, behind, three, surrogate;
};

static inline struct lm_block_utf8 lm_block_utf8_c(const char *text)
{
    struct lm_block_utf8 masks = {0, 0, 0, 0};

    for (unsigned i = 0; i < LM_BLOCK; i++) {
        unsigned char c = (unsigned char)text[i];
        masks.high |= (unsigned)(c >= 0x80) << i;
        masks.behind |= (unsigned)(c >= 0x80 && c < 0xC0) << i;
        masks.three |= (unsigned)(c > 0xE0 && c < 0xF0) << i;
        if (i > 0)
            masks.surrogate |= (unsigned)(c >= 0xA0 && c < 0xC0 && (unsigned char)text[i - 1] == 0xED) << i;
    }
    return masks;
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

static inline struct lm_block_utf8 lm_block_utf8(const char *text)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
    __m128i behind = _mm_cmplt_epi8(block, _mm_set1_epi8(0xC0 - 256));
    __m128i three = _mm_and_si128(_mm_cmpgt_epi8(block, _mm_set1_epi8(0xE0 - 256)),
                                  _mm_cmplt_epi8(block, _mm_set1_epi8(0xF0 - 256)));

    unsigned later = (unsigned)_mm_movemask_epi8(
        _mm_andnot_si128(_mm_cmplt_epi8(block, _mm_set1_epi8(0xA0 - 256)), behind));
    unsigned ed = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(0xED - 256)));
    return (struct lm_block_utf8){(unsigned)_mm_movemask_epi8(block), (unsigned)_mm_movemask_epi8(behind),
                                  (unsigned)_mm_movemask_epi8(three), ed << 1 & later};
}

#else

static inline struct lm_block_utf8 lm_block_utf8(const char *text)
{
    return lm_block_utf8_c(text);
}

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

/* Of a block of ASCII and such three bytes the part that holds whole characters, 14 to 16 bytes; 0 where
 * anything else is among them, or a byte of `unwanted`, a mask of the block. */
static inline unsigned lm_block_whole(const char *text, unsigned unwanted)
{
    struct lm_block_utf8 masks = lm_block_utf8(text);
    unsigned cut = masks.three >> (LM_BLOCK - 2); /* characters that go on behind the block */
    unsigned whole = cut == 0 ? LM_BLOCK : LM_BLOCK - 2 + (unsigned)__builtin_ctz(cut);
    unsigned part = (1u << whole) - 1, first = masks.three & part, behind = masks.behind & part;

    if ((masks.high & part) != (first | behind) || behind != (first << 1 | first << 2) ||
        ((masks.surrogate | (unwanted & ~masks.high)) & part) != 0)
        return 0;
    return whole;
}

#endif
