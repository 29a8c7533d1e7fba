#include "common/record/record_json.h"

#include "common/clock.h"
#include "common/json_number.h"
#include "common/json_scan.h"
#include "common/record/record_avro.h"
#include "common/record/record_names.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NO_RANK = 255, UNKNOWN_START = 32 };

/* A member as it was written: the key with its quotes. */
struct member {
    struct lm_slice key, value;
};

struct decoding {
    struct lm_record *record;
    struct lm_arena *arena;
    struct lm_error *error;
    uint8_t rank[LM_SLOT_COUNT];         /* of the name that fills the slot, NO_RANK while none does */
    struct member filled[LM_SLOT_COUNT]; /* by what, where that is a name of others */
    struct member *unknown;              /* what goes under metadata */
    size_t unknown_count, unknown_room, unknown_bytes;
    struct member start[UNKNOWN_START];
};

enum verdict { UNUSABLE, USED, FAILED };

static int out_of_room(struct lm_error *error)
{
    return lm_error_set(error, LM_RETRY, "memory", "no room left to decode a JSON record");
}

static int keep_unknown(struct decoding *d, const struct member *member)
{
    if (d->unknown_count == d->unknown_room) {
        struct member *larger = lm_arena_alloc(d->arena, 2 * d->unknown_room * sizeof *larger);
        if (larger == NULL)
            return out_of_room(d->error);
        memcpy(larger, d->unknown, d->unknown_count * sizeof *larger);
        d->unknown = larger;
        d->unknown_room *= 2;
    }
    d->unknown[d->unknown_count++] = *member;
    d->unknown_bytes += member->key.len + member->value.len + 2;
    return 0;
}

/* The text of a string, or the number or boolean as it is written. */
static enum verdict scalar_text(struct decoding *d, const struct lm_json_value *value, struct lm_slice *out)
{
    if (value->type == LM_JSON_STRING)
        return lm_json_string(value, d->arena, out, d->error) == 0 ? USED : FAILED;
    if (value->type == LM_JSON_OBJECT || value->type == LM_JSON_ARRAY || value->type == LM_JSON_NULL)
        return UNUSABLE;
    *out = value->raw;
    return USED;
}

/* The text of a number, or of a string that holds one: 64-bit numbers come as strings where numbers are
 * doubles. */
static enum verdict number_text(struct decoding *d, const struct lm_json_value *value, struct lm_slice *out)
{
    if (value->type != LM_JSON_NUMBER && value->type != LM_JSON_STRING)
        return UNUSABLE;
    enum verdict verdict = scalar_text(d, value, out);
    if (verdict == USED && value->type == LM_JSON_STRING && !lm_json_is_number(out->data, out->len))
        return UNUSABLE;
    return verdict;
}

static bool ends_with(struct lm_slice text, struct lm_slice end)
{
    return text.len > end.len && memcmp(text.data + text.len - end.len, end.data, end.len) == 0;
}

/* RFC 3339, or with the name of a zone that is the same everywhere, as PostgreSQL's log writes it. */
static int time_of_text(struct lm_slice text, int64_t *us)
{
    static const struct {
        struct lm_slice name;
        int hours;
    } zones[] = {{{" UTC", 4}, 0}, {{" GMT", 4}, 0}, {{" KST", 4}, 9}, {{" JST", 4}, 9}};

    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        if (!ends_with(text, zones[i].name))
            continue;
        if (lm_rfc3339_parse(text.data, text.len - zones[i].name.len, us, NULL) != 0)
            return -1;
        *us -= zones[i].hours * LM_HOUR_US;
        return 0;
    }
    return lm_rfc3339_parse(text.data, text.len, us, NULL);
}

/* Seconds below 1e11, then ms, µs and ns, each a thousand times larger. By the digits: a double of seconds is
 * off by a quarter of a microsecond already. Zero is "unknown" to those who count (OTLP). */
static int time_of_number(struct lm_slice number, int64_t *us)
{
    int64_t whole;

    if (lm_json_scaled(number, 0, &whole) != 0)
        return -1;
    uint64_t magnitude = whole < 0 ? 0 - (uint64_t)whole : (uint64_t)whole;
    int shift = magnitude < UINT64_C(100000000000)         ? 6
                : magnitude < UINT64_C(100000000000000)    ? 3
                : magnitude < UINT64_C(100000000000000000) ? 0
                                                           : -3;
    return lm_json_scaled(number, shift, us) != 0 || *us == 0 ? -1 : 0;
}

static enum verdict read_time(struct decoding *d, const struct lm_json_value *value, bool own)
{
    struct lm_slice text;
    int64_t us; /* a time that does not fit must not disturb the one already found */
    enum verdict verdict = number_text(d, value, &text);
    int result;

    if (verdict == FAILED)
        return FAILED;
    if (verdict == USED)
        result = own ? lm_json_scaled(text, 0, &us) : time_of_number(text, &us);
    else
        result = value->type == LM_JSON_STRING ? time_of_text(text, &us) : -1;
    if (result == 0) {
        d->record->timestamp_us = us;
        d->record->has_timestamp = true;
        return USED;
    }
    if (!own)
        return UNUSABLE;
    (void)lm_error_set(d->error, LM_DEAD_LETTER, "timestamp",
                       "timestamp %.*s is neither RFC 3339 nor microseconds since 1970",
                       value->raw.len > 64 ? 64 : (int)value->raw.len, value->raw.data);
    return FAILED;
}

static enum verdict read_category(struct decoding *d, const struct lm_json_value *value)
{
    struct lm_slice text;
    enum verdict verdict = scalar_text(d, value, &text);

    if (verdict != USED)
        return verdict;
    if (lm_category_parse(text.data, text.len, &d->record->category) != 0)
        return UNUSABLE;
    d->record->has_category = true;
    return USED;
}

static int level_of_syslog(int64_t number, enum lm_level *out)
{
    static const enum lm_level levels[8] = {LM_LEVEL_FATAL, LM_LEVEL_FATAL, LM_LEVEL_FATAL, LM_ERROR,
                                            LM_WARN,        LM_INFO,        LM_INFO,        LM_DEBUG};

    if (number < 0 || number > 191) /* 23 facilities */
        return -1;
    *out = levels[number % 8];
    return 0;
}

static int level_of_number(int64_t number, enum lm_record_reading reading, enum lm_level *out)
{
    static const enum lm_level tens[7] = {LM_DEBUG, LM_DEBUG, LM_DEBUG,      LM_INFO,
                                          LM_WARN,  LM_ERROR, LM_LEVEL_FATAL};
    static const enum lm_level python[6] = {LM_DEBUG, LM_DEBUG, LM_INFO, LM_WARN, LM_ERROR, LM_LEVEL_FATAL};
    static const enum lm_level otlp[6] = {LM_DEBUG, LM_DEBUG, LM_INFO, LM_WARN, LM_ERROR, LM_LEVEL_FATAL};

    if (reading == LM_READ_SYSLOG_LEVEL || (reading == LM_READ_LEVEL && number >= 0 && number < 8))
        return level_of_syslog(number, out);
    if (number < 1 || (reading == LM_READ_OTLP_LEVEL && number > 24) || number >= 70 ||
        (reading == LM_READ_LEVEL && number < 10) || (reading == LM_READ_PYTHON_LEVEL && number >= 60))
        return -1;
    if (reading == LM_READ_OTLP_LEVEL)
        *out = otlp[(number - 1) / 4];
    else
        *out = reading == LM_READ_PYTHON_LEVEL ? python[number / 10] : tens[number / 10];
    return 0;
}

static enum verdict read_level(struct decoding *d, const struct lm_json_value *value,
                               enum lm_record_reading reading)
{
    struct lm_slice text;
    int64_t number;
    enum verdict verdict = number_text(d, value, &text);

    if (verdict == FAILED)
        return FAILED;
    if (verdict == USED) {
        bool known =
            lm_json_int64(text, &number) == 0 && level_of_number(number, reading, &d->record->level) == 0;
        return known ? USED : UNUSABLE;
    }
    if (value->type != LM_JSON_STRING)
        return UNUSABLE;
    while (text.len > 0 && text.data[text.len - 1] == ' ') /* padded for a column */
        text.len--;
    return lm_level_parse(text.data, text.len, &d->record->level) == 0 ? USED : UNUSABLE;
}

static enum verdict read_text(struct decoding *d, const struct lm_json_value *value,
                              const struct lm_record_name *name)
{
    struct lm_slice text, unescaped;
    struct lm_inet address;
    enum lm_record_reading reading = (enum lm_record_reading)name->reading;

    if (value->type == LM_JSON_STRING) {
        if (lm_json_string(value, d->arena, &unescaped, d->error) != 0)
            return FAILED;
        text = unescaped;
    } else if (reading != LM_READ_OWN_MESSAGE &&
               (reading != LM_READ_TEXT || value->type == LM_JSON_OBJECT || value->type == LM_JSON_ARRAY)) {
        return UNUSABLE;
    } else {
        text = value->raw;
    }
    if (reading == LM_READ_LINE) {
        text.len -= text.len > 0 && text.data[text.len - 1] == '\n';
        text.len -= text.len > 0 && text.data[text.len - 1] == '\r';
    }
    if (text.len == 0 && (name->rank > 0 || name->slot == LM_MESSAGE))
        return UNUSABLE;
    if (reading == LM_READ_ADDRESS && lm_inet_parse(text.data, text.len, &address) != 0)
        return UNUSABLE;
    d->record->text[name->slot] = text;
    return USED;
}

/* A source is 64 bits; who counts them unsigned writes the upper half as larger numbers. */
static int integer_of(struct lm_slice text, bool source, int64_t *out)
{
    uint64_t value = 0;

    if (lm_json_int64(text, out) == 0)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!source || text.data[i] < '0' || text.data[i] > '9' ||
            __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
            return -1;
    }
    *out = (int64_t)value;
    return 0;
}

static enum verdict read_integer(struct decoding *d, const struct lm_json_value *value,
                                 const struct lm_record_name *name)
{
    struct lm_slice text;
    int64_t number;
    enum verdict verdict = number_text(d, value, &text);

    if (verdict != USED)
        return verdict;
    if (integer_of(text, name->slot == LM_SLOT_SOURCE, &number) != 0)
        return UNUSABLE;
    if (name->reading == LM_READ_STATUS && (number < 100 || number > 599))
        return UNUSABLE;
    if (name->slot == LM_SLOT_SOURCE) {
        d->record->has_source = true;
        d->record->source = number;
    } else if (name->slot == LM_SLOT_SEQUENCE) {
        d->record->has_sequence = true;
        d->record->sequence = number;
    } else if (number >= INT32_MIN && number <= INT32_MAX) {
        d->record->has_http_status = true;
        d->record->http_status = (int32_t)number;
    } else {
        return UNUSABLE;
    }
    return USED;
}

static enum verdict read_duration(struct decoding *d, const struct lm_json_value *value)
{
    struct lm_slice text;
    enum verdict verdict = number_text(d, value, &text);

    if (verdict != USED)
        return verdict;
    d->record->has_duration = true;
    d->record->duration_ms = lm_json_double(text);
    return USED;
}

static enum verdict read_tags(struct decoding *d, const struct lm_json_value *value)
{
    struct lm_json_scan scan;
    struct lm_json_value element;
    size_t count = 0;

    if (value->type != LM_JSON_ARRAY && value->type != LM_JSON_STRING)
        return UNUSABLE;
    if (value->type == LM_JSON_ARRAY) {
        lm_json_enter(&scan, value);
        while (lm_json_element(&scan, &element, d->error) == 1) {
            if (element.type == LM_JSON_OBJECT || element.type == LM_JSON_ARRAY)
                return UNUSABLE;
            count += element.type != LM_JSON_NULL;
        }
    } else {
        element = *value;
        count = 1;
    }
    struct lm_slice *tags = lm_arena_alloc(d->arena, count * sizeof *tags);
    if (tags == NULL) {
        (void)out_of_room(d->error);
        return FAILED;
    }
    lm_json_enter(&scan, value);
    for (size_t i = 0; i < count;) {
        if (value->type == LM_JSON_ARRAY && lm_json_element(&scan, &element, d->error) != 1)
            return FAILED;
        if (element.type == LM_JSON_NULL)
            continue;
        if (scalar_text(d, &element, &tags[i]) == FAILED)
            return FAILED;
        i++;
    }
    d->record->tags = tags;
    d->record->tag_count = count;
    return USED;
}

static enum verdict read_metadata(struct decoding *d, const struct lm_json_value *value)
{
    struct lm_slice text = value->raw;

    if (value->type == LM_JSON_STRING) {
        if (lm_json_string(value, d->arena, &text, d->error) != 0)
            return FAILED;
        if (text.len > 0 && lm_json_check_object(text.data, text.len, d->error) != 0)
            return FAILED;
    } else if (value->type != LM_JSON_OBJECT) {
        (void)lm_error_set(d->error, LM_DEAD_LETTER, "metadata", "metadata is not a JSON object");
        return FAILED;
    }
    d->record->text[LM_METADATA] = text;
    return USED;
}

static enum verdict read_value(struct decoding *d, const struct lm_record_name *name,
                               const struct lm_json_value *value)
{
    switch ((enum lm_record_reading)name->reading) {
    case LM_READ_OWN_TIME:
    case LM_READ_TIME:
        return read_time(d, value, name->reading == LM_READ_OWN_TIME);
    case LM_READ_CATEGORY:
        return read_category(d, value);
    case LM_READ_LEVEL:
    case LM_READ_OTLP_LEVEL:
    case LM_READ_PYTHON_LEVEL:
    case LM_READ_SYSLOG_LEVEL:
        return read_level(d, value, (enum lm_record_reading)name->reading);
    case LM_READ_STATUS:
    case LM_READ_INTEGER:
        return read_integer(d, value, name);
    case LM_READ_NUMBER:
        return read_duration(d, value);
    case LM_READ_TAGS:
        return read_tags(d, value);
    case LM_READ_METADATA:
        return read_metadata(d, value);
    case LM_READ_OWN_MESSAGE:
    case LM_READ_STRING:
    case LM_READ_LINE:
    case LM_READ_TEXT:
    case LM_READ_ADDRESS:
        break;
    }
    return read_text(d, value, name);
}

/* What lm_json_member has just written word by word cannot be copied in one piece without waiting for it: a
 * member is put together only where it is kept. */
static struct member member_of(const struct lm_json_value *key, const struct lm_json_value *value)
{
    return (struct member){key->raw, value->raw};
}

static int keep_unknown_member(struct decoding *d, const struct lm_json_value *key,
                               const struct lm_json_value *value)
{
    struct member member = member_of(key, value);

    return keep_unknown(d, &member);
}

static int take_member(struct decoding *d, const struct lm_json_value *key, const struct lm_json_value *value)
{
    struct lm_slice text;

    if (lm_json_string(key, d->arena, &text, d->error) != 0)
        return -1;
    const struct lm_record_name *name = lm_record_name_find(text.data, text.len);
    if (name == NULL)
        return keep_unknown_member(d, key, value);
    if (value->type == LM_JSON_NULL)
        return 0;
    uint8_t rank = d->rank[name->slot];
    if (rank < name->rank)
        return keep_unknown_member(d, key, value);
    enum verdict verdict = read_value(d, name, value);
    if (verdict != USED)
        return verdict == FAILED ? -1 : keep_unknown_member(d, key, value);
    if (rank != NO_RANK && rank != name->rank && keep_unknown(d, &d->filled[name->slot]) != 0)
        return -1;
    d->rank[name->slot] = name->rank;
    if (name->rank > 0) /* our own name gives way to none */
        d->filled[name->slot] = member_of(key, value);
    return 0;
}

/* The unknown members in front of what the record's own metadata holds. */
static int merge_metadata(struct decoding *d)
{
    if (d->unknown_count == 0)
        return 0;
    char *text = lm_arena_alloc(d->arena, d->unknown_bytes);
    if (text == NULL)
        return out_of_room(d->error);
    /* "key":value,"key":value — the first key and the last value are what lm_record_add_metadata wants apart.
     */
    char *p = text, *first_value = text;
    for (size_t i = 0; i < d->unknown_count; i++) {
        if (i > 0)
            *p++ = ',';
        p = mempcpy(p, d->unknown[i].key.data, d->unknown[i].key.len);
        if (i == 0)
            first_value = p + 1;
        *p++ = ':';
        p = mempcpy(p, d->unknown[i].value.data, d->unknown[i].value.len);
    }
    struct lm_slice key = {text, d->unknown[0].key.len};
    struct lm_slice rest = {first_value, (size_t)(p - first_value)};
    return lm_record_add_metadata(d->record, key, rest, d->arena) == 0 ? 0 : out_of_room(d->error);
}

int lm_record_decode_json(const char *data, size_t len, struct lm_arena *arena, struct lm_record *record,
                          struct lm_error *error)
{
    struct decoding d; /* two arrays of it are large and are filled as they are needed */
    struct lm_json_scan scan;
    struct lm_json_value key, value;
    int more;

    d.record = record;
    d.arena = arena;
    d.error = error;
    d.unknown = d.start;
    d.unknown_room = UNKNOWN_START;
    d.unknown_count = d.unknown_bytes = 0;
    memset(d.rank, NO_RANK, sizeof d.rank);
    lm_record_init(record);
    lm_json_open(&scan, data, len);
    if (lm_json_begin_object(&scan, error) != 0)
        return -1;
    while ((more = lm_json_member(&scan, &key, &value, error)) == 1) {
        if (take_member(&d, &key, &value) != 0)
            return -1;
    }
    if (more != 0)
        return -1;
    if (lm_json_more(&scan))
        return lm_error_set(error, LM_DEAD_LETTER, "json", "JSON: text behind the object at byte %zu",
                            (size_t)(scan.at - scan.start));
    return merge_metadata(&d);
}

int lm_record_decode(const struct lm_schema_set *set, const void *data, size_t len, struct lm_arena *arena,
                     struct lm_record *record, struct lm_error *error)
{
    const unsigned char *bytes = data;
    struct lm_json_scan scan;

    if (len == 0)
        return lm_error_set(error, LM_DEAD_LETTER, "empty", "the message has no value");
    if (bytes[0] == 0xC3 && (len == 1 || bytes[1] == 0x01))
        return lm_record_decode_avro(set, data, len, arena, record, error);
    if (bytes[0] == 0x00)
        return lm_record_decode_registered(set, data, len, arena, record, error);
    lm_json_open(&scan, data, len);
    if (lm_json_more(&scan) && *scan.at == '{')
        return lm_record_decode_json(data, len, arena, record, error);
    return lm_error_set(error, LM_DEAD_LETTER, "not_a_record",
                        "neither Avro single-object encoding nor a JSON object: it starts with byte 0x%02x",
                        bytes[0]);
}

/* ---- writing ---- */

static void write_tags(const struct lm_record *record, struct lm_buffer *out)
{
    lm_buffer_append_char(out, '[');
    for (size_t i = 0; i < record->tag_count; i++) {
        if (i > 0)
            lm_buffer_append_char(out, ',');
        lm_buffer_append_json(out, record->tags[i].data, record->tags[i].len);
    }
    lm_buffer_append_char(out, ']');
}

static bool has_field(const struct lm_record *record, const struct lm_record_field *field)
{
    switch (field->kind) {
    case LM_FIELD_TIMESTAMP:
        return record->has_timestamp;
    case LM_FIELD_CATEGORY:
        return record->has_category;
    case LM_FIELD_LEVEL:
        return true;
    case LM_FIELD_TEXT:
        return record->text[field->text].data != NULL;
    case LM_FIELD_HTTP_STATUS:
        return record->has_http_status;
    case LM_FIELD_DURATION:
        return record->has_duration && isfinite(record->duration_ms);
    case LM_FIELD_TAGS:
        return record->tag_count > 0;
    case LM_FIELD_SOURCE:
        return record->has_source;
    case LM_FIELD_SEQUENCE:
        return record->has_sequence;
    }
    return false;
}

static void write_field(const struct lm_record *record, const struct lm_record_field *field,
                        struct lm_buffer *out)
{
    const char *name;

    switch (field->kind) {
    case LM_FIELD_TIMESTAMP:
        lm_buffer_printf(out, "%" PRId64, record->timestamp_us);
        return;
    case LM_FIELD_CATEGORY:
        name = lm_category_name(record->category);
        lm_buffer_append_json(out, name, strlen(name));
        return;
    case LM_FIELD_LEVEL:
        name = lm_level_name(record->level);
        lm_buffer_append_json(out, name, strlen(name));
        return;
    case LM_FIELD_TEXT:
        if (field->text == LM_METADATA)
            lm_buffer_append(out, record->text[LM_METADATA].data, record->text[LM_METADATA].len);
        else
            lm_buffer_append_json(out, record->text[field->text].data, record->text[field->text].len);
        return;
    case LM_FIELD_HTTP_STATUS:
        lm_buffer_printf(out, "%" PRId32, record->http_status);
        return;
    case LM_FIELD_DURATION:
        lm_buffer_printf(out, "%.17g", record->duration_ms);
        return;
    case LM_FIELD_TAGS:
        write_tags(record, out);
        return;
    case LM_FIELD_SOURCE:
        lm_buffer_printf(out, "%" PRId64, record->source);
        return;
    case LM_FIELD_SEQUENCE:
        lm_buffer_printf(out, "%" PRId64, record->sequence);
        return;
    }
}

void lm_record_write_json(const struct lm_record *record, struct lm_buffer *out)
{
    size_t count;
    const struct lm_record_field *fields = lm_record_fields(&count);
    bool first = true;

    lm_buffer_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (!has_field(record, &fields[i]))
            continue;
        lm_buffer_append_text(out, first ? "\"" : ",\"");
        lm_buffer_append_text(out, fields[i].name);
        lm_buffer_append_text(out, "\":");
        write_field(record, &fields[i], out);
        first = false;
    }
    lm_buffer_append_char(out, '}');
}
