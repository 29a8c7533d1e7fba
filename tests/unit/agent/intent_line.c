#include "tests/unit/agent/intent_line.h"

static void filter_line(const struct ag_filter *f, struct lm_buffer *out)
{
    static const char *const marks[] = {
        [AG_IN] = "=",
        [AG_NOT_IN] = "!=",
        [AG_AT_LEAST] = ">=",
        [AG_ABOVE] = ">",
        [AG_BELOW] = "<",
        [AG_AT_MOST] = "<=",
        [AG_BETWEEN] = "=",
        [AG_CONTAINS] = "~",
        [AG_NOT_CONTAINS] = "!~",
        [AG_PREFIX] = "^",
        [AG_NOT_PREFIX] = "!^",
        [AG_IS_NULL] = "=null",
        [AG_NOT_NULL] = "!=null",
    };

    lm_buffer_append_text(out, " ");
    if (f->part)
        lm_buffer_printf(out, "%u:", f->part);
    lm_buffer_append_text(out, ag_field_name(f->field));
    if (f->key)
        lm_buffer_printf(out, ".%s", f->key);
    lm_buffer_append_text(out, marks[f->op]);
    for (size_t i = 0; i < f->value_count; i++)
        lm_buffer_printf(out, "%s%s", i ? "," : "", f->values[i]);
}

static void measure_line(const struct ag_intent *in, struct lm_buffer *out)
{
    for (size_t i = 0; i < in->part_count; i++) {
        const struct ag_measured_part *part = &in->parts[i];
        lm_buffer_printf(out, "%s[%s]%s", i ? " " : "", part->name, ag_measure_name(part->fn));
        if (part->field != AG_NO_FIELD && part->field != AG_DURATION)
            lm_buffer_printf(out, ":%s", ag_field_name(part->field));
        if (part->fn == AG_PERCENTILE)
            lm_buffer_printf(out, ":%g", part->p);
    }
    if (in->part_count)
        return;
    lm_buffer_append_text(out, ag_measure_name(in->measure.fn));
    if (in->measure.field != AG_NO_FIELD && in->measure.field != AG_DURATION)
        lm_buffer_printf(out, ":%s%s%s", ag_field_name(in->measure.field), in->measure.key ? "." : "",
                         in->measure.key ? in->measure.key : "");
    for (size_t i = 0; i < in->measure.also_count; i++)
        lm_buffer_printf(out, "+%s", ag_measure_name(in->measure.also[i]));
    for (size_t i = 0; i < in->measure.p_count; i++)
        lm_buffer_printf(out, "%s%g", i ? "," : ":", in->measure.p[i]);
    if (in->measure.rate_unit_us)
        lm_buffer_printf(out, "/%llds", (long long)(in->measure.rate_unit_us / 1000000));
    if (in->shape != AG_PLAIN)
        lm_buffer_printf(out, " %s", ag_shape_name(in->shape));
}

void intent_line(const struct ag_intent *in, struct lm_buffer *out)
{
    measure_line(in, out);
    for (size_t i = 0; i < in->filter_count; i++)
        filter_line(&in->filters[i], out);
    for (size_t i = 0; i < in->group_count; i++)
        lm_buffer_printf(out, "%s%s%s%s", i ? "," : " by ", ag_field_name(in->groups[i].field),
                         in->groups[i].key ? "." : "", in->groups[i].key ? in->groups[i].key : "");
    lm_buffer_printf(out, " @%s%s", in->window.symbolic, in->window.stated ? "" : "?");
    if (in->compare == AG_COMPARE_WINDOW)
        lm_buffer_printf(out, " vs %s%s", in->against.symbolic,
                         in->claim == AG_CLAIM_MORE   ? " more?"
                         : in->claim == AG_CLAIM_LESS ? " less?"
                                                      : "");
    if (in->order != AG_ORDER_DEFAULT)
        lm_buffer_printf(out, " %s", ag_order_name(in->order));
    if (in->each)
        lm_buffer_printf(out, " each%d", in->each);
    if (in->counted)
        lm_buffer_append_text(out, " counted");
    if (in->summed)
        lm_buffer_append_text(out, " summed");
    if (in->limit)
        lm_buffer_printf(out, " top%d", in->limit);
    if (in->bucket_us)
        lm_buffer_printf(out, " bucket=%llds", (long long)(in->bucket_us / 1000000));
    if (in->silent_us)
        lm_buffer_printf(out, " silent=%llds", (long long)(in->silent_us / 1000000));
    if (in->threshold.of)
        lm_buffer_printf(out, " having%s%s", ag_op_name(in->threshold.op), in->threshold.of);
    else if (in->threshold.set)
        lm_buffer_printf(out, " having%s%.10g", ag_op_name(in->threshold.op), in->threshold.value);
}
