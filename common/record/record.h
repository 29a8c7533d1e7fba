/*
 * The log record: one type for all categories. schemas/log_record.avsc is the definition; this struct, the
 * field table below, the JSON names and the SQL columns follow it, and tests/unit/common/test_record_fields
 * holds them together.
 *
 * Texts are slices of memory that somebody else owns (the Kafka payload, an arena): a record never frees
 * anything. A slice with data == NULL is SQL's NULL.
 */
#ifndef LOGMILL_COMMON_RECORD_H
#define LOGMILL_COMMON_RECORD_H

#include "common/arena.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct lm_slice {
    const char *data;
    size_t len;
};
#define LM_SLICE(literal) ((struct lm_slice){(literal), sizeof(literal) - 1})

/* The same bytes; a NULL text of length 0 is the same as "". Names and other short texts are compared without
 * a call, by words that may overlap. */
static inline bool lm_slice_equal(struct lm_slice a, struct lm_slice b)
{
    uint64_t x[4], y[4];
    uint32_t u[2], v[2];

    if (a.len != b.len)
        return false;
    if (a.len > 32)
        return memcmp(a.data, b.data, a.len) == 0;
    if (a.len > 16) {
        memcpy(&x[0], a.data, 16);
        memcpy(&x[2], a.data + a.len - 16, 16);
        memcpy(&y[0], b.data, 16);
        memcpy(&y[2], b.data + b.len - 16, 16);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0;
    }
    if (a.len >= 8) {
        memcpy(&x[0], a.data, 8);
        memcpy(&x[1], a.data + a.len - 8, 8);
        memcpy(&y[0], b.data, 8);
        memcpy(&y[1], b.data + b.len - 8, 8);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }
    if (a.len >= 4) {
        memcpy(&u[0], a.data, 4);
        memcpy(&u[1], a.data + a.len - 4, 4);
        memcpy(&v[0], b.data, 4);
        memcpy(&v[1], b.data + b.len - 4, 4);
        return ((u[0] ^ v[0]) | (u[1] ^ v[1])) == 0;
    }
    return a.len == 0 || (a.data[0] == b.data[0] && a.data[a.len / 2] == b.data[a.len / 2] &&
                          a.data[a.len - 1] == b.data[a.len - 1]);
}

enum lm_category { LM_RAW, LM_SUMMARY, LM_TRAINING, LM_TAGGED, LM_CATEGORY_COUNT };
enum lm_level { LM_DEBUG, LM_INFO, LM_WARN, LM_ERROR, LM_LEVEL_FATAL, LM_LEVEL_COUNT };

/* The text fields, in the order of the schema. */
enum lm_text {
    LM_LOG_TYPE,
    LM_SERVICE,
    LM_ENVIRONMENT,
    LM_MESSAGE,
    LM_HOST,
    LM_COMPONENT,
    LM_MODULE,
    LM_EVENT_TYPE,
    LM_USER_ID,
    LM_SESSION_ID,
    LM_TRACE_ID,
    LM_SPAN_ID,
    LM_ERROR_TYPE,
    LM_ERROR_CODE,
    LM_STACK_TRACE,
    LM_ENDPOINT,
    LM_METHOD,
    LM_CLIENT_IP,
    LM_PAGE_PATH,
    LM_BROWSER,
    LM_DEVICE,
    LM_METADATA, /* JSON object as text */
    LM_TEXT_COUNT
};

/*
 * An address as PostgreSQL's inet keeps it. `bytes` holds 4 or 16 bytes in network order, `bits` the prefix
 * length (32 or 128 where the text names none).
 */
struct lm_inet {
    bool v6;
    uint8_t bits;
    uint8_t bytes[16];
};

struct lm_record {
    int64_t timestamp_us; /* event time, microseconds since the epoch, UTC */
    bool has_timestamp;
    bool has_category;
    enum lm_category category;
    enum lm_level level;
    struct lm_slice text[LM_TEXT_COUNT];
    struct lm_inet client_ip; /* what that text says; lm_record_complete fills it */
    bool has_http_status;
    int32_t http_status;
    bool has_duration;
    double duration_ms;
    struct lm_slice *tags; /* tag_count of them */
    size_t tag_count;
    bool has_source, has_sequence;
    int64_t source;   /* id of one ordered stream; design.md 3 */
    int64_t sequence; /* strictly increasing within it */
};

/* Every field empty; level INFO. */
void lm_record_init(struct lm_record *record);

/* Reads "192.0.2.1", "2001:db8::1", either with "/prefix". 0, or -1 where it is no address. */
int lm_inet_parse(const char *text, size_t len, struct lm_inet *out) LM_MUST_CHECK;

/*
 * Fills what is missing (timestamp from `kafka_timestamp_us`, level INFO, log_type BACKEND, service unknown,
 * environment production; an empty log_type, service or environment is a missing one, an empty client_ip or
 * metadata is NULL) and checks what a stored record must satisfy: a time in the years 1 to 9999; a non-empty
 * message; no NUL and valid UTF-8 everywhere; metadata a JSON object that jsonb takes; service, environment,
 * error_type at most 255 bytes; http_status within smallint; client_ip an address. A duration that is NaN,
 * infinite or negative becomes NULL, the original kept under metadata (arena). The category must be
 * `category` or absent; afterwards it is `category`. Returns 0, or -1 with LM_DEAD_LETTER and the kind:
 * "no_message", "nul", "utf8", "metadata", "too_long", "category_mismatch", "http_status", "client_ip",
 * "timestamp"; or LM_RETRY "memory" when the arena is full.
 */
int lm_record_complete(struct lm_record *record, enum lm_category category, int64_t kafka_timestamp_us,
                       struct lm_arena *arena, struct lm_error *error) LM_MUST_CHECK;

/* "raw", "summary", "training", "tagged"; "DEBUG" … "FATAL". */
const char *lm_category_name(enum lm_category category);
const char *lm_level_name(enum lm_level level);
int lm_category_parse(const char *text, size_t len, enum lm_category *out) LM_MUST_CHECK;
/* The five and the names of others in any case: CRITICAL, CRIT, EMERG, ALERT, PANIC → FATAL; WARNING → WARN;
 * NOTICE, INFORMATION, LOG → INFO; TRACE, VERBOSE, FINE → DEBUG; ERR, SEVERE → ERROR; … 0, or -1 where
 * unknown. */
int lm_level_parse(const char *text, size_t len, enum lm_level *out) LM_MUST_CHECK;

enum lm_field_kind {
    LM_FIELD_TIMESTAMP,
    LM_FIELD_CATEGORY,
    LM_FIELD_LEVEL,
    LM_FIELD_TEXT,
    LM_FIELD_HTTP_STATUS,
    LM_FIELD_DURATION,
    LM_FIELD_TAGS,
    LM_FIELD_SOURCE,
    LM_FIELD_SEQUENCE
};

struct lm_record_field {
    const char *name;     /* Avro field and JSON name */
    const char *column;   /* SQL column of logs, NULL where not stored */
    const char *sql_type; /* format_type() of the column: "text", "inet", "jsonb", … */
    enum lm_field_kind kind;
    enum lm_text text; /* for LM_FIELD_TEXT */
    bool nullable;     /* Avro union with null, SQL NULL allowed */
};

/* The fields in schema order; *count of them. Static storage. */
const struct lm_record_field *lm_record_fields(size_t *count);

/* Adds the member `key`: `value` (both JSON text, the key with its quotes) in front of the metadata's own,
 * into the arena. A member of that name already there wins, as the later one does in jsonb. 0, or -1 when the
 * arena is full. */
int lm_record_add_metadata(struct lm_record *record, struct lm_slice key, struct lm_slice value,
                           struct lm_arena *arena) LM_MUST_CHECK;

#endif
