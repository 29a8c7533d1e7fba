/*
 * Groups counted or summed: a statement by groups, its HAVING and all, becomes the inner one of two, and the
 * outer one says how many rows it has, or what they come to. Neither order nor limit: every group counts that
 * has a value.
 */
#include "agent/sql/plan.h"

static const char *name(struct ag_plan *plan)
{
    const struct ag_group *group = &plan->grouped[0];
    return ag_plan_text(plan, "distinct_%s", ag_field_alias(plan, group->field, group->key));
}

unsigned ag_counted_open(struct ag_plan *plan, struct lm_buffer *sql)
{
    if (!plan->intent->counted && !plan->intent->summed) {
        return 0;
    }
    ag_group_named(plan);
    const char *count = plan->intent->summed ? "coalesce(sum(t.count), 0)::bigint AS count"
                                             : ag_plan_text(plan, "count(*) AS %s", name(plan));
    ag_emit_list(sql, 0, "SELECT", &count, 1);
    lm_buffer_append_text(sql, "FROM (\n");
    /* The groups come first, then the count. */
    plan->out->column_count = plan->grouped_count + (plan->intent->summed ? 1 : 0);
    plan->key_count = 0;
    plan->limit = 0;
    return 4;
}

void ag_counted_close(struct ag_plan *plan, struct lm_buffer *sql)
{
    if (!plan->intent->counted && !plan->intent->summed) {
        return;
    }
    lm_buffer_append_text(sql, ") AS t\n");
    plan->out->column_count = 0;
    const char *shown = plan->intent->summed ? "count" : name(plan);
    ag_plan_add_column(plan, shown, NULL, AG_INTEGER, NULL, AG_ROLE_MEASURE)->measures =
        plan->intent->measure.fn;
}
