#include "common/json_scan.h"

#include "common/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* numeric holds 131,072 digits before the point and 16,383 behind it; nothing a log carries comes near these.
 */
enum { NUMERIC_MAX_TEXT = 10000, NUMERIC_MAX_EXPONENT = 10000 };

static int refuse(const struct lm_json_scan *scan, const char *kind, const char *what, struct lm_error *error)
{
    return lm_error_set(error, LM_DEAD_LETTER, kind, "JSON: %s at byte %zu", what,
                        (size_t)(scan->at - scan->start));
}

void lm_json_open(struct lm_json_scan *scan, const char *data, size_t len)
{
    *scan =
        (struct lm_json_scan){.start = data, .at = data, .end = len > 0 ? data + len : data, .first = true};
}

bool lm_json_more(struct lm_json_scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
    return scan->at < scan->end;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hex digits, or -1. `text` has `len` bytes. */
static int32_t hex4(const char *text, size_t len)
{
    int32_t code = 0;

    if (len < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(text[i]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

/* Behind a backslash. */
static int scan_escape(struct lm_json_scan *scan, struct lm_error *error)
{
    if (scan->at == scan->end)
        return refuse(scan, "json", "the text ends inside a string", error);
    if (*scan->at != 'u') {
        if (memchr("\"\\/bfnrt", *scan->at, 8) == NULL)
            return refuse(scan, "json", "unknown escape", error);
        scan->at++;
        return 0;
    }
    int32_t code = hex4(scan->at + 1, (size_t)(scan->end - scan->at - 1));
    if (code < 0)
        return refuse(scan, "json", "\\u needs four hex digits", error);
    if (code == 0)
        return refuse(scan, "nul", "\\u0000, which PostgreSQL cannot store,", error);
    scan->at += 5;
    if (code < 0xD800 || code > 0xDFFF)
        return 0;
    int32_t low = -1;
    if (code < 0xDC00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' && scan->at[1] == 'u')
        low = hex4(scan->at + 2, 4);
    if (low < 0xDC00 || low > 0xDFFF)
        return refuse(scan, "utf8", "half of a surrogate pair", error);
    scan->at += 6;
    return 0;
}

/* Eight bytes that a string can hold as they are: no quote, backslash, control character or anything above
 * ASCII. */
static bool plain_word(const char *p)
{
    uint64_t w;

    memcpy(&w, p, 8);
    uint64_t quote = w ^ (EACH_BYTE * '"'), backslash = w ^ (EACH_BYTE * '\\');
    uint64_t odd = (quote - EACH_BYTE) | (backslash - EACH_BYTE) | (w - EACH_BYTE * 0x20) | w;
    return (odd & HIGH_BITS) == 0;
}

static int scan_string(struct lm_json_scan *scan, bool *escaped, struct lm_error *error)
{
    *escaped = false;
    scan->at++;
    for (;;) {
        while (scan->end - scan->at >= 8 && plain_word(scan->at))
            scan->at += 8;
        if (scan->at == scan->end)
            return refuse(scan, "json", "the text ends inside a string", error);
        unsigned char c = (unsigned char)*scan->at;
        if (c == '"') {
            scan->at++;
            return 0;
        }
        if (c == '\\') {
            *escaped = true;
            scan->at++;
            if (scan_escape(scan, error) != 0)
                return -1;
        } else if (c >= 0x80) {
            size_t step = lm_utf8_sequence(scan->at, (size_t)(scan->end - scan->at));
            if (step == 0)
                return refuse(scan, "utf8", "invalid UTF-8", error);
            scan->at += step;
        } else if (c == 0) {
            return refuse(scan, "nul", "a NUL, which PostgreSQL cannot store,", error);
        } else if (c < 0x20) {
            return refuse(scan, "json", "an unescaped control character in a string", error);
        } else {
            scan->at++;
        }
    }
}

static bool digits(const char **at, const char *end)
{
    const char *start = *at;

    while (*at < end && **at >= '0' && **at <= '9')
        ++*at;
    return *at > start;
}

/* The end of the number that starts at `at`, or NULL where there is none. */
static const char *number_end(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else if (!digits(&at, end))
        return NULL;
    if (at < end && *at == '.') {
        at++;
        if (!digits(&at, end))
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (!digits(&at, end))
            return NULL;
    }
    return at;
}

bool lm_json_is_number(const char *text, size_t len)
{
    return len > 0 && number_end(text, text + len) == text + len;
}

static int scan_literal(struct lm_json_scan *scan, const char *word, size_t len, struct lm_error *error)
{
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return refuse(scan, "json", "a value was expected", error);
    scan->at += len;
    return 0;
}

/* A string, number or literal. */
static int scan_scalar(struct lm_json_scan *scan, struct lm_json_value *value, struct lm_error *error)
{
    const char *end;

    value->escaped = false;
    switch (*scan->at) {
    case '"':
        value->type = LM_JSON_STRING;
        return scan_string(scan, &value->escaped, error);
    case 't':
        value->type = LM_JSON_TRUE;
        return scan_literal(scan, "true", 4, error);
    case 'f':
        value->type = LM_JSON_FALSE;
        return scan_literal(scan, "false", 5, error);
    case 'n':
        value->type = LM_JSON_NULL;
        return scan_literal(scan, "null", 4, error);
    default:
        value->type = LM_JSON_NUMBER;
        end = number_end(scan->at, scan->end);
        if (end == NULL)
            return refuse(scan, "json", "a value was expected", error);
        scan->at = end;
        return 0;
    }
}

static int scan_key(struct lm_json_scan *scan, bool *escaped, struct lm_error *error)
{
    if (!lm_json_more(scan) || *scan->at != '"')
        return refuse(scan, "json", "a name in quotes was expected", error);
    if (scan_string(scan, escaped, error) != 0)
        return -1;
    if (!lm_json_more(scan) || *scan->at != ':')
        return refuse(scan, "json", "a colon was expected", error);
    scan->at++;
    return 0;
}

static bool numeric_holds(struct lm_slice number);

/* Between two values: closes what ends here; *open false once the outermost container is closed. After a
 * comma, or right behind an opening bracket (`fresh`), a value follows and the name before it has been read.
 */
static int scan_between(struct lm_json_scan *scan, uint64_t *objects, unsigned *depth, bool fresh,
                        struct lm_error *error)
{
    bool escaped;

    while (*depth > 0) {
        bool object = *objects & 1;
        if (!lm_json_more(scan))
            return refuse(scan, "json", "the text ends inside an object or array", error);
        if (*scan->at == (object ? '}' : ']')) {
            scan->at++;
            *objects >>= 1;
            --*depth;
            fresh = false;
            continue;
        }
        if (!fresh) {
            if (*scan->at != ',')
                return refuse(scan, "json", "a comma or the closing bracket was expected", error);
            scan->at++;
        }
        return object ? scan_key(scan, &escaped, error) : 0;
    }
    return 0;
}

/*
 * Everything inside an object or array whose bracket is at scan->at. No recursion: one bit for each level
 * says whether it is an object.
 */
static int scan_container(struct lm_json_scan *scan, bool check_numbers, struct lm_error *error)
{
    uint64_t objects = *scan->at == '{';
    unsigned depth = 1;
    struct lm_json_value value;

    scan->at++;
    if (scan_between(scan, &objects, &depth, true, error) != 0)
        return -1;
    while (depth > 0) {
        bool fresh = false;
        if (!lm_json_more(scan))
            return refuse(scan, "json", "the text ends inside an object or array", error);
        if (*scan->at == '{' || *scan->at == '[') {
            if (depth + scan->depth == LM_JSON_MAX_DEPTH)
                return refuse(scan, "depth", "more than 64 levels", error);
            objects = objects << 1 | (*scan->at == '{');
            depth++;
            fresh = true;
            scan->at++;
        } else {
            value.raw.data = scan->at;
            if (scan_scalar(scan, &value, error) != 0)
                return -1;
            value.raw.len = (size_t)(scan->at - value.raw.data);
            if (check_numbers && value.type == LM_JSON_NUMBER && !numeric_holds(value.raw))
                return refuse(scan, "metadata", "a number beyond what PostgreSQL stores", error);
        }
        if (scan_between(scan, &objects, &depth, fresh, error) != 0)
            return -1;
    }
    return 0;
}

int lm_json_value(struct lm_json_scan *scan, struct lm_json_value *value, struct lm_error *error)
{
    if (!lm_json_more(scan))
        return refuse(scan, "json", "the text ends where a value was expected", error);
    const char *start = scan->at;
    int result;
    if (*start == '{' || *start == '[') {
        value->type = *start == '{' ? LM_JSON_OBJECT : LM_JSON_ARRAY;
        value->escaped = false;
        result = scan_container(scan, false, error);
    } else {
        result = scan_scalar(scan, value, error);
    }
    value->raw = (struct lm_slice){start, (size_t)(scan->at - start)};
    return result;
}

int lm_json_begin_object(struct lm_json_scan *scan, struct lm_error *error)
{
    struct lm_json_value value;

    if (lm_json_more(scan) && *scan->at == '{') {
        scan->at++;
        scan->first = true;
        scan->depth++;
        return 0;
    }
    if (lm_json_value(scan, &value, error) != 0)
        return -1;
    return refuse(scan, "not_an_object", "an object was expected", error);
}

void lm_json_enter(struct lm_json_scan *scan, const struct lm_json_value *container)
{
    lm_json_open(scan, container->raw.data + 1, container->raw.len - 1);
}

/* 1 where another member or element follows, 0 behind the last. */
static int next_item(struct lm_json_scan *scan, char closing, struct lm_error *error)
{
    if (!lm_json_more(scan))
        return refuse(scan, "json", "the text ends inside an object or array", error);
    if (*scan->at == closing) {
        scan->at++;
        return 0;
    }
    if (!scan->first) {
        if (*scan->at != ',')
            return refuse(scan, "json", "a comma or the closing bracket was expected", error);
        scan->at++;
    }
    scan->first = false;
    return 1;
}

int lm_json_member(struct lm_json_scan *scan, struct lm_json_value *key, struct lm_json_value *value,
                   struct lm_error *error)
{
    int more = next_item(scan, '}', error);

    if (more != 1)
        return more;
    (void)lm_json_more(scan);
    key->type = LM_JSON_STRING;
    key->raw.data = scan->at;
    if (scan_key(scan, &key->escaped, error) != 0)
        return -1;
    /* Back from the colon and the blanks before it to the closing quote. */
    const char *end = scan->at - 1;
    while (end[-1] != '"')
        end--;
    key->raw.len = (size_t)(end - key->raw.data);
    return lm_json_value(scan, value, error) == 0 ? 1 : -1;
}

int lm_json_element(struct lm_json_scan *scan, struct lm_json_value *value, struct lm_error *error)
{
    int more = next_item(scan, ']', error);

    if (more != 1)
        return more;
    return lm_json_value(scan, value, error) == 0 ? 1 : -1;
}

/* The escape behind a backslash, which has been checked; returns the bytes it takes behind the backslash. */
static size_t unescape(const char *text, char *out, size_t *written)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    if (*text != 'u') {
        *out = to[(const char *)memchr(from, *text, 8) - from];
        *written = 1;
        return 1;
    }
    uint32_t code = (uint32_t)hex4(text + 1, 4);
    if (code < 0xD800 || code > 0xDFFF) {
        *written = lm_utf8_write(code, out);
        return 5;
    }
    uint32_t low = (uint32_t)hex4(text + 7, 4);
    *written = lm_utf8_write(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00), out);
    return 11;
}

int lm_json_string(const struct lm_json_value *string, struct lm_arena *arena, struct lm_slice *out,
                   struct lm_error *error)
{
    const char *text = string->raw.data + 1, *end = string->raw.data + string->raw.len - 1;

    if (!string->escaped) {
        *out = (struct lm_slice){text, (size_t)(end - text)};
        return 0;
    }
    /* Unescaped text is never longer than escaped. */
    char *copy = lm_arena_alloc(arena, (size_t)(end - text));
    if (copy == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "no room left to unescape a string of %zu bytes",
                            (size_t)(end - text));
    size_t n = 0;
    while (text < end) {
        const char *slash = memchr(text, '\\', (size_t)(end - text));
        size_t plain = (size_t)((slash != NULL ? slash : end) - text);
        memcpy(copy + n, text, plain);
        n += plain;
        text += plain;
        if (slash != NULL) {
            size_t written;
            text += 1 + unescape(text + 1, copy + n, &written);
            n += written;
        }
    }
    *out = (struct lm_slice){copy, n};
    return 0;
}

/* A JSON number as digits: the value is ± digits × 10^exponent. */
struct decimal {
    bool negative;
    unsigned __int128 digits;
    long exponent;
    bool rest;   /* more digits than fit followed; the exponent counts those before the point */
    int dropped; /* the first of them */
};

/* Enough for any 64-bit number and what is left of it after a shift; the rest only rounds. */
static const unsigned __int128 digits_max = (unsigned __int128)1 << 120;

static struct decimal decimal_of(struct lm_slice number)
{
    struct decimal d = {0};
    const char *p = number.data, *end = p + number.len;
    bool point = false;

    if (p < end && *p == '-') {
        d.negative = true;
        p++;
    }
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (d.rest || d.digits > digits_max / 16) {
            d.dropped = d.rest ? d.dropped : *p - '0';
            d.rest = true;
            d.exponent += !point;
            continue;
        }
        d.digits = d.digits * 10 + (unsigned)(*p - '0');
        d.exponent -= point;
    }
    if (p < end) {
        bool down = *++p == '-';
        long exponent = 0;
        for (p += *p == '-' || *p == '+'; p < end; p++)
            exponent = exponent < 1000000 ? exponent * 10 + (*p - '0') : exponent;
        d.exponent += down ? -exponent : exponent;
    }
    return d;
}

/* The decimal as an integer; `exact` refuses what had to be rounded. */
static int to_int64(struct decimal d, bool exact, int64_t *out)
{
    if (d.rest && exact)
        return -1;
    if (d.rest && d.exponent == 0)
        d.digits += d.dropped >= 5;
    for (; d.exponent > 0 && d.digits > 0; d.exponent--) {
        if (d.digits > digits_max / 16)
            return -1;
        d.digits *= 10;
    }
    unsigned last = 0;
    for (; d.exponent < 0 && (d.digits > 0 || last > 0); d.exponent++) {
        last = (unsigned)(d.digits % 10);
        if (exact && last != 0)
            return -1;
        d.digits /= 10;
    }
    if (d.exponent == 0 && last >= 5)
        d.digits++;
    unsigned __int128 limit = (unsigned __int128)INT64_MAX + d.negative;
    if (d.digits > limit)
        return -1;
    *out = d.negative ? (int64_t)(-(uint64_t)d.digits) : (int64_t)d.digits;
    return 0;
}

int lm_json_int64(struct lm_slice number, int64_t *out)
{
    return to_int64(decimal_of(number), true, out);
}

int lm_json_scaled(struct lm_slice number, int shift, int64_t *out)
{
    struct decimal d = decimal_of(number);

    d.exponent += shift;
    return to_int64(d, false, out);
}

double lm_json_double(struct lm_slice number)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d = decimal_of(number);
    char text[64];

    /* Both factors are exact, so one operation rounds once: the nearest double (Clinger, PLDI 1990). */
    if (!d.rest && d.digits <= (uint64_t)1 << 53 && d.exponent >= -22 && d.exponent <= 22) {
        double value = (double)(uint64_t)d.digits;
        value = d.exponent < 0 ? value / powers[-d.exponent] : value * powers[d.exponent];
        return d.negative ? -value : value;
    }
    /* 35 digits and more stand for the rest: only a tie that is decided behind them could come out one bit
     * off. */
    uint64_t high = (uint64_t)(d.digits / 1000000000000000000u),
             low = (uint64_t)(d.digits % 1000000000000000000u);
    snprintf(text, sizeof text, "%s%" PRIu64 "%018" PRIu64 "e%ld", d.negative ? "-" : "", high, low,
             d.exponent);
    return strtod(text, NULL);
}

static bool numeric_holds(struct lm_slice number)
{
    if (number.len > NUMERIC_MAX_TEXT)
        return false;
    if (number.len < 20 && memchr(number.data, 'e', number.len) == NULL &&
        memchr(number.data, 'E', number.len) == NULL)
        return true;
    long exponent = decimal_of(number).exponent;
    return exponent >= -NUMERIC_MAX_EXPONENT && exponent <= NUMERIC_MAX_EXPONENT;
}

int lm_json_check_object(const char *text, size_t len, struct lm_error *error)
{
    struct lm_json_scan scan;
    struct lm_error inner;

    lm_json_open(&scan, text, len);
    if (!lm_json_more(&scan) || *scan.at != '{')
        return lm_error_set(error, LM_DEAD_LETTER, "metadata", "metadata is not a JSON object");
    if (scan_container(&scan, true, &inner) != 0) {
        bool text_fault = strcmp(inner.kind, "nul") == 0 || strcmp(inner.kind, "utf8") == 0;
        return lm_error_set(error, LM_DEAD_LETTER, text_fault ? inner.kind : "metadata", "metadata: %s",
                            inner.text);
    }
    if (lm_json_more(&scan))
        return lm_error_set(error, LM_DEAD_LETTER, "metadata",
                            "metadata: text behind the JSON object at byte %zu",
                            (size_t)(scan.at - scan.start));
    return 0;
}
