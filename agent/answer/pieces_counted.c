/*
 * Pieces of patterns that are figures and times.
 */
#include "agent/answer/phrases.h"

#include <math.h>
#include <string.h>

/* A number in the unit of the column: "310", "310건", "4.27%", "412 ms". */
static void put_figure(const struct ag_said *said, double value)
{
    const struct ag_intent *intent = said->table->intent;
    const struct ag_column *column = &said->table->columns[said->column];
    if (column->type == AG_INTEGER && value == floor(value)) {
        ag_put_count(said->out, (int64_t)value);
        size_t first = said->facts->measure;
        bool part = said->column >= first && said->column < first + intent->part_count;
        enum ag_field field = part              ? intent->parts[said->column - first].field
                              : intent->counted ? intent->groups[0].field
                                                : intent->measure.field;
        bool rows = !intent->counted && ((!part && intent->measure.fn != AG_DISTINCT) ||
                                         (column->role == AG_ROLE_MEASURE && column->measures == AG_COUNT));
        lm_buffer_append_text(said->out, rows                  ? said->phrases->records
                                         : field == AG_USER_ID ? said->phrases->users
                                                               : said->phrases->values);
    } else if (column->unit != NULL && strcmp(column->unit, "ratio") == 0) {
        ag_put_percent(said->out, value);
    } else {
        ag_put_number(said->out, value);
        lm_buffer_append_text(said->out, column->unit != NULL && strcmp(column->unit, "ms") == 0 ? " ms"
                                         : ag_intent_measures_key(intent)                        ? ""
                                                                          : said->phrases->unitless);
    }
}

/* A cell: a figure, or an instant. */
static void put_value(const struct ag_said *said)
{
    const struct ag_table *table = said->table;
    int64_t us = 0;
    if (table->rows[said->row][said->column] == NULL) {
        ag_put_phrase(said, AG_NO_VALUE);
    } else if (table->columns[said->column].type != AG_TIMESTAMP) {
        put_figure(said, ag_table_number(table, said->row, said->column));
    } else if (ag_table_instant(table, said->row, said->column, &us)) {
        ag_put_instant(said->out, table->zone, us, NULL);
    }
}

static void put_other(const struct ag_said *said)
{
    struct ag_said other = *said;
    other.column = said->other;
    put_value(&other);
}

static void put_number(const struct ag_said *said)
{
    lm_buffer_printf(said->out, "%lld", (long long)said->number);
}

static void put_count(const struct ag_said *said)
{
    ag_put_count(said->out, said->number);
}

static void put_base(const struct ag_said *said)
{
    put_figure(said, said->base);
}

static void put_times(const struct ag_said *said)
{
    ag_put_number(said->out, said->figure / said->base);
}

static bool ratio(const struct ag_said *said)
{
    const char *unit = said->table->columns[said->column].unit;
    return unit != NULL && strcmp(unit, "ratio") == 0;
}

static void put_difference(const struct ag_said *said)
{
    if (ratio(said)) {
        ag_put_phrase(said, AG_POINTS);
        return;
    }
    put_figure(said, fabs(said->figure - said->base));
    if (said->base != 0) {
        ag_put_phrase(said, AG_CHANGE_PERCENT);
    }
}

static void put_points(const struct ag_said *said)
{
    ag_put_number(said->out, fabs(said->figure - said->base) * 100);
}

static void put_percent(const struct ag_said *said)
{
    ag_put_percent(said->out, fabs(said->figure - said->base) / fabs(said->base));
}

static void put_share(const struct ag_said *said)
{
    ag_put_percent(said->out, said->facts->share);
}

static void put_total(const struct ag_said *said)
{
    ag_put_count(said->out, said->table->total);
}

/* Further percentiles. */
static void put_more_measures(const struct ag_said *said)
{
    struct ag_said more = *said;
    for (more.column = ag_table_find(said->table, AG_ROLE_MEASURE, said->column + 1);
         more.column < said->table->column_count;
         more.column = ag_table_find(said->table, AG_ROLE_MEASURE, more.column + 1)) {
        ag_put_phrase(&more, AG_MORE_MEASURES);
    }
}

/* Of each part its name and its figure. */
static void put_parts(const struct ag_said *said)
{
    struct ag_said each = *said;
    for (; each.column < said->column + said->table->intent->part_count; each.column++) {
        lm_buffer_append_text(said->out, each.column > said->column ? ", " : "");
        ag_put_phrase(&each, AG_PART_ITEM);
    }
}

static void put_column(const struct ag_said *said)
{
    lm_buffer_append_text(said->out, said->table->columns[said->column].name);
}

/* What a rate or an average is taken from: (53 of 1,234). */
static void put_basis(const struct ag_said *said)
{
    static const char *const parts[][2] = {
        {"errors", "count"}, {"failures", "requests"}, {"matching", "count"}};
    const struct ag_table *table = said->table;
    struct ag_said basis = *said;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        basis.column = ag_table_named(table, parts[i][0]);
        basis.other = ag_table_named(table, parts[i][1]);
        if (basis.column < table->column_count && basis.other < table->column_count) {
            ag_put_phrase(&basis, AG_BASIS_PART);
            return;
        }
    }
    if (said->facts->samples < table->column_count) {
        basis.number = (int64_t)ag_table_number(table, said->row, said->facts->samples);
        ag_put_phrase(&basis, basis.number == 1 ? AG_BASIS_SAMPLE : AG_BASIS_SAMPLES);
    }
}

/* The threshold's value in the unit of what is measured. */
static void put_limit(const struct ag_said *said)
{
    const struct ag_intent *intent = said->table->intent;
    enum ag_measure_fn fn = intent->measure.fn;
    double value = intent->threshold.value;
    if (fn == AG_ERROR_RATE || fn == AG_FAILURE_RATE || fn == AG_SHARE) {
        ag_put_percent(said->out, value);
        return;
    }
    ag_put_number(said->out, value);
    lm_buffer_append_text(said->out, ag_intent_measures_key(intent)        ? ""
                                     : ag_measure_is_statistic(fn)         ? " ms"
                                     : fn != AG_DISTINCT                   ? said->phrases->records
                                     : intent->measure.field == AG_USER_ID ? said->phrases->users
                                                                           : said->phrases->values);
}

static void put_threshold(const struct ag_said *said)
{
    enum ag_op op = said->table->intent->threshold.op;
    bool known = op >= AG_AT_LEAST && op <= AG_AT_MOST;
    ag_put_phrase(said,
                  known ? (enum ag_phrase)(AG_THRESHOLD_AT_LEAST + (op - AG_AT_LEAST)) : AG_THRESHOLD_ABOVE);
}

/* Percentile columns are named "p95_ms" and "p99_9_ms", but for that of counted groups. */
static void put_percentile(const struct ag_said *said)
{
    const struct ag_intent *intent = said->table->intent;
    const char *name = said->table->columns[said->column].name;
    char best[24] = "", text[24], column[32];

    if (intent->counted) {
        lm_buffer_printf(said->out, "p%.6g", intent->measure.p[0] * 100);
        return;
    }
    for (size_t i = 0; i < intent->measure.p_count; i++) {
        (void)snprintf(text, sizeof(text), "p%.6g", intent->measure.p[i] * 100);
        (void)snprintf(column, sizeof(column), "%s_", text);
        column[strcspn(column, "._")] = '_';
        if (strncmp(name, column, strlen(text) + 1) == 0 && strlen(text) > strlen(best)) {
            memcpy(best, text, sizeof(best));
        }
    }
    lm_buffer_append(said->out, *best ? best : name, *best ? strlen(best) : strcspn(name, "_"));
}

static void put_per(const struct ag_said *said)
{
    int64_t us = said->table->intent->measure.rate_unit_us;
    lm_buffer_append_text(said->out, said->phrases->per[us == AG_SECOND   ? 0
                                                        : us == AG_MINUTE ? 1
                                                        : us == AG_HOUR   ? 2
                                                        : us == AG_DAY    ? 3
                                                                          : 4]);
}

static void put_silence(const struct ag_said *said)
{
    static const int64_t units[] = {AG_DAY, AG_HOUR, AG_MINUTE, AG_SECOND};
    const struct ag_intent *intent = said->table->intent;
    int64_t us = intent->silent_us > 0 ? intent->silent_us : 15 * AG_MINUTE;
    size_t i = 0;
    while (i < 3 && us % units[i] != 0) {
        i++;
    }
    lm_buffer_printf(said->out, "%lld%s", (long long)(us / units[i]),
                     said->phrases->spans[i][us != units[i]]);
}

static void put_day(const struct ag_said *said)
{
    struct ag_local day = ag_zone_local(said->table->zone, said->from_us);
    lm_buffer_printf(said->out, "%04d-%02d-%02d", day.year, day.month, day.day);
}

static void put_from(const struct ag_said *said)
{
    ag_put_instant(said->out, said->table->zone, said->from_us, NULL);
}

static void put_to(const struct ag_said *said)
{
    ag_put_instant(said->out, said->table->zone, said->to_us, &said->from_us);
}

static void put_window_between(const struct ag_said *said, int64_t from_us, int64_t to_us)
{
    const struct ag_table *table = said->table;
    struct ag_said window = *said;
    window.from_us = from_us;
    window.to_us = to_us;
    bool all = table->intent->window.from_us == INT64_MIN && from_us == table->sql->from_us;
    ag_put_phrase(&window, all                                         ? AG_WINDOW_ALL
                           : ag_whole_day(table->zone, from_us, to_us) ? AG_WINDOW_DAY
                                                                       : AG_WINDOW_SPAN);
}

static void put_window(const struct ag_said *said)
{
    put_window_between(said, said->table->sql->from_us, said->table->sql->to_us);
}

static void put_other_window(const struct ag_said *said)
{
    put_window_between(said, said->table->sql->against_from_us, said->table->sql->against_to_us);
}

static void put_bucket_width(const struct ag_said *said)
{
    ag_put_width(said->out, said->table->sql->bucket_us, said->phrases->language);
}

static void put_bucket(const struct ag_said *said)
{
    const struct ag_sql *sql = said->table->sql;
    struct ag_said bucket = *said;
    if (ag_table_instant(said->table, said->row, said->facts->bucket, &bucket.from_us)) {
        bucket.to_us = ag_series_next(sql, said->table->zone, bucket.from_us);
        ag_put_phrase(&bucket, sql->bucket_us > AG_DAY    ? AG_PERIOD_LONG
                               : sql->bucket_us == AG_DAY ? AG_PERIOD_DAY
                                                          : AG_PERIOD_SPAN);
    }
}

const struct ag_piece ag_pieces_counted[] = {
    {"value", put_value},
    {"other", put_other},
    {"number", put_number},
    {"parts", put_parts},
    {"column", put_column},
    {"count", put_count},
    {"base", put_base},
    {"times", put_times},
    {"difference", put_difference},
    {"points", put_points},
    {"percent", put_percent},
    {"day", put_day},
    {"from", put_from},
    {"to", put_to},
    {"window", put_window},
    {"other window", put_other_window},
    {"bucket", put_bucket},
    {"width", put_bucket_width},
    {"limit", put_limit},
    {"threshold", put_threshold},
    {"share", put_share},
    {"total", put_total},
    {"more measures", put_more_measures},
    {"basis", put_basis},
    {"percentile", put_percentile},
    {"per", put_per},
    {"silence", put_silence},
    {NULL, NULL},
};
