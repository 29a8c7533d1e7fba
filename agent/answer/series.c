/*
 * Time buckets of an answer: empty ones are shown, and the busiest and the spikes are picked here, after they
 * are.
 */
#include "agent/answer/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Shown where the question names no number. */
#define PICKED 5

int64_t ag_series_next(const struct ag_sql *sql, const struct ag_zone *zone, int64_t bucket_us)
{
    return sql->bucket_unit != 0 ? ag_zone_add(zone, bucket_us, sql->bucket_unit, 1)
                                 : bucket_us + sql->bucket_us;
}

static int64_t first_bucket(const struct ag_sql *sql, const struct ag_zone *zone)
{
    if (sql->bucket_unit != 0) {
        return ag_zone_floor(zone, sql->from_us, sql->bucket_unit);
    }
    int64_t rest = (sql->from_us - sql->bucket_origin_us) % sql->bucket_us;
    return sql->from_us - (rest < 0 ? rest + sql->bucket_us : rest);
}

bool ag_series_partial(const struct ag_table *table, int64_t bucket_us)
{
    const struct ag_sql *sql = table->sql;
    int64_t end = ag_series_next(sql, table->zone, bucket_us);
    bool inside = bucket_us >= sql->from_us && end <= sql->to_us;
    bool inside_other = sql->against_from_us < sql->against_to_us && bucket_us >= sql->against_from_us &&
                        end <= sql->against_to_us;
    return !inside && !inside_other;
}

/* What a bucket without rows has: counts are 0, everything else is unknown. */
static const char *empty_cell(const struct ag_table *table, size_t column)
{
    if (table->columns[column].type == AG_INTEGER) {
        return "0";
    }
    bool rate = table->columns[column].role == AG_ROLE_MEASURE && table->intent->measure.fn == AG_RATE;
    return rate ? "0" : NULL;
}

static int insert_empty(struct ag_table *table, size_t at, int64_t bucket_us, const char *const *like)
{
    char time[40];
    ag_zone_format(table->zone, bucket_us, time);
    const char *text = ag_table_text(table, "%s", time);
    const char **row = ag_table_insert(table, at);
    if (row == NULL || text == NULL) {
        return ag_table_no_memory(table);
    }
    for (size_t i = 0; i < table->column_count; i++) {
        switch (table->columns[i].role) {
        case AG_ROLE_BUCKET:
            row[i] = text;
            break;
        case AG_ROLE_GROUP:
            row[i] = like == NULL ? NULL : like[i];
            break;
        default:
            row[i] = empty_cell(table, i);
            break;
        }
    }
    return 0;
}

static bool same_group(const struct ag_table *table, const char *const *a, const char *const *b)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].role != AG_ROLE_GROUP) {
            continue;
        }
        if ((a[i] == NULL) != (b[i] == NULL) || (a[i] != NULL && strcmp(a[i], b[i]) != 0)) {
            return false;
        }
    }
    return true;
}

/* Rows that are the first of their group, in the order they appear; at most `room`, 0 when there are more. */
static size_t distinct_groups(const struct ag_table *table, const char *const **out, size_t room)
{
    size_t count = 0;
    for (size_t row = 0; row < table->row_count; row++) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++) {
            known = same_group(table, table->rows[row], out[i]);
        }
        if (!known) {
            if (count == room) {
                return 0;
            }
            out[count++] = table->rows[row];
        }
    }
    return count;
}

/* Puts the groups missing in rows [at, at + have) of one bucket behind them; returns how many rows the bucket
 * has then. */
static int fill_groups(struct ag_table *table, size_t at, size_t have, int64_t bucket_us,
                       const char *const *const *groups, size_t group_count, size_t *now)
{
    *now = have;
    for (size_t g = 0; g < group_count; g++) {
        bool there = false;
        for (size_t i = 0; i < have && !there; i++) {
            there = same_group(table, table->rows[at + i], groups[g]);
        }
        if (!there) {
            if (insert_empty(table, at + *now, bucket_us, groups[g]) != 0) {
                return -1;
            }
            (*now)++;
        }
    }
    return 0;
}

#define FILLED_GROUPS 64

int ag_series_fill(struct ag_table *table)
{
    const struct ag_sql *sql = table->sql;
    size_t bucket = ag_table_find(table, AG_ROLE_BUCKET, 0);
    bool grouped = ag_table_find(table, AG_ROLE_GROUP, 0) < table->column_count;
    /* Of each bucket its first: a bucket without records has none. */
    if (table->intent->threshold.set || table->intent->each > 0 ||
        ag_table_find(table, AG_ROLE_SIDE, 0) < table->column_count) {
        return 0;
    }
    const char *const *groups[FILLED_GROUPS] = {NULL};
    size_t group_count = 1; /* without groups one, which every row is of */
    if (grouped) {
        group_count = distinct_groups(table, groups, FILLED_GROUPS);
        int64_t buckets = (sql->to_us - sql->from_us) / sql->bucket_us + 2;
        if (group_count == 0 || buckets * (int64_t)group_count > (int64_t)sql->row_limit) {
            return 0; /* too many to show: what there is, is shown */
        }
    } else if (table->row_count == 0 && sql->from_us < sql->to_us) {
        groups[0] = NULL;
    }
    size_t row = 0;
    for (int64_t at = first_bucket(sql, table->zone); at < sql->to_us;
         at = ag_series_next(sql, table->zone, at)) {
        int64_t there = 0;
        while (row < table->row_count && ag_table_instant(table, row, bucket, &there) && there < at) {
            row++;
        }
        if (table->incomplete && row >= table->row_count) {
            break;
        }
        size_t have = 0;
        while (row + have < table->row_count && ag_table_instant(table, row + have, bucket, &there) &&
               there == at) {
            have++;
        }
        if (!grouped && have == 0) {
            if (insert_empty(table, row, at, NULL) != 0) {
                return -1;
            }
            have = 1;
        } else if (grouped && fill_groups(table, row, have, at, groups, group_count, &have) != 0) {
            return -1;
        }
        row += have;
    }
    return 0;
}

struct ranked {
    const char **cells;
    double value;
    int64_t at;
};

static int largest_first(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    if (x->value != y->value) {
        return x->value < y->value ? 1 : -1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int find_median(struct ag_table *table, size_t measure)
{
    double *values = calloc(table->row_count + 1, sizeof *values);
    if (values == NULL) {
        return ag_table_no_memory(table);
    }
    size_t count = 0;
    for (size_t i = 0; i < table->row_count; i++) {
        double value = ag_table_number(table, i, measure);
        if (!isnan(value)) {
            values[count++] = value;
        }
    }
    qsort(values, count, sizeof *values, by_value);
    table->has_median = count > 0;
    if (count > 0) {
        table->median = (values[(count - 1) / 2] + values[count / 2]) / 2;
    }
    free(values);
    return 0;
}

static int write_spike(struct ag_table *table, size_t measure)
{
    size_t median = ag_table_named(table, "median");
    size_t times = ag_table_named(table, "times_median");
    if (median >= table->column_count || times >= table->column_count) {
        return 0;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        table->rows[i][median] = ag_table_text(table, "%.17g", table->median);
        if (table->median > 0) {
            table->rows[i][times] =
                ag_table_text(table, "%.17g", ag_table_number(table, i, measure) / table->median);
        }
        if (table->rows[i][median] == NULL) {
            return ag_table_no_memory(table);
        }
    }
    return 0;
}

/* Of buckets by groups, the first of each group: every service has a busiest hour of its own. At most `most`.
 */
static size_t leave_leaders(const struct ag_table *table, struct ranked *ranked, size_t count, size_t most)
{
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < most; i++) {
        bool follows = false;
        for (size_t k = 0; k < kept && !follows; k++) {
            follows = same_group(table, ranked[k].cells, ranked[i].cells);
        }
        if (!follows) {
            ranked[kept++] = ranked[i];
        }
    }
    return kept;
}

int ag_series_rank(struct ag_table *table)
{
    const struct ag_intent *intent = table->intent;
    size_t measure = ag_table_find(table, AG_ROLE_MEASURE, 0);
    size_t bucket = ag_table_find(table, AG_ROLE_BUCKET, 0);
    if (find_median(table, measure) != 0) {
        return -1;
    }
    struct ranked *ranked = calloc(table->row_count + 1, sizeof *ranked);
    if (ranked == NULL) {
        return ag_table_no_memory(table);
    }
    bool fewest = intent->shape == AG_BUSIEST && intent->order == AG_FEWEST;
    size_t count = 0;
    for (size_t i = 0; i < table->row_count; i++) {
        int64_t at = 0;
        double value = ag_table_number(table, i, measure);
        /* A bucket that is not over yet would always be the quietest. */
        if (isnan(value) || !ag_table_instant(table, i, bucket, &at) ||
            (fewest && table->row_count > 2 && ag_series_partial(table, at))) {
            continue;
        }
        ranked[count++] = (struct ranked){table->rows[i], fewest ? -value : value, at};
    }
    qsort(ranked, count, sizeof *ranked, largest_first);
    size_t limit = (size_t)table->sql->row_limit;
    if (intent->shape == AG_BUSIEST && !table->sql->limit_stated &&
        ag_table_find(table, AG_ROLE_GROUP, 0) < table->column_count) {
        count = leave_leaders(table, ranked, count, limit);
    } else if (!table->sql->limit_stated && limit > PICKED) {
        limit = PICKED;
    }
    table->row_count = count < limit ? count : limit;
    for (size_t i = 0; i < table->row_count; i++) {
        table->rows[i] = ranked[i].cells;
    }
    free(ranked);
    return intent->shape == AG_SPIKE ? write_spike(table, measure) : 0;
}
