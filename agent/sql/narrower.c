/*
 * What to offer where a window is longer than can be read row by row.
 */
#include "agent/sql/plan.h"

static const struct span {
    int hours;
    const char *ko;
    const char *en;
} spans[] = {
    {720, "30일", "30 days"},   {168, "7일", "7 days"},  {72, "3일", "3 days"},
    {24, "24시간", "24 hours"}, {6, "6시간", "6 hours"}, {1, "1시간", "hour"},
};

/* "last 6 hour" where the refused window ended now; else the last hours before its end. */
static const char *symbolic(struct ag_plan *plan, int hours)
{
    const struct ag_window *window = &plan->intent->window;
    if (window->open || window->to_us >= plan->context->now_us) {
        return ag_plan_text(plan, "last %d hour", hours);
    }
    char from[40];
    char to[40];
    ag_zone_format(plan->zone, window->to_us - hours * AG_HOUR, from);
    ag_zone_format(plan->zone, window->to_us, to);
    return ag_plan_text(plan, "%s/%s", from, to);
}

static bool offer(struct ag_plan *plan, const struct span *span, struct ag_narrower *out)
{
    const struct ag_intent *intent = plan->intent;
    int64_t end = intent->window.to_us;
    bool open = intent->window.open || end >= plan->context->now_us;
    out->intent = *intent;
    out->intent.window = (struct ag_window){.symbolic = symbolic(plan, span->hours),
                                            .from_us = end - span->hours * AG_HOUR,
                                            .to_us = end,
                                            .stated = true,
                                            .open = open};
    struct ag_sql sql;
    struct lm_error ignored;
    if (ag_sql_write(&out->intent, plan->context, plan->arena, &sql, &ignored) != 0) {
        return false;
    }
    if (intent->language == AG_KO) {
        out->label = ag_plan_text(plan, open ? "최근 %s" : "그 마지막 %s", span->ko);
        out->question = ag_plan_text(plan, open ? "최근 %s만" : "그 마지막 %s만", span->ko);
    } else {
        out->label = ag_plan_text(plan, open ? "the last %s" : "the final %s of it", span->en);
        out->question = ag_plan_text(plan, open ? "only the last %s" : "only the final %s of it", span->en);
    }
    return !plan->failed;
}

size_t ag_sql_narrower(const struct ag_intent *intent, const struct ag_sql_context *context,
                       struct lm_arena *arena, struct ag_narrower out[AG_MAX_NARROWER])
{
    struct ag_plan plan = {
        .intent = intent, .context = context, .arena = arena, .zone = ag_zone_new(intent->zone)};
    size_t count = 0;
    for (size_t i = 0; plan.zone != NULL && i < sizeof spans / sizeof *spans && count < AG_MAX_NARROWER;
         i++) {
        int64_t length = spans[i].hours * AG_HOUR;
        if (intent->window.from_us != INT64_MIN && length >= intent->window.to_us - intent->window.from_us) {
            continue;
        }
        if (offer(&plan, &spans[i], &out[count])) {
            count++;
        }
    }
    ag_zone_free(plan.zone);
    return count;
}
