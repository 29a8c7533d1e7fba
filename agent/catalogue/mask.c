#include "agent/catalogue/mask.h"

#include <stdlib.h>
#include <string.h>

#define METADATA "metadata."

struct ag_mask {
    char **columns; /* NULL at the end */
    char **keys;    /* of metadata */
};

static const char *const columns[] = {"message",    "log_type",    "host",        "component",   "module",
                                      "event_type", "user_id",     "session_id",  "trace_id",    "span_id",
                                      "error_type", "error_code",  "stack_trace", "http_status", "endpoint",
                                      "method",     "duration_ms", "client_ip",   "page_path",   "browser",
                                      "device",     "tags",        "metadata"};

static bool has(char *const *list, const char *name)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_column(const char *name)
{
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        if (strcmp(columns[i], name) == 0) {
            return true;
        }
    }
    return false;
}

void ag_mask_free(struct ag_mask *mask)
{
    if (mask == NULL) {
        return;
    }
    for (size_t i = 0; mask->columns != NULL && mask->columns[i] != NULL; i++) {
        free(mask->columns[i]);
    }
    for (size_t i = 0; mask->keys != NULL && mask->keys[i] != NULL; i++) {
        free(mask->keys[i]);
    }
    free(mask->columns);
    free(mask->keys);
    free(mask);
}

static int fill(struct ag_mask *mask, const struct lm_config_list *names, struct lm_error *error)
{
    size_t column_count = 0, key_count = 0;
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i];
        const bool key = strncmp(name, METADATA, strlen(METADATA)) == 0 && name[strlen(METADATA)] != '\0';
        if (!key && !is_column(name)) {
            return lm_error_set(error, LM_FATAL, "mask",
                                "mask: \"%s\" is no column that can be hidden: name one such as user_id or "
                                "client_ip, or a key of the metadata as metadata.KEY",
                                name);
        }
        char **slot = key ? &mask->keys[key_count++] : &mask->columns[column_count++];
        *slot = strdup(key ? name + strlen(METADATA) : name);
        if (*slot == NULL) {
            return lm_error_set(error, LM_FATAL, "memory", "out of memory for the mask");
        }
    }
    return 0;
}

int ag_mask_new(const struct lm_config_list *names, struct ag_mask **out, struct lm_error *error)
{
    *out = NULL;
    if (names->count == 0) {
        return 0;
    }
    struct ag_mask *mask = calloc(1, sizeof(*mask));
    if (mask != NULL) {
        mask->columns = calloc(names->count + 1, sizeof(*mask->columns));
        mask->keys = calloc(names->count + 1, sizeof(*mask->keys));
    }
    if (mask == NULL || mask->columns == NULL || mask->keys == NULL) {
        ag_mask_free(mask);
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the mask");
    }
    if (fill(mask, names, error) != 0) {
        ag_mask_free(mask);
        return -1;
    }
    *out = mask;
    return 0;
}

bool ag_mask_column(const struct ag_mask *mask, const char *column)
{
    return mask != NULL && has(mask->columns, column);
}

const char *ag_mask_key(const struct ag_mask *mask, size_t index)
{
    for (size_t i = 0; mask != NULL && mask->keys[i] != NULL; i++) {
        if (i == index) {
            return mask->keys[i];
        }
    }
    return NULL;
}

bool ag_mask_field(const struct ag_mask *mask, enum ag_field field, const char *key)
{
    if (mask == NULL) {
        return false;
    }
    switch (field) {
    case AG_PATTERN: /* what is the same in messages */
        return has(mask->columns, "message");
    case AG_STATUS_CLASS:
        return has(mask->columns, "http_status");
    case AG_DURATION:
        return has(mask->columns, "duration_ms");
    case AG_REQUEST:
        return has(mask->columns, "endpoint") || has(mask->columns, "http_status");
    case AG_TAG:
        return has(mask->columns, "tags");
    case AG_METADATA:
        return has(mask->columns, "metadata") || (key != NULL && has(mask->keys, key));
    default:
        return has(mask->columns, ag_field_name(field));
    }
}

bool ag_mask_name(const struct ag_mask *mask, enum ag_kind kind, const char *value)
{
    return ag_mask_field(mask, ag_kind_field(kind), kind == AG_KIND_METADATA_KEY ? value : NULL);
}

static bool measures_durations(const struct ag_intent *intent)
{
    if (ag_intent_measures_key(intent))
        return false;
    return intent->order == AG_SLOWEST || intent->order == AG_FASTEST || ag_intent_measures(intent, AG_AVG) ||
           ag_intent_measures(intent, AG_MIN) || ag_intent_measures(intent, AG_MAX) ||
           ag_intent_measures(intent, AG_SUM) || ag_intent_measures(intent, AG_PERCENTILE);
}

const char *ag_mask_asked(const struct ag_mask *mask, const struct ag_intent *intent)
{
    if (mask == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (ag_mask_field(mask, intent->filters[i].field, intent->filters[i].key)) {
            return ag_field_name(intent->filters[i].field);
        }
    }
    for (size_t i = 0; i < intent->group_count; i++) {
        if (ag_mask_field(mask, intent->groups[i].field, intent->groups[i].key)) {
            return ag_field_name(intent->groups[i].field);
        }
    }
    if (ag_mask_field(mask, intent->measure.field, intent->measure.key)) {
        return ag_field_name(intent->measure.field);
    }
    for (size_t i = 0; i < intent->part_count; i++) {
        if (ag_mask_field(mask, intent->parts[i].field, NULL)) {
            return ag_field_name(intent->parts[i].field);
        }
    }
    if (measures_durations(intent) && ag_mask_field(mask, AG_DURATION, NULL)) {
        return "duration_ms";
    }
    const bool statuses = ag_intent_measures(intent, AG_FAILURE_RATE);
    return statuses && ag_mask_field(mask, AG_HTTP_STATUS, NULL) ? "http_status" : NULL;
}
