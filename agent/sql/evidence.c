/*
 * Evidence for a "why": what there is more of than in the window before, by everything a record is told apart
 * by. Both windows are read once; each row counts under all of its values. The first row, "total", is all of
 * them. Said as what changed, never as a cause.
 */
#include "agent/sql/plan.h"

static const struct dimension {
    enum ag_field field; /* AG_METADATA: the key version */
    const char *name;
    const char *expr;
} dimensions[] = {
    {AG_SERVICE, "service", "service"},
    {AG_ENVIRONMENT, "environment", "environment"},
    {AG_HOST, "host", "host"},
    {AG_COMPONENT, "component", "component"},
    {AG_ENDPOINT, "endpoint", "endpoint"},
    {AG_ERROR_TYPE, "error_type", "error_type"},
    {AG_METADATA, "version", "(metadata ->> 'version')"},
};

/* The question names the one value: all rows have it. */
static bool is_fixed(const struct ag_intent *intent, enum ag_field field)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *filter = &intent->filters[i];
        if (filter->field == field && field != AG_METADATA && filter->op == AG_IN &&
            filter->value_count == 1) {
            return true;
        }
    }
    return false;
}

int ag_write_evidence(struct ag_plan *plan, struct lm_buffer *sql)
{
    const char *values = "'total=all'";
    if (!plan->sides || plan->intent->measure.fn != AG_COUNT || plan->grouped_count > 0) {
        return lm_error_set(plan->error, LM_FATAL, "bad_request",
                            "evidence is a count without groups, of a window and the one before it");
    }
    ag_row_limit(plan, 0);
    for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions; i++) {
        if (!is_fixed(plan->intent, dimensions[i].field) &&
            !ag_mask_field(plan->context->mask, dimensions[i].field, "version")) {
            values = ag_plan_text(plan, "%s, '%s=' || %s", values, dimensions[i].name, dimensions[i].expr);
        }
    }
    plan->nested = true;
    ag_plan_add_item(plan, "what", ag_plan_text(plan, "unnest(ARRAY[%s])", values), NULL);
    const char *now = ag_measure_count(plan, "side = 'current'");
    const char *before = ag_measure_count(plan, "side = 'previous'");
    ag_plan_add_column(plan, "dimension", "split_part(what, '=', 1)", AG_STRING, NULL, AG_ROLE_DETAIL);
    ag_plan_add_column(plan, "value", "substr(what, strpos(what, '=') + 1)", AG_STRING, NULL, AG_ROLE_GROUP);
    ag_plan_add_column(plan, "count", now, AG_INTEGER, NULL, AG_ROLE_MEASURE)->measures = AG_COUNT;
    ag_plan_add_column(plan, "previous_count", before, AG_INTEGER, NULL, AG_ROLE_PREVIOUS);
    ag_plan_add_group(plan, "what");
    ag_plan_add_having(plan, "what IS NOT NULL");
    ag_plan_add_having(plan, ag_plan_text(plan, "(what = 'total=all' OR %s > %s)", now, before));
    ag_plan_add_key(plan, "", "what <> 'total=all'", "");
    ag_plan_add_key(plan, "", ag_plan_text(plan, "%s - %s", now, before), " DESC");
    ag_plan_add_key(plan, "", "what", "");
    ag_emit_statement(plan, sql, 0);
    return 0;
}
