#include "ctl/dlq/letter.h"

#include "common/clock.h"
#include "common/json_scan.h"
#include "common/kafka/kafka_header.h"
#include "common/record/record_json.h"
#include "ctl/terminal.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_MAX ((size_t)64 << 20)
#define PREVIEW_MAX 100
#define ERROR_MAX 160

void ct_letter_read(const rd_kafka_message_t *message, struct ct_letter *out)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(message, &type), partition, from_ms;

    *out = (struct ct_letter){.message = message,
                              .topic = rd_kafka_topic_name(message->rkt),
                              .partition = message->partition,
                              .offset = message->offset,
                              .time_us = ms > 0 && ms < INT64_MAX / 1000 ? ms * 1000 : 0};
    out->has_origin = lm_kafka_header(message, "dlq.topic", &out->from_topic) &&
                      lm_kafka_header_number(message, "dlq.partition", INT32_MAX, &partition) &&
                      lm_kafka_header_number(message, "dlq.offset", INT64_MAX, &out->from_offset);
    if (out->has_origin)
        out->from_partition = (int32_t)partition;
    if (lm_kafka_header_number(message, "dlq.timestamp", INT64_MAX / 1000, &from_ms))
        out->from_time_us = from_ms * 1000;
    (void)lm_kafka_header(message, "dlq.error.class", &out->class);
    (void)lm_kafka_header(message, "dlq.error.message", &out->text);
    (void)lm_kafka_header(message, "dlq.sqlstate", &out->sqlstate);
    (void)lm_kafka_header(message, "dlq.attempts", &out->attempts);
    (void)lm_kafka_header(message, "dlq.consumer", &out->consumer);
}

int ct_letter_reader_init(struct ct_letter_reader *reader)
{
    *reader = (struct ct_letter_reader){.schemas = lm_schema_set_new()};
    lm_arena_init(&reader->arena, TEXT_MAX);
    lm_buffer_init(&reader->text, 8 * TEXT_MAX);
    lm_buffer_init(&reader->decoded, 8 * TEXT_MAX);
    return reader->schemas == NULL ? -1 : 0;
}

void ct_letter_reader_free(struct ct_letter_reader *reader)
{
    lm_schema_set_free(reader->schemas);
    lm_arena_free(&reader->arena);
    lm_buffer_free(&reader->text);
    lm_buffer_free(&reader->decoded);
}

/* Metadata that is no JSON is written as a string. */
static void check_metadata(struct ct_letter_reader *reader)
{
    struct lm_slice *metadata = &reader->record.text[LM_METADATA];
    struct lm_json_scan scan;
    struct lm_json_value value;

    if (metadata->data == NULL)
        return;
    lm_json_open(&scan, metadata->data, metadata->len);
    if (lm_json_value(&scan, &value, NULL) == 0 && !lm_json_more(&scan))
        return;
    lm_buffer_clear(&reader->decoded);
    lm_buffer_append_json(&reader->decoded, metadata->data, metadata->len);
    metadata->len = reader->decoded.len;
    metadata->data = lm_arena_copy(&reader->arena, reader->decoded.data, reader->decoded.len);
}

/* reader->record; false: *error says why not. */
static bool decode(struct ct_letter_reader *reader, const struct ct_letter *letter, struct lm_error *error)
{
    lm_arena_reset(&reader->arena);
    lm_record_init(&reader->record);
    if (lm_record_decode(reader->schemas, letter->message->payload, letter->message->len, &reader->arena,
                         &reader->record, error) != 0)
        return false;
    check_metadata(reader);
    return true;
}

static void append_time(struct lm_buffer *out, int64_t us)
{
    char time[LM_RFC3339_SIZE];

    if (us == 0) {
        lm_buffer_append_char(out, '-');
        return;
    }
    (void)lm_rfc3339_format(us, time);
    lm_buffer_append_text(out, time);
}

static void append_origin(struct lm_buffer *out, const struct ct_letter *letter)
{
    if (!letter->has_origin) {
        lm_buffer_append_char(out, '-');
        return;
    }
    ct_terminal_append_safe(out, letter->from_topic.data, letter->from_topic.len, 249);
    lm_buffer_printf(out, "/%d@%" PRId64, (int)letter->from_partition, letter->from_offset);
}

/* What the record says; the value as it stands where it cannot be decoded. */
static void append_preview(struct ct_letter_reader *reader, const struct ct_letter *letter,
                           struct lm_buffer *out)
{
    const struct lm_slice *message = &reader->record.text[LM_MESSAGE];
    struct lm_error error;

    if (decode(reader, letter, &error) && message->len > 0)
        ct_terminal_append_safe(out, message->data, message->len, PREVIEW_MAX);
    else if (letter->message->payload == NULL)
        lm_buffer_append_text(out, "(no value)");
    else
        ct_terminal_append_safe(out, letter->message->payload, letter->message->len, PREVIEW_MAX);
}

static void flush(struct lm_buffer *text, FILE *out)
{
    if (text->failed)
        fputs("(no memory for this letter)\n", out);
    else
        (void)!fwrite(text->data, 1, text->len, out);
}

void ct_letter_print_line(struct ct_letter_reader *reader, const struct ct_letter *letter, FILE *out)
{
    struct lm_buffer *text = &reader->text;

    lm_buffer_clear(text);
    append_time(text, letter->time_us);
    lm_buffer_printf(text, "  %s/%d@%" PRId64 "  ", letter->topic, (int)letter->partition, letter->offset);
    append_origin(text, letter);
    lm_buffer_append_text(text, "  ");
    ct_terminal_append_safe(text, letter->class.data, letter->class.len, 40);
    lm_buffer_printf(text, "  %zu B  ", letter->message->len);
    ct_terminal_append_safe(text, letter->text.data, letter->text.len, ERROR_MAX);
    lm_buffer_append_text(text, "  | ");
    append_preview(reader, letter, text);
    lm_buffer_append_char(text, '\n');
    flush(text, out);
}

/* ---- JSON ---- */

static void json_text(struct lm_buffer *out, const char *name, struct lm_slice value)
{
    lm_buffer_printf(out, ",\"%s\":", name);
    if (value.data == NULL)
        lm_buffer_append_text(out, "null");
    else
        lm_buffer_append_json(out, value.data, value.len);
}

static void json_time(struct lm_buffer *out, int64_t us)
{
    char time[LM_RFC3339_SIZE];

    if (us == 0)
        lm_buffer_append_text(out, "null");
    else
        lm_buffer_append_json(out, time, lm_rfc3339_format(us, time));
}

static void append_hex(struct lm_buffer *out, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    if (lm_buffer_reserve(out, 2 * len) != 0)
        return;
    for (size_t i = 0; i < len; i++) {
        out->data[out->len++] = digits[bytes[i] >> 4];
        out->data[out->len++] = digits[bytes[i] & 15];
    }
}

static void json_bytes(struct lm_buffer *out, const char *name, const void *bytes, size_t len)
{
    lm_buffer_printf(out, ",\"%s\":", name);
    if (bytes == NULL) {
        lm_buffer_append_text(out, "null");
        return;
    }
    lm_buffer_append_char(out, '"');
    append_hex(out, bytes, len);
    lm_buffer_append_char(out, '"');
}

/* The headers as [[name, value] …]: a name may stand there twice. */
static void json_headers(struct lm_buffer *out, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;

    lm_buffer_append_text(out, ",\"headers\":[");
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++) {
            lm_buffer_append_text(out, i > 0 ? ",[" : "[");
            lm_buffer_append_json(out, name, strlen(name));
            lm_buffer_append_char(out, ',');
            if (value == NULL)
                lm_buffer_append_text(out, "null");
            else
                lm_buffer_append_json(out, value, size);
            lm_buffer_append_char(out, ']');
        }
    }
    lm_buffer_append_char(out, ']');
}

void ct_letter_print_json(struct ct_letter_reader *reader, const struct ct_letter *letter, bool whole,
                          FILE *out)
{
    const rd_kafka_message_t *message = letter->message;
    struct lm_buffer *text = &reader->text;
    struct lm_error error;

    lm_buffer_clear(text);
    lm_buffer_printf(text,
                     "{\"topic\":\"%s\",\"partition\":%d,\"offset\":%" PRId64 ",\"time\":", letter->topic,
                     (int)letter->partition, letter->offset);
    json_time(text, letter->time_us);
    lm_buffer_append_text(text, ",\"record\":");
    if (letter->has_origin) {
        lm_buffer_append_text(text, "{\"topic\":");
        lm_buffer_append_json(text, letter->from_topic.data, letter->from_topic.len);
        lm_buffer_printf(text,
                         ",\"partition\":%d,\"offset\":%" PRId64 ",\"time\":", (int)letter->from_partition,
                         letter->from_offset);
        json_time(text, letter->from_time_us);
        lm_buffer_append_char(text, '}');
    } else {
        lm_buffer_append_text(text, "null");
    }
    json_text(text, "class", letter->class);
    json_text(text, "error", letter->text);
    json_text(text, "sqlstate", letter->sqlstate);
    json_text(text, "attempts", letter->attempts);
    json_text(text, "consumer", letter->consumer);
    lm_buffer_printf(text, ",\"key_bytes\":%zu,\"value_bytes\":%zu", message->key_len, message->len);
    if (whole) {
        json_headers(text, message);
        json_bytes(text, "key", message->key, message->key_len);
        json_bytes(text, "value", message->payload, message->len);
    }
    lm_buffer_append_text(text, ",\"decoded\":");
    if (decode(reader, letter, &error))
        lm_record_write_json(&reader->record, text);
    else
        lm_buffer_append_text(text, "null");
    lm_buffer_append_text(text, "}\n");
    flush(text, out);
}

/* ---- the whole letter ---- */

static void append_dump(struct lm_buffer *out, const unsigned char *bytes, size_t len)
{
    for (size_t at = 0; at < len; at += 16) {
        lm_buffer_printf(out, "  %08zx ", at);
        for (size_t i = at; i < at + 16; i++) {
            if (i < len)
                lm_buffer_printf(out, " %02x", bytes[i]);
            else
                lm_buffer_append_text(out, "   ");
        }
        lm_buffer_append_text(out, "  |");
        for (size_t i = at; i < at + 16 && i < len; i++)
            lm_buffer_append_char(out, bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.');
        lm_buffer_append_text(out, "|\n");
    }
}

static void append_headers(struct lm_buffer *out, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    lm_buffer_append_text(out, "headers\n");
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++) {
        lm_buffer_append_text(out, "  ");
        ct_terminal_append_safe(out, name, strlen(name), SIZE_MAX);
        lm_buffer_append_text(out, ": ");
        ct_terminal_append_safe(out, value, value != NULL ? size : 0, SIZE_MAX);
        lm_buffer_append_char(out, '\n');
    }
}

void ct_letter_print_whole(struct ct_letter_reader *reader, const struct ct_letter *letter, FILE *out)
{
    const rd_kafka_message_t *message = letter->message;
    struct lm_buffer *text = &reader->text;
    struct lm_error error;

    lm_buffer_clear(text);
    lm_buffer_printf(text, "%s/%d@%" PRId64 ", written ", letter->topic, (int)letter->partition,
                     letter->offset);
    append_time(text, letter->time_us);
    lm_buffer_append_text(text, "\nrecord   ");
    append_origin(text, letter);
    lm_buffer_append_text(text, ", Kafka time ");
    append_time(text, letter->from_time_us);
    lm_buffer_append_text(text, "\nerror    ");
    ct_terminal_append_safe(text, letter->class.data, letter->class.len, SIZE_MAX);
    lm_buffer_append_text(text, ": ");
    ct_terminal_append_safe(text, letter->text.data, letter->text.len, SIZE_MAX);
    lm_buffer_append_char(text, '\n');
    append_headers(text, message);
    lm_buffer_printf(text, message->key == NULL ? "key: none\n" : "key, %zu bytes\n", message->key_len);
    append_dump(text, message->key, message->key_len);
    lm_buffer_printf(text, message->payload == NULL ? "value: none\n" : "value, %zu bytes\n", message->len);
    append_dump(text, message->payload, message->len);
    if (decode(reader, letter, &error)) {
        lm_buffer_append_text(text, "decoded\n  ");
        lm_buffer_clear(&reader->decoded);
        lm_record_write_json(&reader->record, &reader->decoded);
        ct_terminal_append_safe(text, reader->decoded.data, reader->decoded.len, SIZE_MAX);
        lm_buffer_append_char(text, '\n');
    } else {
        lm_buffer_append_text(text, "cannot be decoded: ");
        ct_terminal_append_safe(text, error.text, strlen(error.text), SIZE_MAX);
        lm_buffer_append_char(text, '\n');
    }
    flush(text, out);
}
