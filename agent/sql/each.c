/*
 * So many groups of each: a statement by two groups becomes the innermost of three. The next one numbers its
 * rows within each value of the first group by the order asked for, the last one leaves the first so many.
 */
#include "agent/sql/plan.h"

#include <string.h>

void ag_each_keys(struct ag_plan *plan)
{
    const char *divides = plan->groups[0];
    ag_group_named(plan);
    size_t kept = 1;
    struct ag_key keys[AG_MAX_KEYS + 1];
    for (size_t i = 0; i < plan->key_count; i++) {
        if (strcmp(plan->keys[i].text, divides) != 0) {
            keys[kept++] = plan->keys[i];
        }
    }
    memcpy(plan->keys, keys, kept * sizeof *keys);
    plan->key_count = kept;
    plan->keys[0] = (struct ag_key){divides, ag_plan_text(plan, "t.%s", divides)};
}

static const char *place(struct ag_plan *plan)
{
    const char *order = "";
    for (size_t i = 1; i < plan->key_count; i++) {
        order = ag_plan_text(plan, "%s%s%s", order, i > 1 ? ", " : "", plan->keys[i].outer);
    }
    return ag_plan_text(plan, "row_number() OVER (PARTITION BY %s ORDER BY %s) AS place", plan->keys[0].outer,
                        order);
}

void ag_emit_each(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent)
{
    const char *texts[AG_MAX_COLUMNS + 1];
    size_t count = plan->out->column_count;
    for (size_t i = 0; i < count; i++) {
        texts[i] = ag_plan_text(plan, "t.%s", plan->out->columns[i].name);
    }
    ag_emit_list(sql, indent, "SELECT", texts, count);
    texts[count] = place(plan);
    lm_buffer_printf(sql, "%*sFROM (\n", (int)indent, "");
    ag_emit_list(sql, indent + 4, "SELECT", texts, count + 1);
    lm_buffer_printf(sql, "%*sFROM (\n", (int)indent + 4, "");
    ag_emit_groups(plan, sql, indent + 8);
    lm_buffer_printf(sql, "%*s) AS t\n%*s) AS t\n%*sWHERE place <= %d\n", (int)indent + 4, "", (int)indent,
                     "", (int)indent, "", plan->intent->each);
    ag_emit_order(plan, sql, indent, true);
    lm_buffer_printf(sql, "%*sLIMIT %d\n", (int)indent, "", plan->limit);
}
