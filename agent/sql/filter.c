/*
 * Filters as conditions. Every value is a quoted literal or a number checked here; a negation keeps the rows
 * where the field is NULL; text search is literal, whatever % and _ it holds.
 */
#include "agent/sql/plan.h"
#include "common/record/record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const level_names[LM_LEVEL_COUNT] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

static const char *refuse_value(struct ag_plan *plan, const struct ag_filter *filter, const char *value)
{
    (void)lm_error_set(plan->error, LM_FATAL, "bad_request", "\"%.64s\" is not a value of %s", value,
                       ag_field_name(filter->field));
    return NULL;
}

static const char *refuse_op(struct ag_plan *plan, const struct ag_filter *filter)
{
    (void)lm_error_set(plan->error, LM_FATAL, "not_understood", "%s cannot be compared with %s",
                       ag_field_name(filter->field), ag_op_name(filter->op));
    return NULL;
}

/* How many values the operator needs at least. */
static size_t values_needed(enum ag_op op)
{
    switch (op) {
    case AG_IS_NULL:
    case AG_NOT_NULL:
        return 0;
    case AG_BETWEEN:
        return 2;
    default:
        return 1;
    }
}

static bool negated(enum ag_op op)
{
    return op == AG_NOT_IN || op == AG_NOT_CONTAINS || op == AG_NOT_PREFIX;
}

/* Levels. */

static int level_of(const char *name)
{
    for (int level = 0; level < LM_LEVEL_COUNT; level++) {
        if (strcmp(level_names[level], name) == 0) {
            return level;
        }
    }
    return -1;
}

/* Levels the filter lets through; 0 when a value is none or nothing passes. */
static unsigned filter_levels(const struct ag_filter *filter)
{
    unsigned named = 0;
    int at[2] = {-1, -1};
    for (size_t i = 0; i < filter->value_count; i++) {
        int level = level_of(filter->values[i]);
        if (level < 0) {
            return 0;
        }
        named |= 1U << level;
        if (i < 2) {
            at[i] = level;
        }
    }
    if (filter->value_count < values_needed(filter->op)) {
        return 0;
    }
    switch (filter->op) {
    case AG_IN:
        return named;
    case AG_NOT_IN:
        return AG_ALL_LEVELS & ~named;
    case AG_AT_LEAST:
        return AG_ALL_LEVELS & ~((1U << at[0]) - 1);
    case AG_ABOVE:
        return AG_ALL_LEVELS & ~((2U << at[0]) - 1);
    case AG_BELOW:
        return (1U << at[0]) - 1;
    case AG_AT_MOST:
        return (2U << at[0]) - 1;
    case AG_BETWEEN:
        return at[0] > at[1] ? 0 : ((2U << at[1]) - 1) & ~((1U << at[0]) - 1);
    case AG_NOT_NULL:
        return AG_ALL_LEVELS;
    default:
        return 0;
    }
}

unsigned ag_filter_levels(const struct ag_intent *intent, size_t filter_count)
{
    unsigned levels = AG_ALL_LEVELS;
    for (size_t i = 0; i < filter_count; i++) {
        if (intent->filters[i].field == AG_LEVEL && intent->filters[i].part == 0) {
            levels &= filter_levels(&intent->filters[i]);
        }
    }
    return levels;
}

static const char *level_expr(struct ag_plan *plan, const struct ag_filter *filter)
{
    unsigned levels = filter_levels(filter);
    if (levels == 0) {
        return refuse_value(plan, filter, filter->value_count == 0 ? "" : filter->values[0]);
    }
    const char *list = NULL;
    int lowest = -1;
    size_t count = 0;
    for (int level = 0; level < LM_LEVEL_COUNT; level++) {
        if ((levels & 1U << level) != 0) {
            lowest = lowest < 0 ? level : lowest;
            count++;
            list = list == NULL ? ag_plan_text(plan, "'%s'", level_names[level])
                                : ag_plan_text(plan, "%s, '%s'", list, level_names[level]);
        }
    }
    if (count == 1) {
        return ag_plan_text(plan, "level = %s", list);
    }
    /* The form the partial index on errors is made for. */
    if (levels == (AG_ALL_LEVELS & ~((1U << lowest) - 1))) {
        return ag_plan_text(plan, "level >= '%s'", level_names[lowest]);
    }
    return ag_plan_text(plan, "level IN (%s)", list);
}

/* Numbers. */

/* A finite decimal number, written back by us; NULL otherwise. */
static const char *number(struct ag_plan *plan, const char *text, double lowest, double highest, bool whole)
{
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= lowest && value <= highest) ||
        (whole && value != floor(value))) {
        return NULL;
    }
    if (value == floor(value) && fabs(value) < 1e15) {
        return ag_plan_text(plan, "%.0f", value);
    }
    return ag_plan_text(plan, "%.15g", value);
}

static const char *joined(struct ag_plan *plan, const char *list, const char *separator, const char *next)
{
    return list == NULL ? next : ag_plan_text(plan, "%s%s%s", list, separator, next);
}

static const char *parenthesised(struct ag_plan *plan, const char *text, bool several)
{
    return several ? ag_plan_text(plan, "(%s)", text) : text;
}

/* `expr` IN or compared with numbers. */
static const char *number_expr(struct ag_plan *plan, const struct ag_filter *filter, const char *expr,
                               bool nullable, double lowest, double highest, bool whole)
{
    const char *list = NULL;
    const char *first = NULL;
    const char *second = NULL;
    for (size_t i = 0; i < filter->value_count; i++) {
        const char *value = number(plan, filter->values[i], lowest, highest, whole);
        if (value == NULL) {
            return refuse_value(plan, filter, filter->values[i]);
        }
        first = i == 0 ? value : first;
        second = i == 1 ? value : second;
        list = joined(plan, list, ", ", value);
    }
    bool several = filter->value_count > 1;
    switch (filter->op) {
    case AG_IN:
        return several ? ag_plan_text(plan, "%s IN (%s)", expr, list)
                       : ag_plan_text(plan, "%s = %s", expr, list);
    case AG_NOT_IN:
        return nullable ? ag_plan_text(plan, "(%s IS NULL OR %s NOT IN (%s))", expr, expr, list)
                        : ag_plan_text(plan, "%s NOT IN (%s)", expr, list);
    case AG_AT_LEAST:
        return ag_plan_text(plan, "%s >= %s", expr, first);
    case AG_ABOVE:
        return ag_plan_text(plan, "%s > %s", expr, first);
    case AG_BELOW:
        return ag_plan_text(plan, "%s < %s", expr, first);
    case AG_AT_MOST:
        return ag_plan_text(plan, "%s <= %s", expr, first);
    case AG_BETWEEN:
        return ag_plan_text(plan, "%s BETWEEN %s AND %s", expr, first, second);
    default:
        return refuse_op(plan, filter);
    }
}

/* "5xx" and "5" are 500 to 599. */
static const char *status_class_expr(struct ag_plan *plan, const struct ag_filter *filter)
{
    const char *condition = NULL;
    for (size_t i = 0; i < filter->value_count; i++) {
        const char *value = filter->values[i];
        if (value[0] < '1' || value[0] > '9' || (value[1] != '\0' && strcasecmp(value + 1, "xx") != 0)) {
            return refuse_value(plan, filter, value);
        }
        const char *range = ag_plan_text(plan, "http_status BETWEEN %c00 AND %c99", value[0], value[0]);
        condition = joined(plan, condition, " OR ", range);
    }
    char class = filter->values[0][0];
    switch (filter->op) {
    case AG_IN:
        return parenthesised(plan, condition, filter->value_count > 1);
    case AG_NOT_IN:
        return ag_plan_text(plan, "(http_status IS NULL OR NOT (%s))", condition);
    case AG_AT_LEAST:
        return ag_plan_text(plan, "http_status >= %c00", class);
    case AG_ABOVE:
        return ag_plan_text(plan, "http_status > %c99", class);
    case AG_BELOW:
        return ag_plan_text(plan, "http_status < %c00", class);
    case AG_AT_MOST:
        return ag_plan_text(plan, "http_status <= %c99", class);
    case AG_BETWEEN:
        return ag_plan_text(plan, "http_status BETWEEN %c00 AND %c99", class, filter->values[1][0]);
    default:
        return refuse_op(plan, filter);
    }
}

/* Text. */

/* 'before TEXT after' with the wildcards inside TEXT taken literally. */
static const char *like_literal(struct ag_plan *plan, const char *before, const char *text, const char *after)
{
    struct lm_buffer pattern;
    lm_buffer_init(&pattern, 65536);
    lm_buffer_append_text(&pattern, before);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\\' || *c == '%' || *c == '_') {
            lm_buffer_append_char(&pattern, '\\');
        }
        lm_buffer_append_char(&pattern, *c);
    }
    lm_buffer_append_text(&pattern, after);
    const char *whole = lm_buffer_text(&pattern);
    const char *literal = whole == NULL ? "" : ag_plan_literal(plan, whole);
    plan->failed |= whole == NULL;
    lm_buffer_free(&pattern);
    return literal;
}

static const char *text_expr(struct ag_plan *plan, const struct ag_filter *filter, const char *expr,
                             bool nullable)
{
    bool not = negated(filter->op);
    const char *condition = NULL;
    if (filter->op == AG_IN || filter->op == AG_NOT_IN) {
        const char *list = NULL;
        for (size_t i = 0; i < filter->value_count; i++) {
            list = joined(plan, list, ", ", ag_plan_literal(plan, filter->values[i]));
        }
        condition = filter->value_count > 1
                        ? ag_plan_text(plan, "%s %s (%s)", expr, not ? "NOT IN" : "IN", list)
                        : ag_plan_text(plan, "%s %s %s", expr, not ? "<>" : "=", list);
    } else if (filter->op == AG_CONTAINS || filter->op == AG_NOT_CONTAINS || filter->op == AG_PREFIX ||
               filter->op == AG_NOT_PREFIX) {
        bool anywhere = filter->op == AG_CONTAINS || filter->op == AG_NOT_CONTAINS;
        for (size_t i = 0; i < filter->value_count; i++) {
            const char *like = like_literal(plan, anywhere ? "%" : "", filter->values[i], "%");
            condition = joined(
                plan, condition, not ? " AND " : " OR ",
                ag_plan_text(plan, "%s %s%s %s", expr, not ? "NOT " : "", anywhere ? "ILIKE" : "LIKE", like));
        }
        condition = parenthesised(plan, condition, filter->value_count > 1);
    } else {
        return refuse_op(plan, filter);
    }
    return not &&nullable ? ag_plan_text(plan, "(%s IS NULL OR %s)", expr, condition) : condition;
}

/* An address or a network; anything else matches nothing, compared as text. */
static const char *address_condition(struct ag_plan *plan, const char *value)
{
    char address[INET6_ADDRSTRLEN + 1];
    unsigned char bytes[16];
    const char *slash = strchr(value, '/');
    size_t len = slash == NULL ? strlen(value) : (size_t)(slash - value);
    if (len < sizeof address) {
        memcpy(address, value, len);
        address[len] = '\0';
        bool four = inet_pton(AF_INET, address, bytes) == 1;
        bool known = four || inet_pton(AF_INET6, address, bytes) == 1;
        if (known && slash == NULL) {
            return ag_plan_text(plan, "client_ip = %s::inet", ag_plan_literal(plan, value));
        }
        if (known && number(plan, slash + 1, 0, four ? 32 : 128, true) != NULL) {
            return ag_plan_text(plan, "client_ip <<= %s::inet", ag_plan_literal(plan, value));
        }
    }
    return ag_plan_text(plan, "host(client_ip) = %s", ag_plan_literal(plan, value));
}

static const char *address_expr(struct ag_plan *plan, const struct ag_filter *filter)
{
    if (filter->op != AG_IN && filter->op != AG_NOT_IN) {
        return text_expr(plan, filter, "host(client_ip)", true);
    }
    const char *condition = NULL;
    for (size_t i = 0; i < filter->value_count; i++) {
        condition = joined(plan, condition, " OR ", address_condition(plan, filter->values[i]));
    }
    if (filter->op == AG_NOT_IN) {
        return ag_plan_text(plan, "(client_ip IS NULL OR NOT (%s))", condition);
    }
    return parenthesised(plan, condition, filter->value_count > 1);
}

static const char *tag_expr(struct ag_plan *plan, const struct ag_filter *filter)
{
    if (filter->op != AG_IN && filter->op != AG_NOT_IN) {
        return refuse_op(plan, filter);
    }
    const char *condition = NULL;
    for (size_t i = 0; i < filter->value_count; i++) {
        const char *one = ag_plan_text(plan, "%s = ANY (tags)", ag_plan_literal(plan, filter->values[i]));
        condition = joined(plan, condition, " OR ", one);
    }
    if (filter->op == AG_NOT_IN) {
        return ag_plan_text(plan, "NOT coalesce(%s, false)", condition);
    }
    return parenthesised(plan, condition, filter->value_count > 1);
}

static const char *metadata_expr(struct ag_plan *plan, const struct ag_filter *filter, const char *expr)
{
    if (filter->op == AG_AT_LEAST || filter->op == AG_ABOVE || filter->op == AG_BELOW ||
        filter->op == AG_AT_MOST || filter->op == AG_BETWEEN) {
        /* Only where the value is a number: a cast of anything else would end the statement. */
        const char *key = ag_plan_literal(plan, filter->key);
        const char *value = ag_plan_text(plan,
                                         "CASE WHEN jsonb_typeof(metadata -> %s) = 'number' "
                                         "THEN (metadata ->> %s)::numeric END",
                                         key, key);
        return number_expr(plan, filter, value, true, -1e15, 1e15, false);
    }
    return text_expr(plan, filter, expr, true);
}

static const char *null_expr(struct ag_plan *plan, const struct ag_filter *filter, const char *expr,
                             enum ag_table table)
{
    bool null = filter->op == AG_IS_NULL;
    if (filter->field == AG_TAG) {
        return null ? "coalesce(cardinality(tags), 0) = 0" : "cardinality(tags) > 0";
    }
    if (filter->field == AG_STATUS_CLASS) {
        expr = "http_status";
    }
    if (filter->field == AG_CLIENT_IP) {
        expr = "client_ip";
    }
    if (filter->field == AG_REQUEST) {
        return null ? "(endpoint IS NULL AND http_status IS NULL)" : expr;
    }
    if (filter->field == AG_ERROR_TYPE && table == AG_HOURS) {
        return null ? "error_type = ''" : "error_type <> ''";
    }
    return ag_plan_text(plan, "%s %s", expr, null ? "IS NULL" : "IS NOT NULL");
}

const char *ag_filter_expr(struct ag_plan *plan, const struct ag_filter *filter, enum ag_table table)
{
    const char *expr = ag_field_expr(plan, filter->field, filter->key, table);
    if (expr == NULL || filter->value_count < values_needed(filter->op)) {
        (void)lm_error_set(plan->error, LM_FATAL, "bad_request", "a filter on %s has no value",
                           ag_field_name(filter->field));
        return NULL;
    }
    if (filter->op == AG_IS_NULL || filter->op == AG_NOT_NULL) {
        return null_expr(plan, filter, expr, table);
    }
    switch (filter->field) {
    case AG_LEVEL:
        return level_expr(plan, filter);
    case AG_CATEGORY:
        for (size_t i = 0; i < filter->value_count; i++) {
            const char *value = filter->values[i];
            if (strcmp(value, "raw") != 0 && strcmp(value, "summary") != 0 &&
                strcmp(value, "training") != 0 && strcmp(value, "tagged") != 0) {
                return refuse_value(plan, filter, value);
            }
        }
        return filter->op == AG_IN || filter->op == AG_NOT_IN ? text_expr(plan, filter, expr, false)
                                                              : refuse_op(plan, filter);
    case AG_HTTP_STATUS:
        return number_expr(plan, filter, expr, true, -32768, 32767, true);
    case AG_STATUS_CLASS:
        return status_class_expr(plan, filter);
    case AG_DURATION:
        return number_expr(plan, filter, expr, true, 0, 1e15, false);
    case AG_HOUR_OF_DAY:
        return number_expr(plan, filter, expr, false, 0, 23, true);
    case AG_DAY_OF_WEEK:
        return number_expr(plan, filter, expr, false, 1, 7, true);
    case AG_PATTERN:
        return filter->op == AG_IN || filter->op == AG_NOT_IN
                   ? number_expr(plan, filter, expr, true, -9.3e18, 9.3e18, true)
                   : refuse_op(plan, filter);
    case AG_CLIENT_IP:
        return address_expr(plan, filter);
    case AG_TAG:
        return tag_expr(plan, filter);
    case AG_METADATA:
        return metadata_expr(plan, filter, expr);
    case AG_MESSAGE:
        return text_expr(plan, filter, "message", false);
    case AG_ERROR_TYPE:
        /* In the rollup a missing type is '', which every negation lets through as it should. */
        return text_expr(plan, filter, "error_type", table != AG_HOURS);
    case AG_REQUEST:
        return refuse_op(plan, filter);
    default:
        return text_expr(plan, filter, expr, ag_field_nullable(filter->field));
    }
}
