/*
 * What the result says, in Korean. Every number is taken from the table.
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
        say(out, "보관된 전체 기간에서");
        return;
    }
    if (ag_whole_day(table->zone, from_us, to_us)) {
        struct ag_local day = ag_zone_local(table->zone, from_us);
        lm_buffer_printf(out, "%04d-%02d-%02d 하루", day.year, day.month, day.day);
        return;
    }
    ag_put_instant(out, table->zone, from_us, NULL);
    say(out, "부터 ");
    ag_put_instant(out, table->zone, to_us, &from_us);
    say(out, "까지");
}

static void put_subject(const struct ag_intent *intent, struct lm_buffer *out)
{
    struct ag_subject subject = ag_subject_of(intent);
    if (subject.service != NULL) {
        ag_put_name(out, subject.service);
        say(out, subject.others > 0 && subject.only == NULL ? "에서 " : " ");
    }
    if (subject.only != NULL) {
        bool metadata = subject.only->field == AG_METADATA && subject.only->key != NULL;
        if (metadata) {
            ag_put_name(out, subject.only->key);
        } else {
            say(out, ag_label(subject.only->field, AG_KO, false));
        }
        say(out, " ");
        ag_put_group_value(out, subject.only->field, subject.only->values[0], AG_KO);
        say(out, " ");
    } else if (subject.others > 0) {
        say(out, "조건에 맞는 ");
    }
    if (subject.errors) {
        say(out, "오류");
        return;
    }
    if (subject.level != NULL) {
        lm_buffer_printf(out, "%s%s ", subject.level, subject.level_or_above ? " 이상" : "");
    }
    say(out, "기록");
}

/* A number in the unit of a column: "310건", "4.27%", "412 ms". */
static void put_figure(const struct ag_table *table, struct lm_buffer *out, size_t column, double value)
{
    const char *unit = table->columns[column].unit;
    if (table->columns[column].type == AG_INTEGER && value == floor(value)) {
        bool distinct = table->intent->measure.fn == AG_DISTINCT;
        ag_put_count(out, (int64_t)value);
        say(out, !distinct ? "건" : table->intent->measure.field == AG_USER_ID ? "명" : "개");
    } else if (unit != NULL && strcmp(unit, "ratio") == 0) {
        ag_put_percent(out, value);
    } else {
        ag_put_number(out, value);
        say(out, unit != NULL && strcmp(unit, "ms") == 0 ? " ms" : "건");
    }
}

/* A cell: a figure, or an instant. */
static void put_value(const struct ag_table *table, struct lm_buffer *out, size_t row, size_t column)
{
    int64_t us = 0;
    if (table->rows[row][column] == NULL) {
        say(out, "값 없음");
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
        say(out, "오류");
    } else if (part->op == AG_IN && part->value_count == 1) {
        say(out, part->key != NULL ? "" : ag_label(part->field, AG_KO, false));
        say(out, part->key != NULL ? "" : " ");
        ag_put_group_value(out, part->field, part->values[0], AG_KO);
    } else {
        say(out, "조건에 맞는 것");
    }
    say(out, "의 비율");
}

static void put_measure_name(const struct ag_table *table, struct lm_buffer *out, size_t column)
{
    const struct ag_intent *intent = table->intent;
    switch (intent->measure.fn) {
    case AG_AVG:
        say(out, "평균 소요 시간");
        break;
    case AG_MIN:
        say(out, "가장 짧은 소요 시간");
        break;
    case AG_MAX:
        say(out, "가장 긴 소요 시간");
        break;
    case AG_SUM:
        say(out, "소요 시간의 합");
        break;
    case AG_PERCENTILE: {
        const char *name = table->columns[column].name;
        lm_buffer_append(out, name, strcspn(name, "_"));
        break;
    }
    case AG_ERROR_RATE:
        say(out, "오류율");
        break;
    case AG_FAILURE_RATE:
        say(out, "요청 실패율");
        break;
    case AG_SHARE:
        put_part(intent, out);
        break;
    case AG_RATE:
        say(out, intent->measure.rate_unit_us == AG_SECOND   ? "초당 건수"
                 : intent->measure.rate_unit_us == AG_MINUTE ? "분당 건수"
                 : intent->measure.rate_unit_us == AG_HOUR   ? "시간당 건수"
                                                             : "단위 시간당 건수");
        break;
    case AG_DISTINCT:
        say(out, "서로 다른 ");
        say(out, ag_label(intent->measure.field, AG_KO, true));
        break;
    default:
        say(out, "건수");
        break;
    }
}

/* (기록 1,234건 중 53건) */
static void put_basis(const struct ag_table *table, struct lm_buffer *out, size_t row)
{
    static const char *const parts[][2] = {
        {"errors", "count"}, {"failures", "requests"}, {"matching", "count"}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t part = ag_table_named(table, parts[i][0]);
        size_t whole = ag_table_named(table, parts[i][1]);
        if (part < table->column_count && whole < table->column_count) {
            say(out, "(");
            put_value(table, out, row, whole);
            say(out, " 중 ");
            put_value(table, out, row, part);
            say(out, ")");
            return;
        }
    }
    size_t samples = ag_table_find(table, AG_ROLE_SAMPLES, 0);
    if (samples < table->column_count) {
        say(out, "(표본 ");
        ag_put_count(out, (int64_t)ag_table_number(table, row, samples));
        say(out, "개)");
    }
}

static void number_sentence(const struct ag_table *table, const struct ag_facts *facts, struct lm_buffer *out)
{
    enum ag_measure_fn fn = table->intent->measure.fn;
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, " ");
    put_subject(table->intent, out);
    if (fn == AG_COUNT) {
        ag_put_particle(out, AG_EUN_NEUN);
        say(out, " 모두 ");
        put_value(table, out, 0, facts->measure);
        say(out, "입니다.");
        return;
    }
    if (fn == AG_FIRST_SEEN || fn == AG_LAST_SEEN) {
        say(out, fn == AG_FIRST_SEEN ? " 중 처음은 " : " 중 마지막은 ");
        put_value(table, out, 0, facts->measure);
        say(out, "이고, 모두 ");
        put_value(table, out, 0, ag_table_named(table, "count"));
        say(out, "입니다.");
        return;
    }
    say(out, "의 ");
    for (size_t i = facts->measure; i < table->column_count;
         i = ag_table_find(table, AG_ROLE_MEASURE, i + 1)) {
        if (i > facts->measure) {
            say(out, ", ");
        }
        put_measure_name(table, out, i);
        ag_put_particle(out, AG_EUN_NEUN);
        say(out, " ");
        put_value(table, out, 0, i);
    }
    say(out, "입니다");
    put_basis(table, out, 0);
    say(out, ".");
}

static void put_label(const struct ag_table *table, size_t index, struct lm_buffer *out)
{
    const struct ag_intent *intent = table->intent;
    if (index < intent->group_count && intent->groups[index].key != NULL) {
        ag_put_name(out, intent->groups[index].key);
    } else if (index < intent->group_count) {
        say(out, ag_label(intent->groups[index].field, AG_KO, true));
    } else {
        say(out, ag_label(intent->shape == AG_SILENT ? AG_SERVICE
                          : intent->shape == AG_NEW  ? AG_ERROR_TYPE
                                                     : intent->measure.field,
                          AG_KO, true));
    }
}

static enum ag_field group_field(const struct ag_table *table, size_t index)
{
    return index < table->intent->group_count ? table->intent->groups[index].field : AG_NO_FIELD;
}

/* payment-service · /api/pay */
static void put_group(const struct ag_table *table, struct lm_buffer *out, size_t row)
{
    size_t index = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].role == AG_ROLE_GROUP) {
            say(out, index > 0 ? " · " : "");
            ag_put_group_value(out, group_field(table, index), table->rows[row][i], AG_KO);
            index++;
        }
    }
}

static const char *superlative(const struct ag_intent *intent)
{
    bool fewest = intent->order == AG_FEWEST;
    switch (intent->measure.fn) {
    case AG_COUNT:
    case AG_DISTINCT:
    case AG_RATE:
        return fewest ? "가장 적습니다" : "가장 많습니다";
    case AG_ERROR_RATE:
    case AG_FAILURE_RATE:
    case AG_SHARE:
        return fewest ? "가장 낮습니다" : "가장 높습니다";
    case AG_FIRST_SEEN:
        return "가장 이릅니다";
    case AG_LAST_SEEN:
        return "가장 최근입니다";
    default:
        return fewest ? "가장 짧습니다" : "가장 깁니다";
    }
}

static void group_sentences(const struct ag_table *table, const struct ag_facts *facts, struct lm_buffer *out)
{
    bool by_clock = group_field(table, 0) == AG_HOUR_OF_DAY || group_field(table, 0) == AG_DAY_OF_WEEK;
    size_t leader = by_clock && table->intent->order != AG_FEWEST ? facts->peak : 0;
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, " ");
    put_subject(table->intent, out);
    if (table->row_count > 1 && !table->truncated && !table->sql->limit_stated) {
        say(out, "의 ");
        if (table->intent->group_count > 1) {
            say(out, "조합");
        } else {
            put_label(table, 0, out);
        }
        lm_buffer_printf(out, " %zu개 중 ", facts->named);
    } else {
        say(out, ": ");
    }
    put_group(table, out, leader);
    ag_put_particle(out, AG_I_GA);
    say(out, " ");
    if (table->intent->measure.fn != AG_COUNT && table->columns[facts->measure].type != AG_TIMESTAMP) {
        put_measure_name(table, out, facts->measure);
        say(out, " ");
    }
    put_value(table, out, leader, facts->measure);
    if (facts->has_share && leader == 0) {
        say(out, "(전체 ");
        ag_put_count(out, table->total);
        say(out, "건의 ");
        ag_put_percent(out, facts->share);
        say(out, ")");
    }
    ag_put_particle(out, AG_EURO_RO);
    say(out, " ");
    say(out, superlative(table->intent));
    say(out, ".");
    if (table->row_count > 1 && leader == 0) {
        say(out, " 다음은 ");
        put_group(table, out, 1);
        say(out, " ");
        put_value(table, out, 1, facts->measure);
        say(out, "입니다.");
    }
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
        lm_buffer_printf(out, "%04d-%02d-%02d", day.year, day.month, day.day);
        say(out, table->sql->bucket_us > AG_DAY ? "부터의 구간" : "");
        return;
    }
    ag_put_instant(out, table->zone, at, NULL);
    say(out, "–");
    ag_put_instant(out, table->zone, end, &at);
}

static void put_times_median(const struct ag_table *table, size_t column, double value, double median,
                             struct lm_buffer *out)
{
    say(out, " 중앙값 ");
    put_figure(table, out, column, median);
    say(out, "의 ");
    ag_put_number(out, value / median);
    say(out, "배입니다.");
}

static void series_sentences(const struct ag_table *table, const struct ag_facts *facts,
                             struct lm_buffer *out)
{
    const struct ag_intent *intent = table->intent;
    double value = ag_table_number(table, facts->peak, facts->measure);
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, " ");
    put_subject(intent, out);
    if (intent->measure.fn == AG_COUNT && intent->shape == AG_SERIES && !table->truncated) {
        ag_put_particle(out, AG_EUN_NEUN);
        say(out, " 모두 ");
        ag_put_count(out, (int64_t)facts->sum);
        say(out, "건이고,");
    } else {
        say(out, "의 ");
        put_measure_name(table, out, facts->measure);
        ag_put_particle(out, AG_EUN_NEUN);
    }
    size_t row = intent->shape == AG_SERIES ? facts->peak : 0;
    bool fewest = intent->shape == AG_BUSIEST && intent->order == AG_FEWEST;
    say(out, " ");
    put_bucket(table, facts, out, row);
    if (facts->group < table->column_count) {
        say(out, " ");
        put_group(table, out, row);
    }
    say(out, "에 ");
    put_value(table, out, row, facts->measure);
    ag_put_particle(out, AG_EURO_RO);
    say(out, fewest                           ? " 가장 적었습니다."
             : intent->measure.fn == AG_COUNT ? " 가장 많았습니다."
                                              : " 가장 높았습니다.");
    if (intent->shape == AG_SPIKE && table->has_median && table->median > 0) {
        put_times_median(table, facts->measure, ag_table_number(table, 0, facts->measure), table->median,
                         out);
    } else if (intent->shape == AG_SERIES && facts->stands_out) {
        put_times_median(table, facts->measure, value, facts->median, out);
    }
}

static void put_change(const struct ag_table *table, const struct ag_facts *facts, struct lm_buffer *out,
                       size_t row)
{
    double now = ag_table_number(table, row, facts->measure);
    double then = ag_table_number(table, row, facts->previous);
    bool ratio = table->columns[facts->measure].unit != NULL &&
                 strcmp(table->columns[facts->measure].unit, "ratio") == 0;
    if (isnan(now) || isnan(then)) {
        say(out, "한쪽에 값이 없어 비교할 수 없습니다.");
        return;
    }
    if (now == then) {
        say(out, "변화가 없습니다.");
        return;
    }
    if (ratio) {
        ag_put_number(out, fabs(now - then) * 100);
        say(out, "%p");
    } else if (table->columns[facts->measure].type == AG_INTEGER) {
        ag_put_count(out, (int64_t)fabs(now - then));
        bool distinct = table->intent->measure.fn == AG_DISTINCT;
        say(out, !distinct ? "건" : table->intent->measure.field == AG_USER_ID ? "명" : "개");
    } else {
        ag_put_number(out, fabs(now - then));
        say(out, table->columns[facts->measure].unit != NULL &&
                         strcmp(table->columns[facts->measure].unit, "ms") == 0
                     ? " ms"
                     : "건");
    }
    if (then != 0 && !ratio) {
        say(out, "(");
        ag_put_percent(out, fabs(now - then) / fabs(then));
        say(out, ")");
    }
    say(out, now > then ? " 늘었습니다." : " 줄었습니다.");
}

static void compare_sentences(const struct ag_table *table, const struct ag_facts *facts,
                              struct lm_buffer *out)
{
    const struct ag_sql *sql = table->sql;
    put_subject(table->intent, out);
    if (table->intent->measure.fn != AG_COUNT) {
        say(out, "의 ");
        put_measure_name(table, out, facts->measure);
    }
    if (facts->group < table->column_count) {
        say(out, ", ");
        put_group(table, out, 0);
    }
    say(out, ": ");
    put_window(table, out, sql->from_us, sql->to_us);
    say(out, " ");
    put_value(table, out, 0, facts->measure);
    say(out, ", ");
    put_window(table, out, sql->against_from_us, sql->against_to_us);
    say(out, " ");
    put_value(table, out, 0, facts->previous);
    say(out, "입니다. ");
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
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, " ");
    put_subject(table->intent, out);
    say(out, " ");
    ag_put_count(out, (int64_t)table->row_count);
    say(out, table->truncated          ? "건을 보여 줍니다. 더 있습니다."
             : as_many_as_asked(table) ? "건을 청한 만큼 보여 줍니다."
                                       : "건입니다.");
    if (ag_table_instant(table, 0, time, &at) && message < table->column_count &&
        table->rows[0][message] != NULL) {
        say(out, " 맨 앞은 ");
        ag_put_instant(out, table->zone, at, NULL);
        say(out, " ");
        ag_put_name(out, table->rows[0][service]);
        say(out, "의 ");
        ag_put_quoted(out, table->rows[0][message], QUOTED);
        say(out, "입니다.");
    }
}

static void put_span(int64_t us, struct lm_buffer *out)
{
    if (us % AG_DAY == 0) {
        lm_buffer_printf(out, "%lld일", (long long)(us / AG_DAY));
    } else if (us % AG_HOUR == 0) {
        lm_buffer_printf(out, "%lld시간", (long long)(us / AG_HOUR));
    } else if (us % AG_MINUTE == 0) {
        lm_buffer_printf(out, "%lld분", (long long)(us / AG_MINUTE));
    } else {
        lm_buffer_printf(out, "%lld초", (long long)(us / AG_SECOND));
    }
}

static void put_names(const struct ag_table *table, struct lm_buffer *out)
{
    size_t seen = ag_table_find(table, AG_ROLE_MEASURE, 0);
    for (size_t i = 0; i < table->row_count && i < NAMED; i++) {
        int64_t at = 0;
        say(out, i > 0 ? ", " : "");
        put_group(table, out, i);
        if (ag_table_instant(table, i, seen, &at)) {
            say(out, "(");
            ag_put_instant(out, table->zone, at, NULL);
            say(out, ")");
        }
    }
    say(out, table->row_count > NAMED ? " 등입니다." : "입니다.");
}

static void change_sentences(const struct ag_table *table, struct lm_buffer *out)
{
    bool silent = table->intent->shape == AG_SILENT;
    if (silent) {
        say(out, "마지막 ");
        put_span(table->intent->silent_us > 0 ? table->intent->silent_us : 15 * AG_MINUTE, out);
        say(out, " 동안 조용한 ");
    } else {
        put_window(table, out, table->sql->from_us, table->sql->to_us);
        say(out, " 새로 나타난 ");
    }
    put_label(table, 0, out);
    if (table->row_count == 0) {
        ag_put_particle(out, AG_EUN_NEUN);
        say(out, " 없습니다.");
        return;
    }
    lm_buffer_printf(out, " %zu개는 ", table->row_count);
    put_names(table, out);
}

static void names_sentence(const struct ag_table *table, struct lm_buffer *out)
{
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, " 나타난 ");
    put_label(table, table->intent->group_count, out);
    lm_buffer_printf(out, " %zu개%s는 ", table->row_count, table->truncated ? " 이상" : "");
    size_t name = ag_table_find(table, AG_ROLE_GROUP, 0);
    for (size_t i = 0; i < table->row_count && i < NAMED * 2; i++) {
        say(out, i > 0 ? ", " : "");
        ag_put_group_value(out, table->intent->measure.field, table->rows[i][name], AG_KO);
    }
    say(out, table->row_count > NAMED * 2 ? " 등입니다." : "입니다.");
}

static void nothing_sentence(const struct ag_table *table, struct lm_buffer *out)
{
    put_window(table, out, table->sql->from_us, table->sql->to_us);
    say(out, " ");
    put_subject(table->intent, out);
    ag_put_particle(out, AG_I_GA);
    say(out, " 없습니다.");
}

void ag_insight_ko(struct ag_table *table, struct lm_buffer *out)
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
        say(out, " 기간을 말하지 않아 이 기간을 보았습니다.");
    }
}
