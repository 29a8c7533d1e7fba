/*
 * A strict JSON scanner (RFC 8259) for the ingest path: it walks the text, hands out slices of it and copies
 * nothing. UTF-8 is validated, nesting is bounded, a NUL (raw or as \u0000) and an unpaired surrogate are
 * refused in every string, for PostgreSQL can hold neither. A value handed out has been checked to its last
 * byte, whatever is inside it.
 *
 * Strings are scanned sixteen bytes at a time (byte_block.h). Measured against libraries, ns to walk a record
 * and take every text and number, one core, records of 556 bytes made by logmill-generate, lines of
 * containers of 595 bytes with escapes: this 390 and 97; simdjson 3.0 on demand 450 and 165, its DOM 330 and
 * 145 (both with AVX2 or AVX-512 and a padded copy of the record); yyjson 305 and 197; jansson 8,100 and
 * 6,700. What they could save is a fiftieth of what a row costs.
 *
 * Repeated names of an object are handed out as they come: what they mean is the caller's to say.
 *
 * A caller walks one object or array at a time: lm_json_value on the whole text, lm_json_enter into what it
 * gave, then lm_json_member or lm_json_element until it says 0. Going on after the value a scan handed out is
 * how concatenated JSON and NDJSON are read. Any thread; a scan belongs to one.
 */
#ifndef LOGMILL_COMMON_JSON_SCAN_H
#define LOGMILL_COMMON_JSON_SCAN_H

#include "common/arena.h"
#include "common/error.h"
#include "common/record/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LM_JSON_MAX_DEPTH 64

enum lm_json_type {
    LM_JSON_OBJECT,
    LM_JSON_ARRAY,
    LM_JSON_STRING,
    LM_JSON_NUMBER,
    LM_JSON_TRUE,
    LM_JSON_FALSE,
    LM_JSON_NULL
};

struct lm_json_value {
    enum lm_json_type type;
    bool escaped;        /* a string with at least one backslash */
    struct lm_slice raw; /* exactly as written: strings with their quotes, containers with their brackets */
};

struct lm_json_scan {
    const char *start;
    const char *at;
    const char *end;
    bool first;     /* no member or element of the entered container was read yet */
    unsigned depth; /* levels entered by lm_json_begin */
};

/* Over `len` bytes, which must outlive the scan and every slice it hands out. */
void lm_json_open(struct lm_json_scan *scan, const char *data, size_t len);

/* Skips white space; true when anything is left. */
bool lm_json_more(struct lm_json_scan *scan);

/* The next complete value. 0, or -1 (LM_DEAD_LETTER; kind "json", "utf8", "nul" or "depth"; the text names
 * the byte). */
int lm_json_value(struct lm_json_scan *scan, struct lm_json_value *value,
                  struct lm_error *error) LM_MUST_CHECK;

/* Enters the object that comes next without looking ahead: its members are checked as they are read, and
 * behind the last one (lm_json_member said 0) the scan goes on after its bracket. 0, or -1 with kind
 * "not_an_object" or "json". */
int lm_json_begin_object(struct lm_json_scan *scan, struct lm_error *error) LM_MUST_CHECK;

/* A scan over the members or elements of an object or array that lm_json_value handed out. */
void lm_json_enter(struct lm_json_scan *scan, const struct lm_json_value *container);
/* The next member; `key` is a string value. 1, 0 at the end, -1 never for a container that was handed out
 * checked. */
int lm_json_member(struct lm_json_scan *scan, struct lm_json_value *key, struct lm_json_value *value,
                   struct lm_error *error) LM_MUST_CHECK;
/* The next element, with the same answers. */
int lm_json_element(struct lm_json_scan *scan, struct lm_json_value *value,
                    struct lm_error *error) LM_MUST_CHECK;

/* The text of a checked string whose `raw` holds escapes, unescaped into the arena. 0, or -1 with LM_RETRY
 * "memory" when the arena is full. */
int lm_json_unescape(struct lm_slice raw, struct lm_arena *arena, struct lm_slice *out,
                     struct lm_error *error) LM_MUST_CHECK;
/* The text of a checked string: a slice of the input where nothing is escaped, else as lm_json_unescape. */
LM_MUST_CHECK static inline int lm_json_string(const struct lm_json_value *string, struct lm_arena *arena,
                                               struct lm_slice *out, struct lm_error *error)
{
    if (string->escaped)
        return lm_json_unescape(string->raw, arena, out, error);
    *out = (struct lm_slice){string->raw.data + 1, string->raw.len - 2};
    return 0;
}

/* Whether the text is one JSON object that a jsonb column takes: what lm_json_value checks, and every number
 * within numeric's range. 0, or -1 with LM_DEAD_LETTER, kind "nul", "utf8" or "metadata". */
int lm_json_check_object(const char *text, size_t len, struct lm_error *error) LM_MUST_CHECK;

#endif
