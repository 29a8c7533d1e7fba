/*
 * The matching copy of a text: code points after NFKC and case folding, each mapped back to the bytes typed.
 *
 * Only matching looks at it. Whatever is quoted or kept as a value is cut from the text as typed.
 */
#ifndef LOGMILL_AGENT_TEXT_H
#define LOGMILL_AGENT_TEXT_H

#include "common/arena.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ag_text {
    const char *raw; /* as typed, not copied */
    size_t raw_len;
    uint32_t *cp;   /* folded code points; cp[len] is 0 */
    uint32_t *from; /* from[i]: first typed byte of cp[i]; from[len] is raw_len */
    uint32_t *to;   /* one past the last */
    size_t len;
};

enum ag_text_fault {
    AG_TEXT_GOOD,
    AG_TEXT_NOT_UTF8,
    AG_TEXT_CONTROL,
    AG_TEXT_EMPTY,
    AG_TEXT_LONG,
    AG_TEXT_MEMORY
};

/* White space is folded to single spaces. AG_TEXT_GOOD, or what is wrong with it: control characters other
 * than tab and line ends, invisible format characters that reorder text, invalid UTF-8, more than `max` code
 * points. */
enum ag_text_fault ag_text_fold(const char *raw, size_t len, size_t max, struct lm_arena *arena,
                                struct ag_text *out);

/* cp[from, to) as UTF-8 in the arena; NULL without memory. */
char *ag_text_utf8(const struct ag_text *text, size_t from, size_t to, struct lm_arena *arena);
/* The bytes typed for cp[from, to), in NFC, in the arena; NULL without memory. */
char *ag_text_typed(const struct ag_text *text, size_t from, size_t to, struct lm_arena *arena);

/* The folded form of `text` alone, malloc'd; NULL without memory or for invalid UTF-8. */
char *ag_fold(const char *text, size_t len);

/* Is this a Hangul syllable, and does it end in a consonant? */
bool ag_is_hangul(uint32_t cp);
bool ag_has_final(uint32_t cp);
bool ag_final_is_rieul(uint32_t cp);

#endif
