#include "producer/lib/event.h"

#include <math.h>
#include <string.h>

#define METADATA_MAX ((size_t)1 << 20)

static struct lm_slice slice_of(const char *text)
{
    return text ? (struct lm_slice){text, strlen(text)} : (struct lm_slice){0};
}

/* The record's own field of that name, or NULL: message, level and the like have arguments of their own. */
static const struct lm_record_field *known_field(const char *name)
{
    size_t count;
    const struct lm_record_field *fields = lm_record_fields(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

/* True where the field went into the record; false: it belongs under metadata. */
static bool fill_known(struct lm_record *record, const struct lm_record_field *known,
                       const struct logmill_field *field)
{
    switch (known->kind) {
    case LM_FIELD_TEXT:
        if (known->text == LM_MESSAGE || known->text == LM_METADATA || field->type != LOGMILL_FIELD_TEXT) {
            return false;
        }
        record->text[known->text] = slice_of(field->value.text);
        return true;
    case LM_FIELD_HTTP_STATUS:
        if (field->type != LOGMILL_FIELD_INTEGER || field->value.integer < INT16_MIN ||
            field->value.integer > INT16_MAX) {
            return false;
        }
        record->http_status = (int32_t)field->value.integer;
        record->has_http_status = true;
        return true;
    case LM_FIELD_DURATION:
        if (field->type != LOGMILL_FIELD_INTEGER && field->type != LOGMILL_FIELD_NUMBER) {
            return false;
        }
        record->duration_ms =
            field->type == LOGMILL_FIELD_NUMBER ? field->value.number : (double)field->value.integer;
        record->has_duration = true;
        return true;
    default:
        return false;
    }
}

static void append_value(struct lm_buffer *out, const struct logmill_field *field)
{
    switch (field->type) {
    case LOGMILL_FIELD_TEXT:
        lm_buffer_append_json(out, field->value.text, strlen(field->value.text));
        break;
    case LOGMILL_FIELD_INTEGER:
        lm_buffer_printf(out, "%lld", (long long)field->value.integer);
        break;
    case LOGMILL_FIELD_NUMBER:
        if (isfinite(field->value.number)) {
            lm_buffer_printf(out, "%.17g", field->value.number);
        } else {
            lm_buffer_append_text(out, "null");
        }
        break;
    case LOGMILL_FIELD_BOOLEAN:
        lm_buffer_append_text(out, field->value.boolean ? "true" : "false");
        break;
    }
}

/* The record's own fields, its tags, and what has no place of its own as an object, built in `metadata`.
 * LOGMILL_OK, LOGMILL_INVALID or LOGMILL_NOMEM. */
static int fill_fields(struct lm_record *record, const struct pl_event *event, struct lm_arena *arena,
                       struct lm_buffer *metadata)
{
    record->tags = lm_arena_alloc(arena, event->field_count * sizeof(*record->tags));
    if (!record->tags) {
        return LOGMILL_NOMEM;
    }
    for (size_t i = 0; i < event->field_count; i++) {
        const struct logmill_field *field = &event->fields[i];
        const struct lm_record_field *known;

        if (!field->name) {
            return LOGMILL_INVALID;
        }
        if (field->type == LOGMILL_FIELD_TEXT && !field->value.text) {
            continue;
        }
        if (strcmp(field->name, "tag") == 0 && field->type == LOGMILL_FIELD_TEXT) {
            record->tags[record->tag_count++] = slice_of(field->value.text);
            continue;
        }
        known = known_field(field->name);
        if (known && fill_known(record, known, field)) {
            continue;
        }
        lm_buffer_append_char(metadata, metadata->len == 0 ? '{' : ',');
        lm_buffer_append_json(metadata, field->name, strlen(field->name));
        lm_buffer_append_char(metadata, ':');
        append_value(metadata, field);
    }
    if (metadata->len > 0) {
        lm_buffer_append_char(metadata, '}');
        record->text[LM_METADATA].data =
            metadata->failed ? NULL : lm_arena_copy(arena, metadata->data, metadata->len);
        record->text[LM_METADATA].len = metadata->len;
        if (!record->text[LM_METADATA].data) {
            return LOGMILL_NOMEM;
        }
    }
    return LOGMILL_OK;
}

int pl_event_record(const struct pl_event *event, const struct pl_defaults *defaults, struct lm_arena *arena,
                    struct lm_record *record)
{
    struct lm_buffer metadata;
    struct lm_error error;
    int result = LOGMILL_OK;

    if (!event->message || (event->field_count > 0 && !event->fields) || event->category > LOGMILL_TAGGED ||
        event->level > LOGMILL_FATAL) {
        return LOGMILL_INVALID;
    }
    lm_record_init(record);
    record->timestamp_us = event->timestamp_us;
    record->has_timestamp = true;
    record->category = (enum lm_category)event->category;
    record->has_category = true;
    record->level = (enum lm_level)event->level;
    record->text[LM_LOG_TYPE] = slice_of(defaults->log_type);
    record->text[LM_SERVICE] = slice_of(defaults->service);
    record->text[LM_ENVIRONMENT] = slice_of(defaults->environment);
    record->text[LM_HOST] = slice_of(defaults->host);
    record->text[LM_MESSAGE] = slice_of(event->message);
    record->source = defaults->source;
    record->has_source = true;

    if (event->field_count > 0) {
        lm_buffer_init(&metadata, METADATA_MAX);
        result = fill_fields(record, event, arena, &metadata);
        lm_buffer_free(&metadata);
    }
    if (result == LOGMILL_OK &&
        lm_record_complete(record, record->category, event->timestamp_us, arena, &error) != 0) {
        result = error.decision == LM_DEAD_LETTER ? LOGMILL_INVALID : LOGMILL_NOMEM;
    }
    return result;
}
