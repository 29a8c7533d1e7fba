/*
 * Growth is by doubling, checked against the ceiling before anything is computed from a caller's length, so
 * that no length can overflow. One byte more than the ceiling may be allocated: the NUL of lm_buffer_text.
 */
#include "common/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void lm_buffer_init(struct lm_buffer *buffer, size_t max)
{
    /* Room for the NUL must stay countable in a size_t. */
    *buffer = (struct lm_buffer){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void lm_buffer_init_fixed(struct lm_buffer *buffer, char *memory, size_t size)
{
    *buffer = (struct lm_buffer){.data = memory, .cap = size, .max = size - 1, .borrowed = true};
}

void lm_buffer_free(struct lm_buffer *buffer)
{
    if (buffer->borrowed) {
        lm_buffer_clear(buffer);
        return;
    }
    free(buffer->data);
    *buffer = (struct lm_buffer){.max = buffer->max};
}

void lm_buffer_clear(struct lm_buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
}

/* Makes the memory at least `need` bytes, where need <= max + 1. */
static int grow(struct lm_buffer *buffer, size_t need)
{
    if (need <= buffer->cap)
        return 0;
    size_t cap = buffer->cap > FIRST_CAPACITY / 2 ? buffer->cap * 2 : FIRST_CAPACITY;
    if (cap < need)
        cap = need;
    if (cap > buffer->max + 1)
        cap = buffer->max + 1;
    char *data = buffer->borrowed ? NULL : realloc(buffer->data, cap);
    if (data == NULL) {
        buffer->failed = true;
        return -1;
    }
    buffer->data = data;
    buffer->cap = cap;
    return 0;
}

int lm_buffer_reserve(struct lm_buffer *buffer, size_t extra)
{
    if (buffer->failed)
        return -1;
    if (extra > buffer->max - buffer->len) {
        buffer->failed = true;
        return -1;
    }
    return grow(buffer, buffer->len + extra);
}

void lm_buffer_append(struct lm_buffer *buffer, const void *data, size_t len)
{
    if (len == 0 || lm_buffer_reserve(buffer, len) != 0)
        return;
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
}

void lm_buffer_append_char(struct lm_buffer *buffer, char c)
{
    lm_buffer_append(buffer, &c, 1);
}

void lm_buffer_append_text(struct lm_buffer *buffer, const char *text)
{
    lm_buffer_append(buffer, text, strlen(text));
}

void lm_buffer_printf(struct lm_buffer *buffer, const char *format, ...)
{
    if (buffer->failed)
        return;
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    size_t room = buffer->cap - buffer->len;
    int n = vsnprintf(room > 0 ? buffer->data + buffer->len : NULL, room, format, args);
    va_end(args);
    if (n < 0) {
        buffer->failed = true;
    } else if ((size_t)n > buffer->max - buffer->len) {
        buffer->failed = true;
    } else if ((size_t)n < room) {
        buffer->len += (size_t)n;
    } else if (grow(buffer, buffer->len + (size_t)n + 1) == 0) { /* vsnprintf writes a NUL as well */
        (void)vsnprintf(buffer->data + buffer->len, buffer->cap - buffer->len, format, again);
        buffer->len += (size_t)n;
    }
    va_end(again);
}

/*
 * Looks at the character that starts at text[0] (len >= 1). Returns how many bytes belong to it; *valid says
 * whether they are one, else they are one maximal part to be replaced. The ranges are those of Unicode 15,
 * table 3-7.
 */
static size_t utf8_step(const unsigned char *text, size_t len, bool *valid)
{
    unsigned char lead = text[0], low = 0x80, high = 0xBF;
    size_t need = 0;

    *valid = lead < 0x80;
    if (lead < 0xC2 || lead > 0xF4)
        return 1;
    if (lead < 0xE0)
        need = 2;
    else if (lead < 0xF0)
        need = 3;
    else
        need = 4;
    if (lead == 0xE0)
        low = 0xA0; /* overlong below */
    else if (lead == 0xED)
        high = 0x9F; /* surrogates above */
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F; /* beyond U+10FFFF above */
    for (size_t i = 1; i < need; i++) {
        if (i >= len || text[i] < low || text[i] > high)
            return i;
        low = 0x80;
        high = 0xBF;
    }
    *valid = true;
    return need;
}

/* Takes back what was appended since `start` if the buffer failed meanwhile: all or nothing. */
static void undo_if_failed(struct lm_buffer *buffer, size_t start)
{
    if (buffer->failed)
        buffer->len = start;
}

/* Appends one control character, quote or backslash as JSON writes it. */
static void append_json_escape(struct lm_buffer *buffer, unsigned char c)
{
    switch (c) {
    case '"':
        lm_buffer_append(buffer, "\\\"", 2);
        break;
    case '\\':
        lm_buffer_append(buffer, "\\\\", 2);
        break;
    case '\n':
        lm_buffer_append(buffer, "\\n", 2);
        break;
    case '\r':
        lm_buffer_append(buffer, "\\r", 2);
        break;
    case '\t':
        lm_buffer_append(buffer, "\\t", 2);
        break;
    default:
        lm_buffer_printf(buffer, "\\u%04x", c);
    }
}

/* Appends repaired text; with `json` also escaped. Plain stretches are copied in one go. */
static void append_repaired(struct lm_buffer *buffer, const char *text, size_t len, bool json)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t plain = 0; /* start of the stretch not yet copied */
    size_t i = 0;
    while (i < len) {
        unsigned char c = bytes[i];
        bool escape = json && (c < 0x20 || c == 0x7F || c == '"' || c == '\\');
        bool valid = true;
        size_t step = c < 0x80 ? 1 : utf8_step(bytes + i, len - i, &valid);
        if (escape || !valid) {
            lm_buffer_append(buffer, bytes + plain, i - plain);
            if (escape)
                append_json_escape(buffer, c);
            else
                lm_buffer_append(buffer, "\xEF\xBF\xBD", 3);
            plain = i + step;
        }
        i += step;
    }
    lm_buffer_append(buffer, bytes + plain, len - plain);
}

void lm_buffer_append_utf8(struct lm_buffer *buffer, const char *text, size_t len)
{
    size_t start = buffer->len;
    if (len > 0)
        append_repaired(buffer, text, len, false);
    undo_if_failed(buffer, start);
}

void lm_buffer_append_json(struct lm_buffer *buffer, const char *text, size_t len)
{
    size_t start = buffer->len;
    lm_buffer_append_char(buffer, '"');
    if (len > 0)
        append_repaired(buffer, text, len, true);
    lm_buffer_append_char(buffer, '"');
    undo_if_failed(buffer, start);
}

void lm_buffer_append_literal(struct lm_buffer *buffer, const char *text, size_t len)
{
    size_t start = buffer->len;
    if (len > 0 && memchr(text, '\0', len) != NULL)
        buffer->failed = true;
    lm_buffer_append_char(buffer, '\'');
    for (size_t i = 0; i < len && !buffer->failed;) {
        const char *quote = memchr(text + i, '\'', len - i);
        size_t stretch = quote != NULL ? (size_t)(quote - text) + 1 - i : len - i;
        lm_buffer_append(buffer, text + i, stretch);
        if (quote != NULL)
            lm_buffer_append_char(buffer, '\'');
        i += stretch;
    }
    lm_buffer_append_char(buffer, '\'');
    undo_if_failed(buffer, start);
}

const char *lm_buffer_text(struct lm_buffer *buffer)
{
    if (buffer->failed || grow(buffer, buffer->len + 1) != 0)
        return NULL;
    buffer->data[buffer->len] = '\0';
    return buffer->data;
}

char *lm_buffer_detach(struct lm_buffer *buffer, size_t *len)
{
    char *data = NULL;
    size_t content = buffer->len;
    if (!buffer->borrowed && lm_buffer_text(buffer) != NULL) {
        data = buffer->data;
        *buffer = (struct lm_buffer){.max = buffer->max};
    } else {
        lm_buffer_free(buffer);
        content = 0;
    }
    if (len != NULL)
        *len = content;
    return data;
}
