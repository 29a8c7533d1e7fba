/*
 * The way from intent to text: windows, bucket, source, parts, then the shape's own writer.
 */
#include "agent/sql/sql.h"

#include "agent/sql/plan.h"

#include <stdlib.h>
#include <string.h>

static const enum ag_sql_source sources[AG_TABLE_COUNT] = {[AG_LOGS] = AG_FROM_LOGS,
                                                           [AG_MINUTES] = AG_FROM_MINUTES,
                                                           [AG_HOURS] = AG_FROM_PATTERNS,
                                                           [AG_FOLDS] = AG_FROM_MINUTES,
                                                           [AG_COUNTS] = AG_FROM_MINUTES,
                                                           [AG_TOTALS] = AG_FROM_MINUTES,
                                                           [AG_HISTOGRAMS] = AG_FROM_HISTOGRAMS};

#define MAX_SQL 16384 /* what the guard takes */
#define SILENT_DEFAULT (15 * AG_MINUTE)

const char *ag_type_name(enum ag_type type)
{
    static const char *const names[] = {"string",    "integer", "number", "boolean",
                                        "timestamp", "array",   "object"};
    return (size_t)type < sizeof names / sizeof *names ? names[type] : "string";
}

static bool bucketed(enum ag_shape shape)
{
    return shape == AG_SERIES || shape == AG_BUSIEST || shape == AG_SPIKE;
}

/* First and last occurrence and single threads search everything; the rest is bounded by the scan window. */
static int check_scan(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    if (intent->measure.fn == AG_FIRST_SEEN || intent->measure.fn == AG_LAST_SEEN) {
        return 0;
    }
    for (size_t i = 0; i < intent->filter_count; i++) {
        enum ag_field field = intent->filters[i].field;
        if (intent->filters[i].op == AG_IN &&
            (field == AG_TRACE_ID || field == AG_SESSION_ID || field == AG_SPAN_ID)) {
            return 0;
        }
    }
    return ag_window_check(plan, plan->context->scan_window_us);
}

static int add_parts(struct ag_plan *plan)
{
    struct ag_sql *out = plan->out;
    const struct ag_intent *intent = plan->intent;
    int64_t silent = intent->silent_us > 0 ? intent->silent_us : SILENT_DEFAULT;
    if (intent->shape == AG_SILENT && out->to_us - silent <= out->from_us) {
        return lm_error_set(plan->error, LM_FATAL, "bad_request",
                            "the window is not longer than the silence that is looked for");
    }
    plan->part_count = 0;
    plan->mixed = false;
    plan->takes_away = false;
    plan->sides = false;
    if (ag_source_is_change(intent) && plan->source == AG_FOLDS) {
        bool new = intent->shape == AG_NEW;
        plan->change_us = new ? out->from_us : out->to_us - silent;
        ag_window_add(plan, plan->source, new ? out->against_from_us : out->from_us, out->to_us, false);
    } else if (intent->shape == AG_SILENT) {
        plan->sides = true;
        ag_window_add(plan, plan->source, out->from_us, out->to_us - silent, true);
        ag_window_add(plan, plan->source, out->to_us - silent, out->to_us, false);
    } else if (intent->shape == AG_NEW || intent->compare == AG_COMPARE_WINDOW) {
        plan->sides = true;
        ag_window_add(plan, plan->source, out->from_us, out->to_us, false);
        ag_window_add(plan, plan->source, out->against_from_us, out->against_to_us, true);
    } else {
        ag_window_add(plan, plan->source, out->from_us, out->to_us, false);
    }
    if (!plan->mixed) {
        plan->source = AG_LOGS; /* too short to hold a whole unit */
    }
    return 0;
}

/* What the guard lets through. The moment within the minute takes some as well. */
#define MAX_PARTS_OF_MOMENTS 5
#define MAX_PARTS_OF_FOLDED_CHANGE 2

static int add_joined_parts(struct ag_plan *plan)
{
    if (add_parts(plan) != 0) {
        return -1;
    }
    if (plan->mixed) {
        ag_window_join(plan);
    }
    return 0;
}

static int plan_parts(struct ag_plan *plan)
{
    if (add_joined_parts(plan) != 0) {
        return -1;
    }
    if (ag_source_is_change(plan->intent) && plan->source == AG_FOLDS &&
        plan->part_count > MAX_PARTS_OF_FOLDED_CHANGE) {
        plan->source = AG_MINUTES;
        if (add_joined_parts(plan) != 0) {
            return -1;
        }
    }
    if (ag_source_is_change(plan->intent) && plan->source == AG_MINUTES &&
        plan->part_count > MAX_PARTS_OF_MOMENTS) {
        plan->source = AG_LOGS;
        return add_parts(plan);
    }
    return 0;
}

/* Every filter is written once before anything else, so that a bad value is found whatever the shape. */
static int check_filters(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (ag_filter_expr(plan, &intent->filters[i], AG_LOGS) == NULL) {
            return -1;
        }
    }
    if (ag_filter_levels(intent, intent->filter_count) == 0) {
        return ag_plan_refuse(plan, "not_understood", "한 기록의 레벨이 둘일 수는 없습니다",
                              "no record has two levels at once");
    }
    return 0;
}

static int write_shape(struct ag_plan *plan, struct lm_buffer *sql)
{
    const struct ag_intent *intent = plan->intent;
    if (intent->each > 0 && !ag_intent_ranks_each(intent)) {
        return ag_plan_refuse(plan, "not_understood",
                              "나눈 것마다 몇 개씩은 두 가지로 나눈 순위에서만 고릅니다",
                              "so many of each are picked from a ranking by two fields");
    }
    if (intent->summed && !ag_intent_sums_groups(intent)) {
        return ag_plan_refuse(plan, "not_understood", "기준을 넘는 것들의 건수만 더할 수 있습니다",
                              "only counts of groups that hold a threshold are summed");
    }
    if (intent->threshold.of != NULL && !ag_intent_exceeds_one(intent)) {
        return ag_plan_refuse(plan, "not_understood", "한 가지의 순위만 그중 하나와 견줄 수 있습니다",
                              "only a ranking of one kind can be held against one of it");
    }
    if (intent->counted && !ag_intent_counts_groups(intent)) {
        return ag_plan_refuse(plan, "not_understood", "기준을 넘거나, 늘거나 준 것만 셀 수 있습니다",
                              "groups are counted that hold a threshold, or that rose or fell");
    }
    if (intent->measure.fn == AG_LIST) {
        if (plan->sides || plan->out->bucket_us > 0) {
            return ag_plan_refuse(plan, "not_understood",
                                  "기록 목록은 추이나 비교로 볼 수 없습니다. 건수로 물어보세요",
                                  "rows are listed as they are: counts have series and comparisons");
        }
        return ag_write_list(plan, sql);
    }
    if (check_scan(plan) != 0) {
        return -1;
    }
    if (ag_source_is_change(intent)) {
        return ag_write_change(plan, sql);
    }
    if (intent->shape == AG_EVIDENCE) {
        return ag_write_evidence(plan, sql);
    }
    bool seen = intent->measure.fn == AG_FIRST_SEEN || intent->measure.fn == AG_LAST_SEEN;
    if (seen && (plan->sides || plan->out->bucket_us > 0)) {
        return ag_plan_refuse(plan, "not_understood", "처음과 마지막은 추이나 비교로 볼 수 없습니다",
                              "first and last occurrence have no series and no comparison");
    }
    if (intent->shape == AG_WITHOUT && (plan->sides || intent->measure.fn != AG_COUNT ||
                                        intent->filter_count == 0 || plan->grouped_count == 0)) {
        return ag_plan_refuse(plan, "not_understood", "무엇이 없었던 것은 한 기간에서만 찾을 수 있습니다",
                              "who had none of something is looked for in one window");
    }
    if (seen && (plan->source == AG_MINUTES || plan->source == AG_FOLDS)) {
        return ag_write_seen(plan, sql);
    }
    if (plan->source == AG_HISTOGRAMS) {
        return ag_write_histogram(plan, sql);
    }
    return ag_write_aggregate(plan, sql);
}

static int write_text(struct ag_plan *plan)
{
    struct lm_buffer sql;
    lm_buffer_init(&sql, MAX_SQL);
    int result = write_shape(plan, &sql);
    if (result == 0) {
        while (sql.len > 0 && sql.data[sql.len - 1] == '\n') {
            sql.len--;
        }
        bool too_long = sql.failed && !plan->failed;
        const char *text = lm_buffer_text(&sql);
        plan->out->text = text == NULL ? NULL : lm_arena_copy(plan->arena, text, sql.len);
        if (too_long) {
            result = ag_plan_refuse(plan, "not_understood",
                                    "질문에 담긴 조건이 한 번에 처리하기에는 너무 많습니다",
                                    "the question names more than fits into one statement");
        } else if (plan->failed || plan->out->text == NULL) {
            result = lm_error_set(plan->error, LM_RETRY, "memory", "no memory for the statement");
        }
    }
    lm_buffer_free(&sql);
    return result;
}

int ag_sql_write(const struct ag_intent *intent, const struct ag_sql_context *context, struct lm_arena *arena,
                 struct ag_sql *out, struct lm_error *error)
{
    struct ag_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        return lm_error_set(error, LM_RETRY, "memory", "no memory for the statement");
    }
    *out = (struct ag_sql){.text = NULL};
    *plan = (struct ag_plan){.intent = intent,
                             .context = context,
                             .arena = arena,
                             .error = error,
                             .out = out,
                             .zone = ag_zone_new(intent->zone)};
    int result = -1;
    if (plan->zone == NULL) {
        result = lm_error_set(error, LM_FATAL, "bad_request", "the time zone \"%.64s\" is not known",
                              intent->zone);
        goto done;
    }
    plan->filter_count = intent->filter_count;
    if ((intent->measure.fn == AG_SHARE || intent->shape == AG_WITHOUT) && intent->filter_count > 0) {
        plan->filter_count--;
    }
    plan->grouped_count = ag_group_list(intent, plan->grouped);
    if (ag_window_resolve(plan) != 0 || check_filters(plan) != 0) {
        goto done;
    }
    if (bucketed(intent->shape)) {
        ag_bucket_choose(plan);
    }
    plan->source = ag_source_fold(plan, ag_source_choose(plan));
    if (plan_parts(plan) != 0) {
        goto done;
    }
    out->source = sources[plan->source];
    result = write_text(plan);
done:
    ag_zone_free(plan->zone);
    free(plan);
    return result;
}
