/*
 * Percentiles over more than is sorted row by row: from the logarithmic buckets of log_duration_minute,
 * each within 3 % of the durations in it (2 * gamma^i / (1 + gamma), in milliseconds gamma^i / 1030). The
 * edges of the window are put into the same buckets.
 */
#include "agent/sql/plan.h"

#include <string.h>

#define LOG_GAMMA "0.05826890812397576"

static const char *const bucket_of_row =
    "CASE WHEN duration_ms * 1000 <= 1 THEN 0 ELSE ceil(ln(duration_ms * 1000) / " LOG_GAMMA ") END";

/* Columns that tell the histograms apart. */
static size_t partition(struct ag_plan *plan, const char *out[AG_MAX_KEYS])
{
    size_t count = 0;
    if (plan->sides) {
        out[count++] = "side";
    }
    for (size_t i = 0; i < plan->item_count; i++) {
        const char *alias = plan->items[i].alias;
        if (strcmp(alias, "duration_bucket") != 0 && strcmp(alias, "n") != 0 && count < AG_MAX_KEYS - 1) {
            out[count++] = alias;
        }
    }
    return count;
}

/* As percentile_cont: between the two durations next to the rank, each the middle of its bucket, in
 * milliseconds. Of few durations the lower one alone may be far from it. */
static const char *percentile(struct ag_plan *plan, double p, const char *side)
{
    const char *rank = ag_plan_text(plan, "%.15g * (total - 1)", p);
    const char *and = side[0] == '\0' ? "" : " AND ";
    const char *share =
        ag_plan_text(plan, "max(%s - floor(%s))%s%s%s", rank, rank, side[0] == '\0' ? "" : " FILTER (WHERE ",
                     side, side[0] == '\0' ? "" : ")");

    return ag_plan_text(
        plan,
        "(exp(" LOG_GAMMA " * min(duration_bucket) FILTER (WHERE upto > floor(%s)%s%s)) * (1 - %s)"
        " + exp(" LOG_GAMMA " * min(duration_bucket) FILTER (WHERE upto > ceil(%s)%s%s)) * %s) / 1030",
        rank, and, side, share, rank, and, side, share);
}

/* "p95_duration_ms", "p99_9_duration_ms" */
static const char *percentile_name(struct ag_plan *plan, double p)
{
    char *name = (char *)ag_plan_text(plan, "p%.6g_duration_ms", p * 100);
    char *point = strchr(name, '.');
    if (point != NULL) {
        *point = '_';
    }
    return name;
}

/* Of the first percentile: which groups, and in what order. `other` is the other window's, or NULL. */
static void rank(struct ag_plan *plan, const char *name, const char *expr, const char *other)
{
    const struct ag_intent *intent = plan->intent;
    bool fewest = intent->order == AG_FEWEST;
    bool up = fewest || intent->order == AG_FASTEST;
    ag_measure_threshold(plan, name, expr);
    if (plan->out->bucket_us > 0 || plan->grouped_count == 0) {
        return;
    }
    if (other != NULL && intent->rank) {
        /* What rose most is among what rose. */
        ag_plan_add_having(plan, ag_plan_text(plan, "%s %s %s", expr, fewest ? "<" : ">", other));
        ag_plan_add_key(plan, name, ag_plan_text(plan, "%s - %s", expr, other),
                        fewest ? "" : " DESC NULLS LAST");
        return;
    }
    if (ag_group_by_clock(plan)) {
        return;
    }
    if (intent->rank) {
        ag_plan_add_key(plan, "samples", ag_plan_text(plan, "max(total) < %d", AG_MIN_SAMPLES), "");
        plan->keys[plan->key_count - 1].outer = ag_plan_text(plan, "t.samples < %d", AG_MIN_SAMPLES);
    }
    ag_plan_add_key(plan, name, name, up ? "" : " DESC NULLS LAST");
}

static void columns(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    bool compared = plan->sides && plan->out->bucket_us == 0;
    for (size_t i = 0; i < intent->measure.p_count; i++) {
        double p = intent->measure.p[i];
        const char *name = percentile_name(plan, p);
        const char *expr = percentile(plan, p, compared ? "side = 'current'" : "");
        const char *other = compared ? percentile(plan, p, "side = 'previous'") : NULL;
        ag_plan_add_column(plan, name, expr, AG_NUMBER, "ms", AG_ROLE_MEASURE)->measures = AG_PERCENTILE;
        if (compared) {
            ag_plan_add_column(plan, ag_plan_text(plan, "previous_%s", name), other, AG_NUMBER, "ms",
                               AG_ROLE_PREVIOUS);
        }
        if (i == 0) {
            rank(plan, name, expr, other);
        }
    }
    if (!compared) {
        ag_plan_add_column(plan, "samples", "coalesce(max(total), 0)::bigint", AG_INTEGER, NULL,
                           AG_ROLE_SAMPLES);
    }
}

int ag_write_histogram(struct ag_plan *plan, struct lm_buffer *sql)
{
    const struct ag_intent *intent = plan->intent;
    bool series = plan->out->bucket_us > 0;
    ag_row_limit(plan, series ? (plan->grouped_count > 0 ? AG_MAX_RESULT_ROWS : AG_MAX_BUCKETS) : 0);
    plan->out->sorted_by_answer = intent->shape == AG_BUSIEST || intent->shape == AG_SPIKE;
    plan->extra_where = "duration_ms IS NOT NULL";
    plan->nested = true;
    if (ag_measure_check(plan) != 0 || ag_group_items(plan) != 0) {
        return -1;
    }
    ag_plan_add_item(plan, "duration_bucket", bucket_of_row, "bucket");
    ag_plan_add_item(plan, "n", "1", NULL);
    ag_group_columns(plan);
    if (series) {
        ag_plan_add_key(plan, "bucket", "bucket", "");
    }
    if (series && plan->sides) {
        ag_plan_add_key(plan, "side", "side", "");
    }
    columns(plan);
    ag_group_keys(plan);

    const char *by[AG_MAX_KEYS];
    size_t by_count = partition(plan, by);
    const char *list = "";
    for (size_t i = 0; i < by_count; i++) {
        list = ag_plan_text(plan, "%s%s%s", list, i > 0 ? ", " : "PARTITION BY ", by[i]);
    }
    const char *inner[AG_MAX_KEYS + 3];
    memcpy(inner, by, by_count * sizeof *by);
    inner[by_count] = "duration_bucket";
    by[by_count] = "duration_bucket";
    /* Counts are exact in a double up to 2^53, and what is compared with them row by row is no numeric. */
    const char *n = "sum(sum(n)::bigint::double precision)";
    inner[by_count + 1] = ag_plan_text(plan, "%s OVER (%s%sORDER BY duration_bucket) AS upto", n, list,
                                       by_count > 0 ? " " : "");
    inner[by_count + 2] = ag_plan_text(plan, "%s OVER (%s) AS total", n, list);

    if (intent->counted && intent->rank && !plan->sides) {
        ag_plan_add_having(plan, ag_plan_text(plan, "max(total) >= %d", AG_MIN_SAMPLES));
    }
    if (plan->group_count == 0) {
        plan->limit = 0;
    }
    bool exceeds = ag_exceeds_column(plan) != NULL;
    unsigned indent = exceeds ? ag_exceeds_open(plan, sql) : ag_counted_open(plan, sql);
    const char *texts[AG_MAX_COLUMNS + 1];
    size_t count = plan->out->column_count;
    for (size_t i = 0; i < count; i++) {
        const char *name = plan->out->columns[i].name;
        texts[i] = plan->selects[i] == NULL ? name : ag_plan_text(plan, "%s AS %s", plan->selects[i], name);
    }
    if (exceeds) {
        texts[count++] = ag_exceeds_column(plan);
    }
    ag_emit_list(sql, indent, "SELECT", texts, count);
    lm_buffer_printf(sql, "%*sFROM (\n", (int)indent, "");
    ag_emit_list(sql, indent + 4, "SELECT", inner, by_count + 3);
    ag_emit_from(plan, sql, indent + 4);
    ag_emit_list(sql, indent + 4, "GROUP BY", by, by_count + 1);
    lm_buffer_printf(sql, "%*s) AS durations\n", (int)indent, "");
    ag_emit_list(sql, indent, "GROUP BY", plan->groups, plan->group_count);
    ag_emit_having(plan, sql, indent);
    if (exceeds) {
        ag_exceeds_close(plan, sql);
        return 0;
    }
    ag_emit_order(plan, sql, indent, false);
    ag_counted_close(plan, sql);
    return 0;
}
