/* The intent as JSON, canonical: keys in one order, and none where it says nothing. */
#include "agent/intent.h"

static int put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

static json_t *measure_json(const struct ag_intent *intent)
{
    json_t *m = json_object();
    int failed = put(m, "fn", json_string(ag_measure_name(intent->measure.fn)));

    if (intent->measure.field != AG_NO_FIELD)
        failed |= put(m, "field", json_string(ag_field_name(intent->measure.field)));
    if (ag_intent_measures_key(intent))
        failed |= put(m, "key", json_string(intent->measure.key));
    if (intent->measure.also_count > 0) {
        json_t *also = json_array();
        for (size_t i = 0; i < intent->measure.also_count; i++)
            failed |= json_array_append_new(also, json_string(ag_measure_name(intent->measure.also[i])));
        failed |= put(m, "also", also);
    }
    if (intent->measure.p_count > 0 && ag_intent_measures(intent, AG_PERCENTILE)) {
        json_t *p = json_array();
        for (size_t i = 0; i < intent->measure.p_count; i++)
            failed |= json_array_append_new(p, json_real(intent->measure.p[i]));
        failed |= put(m, "p", p);
    }
    if (intent->measure.fn == AG_RATE)
        failed |= put(m, "per", json_integer(intent->measure.rate_unit_us / 1000000));
    if (failed) {
        json_decref(m);
        return NULL;
    }
    return m;
}

static json_t *filters_json(const struct ag_intent *intent)
{
    json_t *list = json_array();
    int failed = list ? 0 : -1;

    for (size_t i = 0; i < intent->filter_count && !failed; i++) {
        const struct ag_filter *f = &intent->filters[i];
        json_t *o = json_object();
        json_t *values = json_array();
        failed |= put(o, "field", json_string(ag_field_name(f->field)));
        if (f->key)
            failed |= put(o, "key", json_string(f->key));
        failed |= put(o, "op", json_string(ag_op_name(f->op)));
        for (size_t k = 0; k < f->value_count; k++)
            failed |= json_array_append_new(values, json_string(f->values[k]));
        failed |= put(o, "values", values);
        if (f->part)
            failed |= put(o, "part", json_integer(f->part));
        failed |= json_array_append_new(list, o);
    }
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *parts_json(const struct ag_intent *intent)
{
    json_t *list = json_array();
    int failed = list ? 0 : -1;

    for (size_t i = 0; i < intent->part_count && !failed; i++) {
        const struct ag_measured_part *part = &intent->parts[i];
        json_t *o = json_object();
        failed |= put(o, "name", json_string(part->name));
        failed |= put(o, "fn", json_string(ag_measure_name(part->fn)));
        if (part->field != AG_NO_FIELD)
            failed |= put(o, "field", json_string(ag_field_name(part->field)));
        if (part->fn == AG_PERCENTILE)
            failed |= put(o, "p", json_real(part->p));
        failed |= json_array_append_new(list, o);
    }
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *groups_json(const struct ag_intent *intent)
{
    json_t *list = json_array();
    int failed = list ? 0 : -1;

    for (size_t i = 0; i < intent->group_count && !failed; i++) {
        const struct ag_group *g = &intent->groups[i];
        json_t *name = g->field == AG_METADATA ? json_sprintf("metadata.%s", g->key ? g->key : "")
                                               : json_string(ag_field_name(g->field));
        failed |= json_array_append_new(list, name);
    }
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return list;
}

json_t *ag_intent_to_json(const struct ag_intent *intent)
{
    json_t *o = json_object();
    json_t *time = json_object();
    int failed = put(o, "v", json_integer(1));

    failed |= put(o, "measure", measure_json(intent));
    if (intent->part_count > 0)
        failed |= put(o, "parts", parts_json(intent));
    if (intent->shape != AG_PLAIN)
        failed |= put(o, "shape", json_string(ag_shape_name(intent->shape)));
    failed |= put(o, "filters", filters_json(intent));
    failed |= put(o, "group_by", groups_json(intent));
    failed |= put(time, "symbolic", json_string(intent->window.symbolic));
    failed |= put(time, "zone", json_string(intent->zone));
    failed |= put(time, "stated", json_boolean(intent->window.stated));
    failed |= put(o, "time", time);
    if (intent->compare == AG_COMPARE_WINDOW) {
        json_t *against = json_object();
        failed |= put(against, "symbolic", json_string(intent->against.symbolic));
        if (intent->claim != AG_NO_CLAIM)
            failed |= put(against, "claim", json_string(intent->claim == AG_CLAIM_MORE ? "more" : "less"));
        failed |= put(o, "compare", against);
    }
    failed |= put(o, "order", json_string(ag_order_name(intent->order)));
    failed |= put(o, "rank", json_boolean(intent->rank));
    failed |= put(o, "limit", json_integer(intent->limit));
    if (intent->each > 0)
        failed |= put(o, "each", json_integer(intent->each));
    if (intent->counted)
        failed |= put(o, "counted", json_true());
    if (intent->summed)
        failed |= put(o, "summed", json_true());
    if (intent->bucket_us)
        failed |= put(o, "bucket", json_integer(intent->bucket_us / 1000000));
    if (intent->silent_us)
        failed |= put(o, "silent", json_integer(intent->silent_us / 1000000));
    if (intent->threshold.set) {
        json_t *t = json_object();
        failed |= put(t, "op", json_string(ag_op_name(intent->threshold.op)));
        if (intent->threshold.of)
            failed |= put(t, "of", json_string(intent->threshold.of));
        else
            failed |= put(t, "value", json_real(intent->threshold.value));
        failed |= put(o, "threshold", t);
    }
    failed |= put(o, "language", json_string(intent->language == AG_KO ? "ko" : "en"));
    if (failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}
