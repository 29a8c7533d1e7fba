/*
 * Windows: which stretch is read, and how it falls into whole units of a rollup and ragged ends from logs.
 */
#include "agent/sql/plan.h"

#define DEFAULT_SCAN (24 * AG_HOUR)
#define DEFAULT_LONGEST (400 * AG_DAY)
/* AG_NEW without a window of its own to compare with looks this far back. */
#define NEW_PAST (7 * AG_DAY)

static int64_t unit_of(enum ag_table table)
{
    switch (table) {
    case AG_MINUTES:
    case AG_FOLDS:
        return AG_MINUTE;
    case AG_HOURS:
        return AG_HOUR;
    default:
        return 1;
    }
}

/* Rounds down; the units of the rollups are aligned to UTC. */
static int64_t floor_to(int64_t us, int64_t unit)
{
    int64_t rest = us % unit;
    return us - (rest < 0 ? rest + unit : rest);
}

static int64_t longest(const struct ag_plan *plan)
{
    return plan->context->longest_window_us > 0 ? plan->context->longest_window_us : DEFAULT_LONGEST;
}

static int64_t clamp_from(const struct ag_plan *plan, int64_t from_us)
{
    int64_t earliest = plan->context->now_us - longest(plan);
    return from_us < earliest ? earliest : from_us;
}

int ag_window_resolve(struct ag_plan *plan)
{
    const struct ag_intent *intent = plan->intent;
    struct ag_sql *out = plan->out;
    out->from_us = clamp_from(plan, intent->window.from_us);
    out->to_us = intent->window.to_us;
    if (intent->compare == AG_COMPARE_WINDOW) {
        out->against_from_us = clamp_from(plan, intent->against.from_us);
        out->against_to_us = intent->against.to_us;
    } else if (intent->shape == AG_NEW) {
        out->against_from_us = clamp_from(plan, out->from_us - NEW_PAST);
        out->against_to_us = out->from_us;
    }
    if (out->from_us >= out->to_us || out->against_from_us > out->against_to_us) {
        return lm_error_set(plan->error, LM_FATAL, "bad_request",
                            "the window ends before it starts, or lies before everything that can be read");
    }
    return 0;
}

static void add_part(struct ag_plan *plan, struct ag_part part)
{
    if (part.from_us >= part.to_us) {
        return;
    }
    if (plan->part_count == AG_MAX_PARTS) {
        plan->failed = true;
        return;
    }
    plan->parts[plan->part_count++] = part;
    plan->mixed |= part.table != AG_LOGS;
    plan->takes_away |= part.taken_away;
}

static void add(struct ag_plan *plan, enum ag_table table, int64_t from_us, int64_t to_us, bool previous)
{
    add_part(plan,
             (struct ag_part){.table = table, .from_us = from_us, .to_us = to_us, .previous = previous});
}

static void take_away(struct ag_plan *plan, int64_t from_us, int64_t to_us)
{
    add_part(plan,
             (struct ag_part){.table = AG_LOGS, .from_us = from_us, .to_us = to_us, .taken_away = true});
}

static bool is_open(const struct ag_plan *plan, int64_t to_us)
{
    return plan->context->live && to_us == plan->context->now_us;
}

int64_t ag_window_end(const struct ag_plan *plan, int64_t to_us, int64_t unit)
{
    return floor_to(is_open(plan, to_us) && unit == AG_MINUTE ? to_us + unit - 1 : to_us, unit);
}

/* Rows and what is counted of them are both still there. */
static bool is_kept(const struct ag_plan *plan, int64_t us)
{
    return us >= plan->context->rows_since_us && us >= plan->context->counts_since_us;
}

/* Tables that tell the parts of minutes at a window's ends themselves. What is counted up to now begins with
 * the second it would begin in: nothing is read of a part of one. Of a minute whose rows are gone no part is
 * told; what some category may still have of the last one is read from its rows. */
static void add_whole(struct ag_plan *plan, enum ag_table table, int64_t from_us, int64_t to_us,
                      bool previous)
{
    int64_t first = from_us, last = to_us;
    if (is_open(plan, to_us)) {
        last = ag_window_end(plan, to_us, AG_MINUTE);
        if (table != AG_HISTOGRAMS && !plan->sides) {
            first = plan->out->from_us = floor_to(from_us, AG_SECOND);
        }
    } else if (table != AG_HISTOGRAMS && !is_kept(plan, floor_to(to_us, AG_MINUTE))) {
        last = floor_to(to_us, AG_MINUTE);
    }
    int64_t before = floor_to(first, AG_MINUTE);
    if (before < first && !is_kept(plan, before)) {
        first = before + AG_MINUTE;
    }
    if (first >= last) {
        add(plan, AG_LOGS, from_us, to_us, previous);
        return;
    }
    add(plan, table, first, last, previous);
    add(plan, AG_LOGS, last, to_us, previous);
}

void ag_window_add(struct ag_plan *plan, enum ag_table table, int64_t from_us, int64_t to_us, bool previous)
{
    if (table == AG_HISTOGRAMS || table == AG_COUNTS || table == AG_TOTALS) {
        add_whole(plan, table, from_us, to_us, previous);
        return;
    }
    int64_t unit = unit_of(table);
    int64_t first = floor_to(from_us + unit - 1, unit);
    int64_t last = ag_window_end(plan, to_us, unit);
    if (table == AG_LOGS || first >= last) {
        add(plan, AG_LOGS, from_us, to_us, previous);
        return;
    }
    int64_t before = floor_to(from_us, unit), beyond = last + unit;
    bool counts = ag_source_only_counts(plan) && plan->intent->compare != AG_COMPARE_WINDOW;
    if (counts && from_us - before < first - from_us && is_kept(plan, before)) {
        take_away(plan, before, from_us);
        first = before;
    }
    add(plan, AG_LOGS, from_us, first, previous);
    /* Behind an open end there is nothing but what fast clocks have dated there. */
    if (counts && last < to_us && (is_open(plan, to_us) || beyond - to_us < to_us - last) &&
        is_kept(plan, last)) {
        take_away(plan, to_us, beyond);
        last = beyond;
    }
    add(plan, table, first, last, previous);
    add(plan, AG_LOGS, last, to_us, previous);
}

void ag_window_join(struct ag_plan *plan)
{
    for (size_t i = 0; i < plan->part_count; i++) {
        for (size_t j = 0; j < plan->part_count; j++) {
            struct ag_part *before = &plan->parts[i];
            const struct ag_part *behind = &plan->parts[j];
            if (before->table == AG_LOGS && behind->table == AG_LOGS && before->previous &&
                !behind->previous && before->split_us == 0 && before->to_us == behind->from_us) {
                before->split_us = before->to_us;
                before->to_us = behind->to_us;
                plan->part_count--;
                for (size_t k = j; k < plan->part_count; k++) {
                    plan->parts[k] = plan->parts[k + 1];
                }
                return;
            }
        }
    }
}

int ag_window_check(struct ag_plan *plan, int64_t longest_us)
{
    int64_t limit = longest_us > 0 ? longest_us : DEFAULT_SCAN;
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct ag_part *part = &plan->parts[i];
        int64_t oldest_us = plan->context->oldest_us;
        int64_t from_us = oldest_us > part->from_us ? oldest_us : part->from_us;
        bool to_come = part->taken_away && part->from_us >= plan->context->now_us;
        if (part->table == AG_LOGS && !to_come && part->to_us - from_us > limit) {
            return lm_error_set(
                plan->error, LM_FATAL, "needs_narrower",
                "this reads the rows themselves, which is possible for at most %lld hours at a time",
                (long long)(limit / AG_HOUR));
        }
    }
    return 0;
}
