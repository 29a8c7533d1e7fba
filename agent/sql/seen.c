/*
 * First and last occurrence, and groups that fell silent or are new, by way of the minutes of the rollup: the
 * rollup says which minute, one look at the rows of that minute says when in it. Where the rows of the minute
 * are no longer kept, the minute is the answer. Over long windows days or hours are folded, and the rollup is
 * asked twice: for the day or hour, and within it, by its index from the right end, for the minute.
 *
 * A group is silent when its last moment in the whole of both windows lies before the later one, and new when
 * its first does not lie before it. From folds that is how they are found: the start of a unit leaves out
 * nearly all groups, the moment itself decides about the rest.
 */
#include "agent/sql/plan.h"

#include <string.h>

/* The moment in the minute t.seen, among rows of [from, to). */
static void emit_moment(struct ag_plan *plan, struct lm_buffer *sql, const char *name, bool last,
                        int64_t from_us, int64_t to_us)
{
    const char *conditions[AG_MAX_FILTERS + 10];
    const struct ag_part part = {.table = AG_LOGS, .from_us = from_us, .to_us = to_us};
    size_t count = ag_emit_conditions(plan, &part, conditions);
    conditions[count++] = "created_at >= t.seen";
    conditions[count++] = "created_at < t.seen + interval '1 minute'";
    for (size_t i = 0; i < plan->grouped_count; i++) {
        enum ag_field field = plan->grouped[i].field;
        const char *alias = ag_field_alias(plan, field, NULL);
        conditions[count++] =
            ag_plan_text(plan, "%s = t.%s", ag_field_expr(plan, field, NULL, AG_LOGS), alias);
    }
    lm_buffer_printf(sql, "coalesce((\n           SELECT %s(created_at)\n           FROM logs\n",
                     last ? "max" : "min");
    ag_emit_where(sql, 11, conditions, count);
    lm_buffer_printf(sql, "       ), t.seen) AS %s", name);
}

/* The first or last minute of the rollup from t.seen on, the start of a day, an hour or less; a moment from
 * the window's ragged ends stays what it is. */
static void emit_minute(struct ag_plan *plan, struct lm_buffer *sql, bool last, int64_t from_us,
                        int64_t to_us)
{
    const char *conditions[AG_MAX_FILTERS + 10];
    const struct ag_part part = {
        .table = AG_MINUTES,
        .from_us = from_us + (AG_MINUTE - from_us % AG_MINUTE) % AG_MINUTE,
        .to_us = ag_window_end(plan, to_us, AG_MINUTE),
    };
    size_t count = ag_emit_conditions(plan, &part, conditions);
    conditions[count++] = ag_plan_text(plan, "t.seen >= %s", ag_plan_instant(plan, part.from_us));
    conditions[count++] = "minute >= t.seen";
    conditions[count++] = strcmp(plan->fold_unit, "day") == 0 ? "minute < t.seen + interval '25 hours'"
                                                              : "minute < t.seen + interval '1 hour'";
    for (size_t i = 0; i < plan->grouped_count; i++) {
        enum ag_field field = plan->grouped[i].field;
        conditions[count++] = ag_plan_text(plan, "%s = t.%s", ag_field_expr(plan, field, NULL, AG_MINUTES),
                                           ag_field_alias(plan, field, NULL));
    }
    lm_buffer_printf(sql, "coalesce((\n               SELECT %s(minute)\n", last ? "max" : "min");
    lm_buffer_append_text(sql, "               FROM log_rollup_minute\n");
    ag_emit_where(sql, 15, conditions, count);
    lm_buffer_append_text(sql, "           ), t.seen) AS seen");
}

/* t.group…, what stands for "seen", t.count */
static void emit_columns(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent, bool last, bool minute,
                         int64_t from_us, int64_t to_us)
{
    struct ag_sql *out = plan->out;
    lm_buffer_printf(sql, "%*sSELECT ", (int)indent, "");
    for (size_t i = 0; i < out->column_count; i++) {
        if (strcmp(out->columns[i].name, "seen") != 0) {
            lm_buffer_printf(sql, "t.%s", out->columns[i].name);
        } else if (minute) {
            emit_minute(plan, sql, last, from_us, to_us);
        } else {
            emit_moment(plan, sql, last ? "last_seen" : "first_seen", last, from_us, to_us);
        }
        lm_buffer_printf(sql, i + 1 < out->column_count ? ",\n%*s" : "\n",
                         i + 1 < out->column_count ? (int)indent + 7 : 0, "");
    }
}

static void emit_order(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent, const char *name,
                       bool last)
{
    if (plan->key_count == 0) {
        return;
    }
    lm_buffer_printf(sql, "%*sORDER BY %s%s", (int)indent, "", name, last ? " DESC" : "");
    for (size_t i = 1; i < plan->key_count; i++) {
        lm_buffer_printf(sql, ", %s", plan->keys[i].outer);
    }
    lm_buffer_append_char(sql, '\n');
}

static void append(struct ag_plan *plan, struct lm_buffer *sql, struct lm_buffer *part)
{
    const char *text = lm_buffer_text(part);
    if (text != NULL) {
        lm_buffer_append_text(sql, text);
    } else {
        plan->failed = true;
    }
    lm_buffer_free(part);
}

/* The statement, of which folds tell only a day or an hour: all groups, for those of one day have no order
 * yet. */
static void emit_unordered(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent)
{
    size_t keys = plan->key_count;
    int limit = plan->limit;
    plan->key_count = 0;
    plan->limit = 0;
    ag_emit_statement(plan, sql, indent);
    plan->key_count = keys;
    plan->limit = limit;
}

/* What the statement calls the moment, of which it knows only the unit. */
static void rename_moment(struct ag_plan *plan, const char *from, const char *to)
{
    struct ag_sql *out = plan->out;
    for (size_t i = 0; i < out->column_count; i++) {
        if (strcmp(out->columns[i].name, from) == 0) {
            out->columns[i].name = to;
        }
    }
}

/* SELECT t.group…, the moment, t.count FROM (statement) AS t; the statement calls the minute "seen". With
 * `limited` the groups are cut as soon as their minutes are known. */
static void emit_moments(struct ag_plan *plan, struct lm_buffer *sql, unsigned indent, bool last,
                         int64_t from_us, int64_t to_us, bool limited)
{
    const char *name = last ? "last_seen" : "first_seen";
    struct lm_buffer inner;
    lm_buffer_init(&inner, sql->max);
    rename_moment(plan, name, "seen");
    emit_columns(plan, sql, indent, last, false, from_us, to_us);
    lm_buffer_printf(sql, "%*sFROM (\n", (int)indent, "");
    if (plan->source == AG_FOLDS) {
        emit_columns(plan, sql, indent + 4, last, true, from_us, to_us);
        lm_buffer_printf(sql, "%*sFROM (\n", (int)indent + 4, "");
        emit_unordered(plan, &inner, indent + 8);
        append(plan, sql, &inner);
        lm_buffer_printf(sql, "%*s) AS t\n", (int)indent + 4, "");
        if (limited) {
            emit_order(plan, sql, indent + 4, "seen", last);
        }
        if (limited && plan->limit > 0) {
            lm_buffer_printf(sql, "%*sLIMIT %d\n", (int)indent + 4, "", plan->limit);
        }
    } else {
        ag_emit_statement(plan, &inner, indent + 4);
        append(plan, sql, &inner);
    }
    lm_buffer_printf(sql, "%*s) AS t\n", (int)indent, "");
    rename_moment(plan, "seen", name);
}

static void add_seen(struct ag_plan *plan, bool last)
{
    ag_plan_add_item(plan, "seen", "created_at",
                     plan->source != AG_HOURS ? ag_table_time(plan->source)
                     : last                   ? "last_seen"
                                              : "first_seen");
    if (plan->mixed) {
        ag_plan_add_item(plan, "n", "1", NULL);
    }
}

static void seen_columns(struct ag_plan *plan, bool last)
{
    const char *name = last ? "last_seen" : "first_seen";
    bool minutes = plan->mixed && plan->source != AG_HOURS;
    ag_group_columns(plan);
    ag_plan_add_column(plan, name,
                       ag_plan_text(plan, "%s(%s)", last ? "max" : "min", ag_plan_item(plan, "seen")),
                       AG_TIMESTAMP, NULL, AG_ROLE_MEASURE)
        ->measures = last ? AG_LAST_SEEN : AG_FIRST_SEEN;
    ag_plan_add_column(plan, "count", ag_measure_count(plan, ""), AG_INTEGER, NULL, AG_ROLE_DETAIL);
    if (plan->grouped_count > 0) {
        ag_plan_add_key(plan, name, minutes ? "seen" : name, last ? " DESC" : "");
        ag_group_keys(plan);
    }
}

int ag_write_seen(struct ag_plan *plan, struct lm_buffer *sql)
{
    bool last = plan->intent->measure.fn == AG_LAST_SEEN;
    ag_row_limit(plan, 0);
    if (ag_group_items(plan) != 0) {
        return -1;
    }
    add_seen(plan, last);
    seen_columns(plan, last);
    if (plan->grouped_count == 0) {
        plan->limit = 0;
    }
    emit_moments(plan, sql, 0, last, plan->out->from_us, plan->out->to_us, true);
    emit_order(plan, sql, 0, last ? "last_seen" : "first_seen", last);
    return 0;
}

/* By folds: of the groups whose unit leaves it open, those whose moment is on the right side of where the
 * later window begins. */
static void emit_change(struct ag_plan *plan, struct lm_buffer *sql, bool silent, int64_t from_us)
{
    const char *texts[AG_MAX_COLUMNS];
    const char *name = silent ? "last_seen" : "first_seen";
    const char *split = ag_plan_instant(plan, plan->change_us);
    /* No unit is longer than an hour. */
    const char *may = silent ? ag_plan_text(plan, "%s < %s", plan->selects[plan->grouped_count], split)
                             : ag_plan_text(plan, "%s >= %s", plan->selects[plan->grouped_count],
                                            ag_plan_instant(plan, plan->change_us - AG_HOUR));
    ag_plan_add_having(plan, may);
    for (size_t i = 0; i < plan->out->column_count; i++) {
        texts[i] = ag_plan_text(plan, "t.%s", plan->out->columns[i].name);
    }
    ag_emit_list(sql, 0, "SELECT", texts, plan->out->column_count);
    lm_buffer_append_text(sql, "FROM (\n");
    emit_moments(plan, sql, 4, silent, from_us, plan->out->to_us, false);
    /* Or PostgreSQL would look every moment up twice, once for the condition. */
    lm_buffer_append_text(sql, "    OFFSET 0\n");
    lm_buffer_printf(sql, ") AS t\nWHERE t.%s %s %s\n", name, silent ? "<" : ">=", split);
    emit_order(plan, sql, 0, name, silent);
    if (plan->limit > 0) {
        lm_buffer_printf(sql, "LIMIT %d\n", plan->limit);
    }
}

int ag_write_change(struct ag_plan *plan, struct lm_buffer *sql)
{
    const struct ag_sql *out = plan->out;
    bool silent = plan->intent->shape == AG_SILENT;
    ag_row_limit(plan, 0);
    if (ag_group_items(plan) != 0) {
        return -1;
    }
    add_seen(plan, silent);
    seen_columns(plan, silent);
    if (plan->source == AG_FOLDS) {
        emit_change(plan, sql, silent, silent ? out->from_us : out->against_from_us);
        return 0;
    }
    const char *side = silent ? "side = 'current'" : "side = 'previous'";
    ag_plan_add_having(plan, ag_plan_text(plan, "%s = 0", ag_measure_count(plan, side)));
    ag_group_named(plan);
    if (plan->mixed && plan->source == AG_MINUTES) {
        emit_moments(plan, sql, 0, silent, out->from_us, out->to_us, true);
        emit_order(plan, sql, 0, silent ? "last_seen" : "first_seen", silent);
    } else {
        ag_emit_grouped(plan, sql);
    }
    return 0;
}
