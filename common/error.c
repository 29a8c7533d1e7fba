/*
 * Fills caller-owned errors. The text is made in a buffer of its own first: its arguments often point into
 * the very error being filled ("opening the batch: %s", error->text).
 */
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Length of the longest prefix of `text` that does not end inside a UTF-8 sequence. */
static size_t whole_characters(const char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && len - start < 4) {
        start--;
        unsigned char c = (unsigned char)text[start];
        if (c < 0x80)
            return len;
        if (c >= 0xC0) {
            size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
            return len - start >= need ? len : start;
        }
    }
    return len; /* not UTF-8 at all: nothing to respect */
}

int lm_error_set(struct lm_error *error, enum lm_decision decision, const char *kind, const char *format, ...)
{
    if (error == NULL)
        return -1;
    char text[sizeof(error->text)];
    char short_kind[sizeof(error->kind)];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= sizeof(text))
        text[whole_characters(text, sizeof(text) - 1)] = '\0';
    size_t kind_len = strnlen(kind, sizeof(short_kind) - 1);
    memcpy(short_kind, kind, kind_len);
    short_kind[kind_len] = '\0';

    error->decision = decision;
    error->sqlstate[0] = '\0';
    memcpy(error->kind, short_kind, kind_len + 1);
    memcpy(error->text, text, strlen(text) + 1);
    return -1;
}

void lm_error_clear(struct lm_error *error)
{
    if (error == NULL)
        return;
    error->decision = LM_OK;
    error->kind[0] = '\0';
    error->sqlstate[0] = '\0';
    error->text[0] = '\0';
}
