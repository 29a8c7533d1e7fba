/*
 * Which table answers. A rollup is taken wherever it gives the same answer as the rows: it must know every
 * filter and group, hold the measure, and its units must fall wholly into the buckets asked for.
 */
#include "agent/sql/plan.h"

#include <string.h>

/* log_rollup_minute counts every row; it holds durations' count, sum and maximum. */
static bool minutes_hold(enum ag_measure_fn fn, enum ag_field field)
{
    switch (fn) {
    case AG_COUNT:
    case AG_ERROR_RATE:
    case AG_SHARE:
    case AG_RATE:
    case AG_FIRST_SEEN:
    case AG_LAST_SEEN:
        return true;
    case AG_AVG:
    case AG_MAX:
    case AG_SUM:
        return field == AG_DURATION;
    case AG_DISTINCT:
        return ag_field_in_minutes(field);
    case AG_NAMES:
        return true; /* its field is among the groups */
    default:
        return false;
    }
}

static bool minutes_measure(const struct ag_intent *intent)
{
    if (ag_intent_measures(intent, AG_MIN) || ag_intent_measures(intent, AG_PERCENTILE)) {
        return false;
    }
    for (size_t i = 0; i < intent->part_count; i++) {
        if (!minutes_hold(intent->parts[i].fn, intent->parts[i].field)) {
            return false;
        }
    }
    return minutes_hold(intent->measure.fn, intent->measure.field);
}

/* error_pattern_hour counts errors, with the first and the last of each. */
static bool hours_measure(const struct ag_intent *intent)
{
    switch (intent->measure.fn) {
    case AG_COUNT:
    case AG_RATE:
    case AG_NAMES:
    case AG_FIRST_SEEN:
    case AG_LAST_SEEN:
        return true;
    case AG_DISTINCT:
        return ag_field_in_hours(intent->measure.field);
    default:
        return false;
    }
}

#define SLOT (5 * AG_MINUTE)
#define SHORTEST_DAY (23 * AG_HOUR)
/* Below it, and the last minutes are not folded yet, the minutes are as quick. */
#define WORTH_FOLDS (AG_HOUR / 2)

/* The durations of an hour are sorted row by row; of more there are histograms, within 3 %. */
#define EXACT_PERCENTILES AG_HOUR

static bool by_clock(enum ag_field field)
{
    return field == AG_HOUR_OF_DAY || field == AG_DAY_OF_WEEK;
}

/* The zone's clock is whole units away from UTC throughout what is read; changes between are by whole hours
 * but for Lord Howe, whose half hour shows at one of the ends or in the middle. */
static bool zone_fits(const struct ag_plan *plan, int64_t unit)
{
    const struct ag_sql *out = plan->out;
    int64_t at[] = {out->from_us, out->to_us, out->from_us + (out->to_us - out->from_us) / 2,
                    out->against_from_us > 0 ? out->against_from_us : out->from_us};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        if (ag_zone_offset(plan->zone, at[i]) * AG_SECOND % unit != 0) {
            return false;
        }
    }
    return true;
}

/* A unit of the rollup lies wholly in one bucket and one hour of the day. */
static bool time_fits(const struct ag_plan *plan, int64_t unit)
{
    bool clock = plan->out->bucket_us > 0;
    for (size_t i = 0; i < plan->grouped_count; i++) {
        clock |= by_clock(plan->grouped[i].field);
    }
    for (size_t i = 0; i < plan->intent->filter_count; i++) {
        clock |= by_clock(plan->intent->filters[i].field);
    }
    return plan->out->bucket_us % unit == 0 && plan->out->bucket_origin_us % unit == 0 &&
           (!clock || zone_fits(plan, unit));
}

static bool services_known(const struct ag_plan *plan, enum ag_field field)
{
    return field != AG_SERVICE || !plan->context->services_overflowed;
}

/* Services counted under "(other)" are not found by the names of a scope. */
static bool scope_known(const struct ag_plan *plan)
{
    const struct ag_scope *scope = plan->context->scope;
    return scope == NULL || scope->service_count == 0 || services_known(plan, AG_SERVICE);
}

bool ag_source_minutes_filter(const struct ag_plan *plan)
{
    if (!scope_known(plan)) {
        return false;
    }
    for (size_t i = 0; i < plan->intent->filter_count; i++) {
        enum ag_field field = plan->intent->filters[i].field;
        if (!ag_field_in_minutes(field) || !services_known(plan, field)) {
            return false;
        }
    }
    return time_fits(plan, AG_MINUTE);
}

static bool minutes_groups(const struct ag_plan *plan)
{
    for (size_t i = 0; i < plan->grouped_count; i++) {
        if (!ag_field_in_minutes(plan->grouped[i].field) || !services_known(plan, plan->grouped[i].field)) {
            return false;
        }
    }
    for (size_t i = 0; i < plan->intent->part_count; i++) {
        if (!services_known(plan, plan->intent->parts[i].field)) {
            return false;
        }
    }
    return services_known(plan, plan->intent->measure.field);
}

static bool hours_fit(const struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    if (ag_filter_levels(intent, intent->filter_count) != AG_ERROR_LEVELS || !time_fits(plan, AG_HOUR) ||
        !scope_known(plan)) {
        return false;
    }
    for (size_t i = 0; i < intent->filter_count; i++) {
        enum ag_field field = intent->filters[i].field;
        if (field != AG_LEVEL && (!ag_field_in_hours(field) || !services_known(plan, field))) {
            return false;
        }
    }
    for (size_t i = 0; i < plan->grouped_count; i++) {
        if (!ag_field_in_hours(plan->grouped[i].field) || !services_known(plan, plan->grouped[i].field)) {
            return false;
        }
    }
    return services_known(plan, intent->measure.field);
}

/* The longer of the windows, as far as it is over. */
static int64_t longest_past(const struct ag_plan *plan)
{
    const struct ag_sql *out = plan->out;
    int64_t now_us = plan->context->now_us;
    int64_t past_us = (out->to_us < now_us ? out->to_us : now_us) - out->from_us;
    int64_t against_us = (out->against_to_us < now_us ? out->against_to_us : now_us) - out->against_from_us;
    return past_us > against_us ? past_us : against_us;
}

/* The guard takes a zone by its name only, of letters. */
static bool zone_named(const char *zone)
{
    return strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_/") == strlen(zone);
}

static bool by_field(const struct ag_plan *plan, enum ag_field field)
{
    for (size_t i = 0; i < plan->grouped_count; i++) {
        if (plan->grouped[i].field == field) {
            return true;
        }
    }
    for (size_t i = 0; i < plan->intent->filter_count; i++) {
        if (plan->intent->filters[i].field == field) {
            return true;
        }
    }
    return false;
}

/* The statement groups or filters by it, or the caller's scope does. */
static bool by_service(const struct ag_plan *plan)
{
    const struct ag_scope *scope = plan->context->scope;
    return by_field(plan, AG_SERVICE) || (scope != NULL && scope->service_count > 0);
}

static bool by_environment(const struct ag_plan *plan)
{
    const struct ag_scope *scope = plan->context->scope;
    return by_field(plan, AG_ENVIRONMENT) || (scope != NULL && scope->environment_count > 0);
}

/* The columns that the statement groups or filters by. */
static const char *told_apart(struct ag_plan *plan)
{
    const struct {
        const char *name;
        bool needed;
    } columns[] = {
        {"at", plan->out->bucket_us > 0 || by_field(plan, AG_HOUR_OF_DAY) || by_field(plan, AG_DAY_OF_WEEK)},
        {"category", by_field(plan, AG_CATEGORY)},
        {"service", by_service(plan)},
        {"environment", by_environment(plan)},
        {"level", by_field(plan, AG_LEVEL)},
    };
    const char *list = "";
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (columns[i].needed) {
            list = ag_plan_text(plan, "%s%s%s", list, list[0] == '\0' ? "" : ",", columns[i].name);
        }
    }
    return list;
}

static const char *array_of(struct ag_plan *plan, const char *const *names, size_t count)
{
    return ag_plan_text(plan, "ARRAY[%s]", ag_plan_literals(plan, names, count));
}

/* The values of `field` that the question names, or else its scope does, so that others are not read. */
static const char *values_read(struct ag_plan *plan, enum ag_field field)
{
    for (size_t i = 0; i < plan->filter_count; i++) {
        const struct ag_filter *filter = &plan->intent->filters[i];
        if (filter->field == field && filter->op == AG_IN) {
            return array_of(plan, filter->values, filter->value_count);
        }
    }
    const struct ag_scope *scope = plan->context->scope;
    bool scoped = field == AG_SERVICE && scope != NULL && scope->service_count > 0;
    return scoped ? array_of(plan, scope->services, scope->service_count) : "NULL";
}

bool ag_source_is_change(const struct ag_intent *intent)
{
    return intent->shape == AG_SILENT || intent->shape == AG_NEW;
}

bool ag_source_only_counts(const struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    for (size_t i = 0; i < plan->grouped_count; i++) {
        if (plan->grouped[i].field == AG_PATTERN) {
            return false; /* shown by one of its messages */
        }
    }
    bool shape = intent->shape == AG_PLAIN || intent->shape == AG_SERIES || intent->shape == AG_BUSIEST ||
                 intent->shape == AG_SPIKE;
    bool measure = intent->measure.fn == AG_COUNT || intent->measure.fn == AG_ERROR_RATE ||
                   intent->measure.fn == AG_SHARE || intent->measure.fn == AG_RATE;
    return shape && measure && intent->measure.also_count == 0 && intent->part_count == 0;
}

enum ag_table ag_source_fold(struct ag_plan *plan, enum ag_table table)
{
    const struct ag_sql *out = plan->out;
    const struct ag_intent *intent = plan->intent;
    /* What goes from the rollup to the moment in it goes by the minute, and gets there by days or, for each
     * group, by hours. Two windows would be more SELECTs than the guard takes, but for two that are one. */
    bool seen = ag_source_is_change(intent) || intent->measure.fn == AG_FIRST_SEEN ||
                intent->measure.fn == AG_LAST_SEEN;
    bool apart = intent->shape == AG_NEW && out->against_to_us != out->from_us;
    int64_t past_us = longest_past(plan);
    bool worth = time_fits(plan, SLOT) && past_us >= WORTH_FOLDS;
    bool counts = table == AG_MINUTES && ag_source_only_counts(plan);
    if (table != AG_HISTOGRAMS && !counts && (table != AG_MINUTES || !worth || apart)) {
        return table;
    }
    bool by_day = out->bucket_us > 0 || by_field(plan, AG_DAY_OF_WEEK);
    bool by_hour = past_us >= AG_HOUR && time_fits(plan, AG_HOUR);
    bool days_fit = by_hour && past_us >= SHORTEST_DAY && !by_field(plan, AG_HOUR_OF_DAY) &&
                    (out->bucket_us == 0 || (out->bucket_unit != 0 && out->bucket_unit != 'h')) &&
                    (!by_day || zone_named(intent->zone)) && (!seen || plan->grouped_count == 0);
    plan->fold_unit = days_fit ? "day" : by_hour ? "hour" : worth ? "slot" : "minute";
    plan->fold_zone = days_fit && by_day ? ag_plan_zone(plan) : "NULL";
    if (counts && !by_service(plan) && !by_environment(plan)) {
        return AG_TOTALS;
    }
    if (table == AG_MINUTES && !counts) {
        return AG_FOLDS;
    }
    plan->fold_by = told_apart(plan);
    plan->fold_of =
        ag_plan_text(plan, "%s, %s", values_read(plan, AG_CATEGORY), values_read(plan, AG_SERVICE));
    return counts ? AG_COUNTS : table;
}

enum ag_table ag_source_choose(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    if (plan->context->no_rollups || intent->measure.fn == AG_LIST || intent->shape == AG_EVIDENCE ||
        ag_intent_measures_key(intent)) {
        return AG_LOGS;
    }
    bool minutes = ag_source_minutes_filter(plan) && minutes_groups(plan);
    if (minutes && intent->measure.fn == AG_PERCENTILE && intent->measure.also_count == 0 &&
        intent->part_count == 0 && !ag_source_is_change(intent)) {
        int64_t scan_us = plan->context->scan_window_us > 0 ? plan->context->scan_window_us : AG_DAY;
        int64_t exact_us = scan_us < EXACT_PERCENTILES ? scan_us : EXACT_PERCENTILES;
        bool beyond = plan->out->to_us - plan->out->from_us > exact_us ||
                      plan->out->against_to_us - plan->out->against_from_us > exact_us;
        return beyond && intent->each == 0 ? AG_HISTOGRAMS : AG_LOGS;
    }
    if (minutes && minutes_measure(intent)) {
        return AG_MINUTES;
    }
    /* Who had no errors is not among the errors. */
    bool hours =
        intent->shape != AG_WITHOUT && intent->part_count == 0 && hours_measure(intent) && hours_fit(plan);
    return hours ? AG_HOURS : AG_LOGS;
}
