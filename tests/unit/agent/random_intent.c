/*
 * Random intents for the tests of the SQL writer. One generator with a seed of its own: a failure is asked
 * again by its line.
 */
#include "tests/unit/agent/random_intent.h"

#include "common/clock.h"
#include "tests/unit/agent/intent_spec.h"

#include <stdio.h>
#include <string.h>

static uint64_t seed = 20260318;

void random_seed(uint64_t value)
{
    seed = value;
}

unsigned random_draw(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((seed >> 33) % below);
}

#define PICK(list) list[random_draw(sizeof(list) / sizeof(*(list)))]

static const char *const measures[] = {"count",
                                       "count",
                                       "count",
                                       "count",
                                       "error_rate",
                                       "rate 1",
                                       "rate 3600",
                                       "avg",
                                       "max",
                                       "sum",
                                       "share",
                                       "p 0.5 0.9",
                                       "distinct service",
                                       "distinct level",
                                       "distinct error_type",
                                       "distinct user_id",
                                       "names service",
                                       "names environment",
                                       "first_seen",
                                       "last_seen",
                                       "failure_rate"};
static const char *const coarse_filters[] = {
    "where level >= ERROR",           "where level in ERROR|FATAL",   "where level in FATAL",
    "where level not_in INFO|DEBUG",  "where service in pay",         "where service in api|order",
    "where service not_in web|api",   "where service prefix pay",     "where environment in staging",
    "where category in raw",          "where category not_in tagged", "where environment not_null",
    "where hour_of_day between 9|18", "where day_of_week in 1|3"};
static const char *const error_filters[] = {
    "where error_type in TimeoutError|IOError", "where error_type not_in TimeoutError",
    "where error_type is_null", "where error_type not_null", "where error_type contains error"};
static const char *const row_filters[] = {"where message contains timeout",
                                          "where http_status >= 400",
                                          "where status_class in 5xx",
                                          "where user_id is_null",
                                          "where endpoint not_prefix /health",
                                          "where tag in slow|security",
                                          "where metadata.retries >= 4",
                                          "where client_ip in 10.0.0.0/30",
                                          "where duration_ms > 50",
                                          "where request not_null",
                                          "where tag not_in audit",
                                          "where host not_in web-1"};
static const char *const coarse_groups[] = {"by service",  "by environment", "by level",
                                            "by category", "by hour_of_day", "by day_of_week"};
static const char *const row_groups[] = {"by host", "by endpoint",        "by status_class",
                                         "by tag",  "by metadata.region", "by client_ip"};
static const char *const zones[] = {"Asia/Seoul",       "Asia/Seoul",     "UTC",   "Asia/Kolkata",
                                    "America/New_York", "Asia/Kathmandu", "+05:30"};
static const int64_t widths[] = {60, 300, 900, 3600, 7200, 86400, 604800};

void random_add(char *spec, const char *clause)
{
    size_t len = strlen(spec);
    snprintf(spec + len, MAX_SPEC - len, "; %s", clause);
}

static int64_t moment(void)
{
    static const int64_t steps[] = {1, 60, 60, 3600, 86400};
    int64_t step = PICK(steps) * LM_SECOND_US;
    int64_t us = SPEC_NOW - (int64_t)random_draw(random_draw(3) == 0 ? 7200 : 6 * 86400) * LM_SECOND_US -
                 (int64_t)random_draw(2) * 123456;
    return random_draw(3) == 0 ? SPEC_NOW : us - us % step;
}

void random_window(char *spec, const char *word)
{
    char from_text[LM_RFC3339_SIZE];
    char to_text[LM_RFC3339_SIZE];
    int64_t to = moment();
    int64_t from = moment();
    if (from >= to) {
        from = to - (int64_t)(1 + random_draw(90000)) * LM_SECOND_US;
    }
    lm_rfc3339_format(from, from_text);
    lm_rfc3339_format(to, to_text);
    char clause[128];
    snprintf(clause, sizeof clause, "%s %s/%s", word, from_text, to_text);
    random_add(spec, clause);
}

static void add_shape(char *spec, bool comparable)
{
    char clause[64];
    switch (random_draw(10)) {
    case 0:
    case 1:
        snprintf(clause, sizeof clause, "series %lld", (long long)PICK(widths));
        random_add(spec, clause);
        return;
    case 2:
        snprintf(clause, sizeof clause, "busiest %lld", (long long)PICK(widths));
        random_add(spec, clause);
        return;
    case 3:
    case 4:
        if (comparable) {
            random_window(spec, "against");
        }
        return;
    default:
        return;
    }
}

void random_parts(char *spec)
{
    static const char *const second[] = {
        "part b count", "part b error_rate",       "part b avg",
        "part b max",   "part b distinct service", "part b p 0.5",
        "part b min",   "part b failure_rate",     "part b distinct user_id"};
    char clause[96];
    snprintf(spec, MAX_SPEC, "count");
    random_add(spec, "part a count");
    random_add(spec, PICK(second));
    if (random_draw(2) == 0) {
        random_add(spec, PICK(coarse_filters));
    }
    for (unsigned part = 1; part <= 2; part++) {
        const char *filter = random_draw(4) == 0 ? PICK(row_filters) : PICK(coarse_filters);
        snprintf(clause, sizeof clause, "where %u %s", part, filter + strlen("where "));
        if (part == 1 || random_draw(3) > 0) {
            random_add(spec, clause);
        }
    }
    if (random_draw(2) == 0) {
        random_add(spec, PICK(coarse_groups));
    }
    random_window(spec, "in");
    snprintf(clause, sizeof clause, "zone %s", PICK(zones));
    random_add(spec, clause);
}

void random_spec(char *spec)
{
    const char *measure = PICK(measures);
    bool seen = strstr(measure, "_seen") != NULL;
    bool whole = strcmp(measure, "count") == 0 || strcmp(measure, "names service") == 0;
    snprintf(spec, MAX_SPEC, "%s", measure);
    for (unsigned i = random_draw(3); i > 0; i--) {
        random_add(spec, PICK(coarse_filters));
    }
    bool errors = random_draw(3) == 0;
    if (errors) {
        random_add(spec, "where level >= ERROR");
        if (random_draw(2) == 0) {
            random_add(spec, PICK(error_filters));
        }
    }
    if (random_draw(5) == 0) {
        random_add(spec, PICK(row_filters));
    }
    if (strcmp(measure, "share") == 0) {
        random_add(spec, PICK(coarse_filters));
    }
    for (unsigned i = random_draw(3); i > 0; i--) {
        random_add(spec, errors && random_draw(2) == 0
                             ? (random_draw(2) == 0 ? "by error_type" : "by pattern")
                         : random_draw(6) == 0 ? PICK(row_groups)
                                               : PICK(coarse_groups));
    }
    random_window(spec, "in");
    if (!seen) {
        add_shape(spec, true);
    }
    char clause[64];
    snprintf(clause, sizeof clause, "zone %s", PICK(zones));
    random_add(spec, clause);
    if (random_draw(3) == 0) {
        random_add(spec, "rank");
    }
    if (whole && random_draw(4) == 0) {
        random_add(spec, "limit 3");
    }
    if (whole && random_draw(6) == 0) {
        random_add(spec, "having >= 4");
    }
    if (random_draw(6) == 0) {
        random_add(spec, "order fewest");
    }
}

/* Any field, operator, value, measure and shape together, as a hostile `previous` could ask. */
void random_wild_intent(struct ag_intent *intent)
{
    static const char *const values[] = {"1",
                                         "-5",
                                         "3.5",
                                         "ERROR",
                                         "DEBUG",
                                         "raw",
                                         "x'y",
                                         "100%_\\",
                                         "10.0.0.1",
                                         "10.0.0.0/8",
                                         "::1/64",
                                         "5xx",
                                         "NaN",
                                         "",
                                         "\xea\xb2\xb0\xec\xa0\x9c",
                                         "%%%%____%%%%",
                                         "a\nb",
                                         "1e300",
                                         "99999999999"};
    static const char *const keys[] = {"region", "retries", "a'b", "\"q\"", "", "\xed\x82\xa4"};
    ag_intent_init(intent);
    intent->zone = PICK(zones);
    intent->measure.fn = (enum ag_measure_fn)random_draw(AG_NAMES + 1);
    intent->measure.field = (enum ag_field)random_draw(AG_FIELD_COUNT);
    intent->measure.p_count = random_draw(AG_MAX_PERCENTILES + 1);
    for (size_t i = 0; i < intent->measure.p_count; i++) {
        intent->measure.p[i] = (double)random_draw(1001) / 1000;
    }
    intent->measure.rate_unit_us = (int64_t)random_draw(3) * LM_MINUTE_US;
    intent->shape = (enum ag_shape)(random_draw(2) == 0 ? 0 : random_draw(AG_NEW + 1));
    intent->filter_count = random_draw(4);
    for (size_t i = 0; i < intent->filter_count; i++) {
        struct ag_filter *filter = &intent->filters[i];
        filter->field = (enum ag_field)random_draw(AG_FIELD_COUNT);
        filter->key = filter->field == AG_METADATA ? PICK(keys) : NULL;
        filter->op = (enum ag_op)random_draw(AG_NOT_NULL + 1);
        filter->value_count = random_draw(4);
        for (size_t j = 0; j < filter->value_count; j++) {
            filter->values[j] = PICK(values);
        }
    }
    intent->group_count = random_draw(AG_MAX_GROUPS + 1);
    for (size_t i = 0; i < intent->group_count; i++) {
        intent->groups[i].field = (enum ag_field)random_draw(AG_FIELD_COUNT);
        intent->groups[i].key = intent->groups[i].field == AG_METADATA ? PICK(keys) : NULL;
    }
    intent->window = (struct ag_window){
        .symbolic = "x", .from_us = moment() - LM_DAY_US, .to_us = moment() + 1, .stated = true};
    intent->against =
        (struct ag_window){.symbolic = "x", .from_us = moment() - LM_DAY_US, .to_us = moment() + 1};
    intent->compare = random_draw(3) == 0 ? AG_COMPARE_WINDOW : AG_NO_COMPARE;
    intent->order = (enum ag_order)random_draw(AG_FASTEST + 1);
    intent->rank = random_draw(2) == 0;
    intent->limit = (int)random_draw(20);
    intent->each = random_draw(8) == 0 ? 1 + (int)random_draw(3) : 0;
    intent->counted = random_draw(8) == 0;
    intent->bucket_us = random_draw(2) == 0 ? 0 : PICK(widths) * LM_SECOND_US;
    intent->silent_us = (int64_t)random_draw(3) * LM_HOUR_US;
    intent->threshold.set = random_draw(4) == 0;
    intent->threshold.op = (enum ag_op)random_draw(AG_NOT_NULL + 1);
    intent->threshold.value = (double)random_draw(100) / 7;
}

const char *random_coarse_filter(void)
{
    return PICK(coarse_filters);
}

const char *random_coarse_group(void)
{
    return PICK(coarse_groups);
}
