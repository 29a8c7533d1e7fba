/*
 * Groups above or below the figure of one of them: "services slower than payment-service". A statement by
 * groups, with that figure beside every row, becomes the inner one of two, and the outer one picks. Of a
 * number of records the figure of a group that has none is 0; where there is nothing to measure, nothing is
 * above it.
 */
#include "agent/sql/plan.h"

bool ag_exceeds_figure(struct ag_plan *plan, const char *name, const char *expr)
{
    const struct ag_intent *intent = plan->intent;
    if (intent->threshold.of == NULL) {
        return false;
    }
    const struct ag_group *group = &plan->grouped[0];
    enum ag_measure_fn fn = intent->measure.fn;
    bool counts = fn == AG_COUNT || fn == AG_DISTINCT;
    const char *is_one =
        ag_plan_text(plan, "%s = %s", ag_plan_item(plan, ag_field_alias(plan, group->field, group->key)),
                     ag_plan_literal(plan, intent->threshold.of));
    const char *figure = ag_plan_text(plan, "max(%s) FILTER (WHERE %s) OVER ()", expr, is_one);
    plan->figure = ag_plan_text(plan, counts ? "coalesce(%s, 0) AS figure" : "%s AS figure", figure);
    plan->held_with = name;
    ag_group_named(plan);
    return true;
}

const char *ag_exceeds_column(const struct ag_plan *plan)
{
    return plan->figure;
}

unsigned ag_exceeds_open(struct ag_plan *plan, struct lm_buffer *sql)
{
    const char *texts[AG_MAX_COLUMNS];
    size_t count = plan->out->column_count;
    for (size_t i = 0; i < count; i++) {
        texts[i] = ag_plan_text(plan, "t.%s", plan->out->columns[i].name);
    }
    ag_emit_list(sql, 0, "SELECT", texts, count);
    lm_buffer_append_text(sql, "FROM (\n");
    return 4;
}

void ag_exceeds_close(struct ag_plan *plan, struct lm_buffer *sql)
{
    lm_buffer_printf(sql, ") AS t\nWHERE t.%s %s t.figure\n", plan->held_with,
                     plan->intent->threshold.op == AG_BELOW ? "<" : ">");
    ag_emit_order(plan, sql, 0, true);
    lm_buffer_printf(sql, "LIMIT %d\n", plan->limit);
}
