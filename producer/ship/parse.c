#include "producer/ship/parse.h"

#include "common/clock.h"
#include "common/record/record_json.h"
#include "common/utf8.h"
#include "producer/ship/log4j.h"

#include <string.h>

#define REPAIRED_MAX ((size_t)900000)

static struct lm_slice slice_of(const char *text)
{
    return text && *text ? (struct lm_slice){text, strlen(text)} : (struct lm_slice){0};
}

/* The text itself where it is valid, else a repaired copy in the arena. data NULL: the arena is full. A copy
 * that would outgrow a Kafka message gets a "?" for each bad byte instead. */
static struct lm_slice repaired(struct lm_slice text, struct lm_arena *arena)
{
    const char *replacement = "\xEF\xBF\xBD";
    size_t grown = strlen(replacement), used = 0, at = 0;
    char *copy;

    if (lm_utf8_check(text.data, text.len) == LM_UTF8_OK) {
        return text;
    }
    if (text.len > REPAIRED_MAX / grown) {
        replacement = "?";
        grown = 1;
    }
    copy = lm_arena_alloc(arena, text.len * grown + 1);
    if (!copy) {
        return (struct lm_slice){0};
    }
    while (at < text.len) {
        size_t len = text.data[at] == '\0' ? 0 : lm_utf8_sequence(text.data + at, text.len - at);

        if (len == 0) {
            memcpy(copy + used, replacement, grown);
            used += grown;
            at++;
        } else {
            memcpy(copy + used, text.data + at, len);
            used += len;
            at += len;
        }
    }
    return (struct lm_slice){copy, used};
}

static struct lm_slice trimmed(struct lm_slice text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

static void read_plain(struct lm_slice text, struct lm_record *record)
{
    lm_record_init(record);
    record->text[LM_MESSAGE] = trimmed(text);
}

static void read_log4j(struct lm_slice text, bool utc, struct lm_record *record)
{
    const char *newline = memchr(text.data, '\n', text.len);
    size_t first = newline ? (size_t)(newline - text.data) : text.len;
    struct lm_slice rest = trimmed((struct lm_slice){text.data + first, text.len - first});
    struct sh_log4j line;

    read_plain(text, record);
    if (sh_log4j_parse(text.data, first, utc, &line) != 0) {
        return;
    }
    record->timestamp_us = line.timestamp_us;
    record->has_timestamp = true;
    if (line.has_level) {
        record->level = line.level;
    }
    record->text[LM_COMPONENT] = line.logger;
    record->text[LM_MODULE] = line.thread;
    line.message = trimmed(line.message);
    if (line.message.len > 0) {
        record->text[LM_MESSAGE] = line.message;
    }
    if (rest.len > 1) {
        rest.data++; /* the line feed */
        rest.len--;
        record->text[LM_STACK_TRACE] = rest;
        record->text[LM_ERROR_TYPE] = sh_log4j_exception(rest.data, rest.len);
        if (record->text[LM_ERROR_TYPE].len > 255) {
            record->text[LM_ERROR_TYPE] = (struct lm_slice){0};
        }
    }
}

/* A JSON object with a message is a record; any other line is its own message. */
static int read_json(struct lm_slice text, struct lm_arena *arena, struct lm_record *record,
                     struct lm_error *error)
{
    if (lm_record_decode_json(text.data, text.len, arena, record, error) != 0) {
        if (error->decision != LM_DEAD_LETTER) {
            return -1;
        }
        read_plain(text, record);
        return 0;
    }
    record->text[LM_MESSAGE] = trimmed(record->text[LM_MESSAGE]);
    if (record->text[LM_MESSAGE].len == 0) {
        record->text[LM_MESSAGE] = trimmed(text);
    }
    return 0;
}

static int add_tags(const struct sh_labels *labels, struct lm_arena *arena, struct lm_record *record)
{
    size_t count = record->tag_count + labels->tags->count;
    struct lm_slice *tags;

    if (labels->tags->count == 0) {
        return 0;
    }
    tags = lm_arena_alloc(arena, count * sizeof(*tags));
    if (!tags) {
        return -1;
    }
    if (record->tag_count > 0) {
        memcpy(tags, record->tags, record->tag_count * sizeof(*tags));
    }
    for (size_t i = 0; i < labels->tags->count; i++) {
        tags[record->tag_count + i] = slice_of(labels->tags->items[i]);
    }
    record->tags = tags;
    record->tag_count = count;
    return 0;
}

static void default_text(struct lm_record *record, enum lm_text field, const char *text)
{
    if (record->text[field].len == 0) {
        record->text[field] = slice_of(text);
    }
}

/* The file it came from, under metadata; a "file" that the record has itself wins. */
static int add_file(const struct sh_labels *labels, struct lm_arena *arena, struct lm_record *record)
{
    struct lm_buffer json;
    struct lm_slice value;
    char *copy = NULL;

    if (!labels->path) {
        return 0;
    }
    lm_buffer_init(&json, 6 * strlen(labels->path) + 2);
    lm_buffer_append_json(&json, labels->path, strlen(labels->path));
    if (!json.failed) {
        copy = lm_arena_copy(arena, json.data, json.len);
    }
    value = (struct lm_slice){copy, json.len};
    lm_buffer_free(&json);
    return copy ? lm_record_add_metadata(record, LM_SLICE("\"file\""), value, arena) : -1;
}

int sh_parse(const struct sh_entry *entry, const struct sh_labels *labels, struct lm_arena *arena,
             struct lm_record *record, struct lm_error *error)
{
    struct lm_slice text = repaired(entry->text, arena);

    if (!text.data) {
        return lm_error_set(error, LM_RETRY, "memory", "no memory for a record of %zu bytes",
                            entry->text.len);
    }
    if (entry->format == SH_JSON && read_json(text, arena, record, error) != 0) {
        return -1;
    }
    if (entry->format == SH_LOG4J) {
        read_log4j(text, labels->utc, record);
    } else if (entry->format == SH_PLAIN || entry->format == SH_AUTO) {
        read_plain(text, record);
    }
    record->category = labels->category;
    record->has_category = true;
    record->has_source = record->has_sequence = false; /* the shipper's own stream, not the line's */
    default_text(record, LM_SERVICE, labels->service);
    default_text(record, LM_ENVIRONMENT, labels->environment);
    default_text(record, LM_LOG_TYPE, labels->log_type);
    default_text(record, LM_HOST, labels->host);
    if (add_tags(labels, arena, record) != 0 || add_file(labels, arena, record) != 0) {
        return lm_error_set(error, LM_RETRY, "memory", "no memory for a record of %zu bytes",
                            entry->text.len);
    }
    if (lm_record_complete(record, labels->category, lm_clock_wall_us(), arena, error) == 0) {
        return 0;
    }
    if (error->decision != LM_DEAD_LETTER || entry->format == SH_PLAIN) {
        return -1;
    }
    /* What the line says of itself cannot be stored (an over-long service, a wrong category …): keep the
     * line. */
    struct sh_entry plain = *entry;
    plain.format = SH_PLAIN;
    return sh_parse(&plain, labels, arena, record, error);
}
