#include "common/json_scan.h"

#include "common/byte_block.h"
#include "common/json_number.h"
#include "common/utf8.h"

#include <string.h>

/* What a member of a record is read by: as one piece of code it takes a third less time. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Functions that read return the byte behind what they read, or NULL once the fault is noted. */
static const char *refuse(struct lm_json_scan *scan, const char *at, const char *kind, const char *what,
                          struct lm_error *error)
{
    scan->at = at;
    (void)lm_error_set(error, LM_DEAD_LETTER, kind, "JSON: %s at byte %zu", what, (size_t)(at - scan->start));
    return NULL;
}

void lm_json_open(struct lm_json_scan *scan, const char *data, size_t len)
{
    *scan =
        (struct lm_json_scan){.start = data, .at = data, .end = len > 0 ? data + len : data, .first = true};
}

enum { SHORT_NUMBER = 19 /* digits: one less fits 64 bits */ };

/* Answers what follows, or AT_END; *at goes over the blanks before it. Most JSON that is shipped has none. */
enum { AT_END = -1 };
static inline int next_byte(const char **at, const char *end)
{
    for (; *at < end; ++*at) {
        unsigned char c = (unsigned char)**at;
        if (c > ' ' || (c != ' ' && c != '\n' && c != '\r' && c != '\t'))
            return c;
    }
    return AT_END;
}

bool lm_json_more(struct lm_json_scan *scan)
{
    return next_byte(&scan->at, scan->end) != AT_END;
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

/* What the byte behind a backslash stands for; 0 for u and for all that may not stand there. */
static const char escapes[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                  ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

static char escaped_byte(char c)
{
    return escapes[(unsigned char)c];
}

/* Behind a backslash. */
static const char *scan_escape(struct lm_json_scan *scan, const char *at, struct lm_error *error)
{
    if (at == scan->end)
        return refuse(scan, at, "json", "the text ends inside a string", error);
    if (escaped_byte(*at) != 0)
        return at + 1;
    if (*at != 'u')
        return refuse(scan, at, "json", "unknown escape", error);
    int32_t code = hex4(at + 1, (size_t)(scan->end - at - 1));
    if (code < 0)
        return refuse(scan, at, "json", "\\u needs four hex digits", error);
    if (code == 0)
        return refuse(scan, at, "nul", "\\u0000, which PostgreSQL cannot store,", error);
    at += 5;
    if (code < 0xD800 || code > 0xDFFF)
        return at;
    int32_t low = -1;
    if (code < 0xDC00 && scan->end - at >= 6 && at[0] == '\\' && at[1] == 'u')
        low = hex4(at + 2, 4);
    if (low < 0xDC00 || low > 0xDFFF)
        return refuse(scan, at, "utf8", "half of a surrogate pair", error);
    return at + 6;
}

/* Over what a string holds as it is: no quote, backslash, control character or anything above ASCII. */
ALWAYS_INLINE const char *skip_plain(const char *at, const char *end)
{
    while (end - at >= LM_BLOCK) {
        unsigned other = lm_block_not_plain(at);
        if (other != 0)
            return at + __builtin_ctz(other);
        at += LM_BLOCK;
    }
    while (at < end && (signed char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}

/* Bytes of a block at `at` that a string holds as they are, with characters beyond ASCII among them: 0 where
 * they need a closer look. */
static inline unsigned whole_text(const char *at, const char *end)
{
    return end - at >= LM_BLOCK ? lm_block_whole(at, lm_block_not_plain(at)) : 0;
}

/* A string that goes on at `at` with something that is not plain. */
static const char *scan_rest(struct lm_json_scan *scan, const char *at, bool *escaped, struct lm_error *error)
{
    unsigned whole;

    for (;;) {
        if (at == scan->end)
            return refuse(scan, at, "json", "the text ends inside a string", error);
        unsigned char c = (unsigned char)*at;
        if (c == '"')
            return at + 1;
        if (c == '\\') {
            *escaped = true;
            if ((at = scan_escape(scan, at + 1, error)) == NULL)
                return NULL;
        } else if (c >= 0x80 && (whole = whole_text(at, scan->end)) > 0) {
            at += whole;
        } else if (c >= 0x80) {
            const char *behind = lm_utf8_run(at, scan->end);
            if (behind < scan->end && (unsigned char)*behind >= 0x80)
                return refuse(scan, behind, "utf8", "invalid UTF-8", error);
            at = behind;
        } else if (c == 0) {
            return refuse(scan, at, "nul", "a NUL, which PostgreSQL cannot store,", error);
        } else {
            return refuse(scan, at, "json", "an unescaped control character in a string", error);
        }
        at = skip_plain(at, scan->end);
    }
}

/* Behind the opening quote. */
ALWAYS_INLINE const char *scan_string(struct lm_json_scan *scan, const char *at, bool *escaped,
                                      struct lm_error *error)
{
    *escaped = false;
    at = skip_plain(at, scan->end);
    if (at < scan->end && *at == '"')
        return at + 1;
    return scan_rest(scan, at, escaped, error);
}

static const char *scan_literal(struct lm_json_scan *scan, const char *at, const char *word, size_t len,
                                struct lm_error *error)
{
    if ((size_t)(scan->end - at) < len || memcmp(at, word, len) != 0)
        return refuse(scan, at, "json", "a value was expected", error);
    return at + len;
}

/* A string, number or literal that begins with `c` at `at`. */
ALWAYS_INLINE const char *scan_scalar(struct lm_json_scan *scan, const char *at, int c,
                                      struct lm_json_value *value, struct lm_error *error)
{
    value->escaped = false;
    switch (c) {
    case '"':
        value->type = LM_JSON_STRING;
        return scan_string(scan, at + 1, &value->escaped, error);
    case 't':
        value->type = LM_JSON_TRUE;
        return scan_literal(scan, at, "true", 4, error);
    case 'f':
        value->type = LM_JSON_FALSE;
        return scan_literal(scan, at, "false", 5, error);
    case 'n':
        value->type = LM_JSON_NULL;
        return scan_literal(scan, at, "null", 4, error);
    default:
        break;
    }
    value->type = LM_JSON_NUMBER;
    const char *end = lm_json_number_end(at, scan->end);
    return end != NULL ? end : refuse(scan, at, "json", "a value was expected", error);
}

/* A name that begins with `c` at `at`, and its colon; *name_end receives the byte behind the closing quote.
 */
ALWAYS_INLINE const char *scan_name(struct lm_json_scan *scan, const char *at, int c, bool *escaped,
                                    const char **name_end, struct lm_error *error)
{
    if (c != '"')
        return refuse(scan, at, "json", "a name in quotes was expected", error);
    if ((at = scan_string(scan, at + 1, escaped, error)) == NULL)
        return NULL;
    *name_end = at;
    if (next_byte(&at, scan->end) != ':')
        return refuse(scan, at, "json", "a colon was expected", error);
    return at + 1;
}

/* Between two values: closes what ends here, *depth 0 once the outermost container is closed. After a comma,
 * or right behind an opening bracket (`fresh`), a value follows and the name before it has been read. */
static const char *scan_between(struct lm_json_scan *scan, const char *at, uint64_t *objects, unsigned *depth,
                                bool fresh, struct lm_error *error)
{
    const char *name_end;
    bool escaped;

    while (*depth > 0) {
        bool object = *objects & 1;
        int c = next_byte(&at, scan->end);
        if (c == AT_END)
            return refuse(scan, at, "json", "the text ends inside an object or array", error);
        if (c == (object ? '}' : ']')) {
            at++;
            *objects >>= 1;
            --*depth;
            fresh = false;
            continue;
        }
        if (!fresh) {
            if (c != ',')
                return refuse(scan, at, "json", "a comma or the closing bracket was expected", error);
            at++;
            c = next_byte(&at, scan->end);
        }
        return object ? scan_name(scan, at, c, &escaped, &name_end, error) : at;
    }
    return at;
}

/*
 * The object or array whose bracket is at `at`, with all that is inside. No recursion: one bit for each level
 * says whether it is an object.
 */
static const char *scan_container(struct lm_json_scan *scan, const char *at, bool check_numbers,
                                  struct lm_error *error)
{
    uint64_t objects = *at == '{';
    unsigned depth = 1;
    bool fresh = true;
    struct lm_json_value value;

    at++;
    while ((at = scan_between(scan, at, &objects, &depth, fresh, error)) != NULL && depth > 0) {
        int c = next_byte(&at, scan->end);
        if (c == AT_END)
            return refuse(scan, at, "json", "the text ends inside an object or array", error);
        if (c == '{' || c == '[') {
            if (depth + scan->depth == LM_JSON_MAX_DEPTH)
                return refuse(scan, at, "depth", "more than 64 levels", error);
            objects = objects << 1 | (c == '{');
            depth++;
            fresh = true;
            at++;
        } else {
            fresh = false;
            value.raw.data = at;
            if ((at = scan_scalar(scan, at, c, &value, error)) == NULL)
                return NULL;
            value.raw.len = (size_t)(at - value.raw.data);
            if (check_numbers && value.type == LM_JSON_NUMBER && !lm_json_fits_numeric(value.raw))
                return refuse(scan, at, "metadata", "a number beyond what PostgreSQL stores", error);
        }
    }
    return at;
}

ALWAYS_INLINE int scan_value(struct lm_json_scan *scan, const char *at, struct lm_json_value *value,
                             struct lm_error *error)
{
    int c = next_byte(&at, scan->end);
    const char *start = at;

    if (c == AT_END) {
        (void)refuse(scan, at, "json", "the text ends where a value was expected", error);
        return -1;
    }
    if (c == '{' || c == '[') {
        value->type = c == '{' ? LM_JSON_OBJECT : LM_JSON_ARRAY;
        value->escaped = false;
        at = scan_container(scan, at, false, error);
    } else {
        at = scan_scalar(scan, at, c, value, error);
    }
    if (at == NULL)
        return -1;
    value->raw = (struct lm_slice){start, (size_t)(at - start)};
    scan->at = at;
    return 0;
}

int lm_json_value(struct lm_json_scan *scan, struct lm_json_value *value, struct lm_error *error)
{
    return scan_value(scan, scan->at, value, error);
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
    (void)refuse(scan, scan->at, "not_an_object", "an object was expected", error);
    return -1;
}

void lm_json_enter(struct lm_json_scan *scan, const struct lm_json_value *container)
{
    lm_json_open(scan, container->raw.data + 1, container->raw.len - 1);
}

/* 1 where another member or element follows at *at; 0 behind the last. */
ALWAYS_INLINE int next_item(struct lm_json_scan *scan, char closing, const char **at, struct lm_error *error)
{
    int c = next_byte(at, scan->end);

    if (c == AT_END) {
        (void)refuse(scan, *at, "json", "the text ends inside an object or array", error);
        return -1;
    }
    if (c == closing) {
        scan->at = *at + 1;
        return 0;
    }
    if (!scan->first) {
        if (c != ',') {
            (void)refuse(scan, *at, "json", "a comma or the closing bracket was expected", error);
            return -1;
        }
        ++*at;
    }
    scan->first = false;
    return 1;
}

int lm_json_member(struct lm_json_scan *scan, struct lm_json_value *key, struct lm_json_value *value,
                   struct lm_error *error)
{
    const char *at = scan->at, *name_end;
    int more = next_item(scan, '}', &at, error);

    if (more != 1)
        return more;
    int c = next_byte(&at, scan->end);
    key->type = LM_JSON_STRING;
    key->raw.data = at;
    if ((at = scan_name(scan, at, c, &key->escaped, &name_end, error)) == NULL)
        return -1;
    key->raw.len = (size_t)(name_end - key->raw.data);
    return scan_value(scan, at, value, error) == 0 ? 1 : -1;
}

int lm_json_element(struct lm_json_scan *scan, struct lm_json_value *value, struct lm_error *error)
{
    const char *at = scan->at;
    int more = next_item(scan, ']', &at, error);

    if (more != 1)
        return more;
    return scan_value(scan, at, value, error) == 0 ? 1 : -1;
}

/* The escape behind a backslash, which has been checked; returns the bytes it takes behind the backslash. */
static size_t unescape(const char *text, char *out, size_t *written)
{
    if (*text != 'u') {
        *out = escaped_byte(*text);
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

int lm_json_unescape(struct lm_slice raw, struct lm_arena *arena, struct lm_slice *out,
                     struct lm_error *error)
{
    const char *text = raw.data + 1, *end = raw.data + raw.len - 1;

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

/* Behind a string of plain characters that begins at `at`; NULL where it is anything else. */
ALWAYS_INLINE const char *plain_string(const char *at, const char *end)
{
    if (at == end || *at != '"')
        return NULL;
    at = skip_plain(at + 1, end);
    return at < end && *at == '"' ? at + 1 : NULL;
}

/* Whether it is `{"name":value,…}` without blanks, of plain names and of plain texts and whole numbers that
 * fit 64 bits, as most metadata is. What is not may be valid all the same. */
static bool is_flat_object(const char *at, const char *end)
{
    if (at == end || *at != '{')
        return false;
    do {
        if ((at = plain_string(at + 1, end)) == NULL || at == end || *at++ != ':')
            return false;
        const char *value = at;
        while (at < end && (unsigned char)(*at - '0') <= 9)
            at++;
        if (at == value)
            at = plain_string(at, end);
        else if (at - value >= SHORT_NUMBER || (*value == '0' && at - value > 1))
            return false;
    } while (at != NULL && at < end && *at == ',');
    return at != NULL && end - at == 1 && *at == '}';
}

int lm_json_check_object(const char *text, size_t len, struct lm_error *error)
{
    struct lm_json_scan scan;
    struct lm_error inner;

    if (len > 0 && is_flat_object(text, text + len))
        return 0;
    lm_json_open(&scan, text, len);
    if (!lm_json_more(&scan) || *scan.at != '{')
        return lm_error_set(error, LM_DEAD_LETTER, "metadata", "metadata is not a JSON object");
    const char *behind = scan_container(&scan, scan.at, true, &inner);
    if (behind == NULL) {
        bool text_fault = strcmp(inner.kind, "nul") == 0 || strcmp(inner.kind, "utf8") == 0;
        return lm_error_set(error, LM_DEAD_LETTER, text_fault ? inner.kind : "metadata", "metadata: %s",
                            inner.text);
    }
    scan.at = behind;
    if (lm_json_more(&scan))
        return lm_error_set(error, LM_DEAD_LETTER, "metadata",
                            "metadata: text behind the JSON object at byte %zu",
                            (size_t)(scan.at - scan.start));
    return 0;
}
