/*
 * The intent from JSON, suspiciously: a reader of `previous` may be handed anything, so every name must be
 * one of ours, every number in range, every text bounded, and no key unknown.
 */
#include "agent/intent.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT 512
#define MAX_LIMIT 10000
#define LONGEST_BUCKET_S (INT64_C(366) * 86400)

#define BAD(error, ...) lm_error_set(error, LM_FATAL, "bad_request", __VA_ARGS__)

static int known_keys(const json_t *object, const char *const *keys, const char *where,
                      struct lm_error *error)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return BAD(error, "%s must be an object", where);
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0)
            i++;
        if (!keys[i])
            return BAD(error, "%s has an unknown key", where);
    }
    return 0;
}

/* Index of a JSON string among the names name_of(0 …), or -1. */
static int name_index(const json_t *value, const char *(*name_of)(int), int count)
{
    const char *text = json_string_value(value);

    for (int i = 0; text && i < count; i++) {
        if (strcmp(name_of(i), text) == 0)
            return i;
    }
    return -1;
}

static const char *field_of(int i)
{
    return ag_field_name((enum ag_field)i);
}

static const char *measure_of(int i)
{
    return ag_measure_name((enum ag_measure_fn)i);
}

static const char *op_of(int i)
{
    return ag_op_name((enum ag_op)i);
}

static const char *shape_of(int i)
{
    return ag_shape_name((enum ag_shape)i);
}

static const char *order_of(int i)
{
    return ag_order_name((enum ag_order)i);
}

static int text_of(const json_t *value, struct lm_arena *arena, const char *where, const char **out,
                   struct lm_error *error)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (!text || len == 0 || len > MAX_TEXT)
        return BAD(error, "%s must be a text of 1 to %d bytes", where, MAX_TEXT);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return BAD(error, "%s holds a control character", where);
    }
    *out = lm_arena_copy(arena, text, len);
    if (!*out)
        return lm_error_set(error, LM_RETRY, "memory", "not enough memory for an intent");
    return 0;
}

static int integer_of(const json_t *value, int64_t low, int64_t high, const char *where, int64_t *out,
                      struct lm_error *error)
{
    if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high)
        return BAD(error, "%s must be an integer from %lld to %lld", where, (long long)low, (long long)high);
    *out = json_integer_value(value);
    return 0;
}

static bool one_of(const char *text, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(*names, text) == 0)
            return true;
    }
    return false;
}

static bool is_number(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    return (isdigit((unsigned char)text[0]) || text[0] == '.') && !strpbrk(text, "xXpP") && *end == '\0' &&
           isfinite(value) && value >= 0 && value < 1e15;
}

/* Does a text fit the field's type? What SQL would have to cast must not be able to fail there. */
static bool value_fits(enum ag_field field, const char *text)
{
    static const char *const levels[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL", NULL};
    static const char *const categories[] = {"raw", "summary", "training", "tagged", NULL};
    unsigned char address[16];

    switch (field) {
    case AG_LEVEL:
        return one_of(text, levels);
    case AG_CATEGORY:
        return one_of(text, categories);
    case AG_HTTP_STATUS:
    case AG_HOUR_OF_DAY:
    case AG_DAY_OF_WEEK:
        return strlen(text) <= 3 && strspn(text, "0123456789") == strlen(text);
    case AG_STATUS_CLASS:
        return strlen(text) == 3 && text[0] >= '1' && text[0] <= '5' && strcmp(text + 1, "xx") == 0;
    case AG_DURATION:
        return is_number(text);
    case AG_CLIENT_IP:
        return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
    default:
        return true;
    }
}

static bool op_fits(enum ag_field field, enum ag_op op, size_t values)
{
    switch (op) {
    case AG_IN:
    case AG_NOT_IN:
        return values >= 1 && field != AG_REQUEST;
    case AG_AT_LEAST:
    case AG_ABOVE:
    case AG_BELOW:
    case AG_AT_MOST:
        return values == 1 &&
               (field == AG_LEVEL || field == AG_HTTP_STATUS || field == AG_DURATION || field == AG_METADATA);
    case AG_BETWEEN:
        return values == 2 && (field == AG_HTTP_STATUS || field == AG_DURATION);
    case AG_CONTAINS:
    case AG_NOT_CONTAINS:
        return values >= 1 && (field == AG_MESSAGE || field == AG_STACK_TRACE || field == AG_ERROR_TYPE ||
                               field == AG_ENDPOINT || field == AG_METADATA);
    case AG_PREFIX:
    case AG_NOT_PREFIX:
        return values >= 1 &&
               (field == AG_ENDPOINT || field == AG_PAGE_PATH || field == AG_HOST || field == AG_METADATA);
    case AG_IS_NULL:
    case AG_NOT_NULL:
        return values == 0;
    }
    return false;
}

static int read_filter(const json_t *json, struct lm_arena *arena, struct ag_filter *filter,
                       struct lm_error *error)
{
    static const char *const keys[] = {"field", "key", "op", "values", "part", NULL};
    const json_t *values = json_object_get(json, "values");
    const json_t *part = json_object_get(json, "part");
    int64_t number = 0;
    int field = name_index(json_object_get(json, "field"), field_of, AG_FIELD_COUNT);
    int op = name_index(json_object_get(json, "op"), op_of, AG_NOT_NULL + 1);

    if (known_keys(json, keys, "a filter", error) < 0)
        return -1;
    if (field <= AG_NO_FIELD || op < 0)
        return BAD(error, "a filter names an unknown field or operation");
    if (!json_is_array(values) || json_array_size(values) > AG_MAX_VALUES)
        return BAD(error, "a filter's values must be an array of at most %d", AG_MAX_VALUES);
    *filter = (struct ag_filter){.field = (enum ag_field)field, .op = (enum ag_op)op};
    if ((json_object_get(json, "key") != NULL) != (filter->field == AG_METADATA))
        return BAD(error, "a filter's key belongs to metadata, and to nothing else");
    if (filter->field == AG_METADATA &&
        text_of(json_object_get(json, "key"), arena, "a filter's key", &filter->key, error) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(values); i++) {
        if (text_of(json_array_get(values, i), arena, "a filter's value", &filter->values[i], error) < 0)
            return -1;
        if (!value_fits(filter->field, filter->values[i]))
            return BAD(error, "a filter's value does not fit its field");
        filter->value_count++;
    }
    if (!op_fits(filter->field, filter->op, filter->value_count))
        return BAD(error, "a filter's operation does not fit its field or values");
    if (part && integer_of(part, 1, AG_MAX_MEASURED_PARTS, "a filter's part", &number, error) < 0)
        return -1;
    filter->part = (unsigned)number;
    return 0;
}

static int read_group(const json_t *json, struct lm_arena *arena, struct ag_group *group,
                      struct lm_error *error)
{
    const char *text = json_string_value(json);
    int field = name_index(json, field_of, AG_FIELD_COUNT);

    if (text && strncmp(text, "metadata.", 9) == 0 && text[9] != '\0' && strlen(text) <= MAX_TEXT) {
        group->field = AG_METADATA;
        group->key = lm_arena_copy(arena, text + 9, strlen(text + 9));
        return group->key ? 0 : lm_error_set(error, LM_RETRY, "memory", "not enough memory for an intent");
    }
    if (field <= AG_NO_FIELD || field == AG_METADATA || field == AG_REQUEST || field == AG_DURATION ||
        field == AG_STACK_TRACE)
        return BAD(error, "group_by names something that cannot be grouped by");
    group->field = (enum ag_field)field;
    return 0;
}

static bool measure_fits(enum ag_measure_fn fn, enum ag_field field)
{
    switch (fn) {
    case AG_AVG:
    case AG_MIN:
    case AG_MAX:
    case AG_SUM:
    case AG_PERCENTILE:
        return field == AG_DURATION || field == AG_METADATA;
    case AG_DISTINCT:
    case AG_NAMES:
        return field != AG_NO_FIELD && field != AG_DURATION && field != AG_REQUEST && field != AG_METADATA &&
               field != AG_STACK_TRACE;
    default:
        return field == AG_NO_FIELD;
    }
}

static int read_also(const json_t *also, struct ag_intent *intent, struct lm_error *error)
{
    if (!also)
        return 0;
    if (!json_is_array(also) || json_array_size(also) < 1 || json_array_size(also) > AG_MAX_ALSO)
        return BAD(error, "measure.also must be 1 to %d measures beside another", AG_MAX_ALSO);
    for (size_t i = 0; i < json_array_size(also); i++) {
        int fn = name_index(json_array_get(also, i), measure_of, AG_NAMES + 1);
        if (fn < 0 || !ag_measure_beside(intent->measure.fn, (enum ag_measure_fn)fn) ||
            ag_intent_measures(intent, (enum ag_measure_fn)fn))
            return BAD(error, "measure.also holds what does not go with fn, or is there already");
        intent->measure.also[intent->measure.also_count++] = (enum ag_measure_fn)fn;
    }
    return 0;
}

static int read_measure(const json_t *json, struct lm_arena *arena, struct ag_intent *intent,
                        struct lm_error *error)
{
    static const char *const keys[] = {"fn", "field", "key", "also", "p", "per", NULL};
    const json_t *p = json_object_get(json, "p");
    const json_t *field = json_object_get(json, "field");
    int fn = name_index(json_object_get(json, "fn"), measure_of, AG_NAMES + 1);
    int index = field ? name_index(field, field_of, AG_FIELD_COUNT) : AG_NO_FIELD;
    int64_t per = 0;

    if (known_keys(json, keys, "measure", error) < 0)
        return -1;
    if (fn < 0 || index < 0 || !measure_fits((enum ag_measure_fn)fn, (enum ag_field)index))
        return BAD(error, "measure names an unknown function, or one that does not fit its field");
    intent->measure.fn = (enum ag_measure_fn)fn;
    intent->measure.field = (enum ag_field)index;
    if ((json_object_get(json, "key") != NULL) != (index == AG_METADATA))
        return BAD(error, "measure.key belongs to metadata, and to nothing else");
    if (index == AG_METADATA &&
        text_of(json_object_get(json, "key"), arena, "measure.key", &intent->measure.key, error) < 0)
        return -1;
    if (read_also(json_object_get(json, "also"), intent, error) < 0)
        return -1;
    if ((p != NULL) != ag_intent_measures(intent, AG_PERCENTILE) ||
        (json_object_get(json, "per") != NULL) != (fn == AG_RATE))
        return BAD(error, "measure has what does not belong to its function, or lacks what does");
    if (p && (!json_is_array(p) || json_array_size(p) < 1 || json_array_size(p) > AG_MAX_PERCENTILES))
        return BAD(error, "measure.p must be 1 to %d fractions", AG_MAX_PERCENTILES);
    for (size_t i = 0; p && i < json_array_size(p); i++) {
        double value = json_number_value(json_array_get(p, i));
        if (!(value > 0 && value < 1))
            return BAD(error, "measure.p must be fractions between 0 and 1");
        intent->measure.p[intent->measure.p_count++] = value;
    }
    if (fn == AG_RATE) {
        if (integer_of(json_object_get(json, "per"), 1, 366 * 86400, "measure.per", &per, error) < 0)
            return -1;
        intent->measure.rate_unit_us = per * 1000000;
    }
    return 0;
}

static int read_part(const json_t *json, struct lm_arena *arena, struct ag_measured_part *part,
                     struct lm_error *error)
{
    static const char *const keys[] = {"name", "fn", "field", "p", NULL};
    const json_t *field = json_object_get(json, "field");
    const json_t *p = json_object_get(json, "p");
    int fn = name_index(json_object_get(json, "fn"), measure_of, AG_NAMES + 1);
    int index = field ? name_index(field, field_of, AG_FIELD_COUNT) : AG_NO_FIELD;

    if (known_keys(json, keys, "a part", error) < 0 ||
        text_of(json_object_get(json, "name"), arena, "a part's name", &part->name, error) < 0)
        return -1;
    if (strlen(part->name) > AG_MAX_PART_NAME)
        return BAD(error, "a part's name has at most %d bytes", AG_MAX_PART_NAME);
    if (fn < 0 || index < 0 || !ag_measure_of_part((enum ag_measure_fn)fn) ||
        !measure_fits((enum ag_measure_fn)fn, (enum ag_field)index) || index == AG_METADATA)
        return BAD(error, "a part names an unknown function, or one that does not fit its field");
    part->fn = (enum ag_measure_fn)fn;
    part->field = (enum ag_field)index;
    part->p = json_number_value(p);
    if ((p != NULL) != (part->fn == AG_PERCENTILE) || (p && !(part->p > 0 && part->p < 1)))
        return BAD(error, "a part's p belongs to percentile and is a fraction between 0 and 1");
    return 0;
}

/* All of them, and what goes with them: no shape, comparison or order, each name once, the first the measure.
 */
static int read_parts(const json_t *json, struct lm_arena *arena, struct ag_intent *intent,
                      struct lm_error *error)
{
    const json_t *list = json_object_get(json, "parts");

    for (size_t i = 0; i < intent->filter_count; i++) {
        if (intent->filters[i].part > json_array_size(list))
            return BAD(error, "a filter is of a part that is not there");
    }
    if (!list)
        return 0;
    if (!json_is_array(list) || json_array_size(list) < 2 || json_array_size(list) > AG_MAX_MEASURED_PARTS)
        return BAD(error, "parts must be an array of 2 to %d", AG_MAX_MEASURED_PARTS);
    if (intent->shape != AG_PLAIN || intent->compare != AG_NO_COMPARE || intent->measure.also_count > 0 ||
        intent->limit > 0 || intent->threshold.set || intent->rank)
        return BAD(error, "parts go without shape, comparison, order, limit and threshold");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (read_part(json_array_get(list, i), arena, &intent->parts[i], error) < 0)
            return -1;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(intent->parts[k].name, intent->parts[i].name) == 0)
                return BAD(error, "two parts have one name");
        }
        intent->part_count++;
    }
    if (intent->parts[0].fn != intent->measure.fn || intent->parts[0].field != intent->measure.field ||
        intent->measure.p_count > 1 ||
        (intent->measure.p_count == 1 && intent->measure.p[0] != intent->parts[0].p))
        return BAD(error, "the measure must be that of the first part");
    return 0;
}

static int read_time(const json_t *json, struct lm_arena *arena, struct ag_intent *intent,
                     struct lm_error *error)
{
    static const char *const time_keys[] = {"symbolic", "zone", "stated", NULL};
    static const char *const against_keys[] = {"symbolic", "claim", NULL};
    static const char *const claims[] = {"more", "less", NULL};
    const json_t *time = json_object_get(json, "time");
    const json_t *against = json_object_get(json, "compare");
    const json_t *claim = json_object_get(against, "claim");
    const char *claimed = json_string_value(claim);

    if (known_keys(time, time_keys, "time", error) < 0 ||
        text_of(json_object_get(time, "symbolic"), arena, "time.symbolic", &intent->window.symbolic, error) <
            0 ||
        text_of(json_object_get(time, "zone"), arena, "time.zone", &intent->zone, error) < 0)
        return -1;
    intent->window.stated = json_is_true(json_object_get(time, "stated"));
    if (!against)
        return 0;
    intent->compare = AG_COMPARE_WINDOW;
    if (known_keys(against, against_keys, "compare", error) < 0)
        return -1;
    if (claim && (!claimed || !one_of(claimed, claims)))
        return BAD(error, "compare.claim must be more or less");
    if (claimed)
        intent->claim = strcmp(claimed, "more") == 0 ? AG_CLAIM_MORE : AG_CLAIM_LESS;
    return text_of(json_object_get(against, "symbolic"), arena, "compare.symbolic", &intent->against.symbolic,
                   error);
}

static int read_threshold(const json_t *json, struct lm_arena *arena, struct ag_intent *intent,
                          struct lm_error *error)
{
    static const char *const keys[] = {"op", "value", "of", NULL};
    const json_t *of = json_object_get(json, "of");
    int op = name_index(json_object_get(json, "op"), op_of, AG_NOT_NULL + 1);
    const json_t *value = json_object_get(json, "value");

    if (known_keys(json, keys, "threshold", error) < 0)
        return -1;
    if (op != AG_AT_LEAST && op != AG_ABOVE && op != AG_BELOW && op != AG_AT_MOST)
        return BAD(error, "threshold.op must be one of >= > < <=");
    intent->threshold.set = true;
    intent->threshold.op = (enum ag_op)op;
    if (of) {
        if (value)
            return BAD(error, "threshold.of goes without value");
        return text_of(of, arena, "threshold.of", &intent->threshold.of, error);
    }
    if (!json_is_number(value) || !isfinite(json_number_value(value)) ||
        fabs(json_number_value(value)) > 1e15)
        return BAD(error, "threshold.value must be a number");
    intent->threshold.value = json_number_value(value);
    return 0;
}

static int read_numbers(const json_t *json, struct ag_intent *intent, struct lm_error *error)
{
    const json_t *limit = json_object_get(json, "limit");
    const json_t *each = json_object_get(json, "each");
    const json_t *bucket = json_object_get(json, "bucket");
    const json_t *silent = json_object_get(json, "silent");
    int64_t value = 0;

    if (limit && integer_of(limit, 0, MAX_LIMIT, "limit", &value, error) < 0)
        return -1;
    intent->limit = (int)value;
    if (each) {
        if (integer_of(each, 1, AG_MAX_EACH, "each", &value, error) < 0)
            return -1;
        intent->each = (int)value;
    }
    if (bucket) {
        if (integer_of(bucket, 1, LONGEST_BUCKET_S, "bucket", &value, error) < 0)
            return -1;
        intent->bucket_us = value * 1000000;
    }
    if (silent) {
        if (integer_of(silent, 1, LONGEST_BUCKET_S, "silent", &value, error) < 0)
            return -1;
        intent->silent_us = value * 1000000;
    }
    return 0;
}

static int read_names(const json_t *json, struct ag_intent *intent, struct lm_error *error)
{
    const json_t *shape = json_object_get(json, "shape");
    const json_t *order = json_object_get(json, "order");
    const char *language = json_string_value(json_object_get(json, "language"));
    int shape_index = shape ? name_index(shape, shape_of, AG_EVIDENCE + 1) : AG_PLAIN;
    int order_index = order ? name_index(order, order_of, AG_FASTEST + 1) : AG_ORDER_DEFAULT;

    if (shape_index < 0 || order_index < 0)
        return BAD(error, "shape or order is not one of those known");
    if (!language || (strcmp(language, "ko") != 0 && strcmp(language, "en") != 0))
        return BAD(error, "language must be ko or en");
    intent->shape = (enum ag_shape)shape_index;
    intent->order = (enum ag_order)order_index;
    intent->language = strcmp(language, "ko") == 0 ? AG_KO : AG_EN;
    intent->rank = json_is_true(json_object_get(json, "rank"));
    if (intent->shape == AG_SILENT && (intent->silent_us == 0 || intent->group_count != 1))
        return BAD(error, "shape silent needs silent and one group");
    if (intent->shape == AG_NEW && intent->group_count != 1)
        return BAD(error, "shape new needs one group");
    if (intent->shape == AG_EVIDENCE &&
        (intent->group_count > 0 || intent->measure.fn != AG_COUNT || intent->compare != AG_COMPARE_WINDOW))
        return BAD(error, "shape evidence needs a count without groups, and a window to compare with");
    if (intent->shape == AG_WITHOUT &&
        (intent->group_count != 1 || intent->filter_count == 0 || intent->measure.fn != AG_COUNT))
        return BAD(error, "shape without needs a count, one group and a filter");
    intent->counted = json_is_true(json_object_get(json, "counted"));
    if (intent->each > 0 && !ag_intent_ranks_each(intent))
        return BAD(error, "each needs two groups, or one and shape series, rank and order most or fewest, "
                          "without comparison");
    intent->summed = json_is_true(json_object_get(json, "summed"));
    if (intent->summed && !ag_intent_sums_groups(intent))
        return BAD(error,
                   "summed needs a count, one group and a threshold, without shape, comparison and limit");
    if (intent->threshold.of && !ag_intent_exceeds_one(intent))
        return BAD(error,
                   "threshold.of needs op > or <, one group and rank, without shape, comparison and each");
    if (intent->counted && !ag_intent_counts_groups(intent))
        return BAD(error, "counted needs one group and a threshold, shape without, or compare and rank, and "
                          "neither limit nor each");
    return 0;
}

int ag_intent_from_json(const json_t *json, struct lm_arena *arena, struct ag_intent *intent,
                        struct lm_error *error)
{
    static const char *const keys[] = {"v",         "measure",  "parts",   "shape",  "filters",
                                       "group_by",  "time",     "compare", "order",  "rank",
                                       "limit",     "each",     "counted", "bucket", "silent",
                                       "threshold", "language", "summed",  NULL};
    const json_t *filters = json_object_get(json, "filters");
    const json_t *groups = json_object_get(json, "group_by");
    const json_t *threshold = json_object_get(json, "threshold");

    ag_intent_init(intent);
    if (known_keys(json, keys, "intent", error) < 0)
        return -1;
    if (json_integer_value(json_object_get(json, "v")) != 1)
        return BAD(error, "intent.v must be 1");
    if (!json_is_array(filters) || json_array_size(filters) > AG_MAX_FILTERS)
        return BAD(error, "filters must be an array of at most %d", AG_MAX_FILTERS);
    if (!json_is_array(groups) || json_array_size(groups) > AG_MAX_GROUPS)
        return BAD(error, "group_by must be an array of at most %d", AG_MAX_GROUPS);
    if (read_measure(json_object_get(json, "measure"), arena, intent, error) < 0 ||
        read_time(json, arena, intent, error) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(filters); i++) {
        if (read_filter(json_array_get(filters, i), arena, &intent->filters[intent->filter_count++], error) <
            0)
            return -1;
    }
    for (size_t i = 0; i < json_array_size(groups); i++) {
        if (read_group(json_array_get(groups, i), arena, &intent->groups[intent->group_count++], error) < 0)
            return -1;
    }
    if (threshold && read_threshold(threshold, arena, intent, error) < 0)
        return -1;
    if (read_numbers(json, intent, error) < 0 || read_names(json, intent, error) < 0)
        return -1;
    return read_parts(json, arena, intent, error);
}
