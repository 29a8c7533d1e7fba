/*
 * Percentiles over more than is sorted row by row: from the logarithmic buckets of log_histogram, each within
 * 3 % of the durations in it. Histograms are numbers: sum() adds them, histogram_percentile() and
 * histogram_count() read the sum (sql/0030_percentiles.sql).
 */
#include "agent/sql/plan.h"

#include <string.h>

static const char *sum_of(struct ag_plan *plan, const char *side)
{
    const char *histogram = ag_plan_item(plan, "histogram");
    return side == NULL ? ag_plan_text(plan, "sum(%s)", histogram)
                        : ag_plan_text(plan, "sum(%s) FILTER (WHERE side = '%s')", histogram, side);
}

static const char *percentile(struct ag_plan *plan, double p, const char *side)
{
    return ag_plan_text(plan, "histogram_percentile(%s, %.15g)", sum_of(plan, side), p);
}

static const char *samples(struct ag_plan *plan)
{
    return ag_plan_text(plan, "histogram_count(%s)", sum_of(plan, NULL));
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
        ag_plan_add_key(plan, "samples", ag_plan_text(plan, "%s < %d", samples(plan), AG_MIN_SAMPLES), "");
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
        const char *expr = percentile(plan, p, compared ? "current" : NULL);
        const char *other = compared ? percentile(plan, p, "previous") : NULL;
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
        ag_plan_add_column(plan, "samples", ag_plan_text(plan, "coalesce(%s, 0)", samples(plan)), AG_INTEGER,
                           NULL, AG_ROLE_SAMPLES);
    }
}

int ag_write_histogram(struct ag_plan *plan, struct lm_buffer *sql)
{
    const struct ag_intent *intent = plan->intent;
    bool series = plan->out->bucket_us > 0;
    ag_row_limit(plan, series ? (plan->grouped_count > 0 ? AG_MAX_RESULT_ROWS : AG_MAX_BUCKETS) : 0);
    plan->out->sorted_by_answer = intent->shape == AG_BUSIEST || intent->shape == AG_SPIKE;
    if (ag_measure_check(plan) != 0 || ag_group_items(plan) != 0) {
        return -1;
    }
    ag_plan_add_item(plan, "histogram", NULL, NULL);
    ag_group_columns(plan);
    if (series) {
        ag_plan_add_key(plan, "bucket", "bucket", "");
    }
    if (series && plan->sides) {
        ag_plan_add_key(plan, "side", "side", "");
    }
    columns(plan);
    ag_group_keys(plan);
    if (intent->counted && intent->rank && !plan->sides) {
        ag_plan_add_having(plan, ag_plan_text(plan, "%s >= %d", samples(plan), AG_MIN_SAMPLES));
    }
    if (plan->group_count == 0) {
        plan->limit = 0;
    }
    ag_emit_grouped(plan, sql);
    return 0;
}
