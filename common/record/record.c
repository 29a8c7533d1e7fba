/*
 * The record's fields, its names, and what every record must satisfy before it is stored, whatever it was
 * decoded from. How each field is read from JSON is record_json.c's, how from Avro record_avro.c's.
 */
#include "common/record/record.h"

#include "common/clock.h"
#include "common/json_scan.h"
#include "common/utf8.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { KEY_TEXT_MAX = 255 /* bytes of a text that is part of a rollup's key */ };

/* 0001-01-01T00:00:00Z and 10000-01-01T00:00:00Z in microseconds. */
static const int64_t first_time_us = INT64_C(-62135596800000000);
static const int64_t end_of_time_us = INT64_C(253402300800000000);

static const struct lm_record_field fields[] = {
    {"timestamp", "created_at", "timestamp with time zone", LM_FIELD_TIMESTAMP, 0, false},
    {"category", "category", "logmill.log_category", LM_FIELD_CATEGORY, 0, false},
    {"level", "level", "logmill.log_level", LM_FIELD_LEVEL, 0, false},
    {"log_type", "log_type", "text", LM_FIELD_TEXT, LM_LOG_TYPE, false},
    {"service", "service", "text", LM_FIELD_TEXT, LM_SERVICE, false},
    {"environment", "environment", "text", LM_FIELD_TEXT, LM_ENVIRONMENT, false},
    {"message", "message", "text", LM_FIELD_TEXT, LM_MESSAGE, false},
    {"host", "host", "text", LM_FIELD_TEXT, LM_HOST, true},
    {"component", "component", "text", LM_FIELD_TEXT, LM_COMPONENT, true},
    {"module", "module", "text", LM_FIELD_TEXT, LM_MODULE, true},
    {"event_type", "event_type", "text", LM_FIELD_TEXT, LM_EVENT_TYPE, true},
    {"user_id", "user_id", "text", LM_FIELD_TEXT, LM_USER_ID, true},
    {"session_id", "session_id", "text", LM_FIELD_TEXT, LM_SESSION_ID, true},
    {"trace_id", "trace_id", "text", LM_FIELD_TEXT, LM_TRACE_ID, true},
    {"span_id", "span_id", "text", LM_FIELD_TEXT, LM_SPAN_ID, true},
    {"error_type", "error_type", "text", LM_FIELD_TEXT, LM_ERROR_TYPE, true},
    {"error_code", "error_code", "text", LM_FIELD_TEXT, LM_ERROR_CODE, true},
    {"stack_trace", "stack_trace", "text", LM_FIELD_TEXT, LM_STACK_TRACE, true},
    {"http_status", "http_status", "smallint", LM_FIELD_HTTP_STATUS, 0, true},
    {"endpoint", "endpoint", "text", LM_FIELD_TEXT, LM_ENDPOINT, true},
    {"method", "method", "text", LM_FIELD_TEXT, LM_METHOD, true},
    {"duration_ms", "duration_ms", "double precision", LM_FIELD_DURATION, 0, true},
    {"client_ip", "client_ip", "inet", LM_FIELD_TEXT, LM_CLIENT_IP, true},
    {"page_path", "page_path", "text", LM_FIELD_TEXT, LM_PAGE_PATH, true},
    {"browser", "browser", "text", LM_FIELD_TEXT, LM_BROWSER, true},
    {"device", "device", "text", LM_FIELD_TEXT, LM_DEVICE, true},
    {"tags", "tags", "text[]", LM_FIELD_TAGS, 0, false},
    {"metadata", "metadata", "jsonb", LM_FIELD_TEXT, LM_METADATA, true},
    {"source", NULL, NULL, LM_FIELD_SOURCE, 0, true},
    {"sequence", NULL, NULL, LM_FIELD_SEQUENCE, 0, true},
};

static const char *const category_names[LM_CATEGORY_COUNT] = {"raw", "summary", "training", "tagged"};
static const char *const level_names[LM_LEVEL_COUNT] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

/* Levels as others name them, in any case. The five come first: they are the commonest. */
static const struct {
    const char *name;
    enum lm_level level;
} known_levels[] = {
    {"info", LM_INFO},
    {"error", LM_ERROR},
    {"warn", LM_WARN},
    {"debug", LM_DEBUG},
    {"fatal", LM_LEVEL_FATAL},
    {"warning", LM_WARN},
    {"critical", LM_LEVEL_FATAL},
    {"notice", LM_INFO},
    {"trace", LM_DEBUG},
    {"information", LM_INFO},
    {"informational", LM_INFO},
    {"log", LM_INFO}, /* PostgreSQL */
    {"success", LM_INFO},
    {"statement", LM_INFO},
    {"hint", LM_INFO},
    {"detail", LM_INFO},
    {"verbose", LM_DEBUG},
    {"fine", LM_DEBUG}, /* java.util.logging */
    {"finer", LM_DEBUG},
    {"finest", LM_DEBUG},
    {"config", LM_INFO},
    {"silly", LM_DEBUG}, /* winston */
    {"debug1", LM_DEBUG},
    {"debug2", LM_DEBUG},
    {"debug3", LM_DEBUG},
    {"debug4", LM_DEBUG},
    {"debug5", LM_DEBUG},
    {"err", LM_ERROR},
    {"severe", LM_ERROR},
    {"crit", LM_LEVEL_FATAL},
    {"alert", LM_LEVEL_FATAL},
    {"emerg", LM_LEVEL_FATAL},
    {"emergency", LM_LEVEL_FATAL},
    {"panic", LM_LEVEL_FATAL},
    {"dpanic", LM_LEVEL_FATAL}, /* zap */
    {"failure", LM_ERROR},
    {"t", LM_DEBUG},
    {"v", LM_DEBUG}, /* logcat */
    {"d", LM_DEBUG},
    {"i", LM_INFO},
    {"n", LM_INFO},
    {"w", LM_WARN},
    {"e", LM_ERROR},
    {"f", LM_LEVEL_FATAL},
    {"c", LM_LEVEL_FATAL},
};

const struct lm_record_field *lm_record_fields(size_t *count)
{
    *count = sizeof fields / sizeof fields[0];
    return fields;
}

const char *lm_category_name(enum lm_category category)
{
    return category_names[category];
}

const char *lm_level_name(enum lm_level level)
{
    return level_names[level];
}

int lm_category_parse(const char *text, size_t len, enum lm_category *out)
{
    for (int i = 0; i < LM_CATEGORY_COUNT; i++) {
        if (strlen(category_names[i]) == len && memcmp(category_names[i], text, len) == 0) {
            *out = (enum lm_category)i;
            return 0;
        }
    }
    return -1;
}

int lm_level_parse(const char *text, size_t len, enum lm_level *out)
{
    char first = len > 0 ? (char)(text[0] | 0x20) : 0; /* all names begin with a letter */

    for (size_t i = 0; i < sizeof known_levels / sizeof known_levels[0]; i++) {
        const char *name = known_levels[i].name;
        if (name[0] == first && strlen(name) == len && strncasecmp(name, text, len) == 0) {
            *out = known_levels[i].level;
            return 0;
        }
    }
    return -1;
}

void lm_record_init(struct lm_record *record)
{
    *record = (struct lm_record){.level = LM_INFO};
}

/* "192.0.2.1" and nothing else, as inet_pton reads it: no leading zeros. */
static bool parse_v4(const char *text, size_t len, uint8_t *bytes)
{
    size_t at = 0;

    for (int part = 0; part < 4; part++) {
        unsigned value = 0;
        size_t start = at;
        while (at < len && at - start < 3 && text[at] >= '0' && text[at] <= '9')
            value = value * 10 + (unsigned)(text[at++] - '0');
        if (at == start || value > 255 || (text[start] == '0' && at - start > 1))
            return false;
        bytes[part] = (uint8_t)value;
        if (part < 3 && (at == len || text[at++] != '.'))
            return false;
    }
    return at == len;
}

int lm_inet_parse(const char *text, size_t len, struct lm_inet *out)
{
    char copy[INET6_ADDRSTRLEN + sizeof "/128"];
    unsigned bits = 0;

    *out = (struct lm_inet){.bits = 32};
    if (parse_v4(text, len, out->bytes))
        return 0;
    if (len == 0 || len >= sizeof copy || memchr(text, '\0', len) != NULL)
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *out = (struct lm_inet){.v6 = strchr(copy, ':') != NULL};
    unsigned longest = out->v6 ? 128 : 32;
    char *slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (strlen(slash + 1) == 0 || strlen(slash + 1) > 3)
            return -1;
        for (const char *p = slash + 1; *p != '\0'; p++) {
            if (*p < '0' || *p > '9')
                return -1;
            bits = bits * 10 + (unsigned)(*p - '0');
        }
        if (bits > longest)
            return -1;
    }
    out->bits = (uint8_t)(slash != NULL ? bits : longest);
    return inet_pton(out->v6 ? AF_INET6 : AF_INET, copy, out->bytes) == 1 ? 0 : -1;
}

int lm_record_add_metadata(struct lm_record *record, struct lm_slice key, struct lm_slice value,
                           struct lm_arena *arena)
{
    struct lm_slice old = record->text[LM_METADATA];
    bool empty = true;

    /* Behind the old object's bracket, unless nothing is in it. */
    const char *inner = old.data != NULL ? memchr(old.data, '{', old.len) : NULL;
    size_t inner_len = inner != NULL ? old.len - (size_t)(++inner - old.data) : 0;
    for (size_t i = 0; i < inner_len && empty; i++)
        empty = inner[i] == '}' || strchr(" \t\r\n", inner[i]) != NULL;
    if (empty) {
        inner = "}";
        inner_len = 1;
    }
    size_t len = 1 + key.len + 1 + value.len + !empty + inner_len;
    char *text = lm_arena_alloc(arena, len);
    if (text == NULL)
        return -1;
    char *p = text;
    *p++ = '{';
    p = mempcpy(p, key.data, key.len);
    *p++ = ':';
    p = mempcpy(p, value.data, value.len);
    if (!empty)
        *p++ = ',';
    memcpy(p, inner, inner_len);
    record->text[LM_METADATA] = (struct lm_slice){text, len};
    return 0;
}

static void fill_defaults(struct lm_record *record, int64_t kafka_timestamp_us)
{
    if (!record->has_timestamp)
        record->timestamp_us = kafka_timestamp_us;
    record->has_timestamp = true;
    if (record->text[LM_LOG_TYPE].len == 0)
        record->text[LM_LOG_TYPE] = LM_SLICE("BACKEND");
    if (record->text[LM_SERVICE].len == 0)
        record->text[LM_SERVICE] = LM_SLICE("unknown");
    if (record->text[LM_ENVIRONMENT].len == 0)
        record->text[LM_ENVIRONMENT] = LM_SLICE("production");
    if (record->text[LM_CLIENT_IP].len == 0)
        record->text[LM_CLIENT_IP] = (struct lm_slice){NULL, 0};
    if (record->text[LM_METADATA].len == 0)
        record->text[LM_METADATA] = (struct lm_slice){NULL, 0};
}

static int refuse_text(struct lm_slice text, const char *name, struct lm_error *error)
{
    if (lm_utf8_check(text.data, text.len) == LM_UTF8_NUL)
        return lm_error_set(error, LM_DEAD_LETTER, "nul", "%s holds a NUL, which PostgreSQL cannot store",
                            name);
    return lm_error_set(error, LM_DEAD_LETTER, "utf8", "%s is not valid UTF-8", name);
}

static const char *name_of(enum lm_text text)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].kind == LM_FIELD_TEXT && fields[i].text == text)
            return fields[i].name;
    }
    return "";
}

static int check_texts(const struct lm_record *record, struct lm_error *error)
{
    static const enum lm_text keys[] = {LM_SERVICE, LM_ENVIRONMENT, LM_ERROR_TYPE};

    for (enum lm_text i = 0; i < LM_METADATA; i++) { /* that is checked as JSON */
        struct lm_slice text = record->text[i];
        if (text.len > 0 && lm_utf8_check(text.data, text.len) != LM_UTF8_OK)
            return refuse_text(text, name_of(i), error);
    }
    for (size_t i = 0; i < record->tag_count; i++) {
        struct lm_slice tag = record->tags[i];
        if (tag.len > 0 && lm_utf8_check(tag.data, tag.len) != LM_UTF8_OK)
            return refuse_text(tag, "tags", error);
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t len = record->text[keys[i]].len;
        if (len > KEY_TEXT_MAX)
            return lm_error_set(error, LM_DEAD_LETTER, "too_long", "%s has %zu bytes, at most %d are kept",
                                name_of(keys[i]), len, KEY_TEXT_MAX);
    }
    return 0;
}

/* An object that jsonb takes, without the blanks around it. */
static int settle_metadata(struct lm_record *record, struct lm_error *error)
{
    struct lm_slice *text = &record->text[LM_METADATA];

    if (text->data == NULL)
        return 0;
    if (lm_json_check_object(text->data, text->len, error) != 0)
        return -1;
    for (; *text->data != '{'; text->len--)
        text->data++;
    while (text->data[text->len - 1] != '}')
        text->len--;
    return 0;
}

/* A duration that no percentile can count becomes NULL; what it was stays readable. */
static int settle_duration(struct lm_record *record, struct lm_arena *arena, struct lm_error *error)
{
    char text[32];
    int n;

    if (!record->has_duration || (isfinite(record->duration_ms) && record->duration_ms >= 0))
        return 0;
    if (isnan(record->duration_ms))
        n = snprintf(text, sizeof text, "\"NaN\"");
    else if (isinf(record->duration_ms))
        n = snprintf(text, sizeof text, "\"%sInfinity\"", record->duration_ms < 0 ? "-" : "");
    else
        n = snprintf(text, sizeof text, "%.17g", record->duration_ms);
    record->has_duration = false;
    if (lm_record_add_metadata(record, LM_SLICE("\"duration_ms\""), (struct lm_slice){text, (size_t)n},
                               arena) != 0)
        return lm_error_set(error, LM_RETRY, "memory",
                            "no room left to keep an impossible duration under metadata");
    return 0;
}

static int check_numbers(struct lm_record *record, struct lm_error *error)
{
    struct lm_slice ip = record->text[LM_CLIENT_IP];

    if (record->timestamp_us < first_time_us || record->timestamp_us >= end_of_time_us)
        return lm_error_set(error, LM_DEAD_LETTER, "timestamp",
                            "timestamp %" PRId64 " µs is not in the years 1 to 9999", record->timestamp_us);
    if (record->has_http_status && (record->http_status < INT16_MIN || record->http_status > INT16_MAX))
        return lm_error_set(error, LM_DEAD_LETTER, "http_status", "http_status %" PRId32 " is no status code",
                            record->http_status);
    if (ip.data != NULL && lm_inet_parse(ip.data, ip.len, &record->client_ip) != 0)
        return lm_error_set(error, LM_DEAD_LETTER, "client_ip", "client_ip \"%.*s\" is not an IP address",
                            (int)lm_utf8_cut(ip.data, ip.len, 64), ip.data);
    return 0;
}

int lm_record_complete(struct lm_record *record, enum lm_category category, int64_t kafka_timestamp_us,
                       struct lm_arena *arena, struct lm_error *error)
{
    if (record->has_category && record->category != category)
        return lm_error_set(error, LM_DEAD_LETTER, "category_mismatch",
                            "the record says category %s, its topic is of category %s",
                            lm_category_name(record->category), lm_category_name(category));
    record->category = category;
    record->has_category = true;
    fill_defaults(record, kafka_timestamp_us);
    if (record->text[LM_MESSAGE].len == 0)
        return lm_error_set(error, LM_DEAD_LETTER, "no_message", "the record has no message");
    if (check_texts(record, error) != 0)
        return -1;
    if (settle_metadata(record, error) != 0)
        return -1;
    if (check_numbers(record, error) != 0)
        return -1;
    return settle_duration(record, arena, error);
}
