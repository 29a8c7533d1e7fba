#include "common/pattern.h"

#include "common/utf8.h"

#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

enum {
    INPUT_MAX = 512,
    MASK_LEN = 3,
    /* The most a byte can grow: every other byte a digit of its own. */
    OUTPUT_MAX = INPUT_MAX * MASK_LEN,
    HEX_WORD_MIN = 8,
    IPV6_MAX = 45,
    UUID_LEN = 36
};

/* The line being masked. Every rule answers the number of bytes it takes at `at`, 0 where it does not fit. */
struct line {
    const char *text;
    size_t len;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Letters of other alphabets count as letters. */
static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool word_at(const struct line *line, size_t at)
{
    return at < line->len && is_word(line->text[at]);
}

static bool digit_at(const struct line *line, size_t at)
{
    return at < line->len && is_digit(line->text[at]);
}

static bool opens(const struct line *line, size_t at)
{
    return at == 0 || memchr(" \t([{=:,<", line->text[at - 1], 9) != NULL;
}

/* The text between two quotes, without them; `at` is the opening one. Empty quotes take nothing. */
static size_t take_quoted(const struct line *line, size_t at)
{
    char quote = line->text[at];

    if ((quote != '"' && quote != '\'' && quote != '`') || !opens(line, at))
        return 0;
    for (size_t i = at + 1; i < line->len; i++) {
        if (line->text[i] == quote && !word_at(line, i + 1))
            return i - at - 1;
    }
    return 0;
}

static size_t take_path(const struct line *line, size_t at)
{
    const char *p = line->text + at;
    size_t left = line->len - at;
    bool drive = left > 3 && is_word(p[0]) && !is_digit(p[0]) && p[1] == ':' && p[2] == '\\';
    size_t n = drive ? 3 : 0;

    if (!opens(line, at))
        return 0;
    while (!drive && n < left && p[n] == '/')
        n++;
    if (n == 0 || n == left || !(is_word(p[n]) || p[n] == '.' || p[n] == '~'))
        return 0;
    while (n < left && (unsigned char)p[n] > ' ' && memchr("\"'`()[]{}<>,;", p[n], 13) == NULL)
        n++;
    while (p[n - 1] == '.' || p[n - 1] == ':')
        n--;
    return n;
}

static size_t take_uuid(const struct line *line, size_t at)
{
    if (line->len - at < UUID_LEN || word_at(line, at + UUID_LEN))
        return 0;
    for (size_t i = 0; i < UUID_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = line->text[at + i];
        if (dash ? c != '-' : !is_hex(c))
            return 0;
    }
    return UUID_LEN;
}

static size_t take_hex_number(const struct line *line, size_t at)
{
    const char *p = line->text + at;
    size_t n = 2;

    if (line->len - at < 3 || p[0] != '0' || (p[1] != 'x' && p[1] != 'X'))
        return 0;
    while (at + n < line->len && is_hex(p[n]))
        n++;
    return n > 2 && !word_at(line, at + n) ? n : 0;
}

static size_t take_ipv6(const struct line *line, size_t at)
{
    const char *p = line->text + at;
    size_t n = 0, colons = 0;
    bool pair = false, digit = false;

    for (; at + n < line->len && n <= IPV6_MAX && (is_hex(p[n]) || p[n] == ':' || p[n] == '.'); n++) {
        digit = digit || is_digit(p[n]);
        if (p[n] != ':')
            continue;
        colons++;
        pair = pair || (n > 0 && p[n - 1] == ':');
    }
    /* A sentence's full stop, or the colon before what the address says. */
    while (n > 0 && (p[n - 1] == '.' || (p[n - 1] == ':' && !(n > 1 && p[n - 2] == ':')))) {
        colons -= p[n - 1] == ':';
        n--;
    }
    return n <= IPV6_MAX && digit && (pair || colons == 7) && !word_at(line, at + n) ? n : 0;
}

static size_t take_digits(const struct line *line, size_t at)
{
    size_t n = 0;

    while (digit_at(line, at + n))
        n++;
    return n;
}

static size_t take_ipv4(const struct line *line, size_t at)
{
    size_t n = 0;

    for (int part = 0; part < 4; part++) {
        size_t digits = take_digits(line, at + n);
        if (digits == 0 || digits > 3)
            return 0;
        n += digits;
        if (part < 3 && (at + n >= line->len || line->text[at + n++] != '.'))
            return 0;
    }
    if (word_at(line, at + n) ||
        (at + n < line->len && line->text[at + n] == '.' && digit_at(line, at + n + 1)))
        return 0;
    if (at + n < line->len && line->text[at + n] == ':')
        n += digit_at(line, at + n + 1) ? 1 + take_digits(line, at + n + 1) : 0;
    return n;
}

static size_t take_hex_word(const struct line *line, size_t at)
{
    size_t n = 0;
    bool digit = false;

    for (; at + n < line->len && is_hex(line->text[at + n]); n++)
        digit = digit || is_digit(line->text[at + n]);
    return n >= HEX_WORD_MIN && digit && !word_at(line, at + n) ? n : 0;
}

/* At the start of a word the longest kinds come first, for each looks like the beginning of another. */
static size_t take(const struct line *line, size_t at)
{
    char c = line->text[at];
    size_t n = 0;

    if (c == '/' || (at + 1 < line->len && line->text[at + 1] == ':'))
        n = take_path(line, at);
    if (n == 0 && (is_hex(c) || c == ':') && (at == 0 || !is_word(line->text[at - 1]))) {
        n = take_uuid(line, at);
        if (n == 0)
            n = take_hex_number(line, at);
        if (n == 0 && (at == 0 || line->text[at - 1] != ':'))
            n = take_ipv6(line, at);
        if (n == 0 && (at == 0 || line->text[at - 1] != '.')) /* not the tail of a longer version number */
            n = take_ipv4(line, at);
        if (n == 0)
            n = take_hex_word(line, at);
    }
    return n > 0 ? n : take_digits(line, at);
}

/* The first line that is not blank, at most INPUT_MAX bytes of it and no character cut in two. */
static struct line first_line(const char *message, size_t len)
{
    size_t start = 0, end;

    while (start < len && (unsigned char)message[start] <= ' ')
        start++;
    for (end = start; end < len && end - start < INPUT_MAX && message[end] != '\n' && message[end] != '\r';
         end++) {}
    struct line line = {message + start, end - start};
    if (end < len)
        line.len = lm_utf8_cut(line.text, len - start, line.len);
    return line;
}

int64_t lm_pattern(const char *message, size_t len, struct lm_buffer *out)
{
    char masked[OUTPUT_MAX];
    size_t n = 0;
    struct line line = first_line(message, len);

    for (size_t i = 0; i < line.len;) {
        size_t quoted = take_quoted(&line, i);
        if (quoted > 0)
            masked[n++] = line.text[i++];
        size_t taken = quoted > 0 ? quoted : take(&line, i);
        if (taken == 0) {
            masked[n++] = line.text[i++];
            continue;
        }
        memcpy(masked + n, "<*>", MASK_LEN);
        n += MASK_LEN;
        i += taken;
        if (quoted > 0)
            masked[n++] = line.text[i++];
    }
    lm_buffer_clear(out);
    lm_buffer_append(out, masked, n);
    return (int64_t)XXH3_64bits(masked, n);
}
