/*
 * Figures and names inside sentences. What comes from logs is shown so that it cannot be taken for ours:
 * quoted unless it is a plain identifier, cut, control characters escaped, and never a link.
 */
#include "agent/answer/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAME 64

static void put_grouped(struct lm_buffer *out, const char *digits)
{
    size_t whole = strcspn(digits, ".e");
    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0) {
            lm_buffer_append_char(out, ',');
        }
        lm_buffer_append_char(out, digits[i]);
    }
    lm_buffer_append_text(out, digits + whole);
}

void ag_put_count(struct lm_buffer *out, int64_t n)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%llu", n < 0 ? 0ULL - (unsigned long long)n : (unsigned long long)n);
    if (n < 0) {
        lm_buffer_append_char(out, '-');
    }
    put_grouped(out, digits);
}

void ag_put_number(struct lm_buffer *out, double value)
{
    if (!isfinite(value)) {
        lm_buffer_append_text(out, "–");
        return;
    }
    double size = fabs(value);
    if (value < 0) {
        lm_buffer_append_char(out, '-');
    }
    char text[400];
    if (size != 0 && (size < 1e-4 || size >= 1e15)) {
        snprintf(text, sizeof text, "%.3g", size);
        lm_buffer_append_text(out, text);
        return;
    }
    /* Rounded to three digits first, so that 999.6 is 1,000 and not 999. */
    snprintf(text, sizeof text, "%.2e", size);
    double rounded = 0;
    sscanf(text, "%lf", &rounded);
    int power = rounded == 0 ? 0 : (int)floor(log10(rounded) + 1e-9);
    int decimals = power >= 2 ? 0 : 2 - power;
    snprintf(text, sizeof text, "%.*f", decimals, rounded);
    if (strchr(text, '.') != NULL) {
        size_t len = strlen(text);
        while (text[len - 1] == '0') {
            text[--len] = '\0';
        }
        if (text[len - 1] == '.') {
            text[--len] = '\0';
        }
    }
    put_grouped(out, text);
}

void ag_put_percent(struct lm_buffer *out, double ratio)
{
    ag_put_number(out, ratio * 100);
    lm_buffer_append_char(out, '%');
}

static bool plain(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > MAX_NAME) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (strchr("._-/{}:@", c) == NULL || (c == '/' && i > 0 && text[i - 1] == '/'))) {
            return false;
        }
    }
    return strncmp(text, "www.", 4) != 0;
}

void ag_put_name(struct lm_buffer *out, const char *text)
{
    if (plain(text)) {
        lm_buffer_append_text(out, text);
    } else {
        ag_put_quoted(out, text, MAX_NAME);
    }
}

/* Bytes of the character at `text`; invalid ones count for one. */
static size_t character(const char *text)
{
    unsigned char c = (unsigned char)text[0];
    size_t len = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80) {
            return 1;
        }
    }
    return len;
}

/* Characters that order text otherwise, or cannot be seen: bidirectional controls, zero widths, line
 * separators. */
static bool invisible(const char *text, size_t len)
{
    unsigned char a = (unsigned char)text[0];
    unsigned char b = len > 1 ? (unsigned char)text[1] : 0;
    unsigned char c = len > 2 ? (unsigned char)text[2] : 0;
    bool general = a == 0xE2 && b == 0x80 && (c >= 0x8B ? c <= 0x8F || (c >= 0xA8 && c <= 0xAE) : false);
    bool isolates = a == 0xE2 && b == 0x81 && c >= 0xA0;
    return general || isolates || (a == 0xC2 && b < 0xA0) || (a == 0xEF && b == 0xBB && c == 0xBF);
}

void ag_put_quoted(struct lm_buffer *out, const char *text, size_t max_chars)
{
    size_t chars = 0;
    lm_buffer_append_text(out, "\"");
    while (*text != '\0') {
        if (chars++ == max_chars) {
            lm_buffer_append_text(out, "…");
            break;
        }
        size_t len = character(text);
        unsigned char c = (unsigned char)text[0];
        if (c == '\n') {
            lm_buffer_append_text(out, "\\n");
        } else if (c == '\t') {
            lm_buffer_append_text(out, "\\t");
        } else if (c < 0x20 || c == 0x7F) {
            lm_buffer_printf(out, "\\x%02X", c);
        } else if (c == '"') {
            lm_buffer_append_text(out, "'");
        } else if (strncmp(text, "://", 3) == 0) {
            lm_buffer_append_text(out, ": //"); /* so that nothing makes a link of it */
            text += 3;
            continue;
        } else if (invisible(text, len)) {
            lm_buffer_append_text(out, "?");
        } else {
            lm_buffer_append(out, text, len);
        }
        text += len;
    }
    lm_buffer_append_text(out, "\"");
}

void ag_put_instant(struct lm_buffer *out, const struct ag_zone *zone, int64_t us, const int64_t *day_of)
{
    struct ag_local at = ag_zone_local(zone, us);
    bool same_day = false;
    if (day_of != NULL) {
        struct ag_local other = ag_zone_local(zone, *day_of);
        same_day = at.year == other.year && at.month == other.month && at.day == other.day;
    }
    if (!same_day) {
        lm_buffer_printf(out, "%04d-%02d-%02d ", at.year, at.month, at.day);
    }
    lm_buffer_printf(out, "%02d:%02d", at.hour, at.minute);
    if (at.second != 0 || at.microsecond != 0) {
        lm_buffer_printf(out, ":%02d", at.second);
    }
}

bool ag_whole_day(const struct ag_zone *zone, int64_t from_us, int64_t to_us)
{
    return ag_zone_floor(zone, from_us, 'd') == from_us && ag_zone_add(zone, from_us, 'd', 1) == to_us;
}
