/*
 * Texts, items and columns of a plan.
 */
#include "agent/sql/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than a whole statement may have, so that what is too long is found there. */
#define MAX_FRAGMENT 65536

static const char *keep(struct ag_plan *plan, struct lm_buffer *buffer)
{
    const char *text = lm_buffer_text(buffer);
    const char *copy = text == NULL ? NULL : lm_arena_copy(plan->arena, text, buffer->len);
    lm_buffer_free(buffer);
    if (copy == NULL) {
        plan->failed = true;
        return "";
    }
    return copy;
}

const char *ag_plan_text(struct ag_plan *plan, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    va_end(args);
    const char *copy = len < 0 || len > MAX_FRAGMENT ? NULL : lm_arena_copy(plan->arena, text, (size_t)len);
    if (len >= 0) {
        free(text);
    }
    if (copy == NULL) {
        plan->failed = true;
        return "";
    }
    return copy;
}

const char *ag_plan_literal(struct ag_plan *plan, const char *text)
{
    struct lm_buffer buffer;
    lm_buffer_init(&buffer, MAX_FRAGMENT);
    lm_buffer_append_literal(&buffer, text, strlen(text));
    return keep(plan, &buffer);
}

const char *ag_plan_literals(struct ag_plan *plan, const char *const *texts, size_t count)
{
    const char *list = "";
    for (size_t i = 0; i < count; i++) {
        list = ag_plan_text(plan, "%s%s%s", list, i > 0 ? ", " : "", ag_plan_literal(plan, texts[i]));
    }
    return list;
}

const char *ag_plan_instant(struct ag_plan *plan, int64_t us)
{
    char text[40];
    ag_zone_format(plan->zone, us, text);
    char *t = strchr(text, 'T');
    if (t != NULL) {
        *t = ' ';
    }
    return ag_plan_text(plan, "'%s'::timestamptz", text);
}

const char *ag_plan_number(struct ag_plan *plan, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%.15g", value);
    if (strpbrk(text, ".e") == NULL) {
        strcat(text, ".0");
    }
    return ag_plan_text(plan, "%s", text);
}

const char *ag_plan_zone(struct ag_plan *plan)
{
    const char *zone = plan->intent->zone;
    if (zone[0] != '+' && zone[0] != '-') {
        return ag_plan_literal(plan, zone);
    }
    /* PostgreSQL reads a bare offset as POSIX does: positive is west of Greenwich. */
    return ag_plan_literal(plan, ag_plan_text(plan, "%c%s", zone[0] == '+' ? '-' : '+', zone + 1));
}

int ag_plan_refuse(struct ag_plan *plan, const char *kind, const char *ko, const char *en)
{
    return lm_error_set(plan->error, LM_FATAL, kind, "%s", plan->intent->language == AG_KO ? ko : en);
}

void ag_plan_add_item(struct ag_plan *plan, const char *alias, const char *logs, const char *rollup)
{
    for (size_t i = 0; i < plan->item_count; i++) {
        if (strcmp(plan->items[i].alias, alias) == 0) {
            return;
        }
    }
    if (plan->item_count == AG_MAX_ITEMS) {
        plan->failed = true;
        return;
    }
    plan->items[plan->item_count++] = (struct ag_item){
        .alias = alias, .logs = logs == NULL ? alias : logs, .rollup = rollup == NULL ? alias : rollup};
}

const char *ag_item_expr(const struct ag_item *item, enum ag_table table)
{
    return table == AG_LOGS ? item->logs : item->rollup;
}

const char *ag_plan_item(const struct ag_plan *plan, const char *alias)
{
    if (plan->part_count != 1 || plan->nested) {
        return alias;
    }
    for (size_t i = 0; i < plan->item_count; i++) {
        if (strcmp(plan->items[i].alias, alias) == 0) {
            return ag_item_expr(&plan->items[i], plan->parts[0].table);
        }
    }
    return alias;
}

struct ag_column *ag_plan_add_column(struct ag_plan *plan, const char *name, const char *expr,
                                     enum ag_type type, const char *unit, enum ag_role role)
{
    struct ag_sql *out = plan->out;
    if (out->column_count == AG_MAX_COLUMNS) {
        /* Cannot happen with the lists of this folder; the last column is overwritten rather than memory. */
        plan->failed = true;
        out->column_count--;
    }
    plan->selects[out->column_count] = expr != NULL && strcmp(expr, name) == 0 ? NULL : expr;
    struct ag_column *column = &out->columns[out->column_count++];
    *column = (struct ag_column){.name = name, .type = type, .unit = unit, .role = role};
    return column;
}

void ag_plan_add_group(struct ag_plan *plan, const char *name)
{
    if (plan->group_count < AG_MAX_KEYS) {
        plan->groups[plan->group_count++] = name;
    }
}

void ag_plan_add_having(struct ag_plan *plan, const char *condition)
{
    for (size_t i = 0; i < plan->having_count; i++) {
        if (strcmp(plan->having[i], condition) == 0) {
            return;
        }
    }
    if (plan->having_count == sizeof plan->having / sizeof *plan->having) {
        plan->failed = true; /* an answer without a condition would be another one */
        return;
    }
    plan->having[plan->having_count++] = condition;
}

void ag_plan_add_key(struct ag_plan *plan, const char *name, const char *expr, const char *suffix)
{
    if (plan->key_count < AG_MAX_KEYS) {
        plan->keys[plan->key_count++] = (struct ag_key){
            .text = ag_plan_text(plan, "%s%s", expr, suffix),
            .outer = ag_plan_text(plan, "t.%s%s", name, suffix),
        };
    }
}
