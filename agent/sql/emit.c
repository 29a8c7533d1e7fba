/*
 * The text of a plan, laid out to be read: a clause a line, a condition a line, subqueries indented.
 */
#include "agent/sql/plan.h"

#include <string.h>

#define LINE_WIDTH 100

static void indented(struct lm_buffer *sql, unsigned indent)
{
    for (unsigned i = 0; i < indent; i++) {
        lm_buffer_append_char(sql, ' ');
    }
}

void ag_emit_list(struct lm_buffer *sql, unsigned indent, const char *head, const char *const *texts,
                  size_t count)
{
    if (count == 0) {
        return;
    }
    size_t width = indent + strlen(head);
    for (size_t i = 0; i < count; i++) {
        width += strlen(texts[i]) + 2;
    }
    bool one_line = width <= LINE_WIDTH;
    indented(sql, indent);
    lm_buffer_append_text(sql, head);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && !one_line) {
            lm_buffer_append_text(sql, ",\n");
            indented(sql, indent + (unsigned)strlen(head) + 1);
        } else {
            lm_buffer_append_text(sql, i > 0 ? ", " : " ");
        }
        lm_buffer_append_text(sql, texts[i]);
    }
    lm_buffer_append_char(sql, '\n');
}

void ag_emit_where(struct lm_buffer *sql, unsigned indent, const char *const *conditions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        indented(sql, indent);
        lm_buffer_append_text(sql, i == 0 ? "WHERE " : "  AND ");
        lm_buffer_append_text(sql, conditions[i]);
        lm_buffer_append_char(sql, '\n');
    }
}

/* A caller's scope holds whatever is asked; row security holds it once more. */
static const char *scope_condition(struct ag_plan *plan, const char *column, const char *const *names,
                                   size_t count)
{
    return ag_plan_text(plan, "%s IN (%s)", column, ag_plan_literals(plan, names, count));
}

static bool is_called(enum ag_table table)
{
    return table >= AG_FOLDS;
}

size_t ag_emit_conditions(struct ag_plan *plan, const struct ag_part *part,
                          const char *out[AG_MAX_FILTERS + 7])
{
    size_t count = 0;
    if (!is_called(part->table)) {
        const char *time = ag_table_time(part->table);
        out[count++] = ag_plan_text(plan, "%s >= %s", time, ag_plan_instant(plan, part->from_us));
        out[count++] = ag_plan_text(plan, "%s < %s", time, ag_plan_instant(plan, part->to_us));
    }
    for (size_t i = 0; i < plan->filter_count; i++) {
        const struct ag_filter *filter = &plan->intent->filters[i];
        if (filter->part != 0 || (part->table == AG_HOURS && filter->field == AG_LEVEL)) {
            continue; /* of one part, told apart where it is measured; the hours hold errors only */
        }
        const char *condition = ag_filter_expr(plan, filter, part->table);
        if (condition != NULL) {
            out[count++] = condition;
        }
    }
    const char *of_a_part = ag_measure_rows(plan, part->table);
    if (of_a_part != NULL) {
        out[count++] = of_a_part;
    }
    const struct ag_scope *scope = plan->context->scope;
    if (scope != NULL && scope->service_count > 0) {
        out[count++] = scope_condition(plan, "service", scope->services, scope->service_count);
    }
    if (scope != NULL && scope->environment_count > 0) {
        out[count++] = scope_condition(plan, "environment", scope->environments, scope->environment_count);
    }
    if (part->table == AG_LOGS && plan->extra_where != NULL) {
        out[count++] = plan->extra_where;
    }
    return count;
}

static void emit_table(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent,
                       const struct ag_part *part)
{
    const char *conditions[AG_MAX_FILTERS + 7];
    size_t count = ag_emit_conditions(plan, part, conditions);
    indented(sql, indent);
    lm_buffer_printf(sql, "FROM %s", ag_table_name(part->table));
    if (is_called(part->table)) {
        lm_buffer_printf(sql, "(%s, %s, '%s', %s", ag_plan_instant(plan, part->from_us),
                         ag_plan_instant(plan, part->to_us), plan->fold_unit, plan->fold_zone);
        if (part->table == AG_COUNTS || part->table == AG_HISTOGRAMS) {
            lm_buffer_printf(sql, ", '%s', %s", plan->fold_by, plan->fold_of);
        }
        lm_buffer_append_char(sql, ')');
    }
    lm_buffer_append_char(sql, '\n');
    ag_emit_where(sql, indent, conditions, count);
}

static void emit_part(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent,
                      const struct ag_part *part)
{
    const char *texts[AG_MAX_ITEMS + 1];
    size_t count = 0;
    if (plan->sides) {
        texts[count++] =
            part->split_us != 0
                ? ag_plan_text(plan, "CASE WHEN created_at < %s THEN 'previous' ELSE 'current' END AS side",
                               ag_plan_instant(plan, part->split_us))
            : part->previous ? "'previous' AS side"
                             : "'current' AS side";
    }
    for (size_t i = 0; i < plan->item_count; i++) {
        const struct ag_item *item = &plan->items[i];
        bool less = part->taken_away && strcmp(item->alias, "n") == 0;
        const char *expr = less ? "-1" : ag_item_expr(item, part->table);
        texts[count++] =
            strcmp(expr, item->alias) == 0 ? item->alias : ag_plan_text(plan, "%s AS %s", expr, item->alias);
    }
    ag_emit_list(sql, indent, "SELECT", texts, count);
    emit_table(plan, sql, indent, part);
}

void ag_emit_from(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent)
{
    if (plan->part_count == 1 && !plan->nested) {
        emit_table(plan, sql, indent, &plan->parts[0]);
        return;
    }
    indented(sql, indent);
    lm_buffer_append_text(sql, "FROM (\n");
    for (size_t i = 0; i < plan->part_count; i++) {
        if (i > 0) {
            indented(sql, indent + 4);
            lm_buffer_append_text(sql, "UNION ALL\n");
        }
        emit_part(plan, sql, indent + 4, &plan->parts[i]);
    }
    indented(sql, indent);
    lm_buffer_append_text(sql, ") AS parts\n");
}

void ag_emit_having(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent)
{
    for (size_t i = 0; i < plan->having_count; i++) {
        indented(sql, indent);
        lm_buffer_printf(sql, "%s %s\n", i == 0 ? "HAVING" : "   AND", plan->having[i]);
    }
}

void ag_emit_order(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent, bool outer)
{
    const char *texts[AG_MAX_KEYS];
    for (size_t i = 0; i < plan->key_count; i++) {
        texts[i] = outer ? plan->keys[i].outer : plan->keys[i].text;
    }
    ag_emit_list(sql, indent, "ORDER BY", texts, plan->key_count);
    if (plan->limit > 0 && !outer) {
        indented(sql, indent);
        lm_buffer_printf(sql, "LIMIT %d\n", plan->limit);
    }
}

void ag_emit_groups(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent)
{
    const char *texts[AG_MAX_COLUMNS + 1];
    size_t count = plan->out->column_count;
    for (size_t i = 0; i < count; i++) {
        const char *name = plan->out->columns[i].name;
        texts[i] = plan->selects[i] == NULL ? name : ag_plan_text(plan, "%s AS %s", plan->selects[i], name);
    }
    if (ag_exceeds_column(plan) != NULL) {
        texts[count++] = ag_exceeds_column(plan);
    }
    ag_emit_list(sql, indent, "SELECT", texts, count);
    ag_emit_from(plan, sql, indent);
    ag_emit_list(sql, indent, "GROUP BY", plan->groups, plan->group_count);
    ag_emit_having(plan, sql, indent);
}

void ag_emit_statement(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent)
{
    if (plan->intent->each > 0) {
        ag_emit_each(plan, sql, indent);
        return;
    }
    ag_emit_groups(plan, sql, indent);
    ag_emit_order(plan, sql, indent, false);
}
