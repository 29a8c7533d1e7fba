/*
 * The table: what the statement returned, without what a ranking leaves out, cut at the row limit, with
 * differences and filled buckets.
 */
#include "agent/answer/alike.h"
#include "common/clock.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ag_table_no_memory(struct ag_table *table)
{
    return lm_error_set(table->error, LM_RETRY, "memory", "no memory for the answer");
}

const char *ag_table_text(struct ag_table *table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    va_end(args);
    const char *copy = len < 0 ? NULL : lm_arena_copy(table->arena, text, (size_t)len);
    if (len >= 0) {
        free(text);
    }
    return copy;
}

size_t ag_table_find(const struct ag_table *table, enum ag_role role, size_t from)
{
    for (size_t i = from; i < table->column_count; i++) {
        if (table->columns[i].role == role) {
            return i;
        }
    }
    return table->column_count;
}

size_t ag_table_named(const struct ag_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return i;
        }
    }
    return table->column_count;
}

double ag_table_number(const struct ag_table *table, size_t row, size_t column)
{
    if (row >= table->row_count || column >= table->column_count || table->rows[row][column] == NULL) {
        return NAN;
    }
    return strtod(table->rows[row][column], NULL);
}

bool ag_table_instant(const struct ag_table *table, size_t row, size_t column, int64_t *us)
{
    if (row >= table->row_count || column >= table->column_count || table->rows[row][column] == NULL) {
        return false;
    }
    const char *text = table->rows[row][column];
    struct lm_error ignored;
    return lm_rfc3339_parse(text, strlen(text), us, &ignored) == 0;
}

const char **ag_table_insert(struct ag_table *table, size_t at)
{
    if (table->row_count == table->row_room) {
        size_t room = table->row_room == 0 ? 64 : table->row_room * 2;
        const char ***rows = realloc(table->rows, room * sizeof *rows);
        if (rows == NULL) {
            return NULL;
        }
        table->rows = rows;
        table->row_room = room;
    }
    const char **row = lm_arena_alloc(table->arena, (table->column_count + 1) * sizeof *row);
    if (row == NULL) {
        return NULL;
    }
    memset(row, 0, (table->column_count + 1) * sizeof *row);
    memmove(table->rows + at + 1, table->rows + at, (table->row_count - at) * sizeof *table->rows);
    table->rows[at] = row;
    table->row_count++;
    return row;
}

static struct ag_column *push(struct ag_column *columns, size_t *count, struct ag_column column)
{
    if (*count < AG_TABLE_COLUMNS) {
        columns[(*count)++] = column;
    }
    return &columns[*count - 1];
}

static bool compared(const struct ag_sql *sql)
{
    for (size_t i = 0; i < sql->column_count; i++) {
        if (sql->columns[i].role == AG_ROLE_PREVIOUS) {
            return true;
        }
    }
    return false;
}

static const char *prefixed(struct lm_arena *arena, const char *name, const char *suffix)
{
    size_t len = strlen(name);
    size_t more = strlen(suffix);
    char *text = lm_arena_alloc(arena, len + more + 2);
    if (text == NULL) {
        return suffix;
    }
    snprintf(text, len + more + 2, "%s_%s", name, suffix);
    return text;
}

/* Differences stand behind the measures: "difference" and "change", or p95_duration_ms_difference where there
 * are several. */
static void add_differences(const struct ag_sql *sql, struct lm_arena *arena, struct ag_column *out,
                            size_t *count)
{
    size_t measures = 0;
    for (size_t i = 0; i < sql->column_count; i++) {
        measures += sql->columns[i].role == AG_ROLE_PREVIOUS;
    }
    for (size_t i = 0; i < sql->column_count && measures > 0; i++) {
        const struct ag_column *column = &sql->columns[i];
        if (column->role != AG_ROLE_MEASURE || *count + 2 > AG_TABLE_COLUMNS) {
            continue;
        }
        push(out, count,
             (struct ag_column){.name =
                                    measures > 1 ? prefixed(arena, column->name, "difference") : "difference",
                                .type = column->type,
                                .unit = column->unit,
                                .role = AG_ROLE_DETAIL});
        push(out, count,
             (struct ag_column){.name = measures > 1 ? prefixed(arena, column->name, "change") : "change",
                                .type = AG_NUMBER,
                                .unit = "ratio",
                                .role = AG_ROLE_DETAIL});
        if (measures > 2) {
            break; /* room for two pairs */
        }
    }
}

size_t ag_table_columns(const struct ag_intent *intent, const struct ag_sql *sql, struct lm_arena *arena,
                        struct ag_column out[AG_TABLE_COLUMNS])
{
    size_t count = 0;
    for (size_t i = 0; i < sql->column_count; i++) {
        if (!sql->columns[i].hidden) {
            struct ag_column *column = push(out, &count, sql->columns[i]);
            bool free = column->title != NULL;
            for (size_t k = 0; free && k < sql->column_count; k++) {
                free = strcmp(sql->columns[k].name, column->title) != 0; /* a part called "service" */
            }
            column->name = free ? column->title : column->name;
        }
    }
    if (compared(sql)) {
        add_differences(sql, arena, out, &count);
    }
    if (intent->shape == AG_SPIKE) {
        push(out, &count, (struct ag_column){.name = "median", .type = AG_NUMBER, .role = AG_ROLE_DETAIL});
        push(out, &count,
             (struct ag_column){.name = "times_median", .type = AG_NUMBER, .role = AG_ROLE_DETAIL});
    }
    if (sql->bucket_us > 0) {
        push(out, &count, (struct ag_column){.name = "partial", .type = AG_BOOLEAN, .role = AG_ROLE_DETAIL});
    }
    return count;
}

/* Copies the shown cells; takes from the hidden ones what the sentences need. */
static int take_rows(struct ag_table *table, const struct ag_rows *rows)
{
    const struct ag_sql *sql = table->sql;
    for (size_t i = 0; i < rows->count; i++) {
        const char **row = ag_table_insert(table, table->row_count);
        if (row == NULL) {
            return ag_table_no_memory(table);
        }
        size_t shown = 0;
        for (size_t j = 0; j < sql->column_count; j++) {
            const char *cell = rows->cells[i * sql->column_count + j];
            if (!sql->columns[j].hidden) {
                row[shown++] = cell;
                continue;
            }
            if (i == 0 && cell != NULL && sql->columns[j].role == AG_ROLE_TOTAL) {
                table->has_total = true;
                table->total = strtoll(cell, NULL, 10);
            }
            if (i == 0 && cell != NULL && sql->columns[j].role == AG_ROLE_WITHOUT) {
                table->without_value = strtoll(cell, NULL, 10);
            }
        }
    }
    return 0;
}

static void remove_row(struct ag_table *table, size_t at)
{
    table->row_count--;
    memmove(table->rows + at, table->rows + at + 1, (table->row_count - at) * sizeof *table->rows);
}

static bool group_is_null(const struct ag_table *table, size_t row)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].role == AG_ROLE_GROUP && table->rows[row][i] == NULL) {
            return true;
        }
    }
    return false;
}

/* A ranking is of groups with a name, and of those with enough to be ranked by. */
static void leave_out(struct ag_table *table)
{
    const struct ag_intent *intent = table->intent;
    if (!intent->rank && !table->sql->drops_null) {
        return;
    }
    size_t samples = ag_table_find(table, AG_ROLE_SAMPLES, 0);
    size_t group = ag_table_find(table, AG_ROLE_GROUP, 0);
    bool sampled = intent->rank && intent->measure.fn == AG_PERCENTILE && group < table->column_count &&
                   samples < table->column_count && table->sql->bucket_us == 0;
    for (size_t i = 0; i < table->row_count;) {
        bool few = sampled && ag_table_number(table, i, samples) < AG_MIN_SAMPLES;
        bool null = (intent->rank || table->sql->drops_null) && group_is_null(table, i);
        if (!few && !null) {
            i++;
            continue;
        }
        if (few && !null && table->few_count < AG_NAMED_GROUPS) {
            table->few[table->few_count++] = table->rows[i][group];
        }
        remove_row(table, i);
    }
    if (table->has_total) {
        table->total -= table->without_value;
    }
}

static void cut(struct ag_table *table, bool cut_by_caller)
{
    size_t limit = (size_t)table->sql->row_limit;
    size_t measure = ag_table_find(table, AG_ROLE_MEASURE, 0);
    if (table->row_count > limit) {
        const char *last = measure < table->column_count ? table->rows[limit - 1][measure] : NULL;
        const char *next = measure < table->column_count ? table->rows[limit][measure] : NULL;
        table->tie = table->intent->rank && last != NULL && next != NULL && strcmp(last, next) == 0;
        table->truncated = !table->sql->limit_stated;
        table->row_count = limit;
    }
    table->truncated |= cut_by_caller;
}

static int write_differences(struct ag_table *table)
{
    size_t into = 0;
    while (into < table->column_count && strstr(table->columns[into].name, "difference") == NULL) {
        into++;
    }
    size_t previous = 0;
    for (size_t i = 0; i + 1 < table->column_count && into + 1 < table->column_count; i++) {
        if (table->columns[i].role != AG_ROLE_MEASURE) {
            continue;
        }
        previous = ag_table_find(table, AG_ROLE_PREVIOUS, previous);
        for (size_t row = 0; row < table->row_count; row++) {
            double now = ag_table_number(table, row, i);
            double then = ag_table_number(table, row, previous);
            if (isnan(now) || isnan(then)) {
                continue;
            }
            bool whole = table->columns[into].type == AG_INTEGER;
            table->rows[row][into] =
                whole ? ag_table_text(table, "%.0f", now - then) : ag_table_text(table, "%.17g", now - then);
            if (then != 0) {
                table->rows[row][into + 1] = ag_table_text(table, "%.17g", (now - then) / then);
            }
            if (table->rows[row][into] == NULL) {
                return ag_table_no_memory(table);
            }
        }
        previous++;
        into += 2;
    }
    return 0;
}

static void write_partial(struct ag_table *table)
{
    size_t bucket = ag_table_find(table, AG_ROLE_BUCKET, 0);
    size_t partial = ag_table_named(table, "partial");
    int64_t us = 0;
    for (size_t i = 0; i < table->row_count && partial < table->column_count; i++) {
        if (ag_table_instant(table, i, bucket, &us)) {
            table->rows[i][partial] = ag_series_partial(table, us) ? "t" : "f";
        }
    }
}

int ag_table_make(const struct ag_answer_input *input, struct lm_arena *arena, struct ag_table *table,
                  struct lm_error *error)
{
    *table = (struct ag_table){.intent = input->intent,
                               .sql = input->sql,
                               .arena = arena,
                               .error = error,
                               .zone = ag_zone_new(input->intent->zone)};
    if (table->zone == NULL) {
        return lm_error_set(error, LM_FATAL, "bad_request", "the time zone \"%.64s\" is not known",
                            input->intent->zone);
    }
    table->column_count = ag_table_columns(input->intent, input->sql, arena, table->columns);
    if (take_rows(table, &input->rows) != 0) {
        return -1;
    }
    leave_out(table);
    if (input->sql->merges_patterns && ag_alike_merge(table) != 0) {
        return -1;
    }
    /* A sorted series is fetched whole, up to one row more than a statement may return. */
    bool whole = input->sql->sorted_by_answer ? input->rows.count <= AG_MAX_RESULT_ROWS
                                              : table->row_count <= (size_t)input->sql->row_limit;
    table->incomplete = input->cut || !whole;
    if (input->sql->bucket_us > 0 && ag_series_fill(table) != 0) {
        return -1;
    }
    if (input->sql->sorted_by_answer) {
        if (ag_series_rank(table) != 0) {
            return -1;
        }
        table->truncated = table->incomplete;
    } else {
        cut(table, input->cut);
    }
    write_partial(table);
    return compared(input->sql) ? write_differences(table) : 0;
}

void ag_table_free(struct ag_table *table)
{
    free(table->rows);
    table->rows = NULL;
    ag_zone_free(table->zone);
    table->zone = NULL;
}

bool ag_table_empty(const struct ag_table *table)
{
    if (table->row_count == 0) {
        return true;
    }
    if (table->intent->counted || table->intent->summed) {
        return false; /* none over the threshold is not none at all */
    }
    /* One row that counts nothing: the count itself, or what stands beside a measure that is NULL. */
    if (ag_table_find(table, AG_ROLE_GROUP, 0) < table->column_count && table->sql->bucket_us == 0) {
        return false;
    }
    bool counted = false;
    for (size_t row = 0; row < table->row_count; row++) {
        for (size_t i = 0; i < table->column_count; i++) {
            enum ag_role role = table->columns[i].role;
            bool counts = table->columns[i].type == AG_INTEGER &&
                          (role == AG_ROLE_MEASURE || role == AG_ROLE_PREVIOUS || role == AG_ROLE_SAMPLES ||
                           strcmp(table->columns[i].name, "count") == 0 ||
                           strcmp(table->columns[i].name, "requests") == 0);
            counted |= counts;
            if (counts && ag_table_number(table, row, i) != 0) {
                return false;
            }
        }
    }
    return counted;
}
