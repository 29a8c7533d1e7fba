/*
 * The rows themselves. The rollups are the coarse index: where they know every filter, they say from which
 * minute on there are enough rows, and only those minutes are read and sorted.
 */
#include "agent/sql/plan.h"

/* Below this the index costs more than it saves. */
#define COARSE_WINDOW (10 * AG_MINUTE)

static const struct listed {
    const char *name;
    const char *expr; /* NULL: the column */
    enum ag_type type;
    const char *unit;
} listed[] = {
    {"created_at", NULL, AG_TIMESTAMP, NULL},
    {"level", NULL, AG_STRING, NULL},
    {"service", NULL, AG_STRING, NULL},
    {"message", "left(message, 8193)", AG_STRING, NULL},
    {"environment", NULL, AG_STRING, NULL},
    {"category", NULL, AG_STRING, NULL},
    {"log_type", NULL, AG_STRING, NULL},
    {"host", NULL, AG_STRING, NULL},
    {"component", NULL, AG_STRING, NULL},
    {"module", NULL, AG_STRING, NULL},
    {"event_type", NULL, AG_STRING, NULL},
    {"error_type", NULL, AG_STRING, NULL},
    {"error_code", NULL, AG_STRING, NULL},
    {"method", NULL, AG_STRING, NULL},
    {"endpoint", NULL, AG_STRING, NULL},
    {"http_status", NULL, AG_INTEGER, NULL},
    {"duration_ms", NULL, AG_NUMBER, "ms"},
    {"user_id", NULL, AG_STRING, NULL},
    {"session_id", NULL, AG_STRING, NULL},
    {"trace_id", NULL, AG_STRING, NULL},
    {"span_id", NULL, AG_STRING, NULL},
    {"client_ip", "host(client_ip)", AG_STRING, NULL},
    {"page_path", NULL, AG_STRING, NULL},
    {"browser", NULL, AG_STRING, NULL},
    {"device", NULL, AG_STRING, NULL},
    {"tags", NULL, AG_ARRAY, NULL},
    {"metadata", "left(metadata::text, 8193)", AG_OBJECT, NULL},
    {"stack_trace", "left(stack_trace, 8193)", AG_STRING, NULL},
};
_Static_assert(AG_MAX_CELL == 8192, "one more character than a cell holds is fetched, so that a cut is seen");
_Static_assert(sizeof listed / sizeof *listed <= AG_MAX_COLUMNS, "the columns of a list fit");

/* One trace, one session: read in the order things happened. */
static bool one_thread(const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        enum ag_field field = intent->filters[i].field;
        if (intent->filters[i].op == AG_IN &&
            (field == AG_TRACE_ID || field == AG_SESSION_ID || field == AG_SPAN_ID)) {
            return true;
        }
    }
    return false;
}

static enum ag_order direction(const struct ag_intent *intent)
{
    if (intent->order == AG_SLOWEST || intent->order == AG_FASTEST) {
        return intent->order;
    }
    if (intent->measure.field == AG_DURATION && (intent->order == AG_MOST || intent->order == AG_FEWEST)) {
        return intent->order == AG_MOST ? AG_SLOWEST : AG_FASTEST;
    }
    if (intent->order == AG_OLDEST || intent->order == AG_NEWEST) {
        return intent->order;
    }
    return one_thread(intent) ? AG_OLDEST : AG_NEWEST;
}

/* The bound that the minutes of the rollup give: created_at >= greatest((… the minute that fills the list …),
 * from); of a NULL greatest() takes no notice. Not coalesce(): PostgreSQL takes that for leaky, and below row
 * security what is leaky is no condition of an index. */
static void emit_coarse_bound(struct ag_plan *plan, struct lm_buffer *sql, bool newest)
{
    int64_t from_us = plan->out->from_us;
    int64_t to_us = plan->out->to_us;
    const struct ag_part part = {
        .table = AG_MINUTES,
        .from_us = from_us + (AG_MINUTE - from_us % AG_MINUTE) % AG_MINUTE,
        .to_us = ag_window_end(plan, to_us, AG_MINUTE),
    };
    const char *conditions[AG_MAX_FILTERS + 7];
    size_t count = ag_emit_conditions(plan, &part, conditions);
    lm_buffer_append_text(sql, newest ? "  AND created_at >= greatest((\n" : "  AND created_at < least((\n");
    lm_buffer_printf(sql, "      SELECT minute%s\n      FROM (\n", newest ? "" : " + interval '1 minute'");
    lm_buffer_printf(sql, "          SELECT minute, sum(n) OVER (ORDER BY minute%s) AS upto\n",
                     newest ? " DESC" : "");
    lm_buffer_append_text(sql, "          FROM log_rollup_minute\n");
    ag_emit_where(sql, 10, conditions, count);
    /* Any minute that fills the list will do, so no ORDER BY: with it, PostgreSQL would read the whole window
     * first. */
    lm_buffer_printf(sql, "      ) AS minutes\n      WHERE upto >= %d\n      LIMIT 1\n", plan->limit);
    lm_buffer_printf(sql, "  ), %s)\n", ag_plan_instant(plan, newest ? from_us : to_us));
}

/* Rows are dropped category by category, and the rollup outlives them: it may count what is no longer there.
 */
static bool coarse_helps(const struct ag_plan *plan, enum ag_order order)
{
    const struct ag_sql *out = plan->out;
    return (order == AG_NEWEST || order == AG_OLDEST) && !plan->context->no_rollups &&
           out->to_us - out->from_us > COARSE_WINDOW && out->from_us >= plan->context->rows_since_us &&
           ag_source_minutes_filter(plan);
}

/* Beyond the scan window what matches may be so rare that all of it is read: there the estimate has a say. */
static bool within_scan(const struct ag_plan *plan)
{
    int64_t scan_us = plan->context->scan_window_us > 0 ? plan->context->scan_window_us : AG_DAY;
    return plan->out->to_us - plan->out->from_us <= scan_us;
}

static int check_window(struct ag_plan *plan, bool coarse)
{
    /* A look-up searches everything, and a list filled from the coarse index reads only its own minutes. */
    if (coarse || one_thread(plan->intent)) {
        return 0;
    }
    return ag_window_check(plan, plan->context->scan_window_us);
}

/* Without the keys that are hidden from the caller. */
static const char *metadata_expr(struct ag_plan *plan)
{
    const char *rest = "metadata";
    const char *key = NULL;
    for (size_t i = 0; (key = ag_mask_key(plan->context->mask, i)) != NULL; i++) {
        rest = ag_plan_text(plan, "(%s - %s::text)", rest, ag_plan_literal(plan, key));
    }
    return ag_plan_text(plan, "left(%s::text, 8193)", rest);
}

static void list_columns(struct ag_plan *plan, const char *texts[AG_MAX_COLUMNS])
{
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++) {
        if (ag_mask_column(plan->context->mask, listed[i].name)) {
            continue;
        }
        const char *expr = listed[i].type == AG_OBJECT ? metadata_expr(plan) : listed[i].expr;
        texts[plan->out->column_count] =
            expr == NULL ? listed[i].name : ag_plan_text(plan, "%s AS %s", expr, listed[i].name);
        ag_plan_add_column(plan, listed[i].name, expr, listed[i].type, listed[i].unit, AG_ROLE_DETAIL);
    }
}

int ag_write_list(struct ag_plan *plan, struct lm_buffer *sql)
{
    enum ag_order order = direction(plan->intent);
    bool coarse = coarse_helps(plan, order);
    const char *texts[AG_MAX_COLUMNS];
    plan->out->lists_rows = true;
    plan->out->list_order = order;
    plan->out->filled = coarse && within_scan(plan);
    ag_row_limit(plan, 0);
    if (check_window(plan, coarse) != 0) {
        return -1;
    }
    if (order == AG_SLOWEST || order == AG_FASTEST) {
        plan->extra_where = "duration_ms IS NOT NULL";
        ag_plan_add_key(plan, "duration_ms", "duration_ms", order == AG_SLOWEST ? " DESC" : "");
    }
    bool up = order == AG_OLDEST;
    ag_plan_add_key(plan, "created_at", "created_at", up ? "" : " DESC");
    ag_plan_add_key(plan, "category", "category", "");
    ag_plan_add_key(plan, "kafka_partition", "kafka_partition", "");
    ag_plan_add_key(plan, "kafka_offset", "kafka_offset", up ? "" : " DESC");
    list_columns(plan, texts);
    ag_emit_list(sql, 0, "SELECT", texts, plan->out->column_count);
    ag_emit_from(plan, sql, 0);
    if (coarse) {
        emit_coarse_bound(plan, sql, order == AG_NEWEST);
    }
    ag_emit_order(plan, sql, 0, false);
    return 0;
}
