/*
 * Folding by clusters: a base and what composes with it are normalised together, so that every resulting code
 * point knows the typed bytes it came from.
 */
#include "agent/text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define FOLD (UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD)
/* The longest compatibility decomposition is 18 code points. */
#define MOST_FROM_ONE 20
#define MOST_IN_CLUSTER 256

bool ag_is_hangul(uint32_t cp)
{
    return cp >= 0xAC00 && cp <= 0xD7A3;
}

bool ag_has_final(uint32_t cp)
{
    return ag_is_hangul(cp) && (cp - 0xAC00) % 28 != 0;
}

bool ag_final_is_rieul(uint32_t cp)
{
    return ag_is_hangul(cp) && (cp - 0xAC00) % 28 == 8;
}

static bool is_space(utf8proc_int32_t cp)
{
    return cp == ' ' || cp == '\t' || cp == '\n' || cp == '\r' || cp == 0xA0 || cp == 0x3000 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x1680 || cp == 0x202F ||
           cp == 0x205F;
}

/* Bytes that would disturb a terminal or make a text read otherwise than it is stored. */
static bool is_control(utf8proc_int32_t cp)
{
    return (cp < 0x20 && cp != '\t' && cp != '\n' && cp != '\r') || (cp >= 0x7F && cp < 0xA0) ||
           (cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xFEFF ||
           (cp >= 0xFFF9 && cp <= 0xFFFB);
}

/* Jamo that continue a syllable, and combining marks. */
static bool continues(utf8proc_int32_t cp)
{
    return (cp >= 0x1161 && cp <= 0x1175) || (cp >= 0x11A8 && cp <= 0x11C2) ||
           utf8proc_get_property(cp)->combining_class != 0;
}

struct cluster {
    utf8proc_int32_t cp[MOST_IN_CLUSTER];
    size_t len;
    size_t from;
    size_t to;
};

static void flush(struct cluster *c, struct ag_text *out)
{
    utf8proc_ssize_t n;

    if (c->len == 0)
        return;
    n = utf8proc_normalize_utf32(c->cp, (utf8proc_ssize_t)c->len, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        out->cp[out->len] = (uint32_t)c->cp[i];
        out->from[out->len] = (uint32_t)c->from;
        out->to[out->len] = (uint32_t)c->to;
        out->len++;
    }
    c->len = 0;
}

static void space(struct ag_text *out, size_t from, size_t to)
{
    if (out->len > 0 && out->cp[out->len - 1] == ' ') {
        out->to[out->len - 1] = (uint32_t)to;
        return;
    }
    out->cp[out->len] = ' ';
    out->from[out->len] = (uint32_t)from;
    out->to[out->len] = (uint32_t)to;
    out->len++;
}

/* Typographic quotes and dashes are matched as the plain ones. */
static utf8proc_int32_t plain(utf8proc_int32_t cp)
{
    switch (cp) {
    case 0x2018:
    case 0x2019:
    case 0x201B:
    case 0x2032:
        return 0x27;
    case 0x201C:
    case 0x201D:
    case 0x201E:
    case 0x201F:
    case 0xAB:
    case 0xBB:
    case 0x300C:
    case 0x300D:
    case 0x300E:
    case 0x300F:
        return '"';
    case 0x2010:
    case 0x2011:
    case 0x2012:
    case 0x2013:
    case 0x2014:
    case 0x2015:
    case 0x2212:
        return '-';
    case 0x223C:
    case 0x301C:
        return '~';
    default:
        return cp;
    }
}

/* One typed code point: decomposed and appended to the cluster it belongs to. */
static void take(struct cluster *c, utf8proc_int32_t cp, size_t from, size_t to, struct ag_text *out)
{
    utf8proc_int32_t parts[MOST_FROM_ONE];
    int last_class = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(plain(cp), parts, MOST_FROM_ONE, FOLD, &last_class);

    for (utf8proc_ssize_t i = 0; i < n && i < MOST_FROM_ONE; i++) {
        if (!continues(parts[i]) || c->len == MOST_IN_CLUSTER) {
            flush(c, out);
            c->from = from;
        }
        if (c->len == 0)
            c->from = from;
        c->cp[c->len++] = parts[i];
        c->to = to;
    }
}

enum ag_text_fault ag_text_fold(const char *raw, size_t len, size_t max, struct lm_arena *arena,
                                struct ag_text *out)
{
    /* A code point may unfold to many; the room is what the text really needs, found by a first pass. */
    struct cluster cluster = {.len = 0};
    size_t room = 2;
    size_t chars = 0;
    size_t at = 0;

    *out = (struct ag_text){.raw = raw, .raw_len = len};
    while (at < len) {
        utf8proc_int32_t parts[MOST_FROM_ONE];
        utf8proc_int32_t cp;
        int last_class = 0;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)raw + at, (utf8proc_ssize_t)(len - at), &cp);
        utf8proc_ssize_t parts_n;
        if (n <= 0)
            return AG_TEXT_NOT_UTF8;
        if (is_control(cp))
            return AG_TEXT_CONTROL;
        if (++chars > max)
            return AG_TEXT_LONG;
        parts_n = utf8proc_decompose_char(cp, parts, MOST_FROM_ONE, FOLD, &last_class);
        room += parts_n > 0 ? (size_t)parts_n : 1;
        at += (size_t)n;
    }
    out->cp = lm_arena_alloc(arena, room * sizeof *out->cp);
    out->from = lm_arena_alloc(arena, room * sizeof *out->from);
    out->to = lm_arena_alloc(arena, room * sizeof *out->to);
    if (!out->cp || !out->from || !out->to)
        return AG_TEXT_MEMORY;
    for (at = 0; at < len;) {
        utf8proc_int32_t cp;
        size_t n =
            (size_t)utf8proc_iterate((const utf8proc_uint8_t *)raw + at, (utf8proc_ssize_t)(len - at), &cp);
        /* Zero-width characters mean nothing in a question; they must not split words either. */
        if (cp == 0x200B || cp == 0x200C || cp == 0x200D || cp == 0x2060 || cp == 0xAD) {
            at += n;
            continue;
        }
        if (is_space(cp)) {
            flush(&cluster, out);
            space(out, at, at + n);
        } else {
            take(&cluster, cp, at, at + n, out);
        }
        at += n;
    }
    flush(&cluster, out);
    while (out->len > 0 && out->cp[out->len - 1] == ' ')
        out->len--;
    out->cp[out->len] = 0;
    out->from[out->len] = (uint32_t)len;
    out->to[out->len] = (uint32_t)len;
    return out->len == 0 || (out->len == 1 && out->cp[0] == ' ') ? AG_TEXT_EMPTY : AG_TEXT_GOOD;
}

char *ag_text_utf8(const struct ag_text *text, size_t from, size_t to, struct lm_arena *arena)
{
    char *out = lm_arena_alloc(arena, (to - from) * 4 + 1);
    size_t len = 0;

    if (!out)
        return NULL;
    for (size_t i = from; i < to; i++)
        len += (size_t)utf8proc_encode_char((utf8proc_int32_t)text->cp[i], (utf8proc_uint8_t *)out + len);
    out[len] = '\0';
    return out;
}

char *ag_text_typed(const struct ag_text *text, size_t from, size_t to, struct lm_arena *arena)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n;
    char *out;

    if (to <= from)
        return lm_arena_copy(arena, "", 0);
    n = utf8proc_map((const utf8proc_uint8_t *)text->raw + text->from[from],
                     (utf8proc_ssize_t)(text->to[to - 1] - text->from[from]), &composed,
                     UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (n < 0)
        return NULL;
    out = lm_arena_copy(arena, composed, (size_t)n);
    free(composed);
    return out;
}

char *ag_fold(const char *text, size_t len)
{
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &out,
                     UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_STABLE);

    return n < 0 ? NULL : (char *)out;
}
