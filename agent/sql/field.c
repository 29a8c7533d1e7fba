/*
 * Fields as SQL: the expression of each in each table, its type, and which rollups know it. One table; a new
 * field is a line.
 */
#include "agent/sql/plan.h"

#include <string.h>

struct column {
    bool nullable;
    bool in_minutes;
    bool in_hours;
    enum ag_type type;
};

static const struct column columns[AG_FIELD_COUNT] = {
    [AG_CATEGORY] = {false, true, true, AG_STRING},
    [AG_LEVEL] = {false, true, false, AG_STRING},
    [AG_LOG_TYPE] = {false, false, false, AG_STRING},
    [AG_SERVICE] = {false, true, true, AG_STRING},
    [AG_ENVIRONMENT] = {false, true, true, AG_STRING},
    [AG_MESSAGE] = {false, false, false, AG_STRING},
    [AG_HOST] = {true, false, false, AG_STRING},
    [AG_COMPONENT] = {true, false, false, AG_STRING},
    [AG_MODULE] = {true, false, false, AG_STRING},
    [AG_EVENT_TYPE] = {true, false, false, AG_STRING},
    [AG_USER_ID] = {true, false, false, AG_STRING},
    [AG_SESSION_ID] = {true, false, false, AG_STRING},
    [AG_TRACE_ID] = {true, false, false, AG_STRING},
    [AG_SPAN_ID] = {true, false, false, AG_STRING},
    [AG_ERROR_TYPE] = {true, false, true, AG_STRING},
    [AG_ERROR_CODE] = {true, false, false, AG_STRING},
    [AG_HTTP_STATUS] = {true, false, false, AG_INTEGER},
    [AG_STATUS_CLASS] = {true, false, false, AG_STRING},
    [AG_ENDPOINT] = {true, false, false, AG_STRING},
    [AG_METHOD] = {true, false, false, AG_STRING},
    [AG_DURATION] = {true, false, false, AG_NUMBER},
    [AG_CLIENT_IP] = {true, false, false, AG_STRING},
    [AG_PAGE_PATH] = {true, false, false, AG_STRING},
    [AG_BROWSER] = {true, false, false, AG_STRING},
    [AG_DEVICE] = {true, false, false, AG_STRING},
    /* A row without tags has no value at all, so there is no NULL group. */
    [AG_TAG] = {false, false, false, AG_STRING},
    [AG_METADATA] = {true, false, false, AG_STRING},
    [AG_PATTERN] = {true, false, true, AG_STRING},
    [AG_HOUR_OF_DAY] = {false, true, true, AG_INTEGER},
    [AG_DAY_OF_WEEK] = {false, true, true, AG_INTEGER},
    [AG_REQUEST] = {false, false, false, AG_BOOLEAN},
    [AG_STACK_TRACE] = {true, false, false, AG_STRING},
};

static const char *const table_names[AG_TABLE_COUNT] = {
    "logs",      "log_rollup_minute", "error_pattern_hour", "log_rollup",
    "log_count", "log_total",         "log_histogram"};
static const char *const table_times[AG_TABLE_COUNT] = {"created_at", "minute", "hour", "at",
                                                        "at",         "at",     "at"};

const char *ag_table_name(enum ag_table table)
{
    return table_names[table];
}

const char *ag_table_time(enum ag_table table)
{
    return table_times[table];
}

bool ag_field_nullable(enum ag_field field)
{
    return columns[field].nullable;
}

enum ag_type ag_field_type(enum ag_field field)
{
    return columns[field].type;
}

bool ag_field_in_minutes(enum ag_field field)
{
    return columns[field].in_minutes;
}

bool ag_field_in_hours(enum ag_field field)
{
    return columns[field].in_hours;
}

const char *ag_field_expr(struct ag_plan *plan, enum ag_field field, const char *key, enum ag_table table)
{
    switch (field) {
    case AG_NO_FIELD:
    case AG_FIELD_COUNT:
        return NULL;
    case AG_STATUS_CLASS:
        return "(http_status / 100)::text || 'xx'";
    case AG_CLIENT_IP:
        return "host(client_ip)";
    case AG_TAG:
        return "unnest(tags)";
    case AG_MESSAGE:
        return ag_plan_text(plan, "left(message, %d)", AG_MAX_CELL + 1);
    case AG_METADATA:
        return key == NULL ? NULL : ag_plan_text(plan, "metadata ->> %s", ag_plan_literal(plan, key));
    case AG_HOUR_OF_DAY:
        return ag_plan_text(plan, "extract(hour FROM %s AT TIME ZONE %s)::integer", table_times[table],
                            ag_plan_zone(plan));
    case AG_DAY_OF_WEEK:
        return ag_plan_text(plan, "extract(isodow FROM %s AT TIME ZONE %s)::integer", table_times[table],
                            ag_plan_zone(plan));
    case AG_ERROR_TYPE:
        return table == AG_HOURS ? "nullif(error_type, '')" : "error_type";
    case AG_REQUEST:
        return "(endpoint IS NOT NULL OR http_status IS NOT NULL)";
    default:
        return ag_field_name(field);
    }
}

const char *ag_field_alias(struct ag_plan *plan, enum ag_field field, const char *key)
{
    if (field != AG_METADATA || key == NULL) {
        return ag_field_name(field);
    }
    /* A plain identifier whatever the key holds, so that it needs no quotes and no reader has to wonder. */
    char name[64] = "metadata_";
    size_t len = strlen(name);
    for (const char *c = key; *c != '\0' && len < sizeof(name) - 1; c++) {
        char lower = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
        bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
        if (plain || name[len - 1] != '_') {
            name[len++] = plain ? lower : '_';
        }
    }
    name[len] = '\0';
    return ag_plan_text(plan, "%s", name);
}
