#include "consumer/batch/copy_row.h"

#include <endian.h>
#include <string.h>

/* Microseconds between 1970, where records count from, and 2000, where PostgreSQL does. */
#define POSTGRES_EPOCH_US INT64_C(946684800000000)
#define COLUMN_COUNT 32
#define TEXT_OID 25
/* PostgreSQL's own numbers for inet's families (src/include/utils/inet.h), on every platform. */
#define PGSQL_AF_INET 2
#define PGSQL_AF_INET6 3

const char co_copy_columns[] =
    "(created_at,category,level,log_type,service,environment,message,host,component,module,event_type,user_"
    "id,"
    "session_id,trace_id,span_id,error_type,error_code,stack_trace,http_status,endpoint,method,duration_ms,"
    "client_ip,page_path,browser,device,tags,metadata,kafka_partition,kafka_offset,ingested_at,pattern)";

/* Everything below writes through a cursor into room reserved beforehand: one capacity check a row, not one a
 * field. */
static char *put_bytes(char *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static char *put_int16(char *at, int16_t value)
{
    uint16_t wire = htobe16((uint16_t)value);
    return put_bytes(at, &wire, sizeof(wire));
}

static char *put_int32(char *at, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    return put_bytes(at, &wire, sizeof(wire));
}

static char *put_int64(char *at, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    return put_bytes(at, &wire, sizeof(wire));
}

static char *put_null(char *at)
{
    return put_int32(at, -1);
}

/* Most texts are short: a copy by two pieces that may overlap costs less than a call. */
static char *put_short(char *at, const char *data, size_t len)
{
    if (len >= 16) {
        put_bytes(at, data, 16);
        put_bytes(at + len - 16, data + len - 16, 16);
    } else if (len >= 8) {
        put_bytes(at, data, 8);
        put_bytes(at + len - 8, data + len - 8, 8);
    } else if (len >= 4) {
        put_bytes(at, data, 4);
        put_bytes(at + len - 4, data + len - 4, 4);
    } else {
        for (size_t i = 0; i < len; i++)
            at[i] = data[i];
    }
    return at + len;
}

static char *put_text(char *at, struct lm_slice text)
{
    if (text.data == NULL)
        return put_null(at);
    at = put_int32(at, (int32_t)text.len);
    return text.len <= 32 ? put_short(at, text.data, text.len) : put_bytes(at, text.data, text.len);
}

static char *put_name(char *at, const char *name)
{
    return put_text(at, (struct lm_slice){name, strlen(name)});
}

static char *put_time(char *at, int64_t us)
{
    at = put_int32(at, 8);
    return put_int64(at, us - POSTGRES_EPOCH_US);
}

static char *put_status(char *at, const struct lm_record *record)
{
    if (!record->has_http_status)
        return put_null(at);
    at = put_int32(at, 2);
    return put_int16(at, (int16_t)record->http_status);
}

static char *put_duration(char *at, const struct lm_record *record)
{
    int64_t bits;
    if (!record->has_duration)
        return put_null(at);
    memcpy(&bits, &record->duration_ms, sizeof(bits));
    at = put_int32(at, 8);
    return put_int64(at, bits);
}

/* An array without elements says no more than NULL and costs every row: NULL is stored. */
static char *put_tags(char *at, const struct lm_record *record)
{
    char *length_at = at;
    if (record->tag_count == 0)
        return put_null(at);
    at = put_int32(at, 0);
    at = put_int32(at, 1); /* dimensions */
    at = put_int32(at, 0); /* no NULL inside */
    at = put_int32(at, TEXT_OID);
    at = put_int32(at, (int32_t)record->tag_count);
    at = put_int32(at, 1); /* lower bound */
    for (size_t i = 0; i < record->tag_count; i++)
        at = put_text(at, record->tags[i]);
    (void)put_int32(length_at, (int32_t)(at - length_at - 4));
    return at;
}

static char *put_metadata(char *at, struct lm_slice metadata)
{
    if (metadata.data == NULL)
        return put_null(at);
    at = put_int32(at, (int32_t)metadata.len + 1);
    *at++ = 1; /* version of jsonb's binary form */
    return put_bytes(at, metadata.data, metadata.len);
}

static char *put_address(char *at, const struct lm_record *record)
{
    const struct lm_inet *inet = &record->client_ip;
    int32_t size = inet->v6 ? 16 : 4;

    if (record->text[LM_CLIENT_IP].data == NULL)
        return put_null(at);
    at = put_int32(at, 4 + size);
    *at++ = inet->v6 ? PGSQL_AF_INET6 : PGSQL_AF_INET;
    *at++ = (char)inet->bits;
    *at++ = 0; /* not a cidr */
    *at++ = (char)size;
    return put_bytes(at, inet->bytes, (size_t)size);
}

size_t co_copy_room(const struct lm_record *record)
{
    size_t room = 2 + COLUMN_COUNT * 4 + 128;
    for (size_t i = 0; i < LM_TEXT_COUNT; i++)
        room += record->text[i].len;
    for (size_t i = 0; i < record->tag_count; i++)
        room += 4 + record->tags[i].len;
    return room;
}

void co_copy_begin(struct lm_buffer *out)
{
    static const char header[CO_COPY_BEGIN_BYTES] =
        "PGCOPY\n\377\r\n\0"; /* flags and extension length are zero */
    lm_buffer_append(out, header, sizeof(header));
}

int co_copy_row(const struct lm_record *record, const struct co_row_extra *extra, struct lm_buffer *out,
                struct lm_error *error)
{
    const struct lm_slice *text = record->text;
    char *at;

    if (lm_buffer_reserve(out, co_copy_room(record)) != 0)
        return lm_error_set(error, LM_RETRY, "memory", "no memory for a row of %zu bytes",
                            co_copy_room(record));
    at = out->data + out->len;
    at = put_int16(at, COLUMN_COUNT);
    at = put_time(at, record->timestamp_us);
    at = put_name(at, lm_category_name(extra->category));
    at = put_name(at, lm_level_name(record->level));
    for (enum lm_text i = LM_LOG_TYPE; i <= LM_STACK_TRACE; i++)
        at = put_text(at, text[i]);
    at = put_status(at, record);
    at = put_text(at, text[LM_ENDPOINT]);
    at = put_text(at, text[LM_METHOD]);
    at = put_duration(at, record);
    at = put_address(at, record);
    at = put_text(at, text[LM_PAGE_PATH]);
    at = put_text(at, text[LM_BROWSER]);
    at = put_text(at, text[LM_DEVICE]);
    at = put_tags(at, record);
    at = put_metadata(at, text[LM_METADATA]);
    at = put_int32(put_int32(at, 4), extra->partition);
    at = put_int64(put_int32(at, 8), extra->offset);
    at = put_time(at, extra->ingested_us);
    at = put_int64(put_int32(at, 8), extra->pattern);
    out->len = (size_t)(at - out->data);
    return 0;
}

static int16_t get_int16(const char *at)
{
    uint16_t wire;
    memcpy(&wire, at, sizeof(wire));
    return (int16_t)be16toh(wire);
}

static int32_t get_int32(const char *at)
{
    uint32_t wire;
    memcpy(&wire, at, sizeof(wire));
    return (int32_t)be32toh(wire);
}

static int64_t get_int64(const char *at)
{
    uint64_t wire;
    memcpy(&wire, at, sizeof(wire));
    return (int64_t)be64toh(wire);
}

void co_copy_read(const char *tuple, struct lm_record *record, int64_t *pattern)
{
    /* Columns by their place in co_copy_columns; texts follow one another as in the record. */
    enum { CREATED_AT, CATEGORY, LEVEL, FIRST_TEXT, DURATION = 21, PATTERN = 31 };
    const enum lm_text last_text = LM_STACK_TRACE;
    int columns = get_int16(tuple);
    const char *at = tuple + 2;

    lm_record_init(record);
    for (int i = 0; i < columns; i++) {
        struct lm_slice field = {at + 4, (size_t)get_int32(at)};
        bool is_null = get_int32(at) < 0;
        at += is_null ? 4 : 4 + field.len;
        if (is_null)
            continue;
        if (i == CREATED_AT) {
            record->timestamp_us = get_int64(field.data) + POSTGRES_EPOCH_US;
        } else if (i == LEVEL) {
            (void)!lm_level_parse(field.data, field.len, &record->level);
        } else if (i >= FIRST_TEXT && i <= FIRST_TEXT + (int)last_text - (int)LM_LOG_TYPE) {
            record->text[LM_LOG_TYPE + i - FIRST_TEXT] = field;
        } else if (i == DURATION) {
            int64_t bits = get_int64(field.data);
            memcpy(&record->duration_ms, &bits, sizeof(bits));
            record->has_duration = true;
        } else if (i == PATTERN) {
            *pattern = get_int64(field.data);
        }
    }
}
