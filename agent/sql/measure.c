/*
 * Measures as aggregate expressions, over rows (count(*)) or over rollups mixed with rows (sum(n)).
 */
#include "agent/sql/plan.h"

#include <string.h>

static const char *const current = "side = 'current'";
static const char *const previous = "side = 'previous'";

bool ag_measure_is_duration(const struct ag_intent *intent)
{
    return ag_measure_is_statistic(intent->measure.fn);
}

bool ag_measure_counts(const struct ag_intent *intent)
{
    return intent->measure.also_count > 0 &&
           (ag_intent_measures(intent, AG_COUNT) || ag_intent_measures(intent, AG_ERROR_RATE));
}

/* "sum(n) FILTER (WHERE level >= 'ERROR')" */
static const char *filtered(struct ag_plan *plan, const char *aggregate, const char *filter)
{
    return filter[0] == '\0' ? aggregate : ag_plan_text(plan, "%s FILTER (WHERE %s)", aggregate, filter);
}

static const char *both(struct ag_plan *plan, const char *a, const char *b)
{
    return b[0] == '\0' ? a : ag_plan_text(plan, "%s AND %s", a, b);
}

static const char *sum_of(struct ag_plan *plan, const char *item, const char *filter)
{
    return filtered(plan, ag_plan_text(plan, "sum(%s)", ag_plan_item(plan, item)), filter);
}

const char *ag_measure_count(struct ag_plan *plan, const char *filter)
{
    if (!plan->mixed) {
        return filtered(plan, "count(*)", filter);
    }
    const char *sum = sum_of(plan, "n", filter);
    /* A group has rows; only what is not grouped, or a filter, can be the sum of nothing. */
    bool empty = plan->group_count == 0 || filter[0] != '\0';
    return ag_plan_text(plan, empty ? "coalesce(%s, 0)::bigint" : "%s::bigint", sum);
}

/* Rows under `filter` as a fraction of those under `of`. */
static const char *fraction(struct ag_plan *plan, const char *filter, const char *of)
{
    if (plan->mixed) {
        return ag_plan_text(plan, "coalesce(%s, 0)::double precision / nullif(%s, 0)",
                            sum_of(plan, "n", filter), sum_of(plan, "n", of));
    }
    return ag_plan_text(plan, "%s::double precision / nullif(%s, 0)", filtered(plan, "count(*)", filter),
                        filtered(plan, "count(*)", of));
}

const char *ag_measure_number(struct ag_plan *plan)
{
    return ag_intent_measures_key(plan->intent) ? ag_plan_item(plan, "measured") : "duration_ms";
}

/* The number a key of the metadata holds, or NULL: a cast of anything else would end the statement. */
static const char *key_number(struct ag_plan *plan)
{
    const char *key = ag_plan_literal(plan, plan->intent->measure.key);
    return ag_plan_text(plan,
                        "CASE WHEN jsonb_typeof(metadata -> %s) = 'number' "
                        "THEN (metadata ->> %s)::double precision END",
                        key, key);
}

static const char *samples(struct ag_plan *plan, const char *filter)
{
    if (plan->mixed) {
        return ag_plan_text(plan, "coalesce(%s, 0)::bigint", sum_of(plan, "duration_n", filter));
    }
    return filtered(plan, ag_plan_text(plan, "count(%s)", ag_measure_number(plan)), filter);
}

static const char *is_error(struct ag_plan *plan)
{
    return ag_plan_text(plan, "%s >= 'ERROR'", ag_plan_item(plan, "level"));
}

static const char *is_failure(struct ag_plan *plan)
{
    return ag_plan_text(plan, "%s BETWEEN 500 AND 599", ag_plan_item(plan, "http_status"));
}

static const char *has_status(struct ag_plan *plan)
{
    return ag_plan_text(plan, "%s IS NOT NULL", ag_plan_item(plan, "http_status"));
}

/* How many rate units the window, or a bucket of it, has. */
static const char *rate_units(struct ag_plan *plan, bool of_previous)
{
    const struct ag_sql *out = plan->out;
    int64_t span = out->bucket_us > 0 ? out->bucket_us
                   : of_previous      ? out->against_to_us - out->against_from_us
                                      : out->to_us - out->from_us;
    return ag_plan_number(plan, (double)span / (double)plan->intent->measure.rate_unit_us);
}

/* One column of what is measured; `p` is the percentile's, `part` one of the intent's, counted from 1, or 0.
 */
struct measured {
    enum ag_measure_fn fn;
    enum ag_field field;
    double p;
    unsigned part;
};

#define MAX_MEASURED (AG_MAX_PERCENTILES + AG_MAX_ALSO)

static size_t list_measured(const struct ag_intent *intent, struct measured out[MAX_MEASURED])
{
    size_t count = 0;
    for (size_t i = 0; i < intent->part_count; i++) {
        const struct ag_measured_part *part = &intent->parts[i];
        out[count++] = (struct measured){part->fn, part->field, part->p, (unsigned)i + 1};
    }
    if (count > 0) {
        return count;
    }
    for (size_t i = 0; i < 1 + intent->measure.also_count; i++) {
        enum ag_measure_fn fn = i == 0 ? intent->measure.fn : intent->measure.also[i - 1];
        /* The error rate comes with the counts it is of. */
        size_t columns = fn == AG_PERCENTILE ? intent->measure.p_count
                         : fn == AG_COUNT && ag_intent_measures(intent, AG_ERROR_RATE) ? 0
                                                                                       : 1;
        for (size_t k = 0; k < columns && count < MAX_MEASURED; k++) {
            out[count++] = (struct measured){fn, intent->measure.field, intent->measure.p[k], 0};
        }
    }
    return count;
}

static const char *duration_expr(struct ag_plan *plan, struct measured one, const char *filter)
{
    enum ag_measure_fn fn = one.fn;
    if (fn == AG_PERCENTILE) {
        return filtered(plan,
                        ag_plan_text(plan, "percentile_cont(%.15g) WITHIN GROUP (ORDER BY %s)", one.p,
                                     ag_measure_number(plan)),
                        filter);
    }
    if (!plan->mixed) {
        return filtered(plan, ag_plan_text(plan, "%s(%s)", ag_measure_name(fn), ag_measure_number(plan)),
                        filter);
    }
    if (fn == AG_MAX) {
        const char *max = ag_plan_text(plan, "max(%s)", ag_plan_item(plan, "duration_max_us"));
        return ag_plan_text(plan, "(%s / 1000.0)::double precision", filtered(plan, max, filter));
    }
    if (fn == AG_SUM) {
        /* The sum of no durations is not 0 but none. */
        const char *some = ag_plan_text(plan, "%s > 0", ag_plan_item(plan, "duration_n"));
        return ag_plan_text(plan, "(%s / 1000)::double precision",
                            sum_of(plan, "duration_us", both(plan, some, filter)));
    }
    const char *sum = sum_of(plan, "duration_us", filter);
    return ag_plan_text(plan, "(%s / 1000 / nullif(%s, 0))::double precision", sum,
                        sum_of(plan, "duration_n", filter));
}

static const char *measure_expr(struct ag_plan *plan, struct measured one, const char *filter)
{
    switch (one.fn) {
    case AG_COUNT:
    case AG_NAMES:
        return ag_measure_count(plan, filter);
    case AG_DISTINCT: {
        const char *alias = ag_field_alias(plan, one.field, NULL);
        return filtered(plan, ag_plan_text(plan, "count(DISTINCT %s)", ag_plan_item(plan, alias)), filter);
    }
    case AG_ERROR_RATE:
        return fraction(plan, both(plan, is_error(plan), filter), filter);
    case AG_FAILURE_RATE:
        return fraction(plan, both(plan, is_failure(plan), filter), both(plan, has_status(plan), filter));
    case AG_SHARE:
        return fraction(plan, both(plan, ag_plan_item(plan, "matching"), filter), filter);
    case AG_RATE: {
        const char *count = plan->mixed ? ag_plan_text(plan, "coalesce(%s, 0)", sum_of(plan, "n", filter))
                                        : filtered(plan, "count(*)", filter);
        return ag_plan_text(plan, "(%s / %s)::double precision", count, rate_units(plan, filter == previous));
    }
    case AG_FIRST_SEEN:
        return filtered(plan, ag_plan_text(plan, "min(%s)", ag_plan_item(plan, "seen")), filter);
    case AG_LAST_SEEN:
        return filtered(plan, ag_plan_text(plan, "max(%s)", ag_plan_item(plan, "seen")), filter);
    default:
        return duration_expr(plan, one, filter);
    }
}

static const char *rate_name(int64_t unit_us)
{
    return unit_us == AG_SECOND   ? "per_second"
           : unit_us == AG_MINUTE ? "per_minute"
           : unit_us == AG_HOUR   ? "per_hour"
           : unit_us == AG_DAY    ? "per_day"
                                  : "rate";
}

static const char *rate_unit(int64_t unit_us)
{
    return unit_us == AG_SECOND   ? "1/s"
           : unit_us == AG_MINUTE ? "1/min"
           : unit_us == AG_HOUR   ? "1/h"
           : unit_us == AG_DAY    ? "1/d"
                                  : NULL;
}

static const char *number_alias(struct ag_plan *plan)
{
    return ag_intent_measures_key(plan->intent) ? ag_field_alias(plan, AG_METADATA, plan->intent->measure.key)
                                                : "duration_ms";
}

static const char *measure_name(struct ag_plan *plan, struct measured one)
{
    const struct ag_intent *intent = plan->intent;
    switch (one.fn) {
    case AG_COUNT:
    case AG_NAMES:
        return "count";
    case AG_DISTINCT:
        return ag_plan_text(plan, "distinct_%s", ag_field_name(intent->measure.field));
    case AG_RATE:
        return rate_name(intent->measure.rate_unit_us);
    case AG_PERCENTILE: {
        /* p95_duration_ms, p99_9_duration_ms */
        char *name = (char *)ag_plan_text(plan, "p%.6g_%s", one.p * 100, number_alias(plan));
        char *point = strchr(name, '.');
        if (point != NULL) {
            *point = '_';
        }
        return name;
    }
    case AG_AVG:
    case AG_MIN:
    case AG_MAX:
    case AG_SUM:
        return ag_plan_text(plan, "%s_%s", ag_measure_name(one.fn), number_alias(plan));
    default:
        return ag_measure_name(one.fn);
    }
}

static enum ag_type measure_type(enum ag_measure_fn fn)
{
    switch (fn) {
    case AG_COUNT:
    case AG_NAMES:
    case AG_DISTINCT:
        return AG_INTEGER;
    case AG_FIRST_SEEN:
    case AG_LAST_SEEN:
        return AG_TIMESTAMP;
    default:
        return AG_NUMBER;
    }
}

static const char *measure_unit(const struct ag_intent *intent, enum ag_measure_fn fn)
{
    if (ag_measure_is_statistic(fn)) {
        return ag_intent_measures_key(intent) ? NULL : "ms";
    }
    switch (fn) {
    case AG_ERROR_RATE:
    case AG_FAILURE_RATE:
    case AG_SHARE:
        return "ratio";
    case AG_RATE:
        return rate_unit(intent->measure.rate_unit_us);
    default:
        return NULL;
    }
}

int ag_measure_check(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    if (ag_measure_is_duration(intent) && intent->measure.field != AG_DURATION &&
        !ag_intent_measures_key(intent)) {
        return ag_plan_refuse(
            plan, "not_understood", "평균, 합, 백분위수는 소요 시간이나 메타데이터의 수에만 구할 수 있습니다",
            "only durations and numbers of the metadata can be averaged, summed or ranked by percentile");
    }
    if (ag_intent_measures(intent, AG_PERCENTILE) && intent->part_count == 0) {
        for (size_t i = 0; i < intent->measure.p_count; i++) {
            if (!(intent->measure.p[i] >= 0 && intent->measure.p[i] <= 1)) {
                return lm_error_set(plan->error, LM_FATAL, "bad_request",
                                    "a percentile lies between 0 and 100");
            }
        }
        if (intent->measure.p_count == 0) {
            return lm_error_set(plan->error, LM_FATAL, "bad_request", "which percentile is not said");
        }
    }
    if (intent->threshold.set && measure_type(intent->measure.fn) == AG_TIMESTAMP) {
        return ag_plan_refuse(plan, "not_understood", "때에는 기준값을 둘 수 없습니다",
                              "a moment cannot be compared with a number");
    }
    if (intent->measure.fn == AG_RATE && intent->measure.rate_unit_us <= 0) {
        return lm_error_set(plan->error, LM_FATAL, "bad_request", "a rate needs a unit of time");
    }
    if (intent->measure.fn == AG_SHARE && intent->filter_count == 0) {
        return lm_error_set(plan->error, LM_FATAL, "bad_request", "a share needs a filter");
    }
    if (intent->measure.fn == AG_DISTINCT &&
        (intent->measure.field == AG_METADATA || intent->measure.field == AG_TAG ||
         intent->measure.field == AG_REQUEST || intent->measure.field == AG_NO_FIELD)) {
        return ag_plan_refuse(plan, "not_understood", "서로 다른 값은 기록의 자체 항목에서만 셀 수 있습니다",
                              "distinct values can be counted of the record's own fields only");
    }
    return 0;
}

/* Whether a row matches the last filter, which restricts nothing. */
static int matching_item(struct ag_plan *plan)
{
    const struct ag_filter *last = &plan->intent->filters[plan->intent->filter_count - 1];
    const char *logs = ag_filter_expr(plan, last, AG_LOGS);
    const char *rollup = plan->source == AG_LOGS ? logs : ag_filter_expr(plan, last, plan->source);
    if (logs == NULL || rollup == NULL) {
        return -1;
    }
    ag_plan_add_item(plan, "matching", ag_plan_text(plan, "(%s)", logs), ag_plan_text(plan, "(%s)", rollup));
    return 0;
}

/* The conditions of one part in a table, in parentheses; "" where it has none, NULL after an error. */
static const char *part_condition(struct ag_plan *plan, unsigned part, enum ag_table table)
{
    const char *condition = "";
    for (size_t i = 0; i < plan->intent->filter_count; i++) {
        const struct ag_filter *filter = &plan->intent->filters[i];
        const char *one = filter->part == part ? ag_filter_expr(plan, filter, table) : "";
        if (one == NULL) {
            return NULL;
        }
        condition = one[0] == '\0' ? condition : both(plan, one, condition);
    }
    return condition[0] == '\0' ? condition : ag_plan_text(plan, "(%s)", condition);
}

const char *ag_measure_rows(struct ag_plan *plan, enum ag_table table)
{
    const char *rows = NULL;
    for (size_t i = 0; i < plan->intent->part_count; i++) {
        const char *condition = part_condition(plan, (unsigned)i + 1, table);
        if (condition == NULL || condition[0] == '\0') {
            return NULL;
        }
        rows = rows == NULL ? condition : ag_plan_text(plan, "%s OR %s", rows, condition);
    }
    return rows == NULL ? NULL : ag_plan_text(plan, "(%s)", rows);
}

/* "of_part_2": whether a row is one of that part's; "" where all are, NULL after an error. */
static const char *part_item(struct ag_plan *plan, unsigned part)
{
    const char *logs = part_condition(plan, part, AG_LOGS);
    const char *rollup = plan->source == AG_LOGS ? logs : part_condition(plan, part, plan->source);
    if (logs == NULL || rollup == NULL || logs[0] == '\0') {
        return logs == NULL ? NULL : rollup;
    }
    const char *alias = ag_plan_text(plan, "of_part_%u", part);
    ag_plan_add_item(plan, alias, logs, rollup);
    return ag_plan_item(plan, alias);
}

/* What the parts are made of, besides durations, counts and levels. */
static int part_items(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    for (size_t i = 0; i < intent->part_count; i++) {
        enum ag_field field = intent->parts[i].field;
        if (intent->parts[i].fn == AG_DISTINCT) {
            ag_plan_add_item(plan, ag_field_alias(plan, field, NULL),
                             ag_field_expr(plan, field, NULL, AG_LOGS),
                             ag_field_expr(plan, field, NULL, plan->source));
        }
        if (part_item(plan, (unsigned)i + 1) == NULL) {
            return -1;
        }
    }
    if (ag_intent_measures(intent, AG_FAILURE_RATE)) {
        ag_plan_add_item(plan, "http_status", NULL, NULL);
    }
    return 0;
}

static void duration_items(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    if (ag_intent_measures_key(intent)) {
        ag_plan_add_item(plan, "measured", key_number(plan), NULL);
        return;
    }
    if (!plan->mixed) {
        ag_plan_add_item(plan, "duration_ms", NULL, NULL);
        return;
    }
    if (ag_intent_measures(intent, AG_MAX)) {
        ag_plan_add_item(plan, "duration_max_us", "duration_ms * 1000", NULL);
    }
    if (ag_intent_measures(intent, AG_AVG) || ag_intent_measures(intent, AG_SUM)) {
        ag_plan_add_item(plan, "duration_us", "duration_ms * 1000", "duration_sum_us");
    }
    ag_plan_add_item(plan, "duration_n", "CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END", NULL);
}

static bool any_duration(const struct ag_intent *intent)
{
    return ag_intent_measures(intent, AG_AVG) || ag_intent_measures(intent, AG_SUM) ||
           ag_intent_measures(intent, AG_MAX) || ag_intent_measures(intent, AG_MIN) ||
           ag_intent_measures(intent, AG_PERCENTILE);
}

int ag_measure_items(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    if (ag_measure_check(plan) != 0) {
        return -1;
    }
    if (plan->mixed && (ag_measure_counts(intent) || intent->part_count > 0 ||
                        (!ag_measure_is_duration(intent) &&
                         (intent->measure.fn != AG_DISTINCT || plan->grouped_count > 0)))) {
        ag_plan_add_item(plan, "n", "1", NULL);
    }
    if (ag_intent_measures(intent, AG_ERROR_RATE)) {
        ag_plan_add_item(plan, "level", NULL, NULL);
    }
    if (intent->shape == AG_WITHOUT && matching_item(plan) != 0) {
        return -1;
    }
    if (any_duration(intent)) {
        duration_items(plan);
    }
    if (intent->part_count > 0) {
        return part_items(plan);
    }
    switch (intent->measure.fn) {
    case AG_DISTINCT: {
        enum ag_field field = intent->measure.field;
        ag_plan_add_item(plan, ag_field_alias(plan, field, NULL), ag_field_expr(plan, field, NULL, AG_LOGS),
                         ag_field_expr(plan, field, NULL, plan->source));
        break;
    }
    case AG_FAILURE_RATE:
        ag_plan_add_item(plan, "http_status", NULL, NULL);
        break;
    case AG_SHARE:
        return matching_item(plan);
    case AG_FIRST_SEEN:
    case AG_LAST_SEEN:
        ag_plan_add_item(plan, "seen", "created_at",
                         plan->source != AG_HOURS              ? "minute"
                         : intent->measure.fn == AG_FIRST_SEEN ? "first_seen"
                                                               : "last_seen");
        break;
    default:
        break;
    }
    return 0;
}

static void rate_context(struct ag_plan *plan)
{
    ag_plan_add_column(plan, "errors", ag_measure_count(plan, is_error(plan)), AG_INTEGER, NULL,
                       AG_ROLE_DETAIL);
    ag_plan_add_column(plan, "count", ag_measure_count(plan, ""), AG_INTEGER, NULL, AG_ROLE_DETAIL);
}

/* What is shown besides the measure, of one window only. */
static void context_columns(struct ag_plan *plan)
{
    switch (plan->intent->measure.fn) {
    case AG_ERROR_RATE:
        rate_context(plan);
        break;
    case AG_FAILURE_RATE:
        ag_plan_add_column(plan, "failures", ag_measure_count(plan, is_failure(plan)), AG_INTEGER, NULL,
                           AG_ROLE_DETAIL);
        ag_plan_add_column(plan, "requests", ag_measure_count(plan, has_status(plan)), AG_INTEGER, NULL,
                           AG_ROLE_DETAIL);
        break;
    case AG_SHARE:
        ag_plan_add_column(plan, "matching", ag_measure_count(plan, ag_plan_item(plan, "matching")),
                           AG_INTEGER, NULL, AG_ROLE_DETAIL);
        ag_plan_add_column(plan, "count", ag_measure_count(plan, ""), AG_INTEGER, NULL, AG_ROLE_DETAIL);
        break;
    case AG_RATE:
    case AG_FIRST_SEEN:
    case AG_LAST_SEEN:
        ag_plan_add_column(plan, "count", ag_measure_count(plan, ""), AG_INTEGER, NULL, AG_ROLE_DETAIL);
        break;
    default:
        if (ag_measure_is_duration(plan->intent)) {
            ag_plan_add_column(plan, "samples", samples(plan, ""), AG_INTEGER, NULL, AG_ROLE_SAMPLES);
        }
        if (ag_intent_measures(plan->intent, AG_ERROR_RATE)) {
            rate_context(plan);
        }
        break;
    }
}

/* NULL, where the sort is descending, would come first. */
static void order_by(struct ag_plan *plan, const char *name, const char *expr)
{
    const struct ag_intent *intent = plan->intent;
    bool up = intent->order == AG_FEWEST || intent->measure.fn == AG_FIRST_SEEN;
    bool null = measure_type(intent->measure.fn) != AG_INTEGER;
    ag_plan_add_key(plan, name, expr, up ? "" : null ? " DESC NULLS LAST" : " DESC");
}

void ag_measure_threshold(struct ag_plan *plan, const char *name, const char *expr)
{
    static const char *const signs[] = {
        [AG_AT_LEAST] = ">=", [AG_ABOVE] = ">", [AG_BELOW] = "<", [AG_AT_MOST] = "<="};
    const struct ag_intent *intent = plan->intent;
    enum ag_op op = intent->threshold.op;
    if (!intent->threshold.set || plan->grouped_count + (plan->out->bucket_us > 0) == 0 ||
        ag_exceeds_figure(plan, name, expr)) {
        return;
    }
    const char *sign = op >= AG_AT_LEAST && op <= AG_AT_MOST ? signs[op] : ">";
    ag_plan_add_having(plan, ag_plan_text(plan, "%s %s %.15g", expr, sign, intent->threshold.value));
    /* "endpoints with a p99 above 3 s": records without one are no endpoint. */
    ag_group_named(plan);
}

/* A column a part, in one row. */
static void part_columns(struct ag_plan *plan, const struct measured *measured, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *filter = part_item(plan, measured[i].part);
        struct ag_column *column = ag_plan_add_column(
            plan, ag_plan_text(plan, "part_%u", measured[i].part),
            measure_expr(plan, measured[i], filter == NULL ? "" : filter), measure_type(measured[i].fn),
            measure_unit(plan->intent, measured[i].fn), AG_ROLE_MEASURE);
        column->measures = measured[i].fn;
        column->title = plan->intent->parts[i].name;
    }
    ag_plan_add_key(plan, "part_1", "part_1", " DESC NULLS LAST");
}

int ag_measure_columns(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    struct measured measured[MAX_MEASURED];
    size_t count = list_measured(intent, measured);
    if (intent->part_count > 0) {
        part_columns(plan, measured, count);
        return 0;
    }
    /* A series of two windows has the side as a group of its own. */
    bool compared = plan->sides && plan->out->bucket_us == 0;
    for (size_t i = 0; i < count; i++) {
        enum ag_type type = measure_type(measured[i].fn);
        const char *unit = measure_unit(intent, measured[i].fn);
        const char *name = measure_name(plan, measured[i]);
        const char *expr = measure_expr(plan, measured[i], compared ? current : "");
        ag_plan_add_column(plan, name, expr, type, unit, AG_ROLE_MEASURE)->measures = measured[i].fn;
        if (i == 0) {
            ag_measure_threshold(plan, name, expr);
        }
        if (intent->shape == AG_WITHOUT) {
            const char *matching = ag_measure_count(plan, ag_plan_item(plan, "matching"));
            ag_plan_add_having(plan, ag_plan_text(plan, "%s = 0", matching));
        }
        if (compared) {
            const char *other = measure_expr(plan, measured[i], previous);
            const char *other_name = ag_plan_text(plan, "previous_%s", name);
            ag_plan_add_column(plan, other_name, other, type, unit, AG_ROLE_PREVIOUS);
            if (i == 0 && intent->rank) {
                const char *difference = ag_plan_text(plan, "%s - %s", expr, other);
                const char *suffix = intent->order == AG_FEWEST ? "" : " DESC NULLS LAST";
                /* What rose most is among what rose. */
                ag_plan_add_having(plan, ag_plan_text(plan, "%s %s %s", expr,
                                                      intent->order == AG_FEWEST ? "<" : ">", other));
                ag_plan_add_key(plan, name, difference, suffix);
                plan->keys[plan->key_count - 1].outer =
                    ag_plan_text(plan, "t.%s - t.%s%s", name, other_name, suffix);
                continue;
            }
        }
        if (i == 0) {
            order_by(plan, name, compared ? expr : name);
        }
    }
    if (!compared) {
        context_columns(plan);
    }
    return 0;
}
