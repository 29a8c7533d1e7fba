/*
 * Text on a terminal: made harmless, measured in columns, cut and padded to them. Columns are those of
 * Unicode's East Asian Width as utf8proc knows it, so they do not hang on the locale: a Korean syllable takes
 * two, a combining mark none. Any thread.
 */
#ifndef LOGMILL_CTL_TERMINAL_H
#define LOGMILL_CTL_TERMINAL_H

#include "common/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Appends foreign text so that a terminal shows it and nothing else: what is no UTF-8, control characters and
 * what changes the direction of writing become \xNN or \u{N}. At most `max` characters, then "…". */
void ct_terminal_append_safe(struct lm_buffer *out, const char *text, size_t len, size_t max);

/* Columns that harmless text takes. */
size_t ct_terminal_width(const char *text, size_t len);

enum ct_align { CT_LEFT, CT_RIGHT };
/* Appends harmless text in exactly `columns`: padded, or cut with "…" at its end. */
void ct_terminal_append_cell(struct lm_buffer *out, const char *text, size_t columns, enum ct_align align);

struct ct_terminal {
    size_t columns; /* 0: no terminal, lines may have any length */
    bool colour;    /* a terminal, and neither NO_COLOR (no-color.org) nor TERM=dumb says no */
};
/* What `out` is now; reads the environment. */
struct ct_terminal ct_terminal_of(FILE *out);

#endif
