/*
 * Everything that is a measure by groups and buckets, of one window or of two.
 */
#include "agent/sql/plan.h"

#include <string.h>

size_t ag_group_list(const struct ag_intent *intent, struct ag_group out[AG_MAX_GROUPS + 1])
{
    size_t count = 0;
    struct ag_group wanted[AG_MAX_GROUPS + 1];
    size_t wanted_count = 0;
    for (size_t i = 0; i < intent->group_count && i < AG_MAX_GROUPS; i++) {
        wanted[wanted_count++] = intent->groups[i];
    }
    if (intent->measure.fn == AG_NAMES) {
        wanted[wanted_count++] = (struct ag_group){.field = intent->measure.field};
    }
    if (wanted_count == 0 && intent->shape == AG_SILENT) {
        wanted[wanted_count++] = (struct ag_group){.field = AG_SERVICE};
    }
    if (wanted_count == 0 && intent->shape == AG_NEW) {
        wanted[wanted_count++] = (struct ag_group){.field = AG_ERROR_TYPE};
    }
    for (size_t i = 0; i < wanted_count; i++) {
        bool known = false;
        for (size_t j = 0; j < count; j++) {
            known |= out[j].field == wanted[i].field && wanted[i].field != AG_METADATA;
        }
        if (!known) {
            out[count++] = wanted[i];
        }
    }
    return count;
}

static const char *group_alias(struct ag_plan *plan, size_t index)
{
    const struct ag_group *group = &plan->grouped[index];
    const char *alias = ag_field_alias(plan, group->field, group->key);
    for (size_t i = 0; i < index; i++) {
        if (strcmp(alias, ag_field_alias(plan, plan->grouped[i].field, plan->grouped[i].key)) == 0) {
            return ag_plan_text(plan, "%s_%zu", alias, index + 1);
        }
    }
    return alias;
}

int ag_group_items(struct ag_plan *plan)
{
    if (plan->out->bucket_us > 0) {
        ag_plan_add_item(plan, "bucket", ag_bucket_expr(plan, "created_at"),
                         ag_bucket_expr(plan, ag_table_time(plan->source)));
    }
    for (size_t i = 0; i < plan->grouped_count; i++) {
        const struct ag_group *group = &plan->grouped[i];
        const char *logs = ag_field_expr(plan, group->field, group->key, AG_LOGS);
        if (logs == NULL || group->field == AG_DURATION || group->field == AG_REQUEST ||
            group->field == AG_STACK_TRACE) {
            return ag_plan_refuse(plan, "not_understood", "그것으로는 기록을 묶을 수 없습니다",
                                  "records cannot be grouped by that");
        }
        ag_plan_add_item(plan, group_alias(plan, i), logs,
                         ag_field_expr(plan, group->field, group->key, plan->source));
        /* What the rollup keeps as '' and what unnest multiplies is settled below the grouping. */
        plan->nested |= group->field == AG_TAG || (plan->mixed && group->field == AG_ERROR_TYPE);
        if (group->field == AG_PATTERN) {
            ag_plan_add_item(plan, "sample", ag_plan_text(plan, "left(message, %d)", AG_MAX_CELL + 1), NULL);
        }
    }
    return 0;
}

void ag_group_columns(struct ag_plan *plan)
{
    if (plan->out->bucket_us > 0) {
        ag_plan_add_column(plan, "bucket", ag_plan_item(plan, "bucket"), AG_TIMESTAMP, NULL, AG_ROLE_BUCKET);
        ag_plan_add_group(plan, "bucket");
    }
    if (plan->sides && plan->out->bucket_us > 0) {
        ag_plan_add_column(plan, "side", NULL, AG_STRING, NULL, AG_ROLE_SIDE);
        ag_plan_add_group(plan, "side");
    }
    for (size_t i = 0; i < plan->grouped_count; i++) {
        const char *alias = group_alias(plan, i);
        ag_plan_add_column(plan, alias, ag_plan_item(plan, alias), ag_field_type(plan->grouped[i].field),
                           NULL, AG_ROLE_GROUP);
        ag_plan_add_group(plan, alias);
    }
}

void ag_group_named(struct ag_plan *plan)
{
    for (size_t i = 0; i < plan->grouped_count; i++) {
        if (ag_field_nullable(plan->grouped[i].field)) {
            ag_plan_add_having(
                plan, ag_plan_text(plan, "%s IS NOT NULL", ag_plan_item(plan, group_alias(plan, i))));
        }
    }
}

void ag_group_keys(struct ag_plan *plan)
{
    for (size_t i = 0; i < plan->grouped_count; i++) {
        const char *alias = group_alias(plan, i);
        ag_plan_add_key(plan, alias, alias, "");
    }
}

const char *ag_group_null(struct ag_plan *plan, bool outer)
{
    const char *condition = NULL;
    for (size_t i = 0; i < plan->grouped_count; i++) {
        if (!ag_field_nullable(plan->grouped[i].field)) {
            continue;
        }
        const char *alias = group_alias(plan, i);
        const char *one = outer ? ag_plan_text(plan, "t.%s IS NULL", alias)
                                : ag_plan_text(plan, "%s IS NULL", ag_plan_item(plan, alias));
        condition = condition == NULL ? one : ag_plan_text(plan, "%s OR %s", condition, one);
    }
    return condition;
}

void ag_row_limit(struct ag_plan *plan, int most)
{
    const struct ag_sql_context *context = plan->context;
    struct ag_sql *out = plan->out;
    const int ceiling =
        out->lists_rows && context->list_ceiling > 0 ? context->list_ceiling : AG_MAX_RESULT_ROWS;
    int limit = context->max_rows < 1 ? 1 : context->max_rows > ceiling ? ceiling : context->max_rows;
    if (most > limit) {
        out->rows_shown = context->max_rows_stated ? limit : 0;
        limit = most;
    }
    int asked = plan->intent->limit;
    out->limit_stated = asked > 0 && asked <= limit;
    out->row_limit = out->limit_stated ? asked : limit;
    plan->limit = out->row_limit + 1;
}

/* The groups themselves are the answer, not how much each has. */
static bool lists_names(const struct ag_intent *intent)
{
    return intent->measure.fn == AG_NAMES || intent->shape == AG_WITHOUT;
}

/* Shares of the whole, and how much a ranking leaves out. */
static void hidden_columns(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    if (plan->grouped_count == 0 || plan->sides || plan->out->bucket_us > 0 || lists_names(intent) ||
        intent->each > 0) {
        return;
    }
    bool counts = intent->measure.fn == AG_COUNT && !intent->threshold.set && intent->part_count == 0;
    const char *rows = plan->mixed ? ag_plan_text(plan, "sum(%s)", ag_plan_item(plan, "n")) : "count(*)";
    if (counts && plan->grouped[0].field != AG_TAG) {
        ag_plan_add_column(plan, "total", ag_plan_text(plan, "sum(%s) OVER ()::bigint", rows), AG_INTEGER,
                           NULL, AG_ROLE_TOTAL)
            ->hidden = true;
    }
    const char *null = ag_group_null(plan, false);
    /* A ranking is of groups that have a name; so is an average by two fields, where a half-named group says
     * nothing. */
    plan->out->drops_null =
        null != NULL && (intent->rank || (plan->grouped_count > 1 && ag_measure_is_duration(intent)));
    if (plan->out->drops_null && !(plan->mixed && ag_measure_is_duration(intent))) {
        const char *sum =
            ag_plan_text(plan, "coalesce(sum(%s) FILTER (WHERE %s) OVER (), 0)::bigint", rows, null);
        ag_plan_add_column(plan, "without_value", sum, AG_INTEGER, NULL, AG_ROLE_WITHOUT)->hidden = true;
    }
}

bool ag_group_by_clock(const struct ag_plan *plan)
{
    for (size_t i = 0; i < plan->grouped_count; i++) {
        if (plan->grouped[i].field != AG_HOUR_OF_DAY && plan->grouped[i].field != AG_DAY_OF_WEEK) {
            return false;
        }
    }
    return plan->grouped_count > 0 && !plan->intent->rank && plan->intent->order == AG_ORDER_DEFAULT;
}

/* Orders what ag_measure_columns has not: it adds the measure's key last. */
static void order_groups(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    if (plan->out->bucket_us > 0) {
        ag_plan_add_key(plan, "bucket", "bucket", "");
        if (plan->sides) {
            ag_plan_add_key(plan, "side", "side", "");
        }
        if (intent->each == 0) {
            return;
        }
    }
    const char *null = ag_group_null(plan, false);
    if (null != NULL && intent->each == 0) {
        const char *outer = ag_group_null(plan, true);
        bool several = strstr(null, " OR ") != NULL;
        ag_plan_add_key(plan, "", several ? ag_plan_text(plan, "(%s)", null) : null, "");
        plan->keys[plan->key_count - 1].outer = several ? ag_plan_text(plan, "(%s)", outer) : outer;
    }
    if (intent->rank && intent->measure.fn == AG_PERCENTILE && plan->grouped_count > 0 && !plan->mixed) {
        /* Too few to rank come last; the answer leaves them out and names them. */
        ag_plan_add_key(plan, "samples",
                        ag_plan_text(plan, "count(%s) < %d", ag_measure_number(plan), AG_MIN_SAMPLES), "");
        plan->keys[plan->key_count - 1].outer = ag_plan_text(plan, "t.samples < %d", AG_MIN_SAMPLES);
    }
}

static int plan_aggregate(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    if (ag_group_items(plan) != 0 || ag_measure_items(plan) != 0) {
        return -1;
    }
    ag_group_columns(plan);
    order_groups(plan);
    size_t keys = plan->key_count;
    if (ag_measure_columns(plan) != 0) {
        return -1;
    }
    bool by_time = plan->out->bucket_us > 0 && intent->each == 0;
    if (by_time || lists_names(intent) || ag_group_by_clock(plan)) {
        plan->key_count = keys; /* by time, by name, by the clock: not by the measure */
    }
    if (plan->group_count == 0) {
        plan->key_count = 0;
    }
    ag_group_keys(plan);
    if (plan->grouped_count > 0 && ag_measure_is_duration(intent) && !ag_measure_counts(intent)) {
        const char *n = plan->mixed ? ag_plan_text(plan, "sum(%s)", ag_plan_item(plan, "duration_n"))
                                    : ag_plan_text(plan, "count(%s)", ag_measure_number(plan));
        ag_plan_add_having(plan, ag_plan_text(plan, "%s > 0", n));
    }
    if (intent->counted && intent->rank && intent->measure.fn == AG_PERCENTILE && !plan->sides) {
        /* What a list would leave out, and name. */
        ag_plan_add_having(plan,
                           ag_plan_text(plan, "count(%s) >= %d", ag_measure_number(plan), AG_MIN_SAMPLES));
    }
    if (lists_names(intent) && ag_group_null(plan, false) != NULL) {
        const char *name = group_alias(plan, plan->grouped_count - 1);
        if (ag_field_nullable(plan->grouped[plan->grouped_count - 1].field)) {
            ag_plan_add_having(plan, ag_plan_text(plan, "%s IS NOT NULL", ag_plan_item(plan, name)));
        }
    }
    if (plan->takes_away && plan->group_count > 0) {
        ag_plan_add_having(plan, ag_plan_text(plan, "sum(%s) > 0", ag_plan_item(plan, "n")));
    }
    hidden_columns(plan);
    if (intent->each > 0) {
        ag_each_keys(plan);
    }
    return 0;
}

/* The template of a pattern is kept apart from its counts. */
static void emit_with_templates(struct ag_plan *plan, struct lm_buffer *sql)
{
    const char *texts[AG_MAX_COLUMNS];
    for (size_t i = 0; i < plan->out->column_count; i++) {
        const char *name = plan->out->columns[i].name;
        texts[i] = strcmp(name, "pattern") == 0 ? "coalesce(p.template, t.pattern::text) AS pattern"
                                                : ag_plan_text(plan, "t.%s", name);
    }
    ag_emit_list(sql, 0, "SELECT", texts, plan->out->column_count);
    lm_buffer_append_text(sql, "FROM (\n");
    ag_emit_statement(plan, sql, 4);
    lm_buffer_append_text(sql, ") AS t\nLEFT JOIN log_pattern AS p ON p.pattern = t.pattern\n");
    ag_emit_order(plan, sql, 0, true);
}

void ag_emit_grouped(struct ag_plan *plan, struct lm_buffer *sql)
{
    if (plan->intent->counted || plan->intent->summed) {
        unsigned indent = ag_counted_open(plan, sql);
        ag_emit_statement(plan, sql, indent);
        ag_counted_close(plan, sql);
        return;
    }
    if (ag_exceeds_column(plan) != NULL) {
        unsigned indent = ag_exceeds_open(plan, sql);
        ag_emit_groups(plan, sql, indent);
        ag_exceeds_close(plan, sql);
        return;
    }
    for (size_t i = 0; i < plan->grouped_count; i++) {
        if (plan->grouped[i].field == AG_PATTERN) {
            ag_plan_add_column(plan, "sample", ag_plan_text(plan, "min(%s)", ag_plan_item(plan, "sample")),
                               AG_STRING, NULL, AG_ROLE_DETAIL);
            emit_with_templates(plan, sql);
            return;
        }
    }
    ag_emit_statement(plan, sql, 0);
}

/* Counts of patterns, the most frequent first. A threshold has left out patterns that would count together.
 */
static bool merges_patterns(const struct ag_intent *intent)
{
    return intent->group_count == 1 && intent->groups[0].field == AG_PATTERN &&
           intent->measure.fn == AG_COUNT && intent->shape == AG_PLAIN && intent->compare == AG_NO_COMPARE &&
           !intent->threshold.set && (intent->order == AG_ORDER_DEFAULT || intent->order == AG_MOST);
}

int ag_write_aggregate(struct ag_plan *plan, struct lm_buffer *sql)
{
    struct ag_sql *out = plan->out;
    bool series = out->bucket_us > 0;
    out->sorted_by_answer = plan->intent->shape == AG_BUSIEST || plan->intent->shape == AG_SPIKE;
    ag_row_limit(plan, series && !out->sorted_by_answer
                           ? (plan->grouped_count > 0 ? AG_MAX_RESULT_ROWS : AG_MAX_BUCKETS)
                           : 0);
    if (out->sorted_by_answer) {
        plan->limit = AG_MAX_RESULT_ROWS + 1;
    }
    out->merges_patterns = merges_patterns(plan->intent);
    if (out->merges_patterns && plan->limit <= AG_MAX_PATTERNS) {
        plan->limit = AG_MAX_PATTERNS + 1;
    }
    if (plan_aggregate(plan) != 0) {
        return -1;
    }
    if (plan->group_count == 0) {
        plan->limit = 0; /* exactly one row */
    }
    ag_emit_grouped(plan, sql);
    return 0;
}
