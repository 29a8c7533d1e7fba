/*
 * The interpretation in English.
 */
#include "agent/answer/table.h"

static void say(struct lm_buffer *out, const char *text)
{
    lm_buffer_append_text(out, text);
}

/* "service payment-service", "duration above 500 ms" */
static void put_filter(struct lm_buffer *out, const struct ag_filter *filter)
{
    static const char *const words[] = {[AG_IN] = " ",
                                        [AG_NOT_IN] = " other than ",
                                        [AG_AT_LEAST] = " at least ",
                                        [AG_ABOVE] = " above ",
                                        [AG_BELOW] = " below ",
                                        [AG_AT_MOST] = " at most ",
                                        [AG_BETWEEN] = " from ",
                                        [AG_CONTAINS] = " containing ",
                                        [AG_NOT_CONTAINS] = " not containing ",
                                        [AG_PREFIX] = " beginning with ",
                                        [AG_NOT_PREFIX] = " not beginning with "};
    if (filter->op == AG_IS_NULL || filter->op == AG_NOT_NULL) {
        say(out, filter->op == AG_IS_NULL ? "no " : "any ");
        if (filter->field == AG_REQUEST) {
            say(out, "endpoint or status");
        } else {
            ag_put_field(out, filter->field, filter->key, AG_EN);
        }
        return;
    }
    ag_put_field(out, filter->field, filter->key, AG_EN);
    say(out, words[filter->op]);
    bool text = filter->op == AG_CONTAINS || filter->op == AG_NOT_CONTAINS || filter->op == AG_PREFIX ||
                filter->op == AG_NOT_PREFIX;
    ag_put_values(out, filter, filter->op == AG_BETWEEN ? " to " : " or ", text, AG_EN);
}

static void put_filters(struct lm_buffer *out, const struct ag_reading *reading)
{
    for (size_t i = 0; i < reading->filters; i++) {
        say(out, i == 0 ? " with " : i + 1 < reading->filters ? ", " : " and ");
        put_filter(out, &reading->intent->filters[i]);
    }
}

static void put_window(struct lm_buffer *out, const struct ag_reading *reading)
{
    if (reading->all) {
        say(out, "in everything kept");
        return;
    }
    say(out, "from ");
    ag_put_instant(out, reading->zone, reading->from_us, NULL);
    say(out, " to ");
    ag_put_instant(out, reading->zone, reading->to_us, &reading->from_us);
}

static void put_percentiles(struct lm_buffer *out, const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->measure.p_count; i++) {
        lm_buffer_printf(out, "%sp%.6g",
                         i == 0                            ? ""
                         : i + 1 < intent->measure.p_count ? ", "
                                                           : " and ",
                         intent->measure.p[i] * 100);
    }
}

/* "The duration's average, p95 and longest over records" */
static void put_statistics(struct lm_buffer *out, const struct ag_intent *intent)
{
    static const char *const names[] = {
        [AG_AVG] = "average", [AG_MIN] = "shortest", [AG_MAX] = "longest",
        [AG_SUM] = "total",   [AG_COUNT] = "number", [AG_ERROR_RATE] = "error rate"};
    static const char *const of_numbers[] = {[AG_MIN] = "smallest", [AG_MAX] = "largest", [AG_SUM] = "sum"};
    size_t count = 1 + intent->measure.also_count;
    bool key = ag_intent_measures_key(intent);
    say(out, "The ");
    if (key) {
        ag_put_name(out, intent->measure.key);
    }
    say(out, key ? " value's " : "duration's ");
    for (size_t i = 0; i < count; i++) {
        enum ag_measure_fn fn = i == 0 ? intent->measure.fn : intent->measure.also[i - 1];
        say(out, i == 0 ? "" : i + 1 < count ? ", " : " and ");
        if (fn == AG_PERCENTILE) {
            put_percentiles(out, intent);
        } else {
            bool other = key && (fn == AG_MIN || fn == AG_MAX || fn == AG_SUM);
            say(out, other ? of_numbers[fn] : names[fn]);
        }
    }
    say(out, " over records");
}

static void put_measure(struct lm_buffer *out, const struct ag_intent *intent)
{
    if (intent->shape == AG_EVIDENCE) {
        say(out, "What there are more of among records");
        return;
    }
    if (ag_intent_measures_key(intent) ||
        (intent->measure.also_count > 0 && intent->measure.fn != AG_DISTINCT)) {
        put_statistics(out, intent);
        return;
    }
    switch (intent->measure.fn) {
    case AG_DISTINCT:
        say(out, "The number of different ");
        say(out, ag_label(intent->measure.field, AG_EN, true));
        say(out, intent->measure.also_count > 0 ? ", and of all records, in records" : " in records");
        break;
    case AG_ERROR_RATE:
        say(out, "The error rate (errors over all) of records");
        break;
    case AG_FAILURE_RATE:
        say(out, "The failure rate (5xx over those with a status) of requests");
        break;
    case AG_SHARE:
        say(out, "The share with ");
        if (intent->filter_count > 0) {
            put_filter(out, &intent->filters[intent->filter_count - 1]);
        }
        say(out, " among records");
        break;
    case AG_AVG:
        say(out, "The average duration of records");
        break;
    case AG_MIN:
        say(out, "The shortest duration of records");
        break;
    case AG_MAX:
        say(out, "The longest duration of records");
        break;
    case AG_SUM:
        say(out, "The total duration of records");
        break;
    case AG_PERCENTILE:
        say(out, "The duration's ");
        put_percentiles(out, intent);
        say(out, " over records");
        break;
    case AG_RATE:
        say(out, "The number per ");
        ag_put_width(out, intent->measure.rate_unit_us, AG_EN);
        say(out, " of records");
        break;
    case AG_FIRST_SEEN:
        say(out, "The first occurrence of records");
        break;
    case AG_LAST_SEEN:
        say(out, "The last occurrence of records");
        break;
    case AG_NAMES:
        say(out, "The ");
        say(out, ag_label(intent->measure.field, AG_EN, true));
        say(out, " of records");
        break;
    case AG_LIST:
        say(out, "Records");
        break;
    default:
        say(out, "The number of records");
        break;
    }
}

static void put_change(struct lm_buffer *out, const struct ag_reading *reading)
{
    const struct ag_intent *intent = reading->intent;
    enum ag_field field = intent->shape == AG_SILENT ? AG_SERVICE : AG_ERROR_TYPE;
    say(out, intent->shape == AG_SILENT ? "Any " : "New ");
    if (intent->group_count > 0 && intent->groups[0].key != NULL) {
        say(out, "values of ");
        ag_put_name(out, intent->groups[0].key);
    } else {
        bool many = intent->shape == AG_NEW;
        say(out, ag_label(intent->group_count > 0 ? intent->groups[0].field : field, AG_EN, many));
    }
    if (intent->shape == AG_SILENT) {
        say(out, " silent for more than ");
        int64_t silent = reading->silent_us;
        say(out, silent == AG_HOUR ? "an " : silent == AG_MINUTE || silent == AG_DAY ? "a " : "");
        ag_put_width(out, silent, AG_EN);
        say(out, " at the end, among records");
    } else {
        say(out, " of records");
    }
}

static void put_how(struct lm_buffer *out, const struct ag_reading *reading)
{
    const struct ag_intent *intent = reading->intent;
    for (size_t i = 0; i < intent->group_count && !reading->change; i++) {
        say(out, i == 0 ? ", by " : " and ");
        ag_put_field(out, intent->groups[i].field, intent->groups[i].key, AG_EN);
    }
    if (intent->measure.fn == AG_LIST) {
        enum ag_order order = reading->order;
        say(out, order == AG_OLDEST    ? ", oldest first"
                 : order == AG_SLOWEST ? ", slowest first"
                 : order == AG_FASTEST ? ", fastest first"
                 : order == AG_NEWEST  ? ", newest first"
                                       : "");
    }
    if (reading->bucket_us > 0) {
        say(out, ", for every ");
        ag_put_width(out, reading->bucket_us, AG_EN);
        say(out, intent->shape == AG_SPIKE     ? ", looking for the sharpest rise"
                 : intent->shape != AG_BUSIEST ? ""
                 : intent->order == AG_FEWEST  ? ", looking for the lowest"
                                               : ", looking for the highest");
    }
    if (intent->threshold.set) {
        static const char *const words[] = {[AG_AT_LEAST] = "at least",
                                            [AG_ABOVE] = "more than",
                                            [AG_BELOW] = "less than",
                                            [AG_AT_MOST] = "at most"};
        enum ag_op op = intent->threshold.op;
        lm_buffer_printf(out, ", only %s ", op >= AG_AT_LEAST && op <= AG_AT_MOST ? words[op] : "more than");
        if (intent->threshold.of != NULL) {
            say(out, "that of ");
            ag_put_name(out, intent->threshold.of);
        } else {
            ag_put_number(out, intent->threshold.value);
        }
    }
    if (intent->counted) {
        say(out, ", and how many those are");
    }
    if (intent->summed) {
        say(out, ", and the sum of those");
    }
    if (intent->each > 0) {
        lm_buffer_printf(out,
                         intent->order == AG_FEWEST ? ", the lowest %d of each " : ", the top %d of each ",
                         intent->each);
        if (reading->bucket_us > 0) {
            ag_put_width(out, reading->bucket_us, AG_EN);
        } else {
            ag_put_field(out, intent->groups[0].field, intent->groups[0].key, AG_EN);
        }
    }
    if (intent->limit > 0) {
        bool fewest = intent->order == AG_FEWEST;
        lm_buffer_printf(out,
                         !intent->rank ? ", at most %d"
                         : fewest      ? ", the lowest %d"
                                       : ", the top %d",
                         intent->limit);
    }
}

/* Who had none of something; the filters said are those of the records there are. */
static void put_without(struct lm_buffer *out, const struct ag_reading *reading)
{
    const struct ag_intent *intent = reading->intent;
    const struct ag_group *group = &intent->groups[0];
    say(out, intent->counted ? "How many there are of the " : "The ");
    say(out, group->key != NULL ? "values of " : "");
    if (group->key != NULL) {
        ag_put_name(out, group->key);
    } else {
        say(out, ag_label(group->field, AG_EN, true));
    }
    say(out, " that have records");
    put_filters(out, reading);
    say(out, " but none with ");
    put_filter(out, &intent->filters[intent->filter_count - 1]);
}

/* Each part with all of its conditions. */
static void put_parts(struct lm_buffer *out, const struct ag_reading *reading)
{
    for (size_t part = 1; part <= reading->intent->part_count; part++) {
        struct ag_intent one;
        struct ag_reading each = *reading;
        ag_intent_of_part(reading->intent, part, &one);
        each.intent = &one;
        each.filters = one.filter_count;
        say(out, part > 1 ? "; " : "");
        put_measure(out, &one);
        put_filters(out, &each);
    }
}

void ag_interpretation_en(const struct ag_reading *reading, struct lm_buffer *out)
{
    const struct ag_intent *intent = reading->intent;
    if (intent->part_count > 0) {
        put_parts(out, reading);
        put_how(out, reading);
    } else if (intent->shape == AG_WITHOUT) {
        put_without(out, reading);
    } else {
        if (reading->change) {
            put_change(out, reading);
        } else {
            put_measure(out, intent);
        }
        put_filters(out, reading);
        put_how(out, reading);
    }
    say(out, ", ");
    put_window(out, reading);
    if (intent->compare == AG_COMPARE_WINDOW) {
        say(out, " compared with ");
        ag_put_instant(out, reading->zone, intent->against.from_us, NULL);
        say(out, " to ");
        ag_put_instant(out, reading->zone, intent->against.to_us, &intent->against.from_us);
    }
    lm_buffer_printf(out, " (%s).", intent->zone);
}
