/*
 * Names of the intent's parts, as its JSON spells them.
 */
#include "agent/intent.h"

#include <string.h>

static const char *const field_names[AG_FIELD_COUNT] = {
    [AG_NO_FIELD] = "",
    [AG_CATEGORY] = "category",
    [AG_LEVEL] = "level",
    [AG_LOG_TYPE] = "log_type",
    [AG_SERVICE] = "service",
    [AG_ENVIRONMENT] = "environment",
    [AG_MESSAGE] = "message",
    [AG_HOST] = "host",
    [AG_COMPONENT] = "component",
    [AG_MODULE] = "module",
    [AG_EVENT_TYPE] = "event_type",
    [AG_USER_ID] = "user_id",
    [AG_SESSION_ID] = "session_id",
    [AG_TRACE_ID] = "trace_id",
    [AG_SPAN_ID] = "span_id",
    [AG_ERROR_TYPE] = "error_type",
    [AG_ERROR_CODE] = "error_code",
    [AG_HTTP_STATUS] = "http_status",
    [AG_STATUS_CLASS] = "status_class",
    [AG_ENDPOINT] = "endpoint",
    [AG_METHOD] = "method",
    [AG_DURATION] = "duration_ms",
    [AG_CLIENT_IP] = "client_ip",
    [AG_PAGE_PATH] = "page_path",
    [AG_BROWSER] = "browser",
    [AG_DEVICE] = "device",
    [AG_TAG] = "tag",
    [AG_METADATA] = "metadata",
    [AG_PATTERN] = "pattern",
    [AG_HOUR_OF_DAY] = "hour_of_day",
    [AG_DAY_OF_WEEK] = "day_of_week",
    [AG_REQUEST] = "request",
    [AG_STACK_TRACE] = "stack_trace",
};

static const char *const measure_names[] = {
    [AG_COUNT] = "count",
    [AG_DISTINCT] = "distinct",
    [AG_ERROR_RATE] = "error_rate",
    [AG_FAILURE_RATE] = "failure_rate",
    [AG_SHARE] = "share",
    [AG_AVG] = "avg",
    [AG_MIN] = "min",
    [AG_MAX] = "max",
    [AG_SUM] = "sum",
    [AG_PERCENTILE] = "percentile",
    [AG_RATE] = "rate",
    [AG_FIRST_SEEN] = "first_seen",
    [AG_LAST_SEEN] = "last_seen",
    [AG_LIST] = "list",
    [AG_NAMES] = "names",
};

static const char *const op_names[] = {
    [AG_IN] = "in",
    [AG_NOT_IN] = "not_in",
    [AG_AT_LEAST] = ">=",
    [AG_ABOVE] = ">",
    [AG_BELOW] = "<",
    [AG_AT_MOST] = "<=",
    [AG_BETWEEN] = "between",
    [AG_CONTAINS] = "contains",
    [AG_NOT_CONTAINS] = "not_contains",
    [AG_PREFIX] = "prefix",
    [AG_NOT_PREFIX] = "not_prefix",
    [AG_IS_NULL] = "is_null",
    [AG_NOT_NULL] = "not_null",
};

static const char *const shape_names[] = {
    [AG_PLAIN] = "plain",   [AG_SERIES] = "series", [AG_BUSIEST] = "busiest", [AG_SPIKE] = "spike",
    [AG_SILENT] = "silent", [AG_NEW] = "new",       [AG_WITHOUT] = "without", [AG_EVIDENCE] = "evidence",
};

static const char *const order_names[] = {
    [AG_ORDER_DEFAULT] = "default", [AG_MOST] = "most",     [AG_FEWEST] = "fewest",
    [AG_NEWEST] = "newest",         [AG_OLDEST] = "oldest", [AG_SLOWEST] = "slowest",
    [AG_FASTEST] = "fastest",
};

void ag_intent_init(struct ag_intent *intent)
{
    *intent = (struct ag_intent){.window = {.symbolic = "last 1 hour"}, .zone = "UTC"};
}

static const char *copy_text(const char *text, struct lm_arena *arena, int *failed)
{
    const char *copy = text ? lm_arena_copy(arena, text, strlen(text)) : NULL;

    *failed |= text && !copy;
    return copy;
}

int ag_intent_copy(const struct ag_intent *from, struct lm_arena *arena, struct ag_intent *to)
{
    int failed = 0;

    *to = *from;
    to->zone = copy_text(from->zone, arena, &failed);
    to->measure.key = copy_text(from->measure.key, arena, &failed);
    to->window.symbolic = copy_text(from->window.symbolic, arena, &failed);
    to->against.symbolic = copy_text(from->against.symbolic, arena, &failed);
    to->threshold.of = copy_text(from->threshold.of, arena, &failed);
    for (size_t i = 0; i < to->filter_count; i++) {
        to->filters[i].key = copy_text(from->filters[i].key, arena, &failed);
        for (size_t k = 0; k < to->filters[i].value_count; k++)
            to->filters[i].values[k] = copy_text(from->filters[i].values[k], arena, &failed);
    }
    for (size_t i = 0; i < to->part_count; i++)
        to->parts[i].name = copy_text(from->parts[i].name, arena, &failed);
    for (size_t i = 0; i < to->group_count; i++)
        to->groups[i].key = copy_text(from->groups[i].key, arena, &failed);
    return failed ? -1 : 0;
}

const char *ag_field_name(enum ag_field field)
{
    return (unsigned)field < AG_FIELD_COUNT ? field_names[field] : "";
}

enum ag_field ag_field_named(const char *name)
{
    for (int field = AG_NO_FIELD + 1; field < AG_FIELD_COUNT; field++) {
        if (strcmp(ag_field_name((enum ag_field)field), name) == 0) {
            return (enum ag_field)field;
        }
    }
    return AG_NO_FIELD;
}

const char *ag_measure_name(enum ag_measure_fn fn)
{
    return (size_t)fn < sizeof measure_names / sizeof *measure_names ? measure_names[fn] : "";
}

const char *ag_op_name(enum ag_op op)
{
    return (size_t)op < sizeof op_names / sizeof *op_names ? op_names[op] : "";
}

const char *ag_shape_name(enum ag_shape shape)
{
    return (size_t)shape < sizeof shape_names / sizeof *shape_names ? shape_names[shape] : "";
}

const char *ag_order_name(enum ag_order order)
{
    return (size_t)order < sizeof order_names / sizeof *order_names ? order_names[order] : "";
}

bool ag_intent_measures(const struct ag_intent *intent, enum ag_measure_fn fn)
{
    if (intent->measure.fn == fn)
        return true;
    for (size_t i = 0; i < intent->measure.also_count; i++) {
        if (intent->measure.also[i] == fn)
            return true;
    }
    for (size_t i = 0; i < intent->part_count; i++) {
        if (intent->parts[i].fn == fn)
            return true;
    }
    return false;
}

bool ag_intent_measures_key(const struct ag_intent *intent)
{
    return intent->measure.field == AG_METADATA && intent->measure.key &&
           ag_measure_is_statistic(intent->measure.fn);
}

bool ag_measure_is_statistic(enum ag_measure_fn fn)
{
    return fn == AG_AVG || fn == AG_MIN || fn == AG_MAX || fn == AG_SUM || fn == AG_PERCENTILE;
}

bool ag_intent_ranks_each(const struct ag_intent *intent)
{
    const enum ag_measure_fn fn = intent->measure.fn;

    return ((intent->group_count == 2 && intent->shape == AG_PLAIN) ||
            (intent->group_count == 1 && intent->shape == AG_SERIES)) &&
           intent->rank && (intent->order == AG_MOST || intent->order == AG_FEWEST) &&
           intent->compare == AG_NO_COMPARE && intent->part_count == 0 && fn != AG_FIRST_SEEN &&
           fn != AG_LAST_SEEN && fn != AG_LIST && fn != AG_NAMES;
}

bool ag_intent_counts_groups(const struct ag_intent *intent)
{
    const enum ag_measure_fn fn = intent->measure.fn;
    bool compared = intent->compare != AG_NO_COMPARE;
    bool held = compared ? intent->shape == AG_PLAIN && intent->rank && !intent->threshold.set
                         : intent->shape == AG_WITHOUT ||
                               (intent->shape == AG_PLAIN && intent->threshold.set && !intent->threshold.of);

    return held && intent->group_count == 1 && intent->each == 0 && intent->limit == 0 &&
           intent->part_count == 0 && intent->measure.also_count == 0 && fn != AG_FIRST_SEEN &&
           fn != AG_LAST_SEEN && fn != AG_LIST && fn != AG_NAMES;
}

bool ag_intent_sums_groups(const struct ag_intent *intent)
{
    return intent->shape == AG_PLAIN && intent->group_count == 1 && intent->compare == AG_NO_COMPARE &&
           intent->threshold.set && !intent->threshold.of && intent->measure.fn == AG_COUNT &&
           intent->each == 0 && intent->limit == 0 && intent->part_count == 0 && !intent->counted &&
           intent->measure.also_count == 0;
}

bool ag_intent_exceeds_one(const struct ag_intent *intent)
{
    const enum ag_measure_fn fn = intent->measure.fn;

    return intent->shape == AG_PLAIN && intent->group_count == 1 && intent->compare == AG_NO_COMPARE &&
           intent->rank && intent->each == 0 && intent->part_count == 0 && !intent->counted &&
           intent->measure.also_count == 0 && intent->measure.p_count <= 1 && fn != AG_FIRST_SEEN &&
           fn != AG_LAST_SEEN && fn != AG_LIST && fn != AG_NAMES && intent->groups[0].field != AG_PATTERN &&
           (intent->threshold.op == AG_ABOVE || intent->threshold.op == AG_BELOW);
}

bool ag_measure_beside(enum ag_measure_fn fn, enum ag_measure_fn also)
{
    if (ag_measure_is_statistic(fn))
        return ag_measure_is_statistic(also) || also == AG_COUNT || also == AG_ERROR_RATE;
    return fn == AG_DISTINCT && also == AG_COUNT;
}

bool ag_measure_of_part(enum ag_measure_fn fn)
{
    return ag_measure_is_statistic(fn) || fn == AG_COUNT || fn == AG_DISTINCT || fn == AG_ERROR_RATE ||
           fn == AG_FAILURE_RATE;
}

void ag_intent_of_part(const struct ag_intent *intent, size_t part, struct ag_intent *out)
{
    const struct ag_measured_part *one = &intent->parts[part - 1];

    *out = *intent;
    out->measure.fn = one->fn;
    out->measure.field = one->field;
    out->measure.p[0] = one->p;
    out->measure.p_count = one->fn == AG_PERCENTILE ? 1 : 0;
    out->part_count = 0;
    out->filter_count = 0;
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (intent->filters[i].part != 0 && intent->filters[i].part != part)
            continue;
        out->filters[out->filter_count] = intent->filters[i];
        out->filters[out->filter_count++].part = 0;
    }
}
