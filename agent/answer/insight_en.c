/*
 * What the result says, in English. Every number is taken from the table.
 */
#include "agent/answer/table.h"

#include <math.h>
#include <string.h>

#define NAMED 5
#define QUOTED 80

static void say(struct lm_buffer *out, const char *text)
{
    lm_buffer_append_text(out, text);
}

static void put_window(const struct ag_table *table, struct lm_buffer *out, int64_t from_us, int64_t to_us)
{
    if (table->intent->window.from_us == INT64_MIN && from_us == table->sql->from_us) {
        say(out, "in everything kept");
        return;
    }
    if (ag_whole_day(table->zone, from_us, to_us)) {
        struct ag_local day = ag_zone_local(table->zone, from_us);
        lm_buffer_printf(out, "on %04d-%02d-%02d", day.year, day.month, day.day);
        return;
    }
    say(out, "from ");
    ag_put_instant(out, table->zone, from_us, NULL);
    say(out, " to ");
    ag_put_instant(out, table->zone, to_us, &from_us);
}

/* "matching errors in payment-service" */
static void put_subject(const struct ag_intent *intent, struct lm_buffer *out, bool one)
{
    struct ag_subject subject = ag_subject_of(intent);
    if (subject.others > 0 && subject.only == NULL) {
        say(out, "matching ");
    }
    if (subject.errors) {
        say(out, one ? "error" : "errors");
    } else {
        if (subject.level != NULL && !subject.level_or_above) {
            lm_buffer_printf(out, "%s ", subject.level);
        }
        say(out, one ? "record" : "records");
        if (subject.level_or_above) {
            lm_buffer_printf(out, " at %s or above", subject.level);
        }
    }
    if (subject.service != NULL) {
        say(out, " in ");
        ag_put_name(out, subject.service);
    }
    if (subject.only != NULL) {
        bool metadata = subject.only->field == AG_METADATA && subject.only->key != NULL;
        say(out, " with ");
        if (metadata) {
            ag_put_name(out, subject.only->key);
        } else {
            say(out, ag_label(subject.only->field, AG_EN, false));
        }
        say(out, " ");
        ag_put_group_value(out, subject.only->field, subject.only->values[0], AG_EN);
    }
}

/* A number in the unit of a column: "310", "4.27%", "412 ms". */
static void put_figure(const struct ag_table *table, struct lm_buffer *out, size_t column, double value)
{
    const char *unit = table->columns[column].unit;
    if (table->columns[column].type == AG_INTEGER && value == floor(value)) {
        ag_put_count(out, (int64_t)value);
    } else if (unit != NULL && strcmp(unit, "ratio") == 0) {
        ag_put_percent(out, value);
    } else {
        ag_put_number(out, value);
        say(out, unit != NULL && strcmp(unit, "ms") == 0 ? " ms" : "");
    }
}

/* A cell: a figure, or an instant. */
static void put_value(const struct ag_table *table, struct lm_buffer *out, size_t row, size_t column)
{
    int64_t us = 0;
    if (table->rows[row][column] == NULL) {
        say(out, "no value");
    } else if (table->columns[column].type != AG_TIMESTAMP) {
        put_figure(table, out, column, ag_table_number(table, row, column));
    } else if (ag_table_instant(table, row, column, &us)) {
        ag_put_instant(out, table->zone, us, NULL);
    }
}

/* What a share is of: the last filter. */
static void put_part(const struct ag_intent *intent, struct lm_buffer *out)
{
    const struct ag_filter *part = &intent->filters[intent->filter_count - 1];
    if (ag_only_errors(part)) {
        say(out, "share of errors");
    } else if (part->op == AG_IN && part->value_count == 1) {
        say(out, "share with ");
        say(out, part->key != NULL ? "" : ag_label(part->field, AG_EN, false));
        say(out, part->key != NULL ? "" : " ");
        ag_put_group_value(out, part->field, part->values[0], AG_EN);
    } else {
        say(out, "matching share");
    }
}

static void put_measure_name(const struct ag_table *table, struct lm_buffer *out, size_t column)
{
    const struct ag_intent *intent = table->intent;
    switch (intent->measure.fn) {
    case AG_AVG:
        say(out, "average duration");
        break;
    case AG_MIN:
        say(out, "shortest duration");
        break;
    case AG_MAX:
        say(out, "longest duration");
        break;
    case AG_SUM:
        say(out, "total duration");
        break;
    case AG_PERCENTILE: {
        const char *name = table->columns[column].name;
        lm_buffer_append(out, name, strcspn(name, "_"));
        break;
    }
    case AG_ERROR_RATE:
        say(out, "error rate");
        break;
    case AG_FAILURE_RATE:
        say(out, "failure rate");
        break;
    case AG_SHARE:
        put_part(intent, out);
        break;
    case AG_RATE:
        say(out, intent->measure.rate_unit_us == AG_SECOND   ? "number per second"
                 : intent->measure.rate_unit_us == AG_MINUTE ? "number per minute"
                 : intent->measure.rate_unit_us == AG_HOUR   ? "number per hour"
                                                             : "number per unit of time");
        break;
    case AG_DISTINCT:
        say(out, "number of different ");
        say(out, ag_label(intent->measure.field, AG_EN, true));
        break;
    default:
        say(out, "number");
        break;
    }
}

/* (53 of 1,234) */
static void put_basis(const struct ag_table *table, struct lm_buffer *out, size_t row)
{
    static const char *const parts[][2] = {
        {"errors", "count"}, {"failures", "requests"}, {"matching", "count"}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t part = ag_table_named(table, parts[i][0]);
        size_t whole = ag_table_named(table, parts[i][1]);
        if (part < table->column_count && whole < table->column_count) {
            say(out, " (");
            put_value(table, out, row, part);
            say(out, " of ");
            put_value(table, out, row, whole);
            say(out, ")");
            return;
        }
    }
    size_t samples = ag_table_find(table, AG_ROLE_SAMPLES, 0);
    if (samples < table->column_count) {
        int64_t n = (int64_t)ag_table_number(table, row, samples);
        say(out, " (");
        ag_put_count(out, n);
        say(out, n == 1 ? " sample)" : " samples)");
    }
}

static void number_sentence(const struct ag_table *table, const struct ag_facts *facts, struct lm_buffer *out)
{
    enum ag_measure_fn fn = table->intent->measure.fn;
    if (fn == AG_COUNT) {
        bool one = ag_table_number(table, 0, facts->measure) == 1;
        put_value(table, out, 0, facts->measure);
        say(out, " ");
        put_subject(table->intent, out, one);
    } else if (fn == AG_FIRST_SEEN || fn == AG_LAST_SEEN) {
        size_t count = ag_table_named(table, "count");
        bool one = ag_table_number(table, 0, count) == 1;
        say(out, fn == AG_FIRST_SEEN ? "First seen at " : "Last seen at ");
        put_value(table, out, 0, facts->measure);
        say(out, "; ");
        put_value(table, out, 0, count);
        say(out, " ");
        put_subject(table->intent, out, one);
    } else if (fn == AG_DISTINCT) {
        bool one = ag_table_number(table, 0, facts->measure) == 1;
        put_value(table, out, 0, facts->measure);
        say(out, " different ");
        say(out, ag_label(table->intent->measure.field, AG_EN, !one));
        say(out, " among ");
        put_subject(table->intent, out, false);
    } else {
        for (size_t i = facts->measure; i < table->column_count;
             i = ag_table_find(table, AG_ROLE_MEASURE, i + 1)) {
            say(out, i > facts->measure ? ", " : "The ");
            put_measure_name(table, out, i);
            say(out, i != facts->measure ? " is " : fn == AG_SHARE ? " among " : " of ");
            if (i == facts->measure) {
                put_subject(table->intent, out, false);
                say(out, " is ");
            }
            put_value(table, out, 0, i);
        }
        put_basis(table, out, 0);
    }
    say(out, fn == AG_COUNT || fn == AG_FIRST_SEEN || fn == AG_LAST_SEEN || fn == AG_DISTINCT ? " " : ", ");
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, ".");
}

static void put_label(const struct ag_table *table, size_t index, struct lm_buffer *out, bool many)
{
    const struct ag_intent *intent = table->intent;
    if (index < intent->group_count && intent->groups[index].key != NULL) {
        say(out, many ? "values of " : "value of ");
        ag_put_name(out, intent->groups[index].key);
    } else if (index < intent->group_count) {
        say(out, ag_label(intent->groups[index].field, AG_EN, many));
    } else {
        say(out, ag_label(intent->shape == AG_SILENT ? AG_SERVICE
                          : intent->shape == AG_NEW  ? AG_ERROR_TYPE
                                                     : intent->measure.field,
                          AG_EN, many));
    }
}

static enum ag_field group_field(const struct ag_table *table, size_t index)
{
    return index < table->intent->group_count ? table->intent->groups[index].field : AG_NO_FIELD;
}

static void put_group(const struct ag_table *table, struct lm_buffer *out, size_t row)
{
    size_t index = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].role == AG_ROLE_GROUP) {
            say(out, index > 0 ? " · " : "");
            ag_put_group_value(out, group_field(table, index), table->rows[row][i], AG_EN);
            index++;
        }
    }
}

static const char *superlative(const struct ag_intent *intent)
{
    bool fewest = intent->order == AG_FEWEST;
    switch (intent->measure.fn) {
    case AG_COUNT:
        return fewest ? "has the fewest" : "has the most";
    case AG_FIRST_SEEN:
        return "came first";
    case AG_LAST_SEEN:
        return "came last";
    default:
        return fewest ? "is lowest" : "is highest";
    }
}

static void group_sentences(const struct ag_table *table, const struct ag_facts *facts, struct lm_buffer *out)
{
    bool by_clock = group_field(table, 0) == AG_HOUR_OF_DAY || group_field(table, 0) == AG_DAY_OF_WEEK;
    size_t leader = by_clock && table->intent->order != AG_FEWEST ? facts->peak : 0;
    if (table->row_count > 1 && !table->truncated && !table->sql->limit_stated) {
        lm_buffer_printf(out, "Of %zu ", facts->named);
        if (table->intent->group_count > 1) {
            say(out, "combinations");
        } else {
            put_label(table, 0, out, true);
        }
        say(out, ", ");
    }
    put_group(table, out, leader);
    say(out, " ");
    say(out, superlative(table->intent));
    if (table->intent->measure.fn == AG_COUNT) {
        say(out, " ");
        put_subject(table->intent, out, false);
    } else if (table->intent->measure.fn != AG_FIRST_SEEN && table->intent->measure.fn != AG_LAST_SEEN) {
        say(out, " in ");
        put_measure_name(table, out, facts->measure);
        say(out, " of ");
        put_subject(table->intent, out, false);
    }
    say(out, ": ");
    put_value(table, out, leader, facts->measure);
    if (facts->has_share && leader == 0) {
        say(out, " (");
        ag_put_percent(out, facts->share);
        say(out, " of ");
        ag_put_count(out, table->total);
        say(out, ")");
    }
    if (table->row_count > 1 && leader == 0) {
        say(out, ", followed by ");
        put_group(table, out, 1);
        say(out, " with ");
        put_value(table, out, 1, facts->measure);
    }
    say(out, ", ");
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, ".");
}

static void put_bucket(const struct ag_table *table, const struct ag_facts *facts, struct lm_buffer *out,
                       size_t row)
{
    int64_t at = 0;
    if (!ag_table_instant(table, row, facts->bucket, &at)) {
        return;
    }
    int64_t end = ag_series_next(table->sql, table->zone, at);
    if (table->sql->bucket_us >= AG_DAY) {
        struct ag_local day = ag_zone_local(table->zone, at);
        lm_buffer_printf(out, "%s%04d-%02d-%02d",
                         table->sql->bucket_us > AG_DAY ? "in the period from " : "on ", day.year, day.month,
                         day.day);
        return;
    }
    say(out, "at ");
    ag_put_instant(out, table->zone, at, NULL);
    say(out, "–");
    ag_put_instant(out, table->zone, end, &at);
}

static void put_times_median(const struct ag_table *table, size_t column, double value, double median,
                             struct lm_buffer *out)
{
    say(out, " That is ");
    ag_put_number(out, value / median);
    say(out, " times the median of ");
    put_figure(table, out, column, median);
    say(out, ".");
}

static void series_sentences(const struct ag_table *table, const struct ag_facts *facts,
                             struct lm_buffer *out)
{
    const struct ag_intent *intent = table->intent;
    size_t row = intent->shape == AG_SERIES ? facts->peak : 0;
    bool fewest = intent->shape == AG_BUSIEST && intent->order == AG_FEWEST;
    if (intent->measure.fn == AG_COUNT && intent->shape == AG_SERIES && !table->truncated) {
        ag_put_count(out, (int64_t)facts->sum);
        say(out, " ");
        put_subject(intent, out, facts->sum == 1);
        say(out, " ");
        put_window(table, out, table->sql->from_us, table->sql->to_us);
        say(out, ", the most ");
    } else {
        say(out, "The ");
        put_measure_name(table, out, facts->measure);
        say(out, " of ");
        put_subject(intent, out, false);
        say(out, " ");
        put_window(table, out, table->sql->from_us, table->sql->to_us);
        say(out, fewest ? " was lowest " : " was highest ");
    }
    put_bucket(table, facts, out, row);
    if (facts->group < table->column_count) {
        say(out, " for ");
        put_group(table, out, row);
    }
    say(out, ": ");
    put_value(table, out, row, facts->measure);
    say(out, ".");
    if (intent->shape == AG_SPIKE && table->has_median && table->median > 0) {
        put_times_median(table, facts->measure, ag_table_number(table, 0, facts->measure), table->median,
                         out);
    } else if (intent->shape == AG_SERIES && facts->stands_out) {
        put_times_median(table, facts->measure, ag_table_number(table, facts->peak, facts->measure),
                         facts->median, out);
    }
}

static void put_change(const struct ag_table *table, const struct ag_facts *facts, struct lm_buffer *out,
                       size_t row)
{
    double now = ag_table_number(table, row, facts->measure);
    double then = ag_table_number(table, row, facts->previous);
    const struct ag_column *column = &table->columns[facts->measure];
    bool ratio = column->unit != NULL && strcmp(column->unit, "ratio") == 0;
    if (isnan(now) || isnan(then)) {
        say(out, "One side has no value, so they cannot be compared.");
        return;
    }
    if (now == then) {
        say(out, "Nothing changed.");
        return;
    }
    say(out, now > then ? "Up by " : "Down by ");
    if (ratio) {
        ag_put_number(out, fabs(now - then) * 100);
        say(out, " percentage points");
    } else if (column->type == AG_INTEGER) {
        ag_put_count(out, (int64_t)fabs(now - then));
    } else {
        ag_put_number(out, fabs(now - then));
        say(out, column->unit != NULL && strcmp(column->unit, "ms") == 0 ? " ms" : "");
    }
    if (then != 0 && !ratio) {
        say(out, " (");
        ag_put_percent(out, fabs(now - then) / fabs(then));
        say(out, ")");
    }
    say(out, ".");
}

static void compare_sentences(const struct ag_table *table, const struct ag_facts *facts,
                              struct lm_buffer *out)
{
    const struct ag_sql *sql = table->sql;
    if (facts->group < table->column_count) {
        put_group(table, out, 0);
        say(out, ": ");
    }
    put_value(table, out, 0, facts->measure);
    say(out, " ");
    put_window(table, out, sql->from_us, sql->to_us);
    say(out, ", ");
    put_value(table, out, 0, facts->previous);
    say(out, " ");
    put_window(table, out, sql->against_from_us, sql->against_to_us);
    say(out, " (");
    put_measure_name(table, out, facts->measure);
    say(out, " of ");
    put_subject(table->intent, out, false);
    say(out, "). ");
    put_change(table, facts, out, 0);
}

/* "the latest 3": there may be others, so the rows are not how many there were. */
static bool as_many_as_asked(const struct ag_table *table)
{
    return table->intent->limit > 0 && table->row_count == (size_t)table->intent->limit;
}

static void list_sentences(const struct ag_table *table, struct lm_buffer *out)
{
    int64_t at = 0;
    size_t time = ag_table_named(table, "created_at");
    size_t message = ag_table_named(table, "message");
    size_t service = ag_table_named(table, "service");
    ag_put_count(out, (int64_t)table->row_count);
    say(out, " ");
    put_subject(table->intent, out, table->row_count == 1);
    say(out, " ");
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, table->truncated          ? "; there are more."
             : as_many_as_asked(table) ? ", as many as were asked for."
                                       : ".");
    if (ag_table_instant(table, 0, time, &at) && message < table->column_count &&
        table->rows[0][message] != NULL) {
        say(out, " The first one shown: ");
        ag_put_instant(out, table->zone, at, NULL);
        say(out, ", ");
        ag_put_name(out, table->rows[0][service]);
        say(out, ", ");
        ag_put_quoted(out, table->rows[0][message], QUOTED);
        say(out, ".");
    }
}

static void put_span(int64_t us, struct lm_buffer *out)
{
    int64_t unit = us % AG_DAY == 0      ? AG_DAY
                   : us % AG_HOUR == 0   ? AG_HOUR
                   : us % AG_MINUTE == 0 ? AG_MINUTE
                                         : AG_SECOND;
    const char *name = unit == AG_DAY      ? "day"
                       : unit == AG_HOUR   ? "hour"
                       : unit == AG_MINUTE ? "minute"
                                           : "second";
    lm_buffer_printf(out, "%lld %s%s", (long long)(us / unit), name, us == unit ? "" : "s");
}

static void put_names(const struct ag_table *table, struct lm_buffer *out)
{
    size_t seen = ag_table_find(table, AG_ROLE_MEASURE, 0);
    for (size_t i = 0; i < table->row_count && i < NAMED; i++) {
        int64_t at = 0;
        say(out, i > 0 ? ", " : "");
        put_group(table, out, i);
        if (ag_table_instant(table, i, seen, &at)) {
            say(out, " (");
            ag_put_instant(out, table->zone, at, NULL);
            say(out, ")");
        }
    }
    say(out, table->row_count > NAMED ? " and others." : ".");
}

static void change_sentences(const struct ag_table *table, struct lm_buffer *out)
{
    bool silent = table->intent->shape == AG_SILENT;
    bool one = table->row_count == 1;
    if (table->row_count == 0) {
        say(out, "No ");
    } else {
        lm_buffer_printf(out, "%zu ", table->row_count);
    }
    say(out, silent ? "" : "new ");
    put_label(table, 0, out, !one);
    if (silent) {
        say(out, one ? " has been silent for the last " : " have been silent for the last ");
        put_span(table->intent->silent_us > 0 ? table->intent->silent_us : 15 * AG_MINUTE, out);
    } else {
        say(out, " appeared ");
        put_window(table, out, table->sql->from_us, table->sql->to_us);
    }
    if (table->row_count == 0) {
        say(out, ".");
        return;
    }
    say(out, silent ? "; last seen: " : "; first seen: ");
    put_names(table, out);
}

static void names_sentence(const struct ag_table *table, struct lm_buffer *out)
{
    lm_buffer_printf(out, "%zu%s ", table->row_count, table->truncated ? " or more" : "");
    put_label(table, table->intent->group_count, out, table->row_count != 1);
    say(out, " ");
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, ": ");
    size_t name = ag_table_find(table, AG_ROLE_GROUP, 0);
    for (size_t i = 0; i < table->row_count && i < NAMED * 2; i++) {
        say(out, i > 0 ? ", " : "");
        ag_put_group_value(out, table->intent->measure.field, table->rows[i][name], AG_EN);
    }
    say(out, table->row_count > NAMED * 2 ? " and others." : ".");
}

static void nothing_sentence(const struct ag_table *table, struct lm_buffer *out)
{
    say(out, "There are no ");
    put_subject(table->intent, out, false);
    say(out, " ");
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, ".");
}

void ag_insight_en(struct ag_table *table, struct lm_buffer *out)
{
    const struct ag_intent *intent = table->intent;
    struct ag_facts facts = ag_facts_of(table);
    if (intent->shape == AG_SILENT || intent->shape == AG_NEW) {
        change_sentences(table, out);
    } else if (ag_table_empty(table)) {
        nothing_sentence(table, out);
    } else if (table->sql->lists_rows) {
        list_sentences(table, out);
    } else if (intent->measure.fn == AG_NAMES) {
        names_sentence(table, out);
    } else if (facts.bucket < table->column_count) {
        series_sentences(table, &facts, out);
    } else if (facts.previous < table->column_count) {
        compare_sentences(table, &facts, out);
    } else if (facts.group < table->column_count) {
        group_sentences(table, &facts, out);
    } else {
        number_sentence(table, &facts, out);
    }
    if (!intent->window.stated && intent->window.from_us != INT64_MIN) {
        say(out, " No time was named, so this window was taken.");
    }
}
