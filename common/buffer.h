/*
 * A growable byte buffer with a ceiling. Appending beyond the ceiling, or a failed allocation, marks the buffer
 * as failed and leaves what it held; appends after that do nothing, so that a writer checks once at the end.
 */
#ifndef LOGMILL_COMMON_BUFFER_H
#define LOGMILL_COMMON_BUFFER_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lm_buffer {
    char *data; /* not NUL-terminated unless lm_buffer_text was called; NULL while empty */
    size_t len;
    size_t cap;
    size_t max; /* ceiling in bytes */
    bool failed;
};

void lm_buffer_init(struct lm_buffer *buffer, size_t max);
void lm_buffer_free(struct lm_buffer *buffer);
/* len = 0, failed = false; keeps the memory. */
void lm_buffer_clear(struct lm_buffer *buffer);
/* Makes room for `extra` more bytes; 0 or -1 (ceiling or memory; buffer marked failed). */
int lm_buffer_reserve(struct lm_buffer *buffer, size_t extra) LM_MUST_CHECK;
void lm_buffer_append(struct lm_buffer *buffer, const void *data, size_t len);
void lm_buffer_append_char(struct lm_buffer *buffer, char c);
void lm_buffer_append_text(struct lm_buffer *buffer, const char *text);
void lm_buffer_printf(struct lm_buffer *buffer, const char *format, ...) LM_PRINTF(2, 3);
/* Appends `text` as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD, control characters are escaped. */
void lm_buffer_append_json(struct lm_buffer *buffer, const char *text, size_t len);
/* Appends `text` as a PostgreSQL string literal, for standard_conforming_strings = on. Text must hold no NUL. */
void lm_buffer_append_literal(struct lm_buffer *buffer, const char *text, size_t len);
/* The content NUL-terminated (the NUL is not counted), or NULL when the buffer failed. Owned by the buffer. */
const char *lm_buffer_text(struct lm_buffer *buffer);
/* Gives the memory away: the caller frees it with free(). The buffer is empty afterwards. */
char *lm_buffer_detach(struct lm_buffer *buffer, size_t *len);

#endif
