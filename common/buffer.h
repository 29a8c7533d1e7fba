/*
 * A growable byte buffer with a ceiling. Appending beyond the ceiling, or a failed allocation, marks the
 * buffer as failed and leaves what it held; appends after that do nothing, so that a writer checks once at
 * the end.
 */
#ifndef LOGMILL_COMMON_BUFFER_H
#define LOGMILL_COMMON_BUFFER_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lm_buffer {
    char *data; /* not NUL-terminated unless lm_buffer_text was called; may be NULL while empty */
    size_t len;
    size_t cap; /* bytes of memory behind `data` */
    size_t max; /* ceiling of `len` in bytes */
    bool failed;
    bool borrowed; /* the memory is the caller's: never grown, never freed */
};

/* An empty buffer; allocates nothing. */
void lm_buffer_init(struct lm_buffer *buffer, size_t max);
/* An empty buffer over `size` bytes of the caller's memory (size >= 1), which must outlive it: it never
 * allocates. Its ceiling is size - 1, so that lm_buffer_text always has room for the NUL. */
void lm_buffer_init_fixed(struct lm_buffer *buffer, char *memory, size_t size);
/* Releases the memory; the buffer is empty with the same ceiling and may be used again (a fixed one keeps its
 * memory). */
void lm_buffer_free(struct lm_buffer *buffer);
/* len = 0, failed = false; keeps the memory. */
void lm_buffer_clear(struct lm_buffer *buffer);
/* Makes room for `extra` more bytes; 0 or -1 (ceiling, memory, or failed before; the buffer is marked
 * failed). After 0 the caller may write up to `extra` bytes at data + len and add what it wrote to len. */
int lm_buffer_reserve(struct lm_buffer *buffer, size_t extra) LM_MUST_CHECK;
/* The appending functions add all or nothing. `data` must not point into the buffer itself; NULL only with
 * len 0. */
void lm_buffer_append(struct lm_buffer *buffer, const void *data, size_t len);
void lm_buffer_append_char(struct lm_buffer *buffer, char c);
void lm_buffer_append_text(struct lm_buffer *buffer, const char *text);
void lm_buffer_printf(struct lm_buffer *buffer, const char *format, ...) LM_PRINTF(2, 3);
/* Appends `text` with every invalid UTF-8 sequence replaced by U+FFFD (one for each maximal invalid part, as
 * Unicode 15, section 3.9 recommends; surrogates and overlong forms are invalid). */
void lm_buffer_append_utf8(struct lm_buffer *buffer, const char *text, size_t len);
/* Appends `text` as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD as above, control characters
 * (and DEL) are escaped, a NUL becomes \u0000. */
void lm_buffer_append_json(struct lm_buffer *buffer, const char *text, size_t len);
/* Appends `text` as a PostgreSQL string literal, for standard_conforming_strings = on. A NUL marks the
 * buffer as failed: PostgreSQL would end the statement there. */
void lm_buffer_append_literal(struct lm_buffer *buffer, const char *text, size_t len);
/* The content NUL-terminated (the NUL is not counted), or NULL when the buffer failed. Owned by the buffer,
 * valid until the next call that changes it. */
const char *lm_buffer_text(struct lm_buffer *buffer);
/* Gives the memory away, NUL-terminated (`len`, which may be NULL, does not count the NUL): the caller frees
 * it with free(). NULL when the buffer failed or is a fixed one. The buffer is empty and usable afterwards in
 * every case. */
char *lm_buffer_detach(struct lm_buffer *buffer, size_t *len);

#endif
