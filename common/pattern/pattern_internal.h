/*
 * What pattern.c (the walk over a line) and pattern_word.c (what a word is) share. A word is a run of ASCII
 * letters, digits and the marks that join them (- . : / @ _ # and others); blanks, quotes, brackets, commas,
 * semicolons, =, | and every character beyond ASCII end it.
 */
#ifndef LOGMILL_COMMON_PATTERN_INTERNAL_H
#define LOGMILL_COMMON_PATTERN_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kinds of byte; a word's `seen` is the sum of its bytes'. */
enum {
    LM_PB_DIGIT = 1,
    LM_PB_HEX = 2,    /* a-f, A-F */
    LM_PB_LETTER = 4, /* the other letters */
    LM_PB_LINK = 8,   /* - and _, which names are full of */
    LM_PB_DOT = 16,
    LM_PB_COLON = 32,
    LM_PB_SLASH = 64,
    LM_PB_AT = 128,
    LM_PB_BACKSLASH = 256,
    LM_PB_MARK = 512,  /* # + % ~ $ * & ? ! ^ */
    LM_PB_WORD = 1023, /* all of the above */
    LM_PB_BLANK = 1024,
    LM_PB_HIGH = 2048, /* a byte of a character beyond ASCII */
    LM_PB_QUOTE = 4096,
    LM_PB_EQUALS = 8192,
    LM_PB_OTHER = 16384, /* brackets, commas, and whatever else stands for itself */
    LM_PB_END = 32768    /* no byte: behind the end */
};

extern const uint16_t lm_pattern_byte[256];

static inline uint16_t lm_pattern_kind(char c)
{
    return lm_pattern_byte[(unsigned char)c];
}

/* Words of up to LM_PATTERN_WORD_MAX letters: those of one length stand in one text, one behind the other. */
enum { LM_PATTERN_WORD_MAX = 11 };
struct lm_pattern_words {
    const char *by_length[LM_PATTERN_WORD_MAX + 1];
};
bool lm_pattern_is_listed(const char *text, size_t len, const struct lm_pattern_words *words);

/* How a word is shown: `keep` bytes as they are, then the mask, then from `end` on as it is again. */
struct lm_pattern_word {
    size_t keep;
    size_t end; /* 0: all of it as it is */
};

/* Decides about the word at text[0..len); `left` bytes can be read from `text` (a URL or a path reaches
 * beyond its word: `end` is then larger than `len`). `seen`: the kinds of byte in the word. */
struct lm_pattern_word lm_pattern_word(const char *text, size_t len, size_t left, unsigned seen);

/* Bytes of a unit standing at `text` ("KB", "ms", "seconds", "PM"), 0 where there is none. */
size_t lm_pattern_unit(const char *text, size_t left);
/* Whether the word is the name of a month or a weekday and a date goes on behind it. */
bool lm_pattern_is_date_word(const char *text, size_t len, size_t left);

#endif
