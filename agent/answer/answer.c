/*
 * The answer put together.
 */
#include "agent/answer/answer.h"

#include "agent/answer/table.h"

#define MAX_INSIGHT 8192

static const char *insight(struct ag_table *table)
{
    struct lm_buffer out;
    lm_buffer_init(&out, MAX_INSIGHT);
    ag_insight(table, &out);
    const char *text = lm_buffer_text(&out);
    const char *copy = text == NULL ? NULL : lm_arena_copy(table->arena, text, out.len);
    lm_buffer_free(&out);
    return copy;
}

/* What does not depend on an intent. */
static int take_rows(struct ag_table *table, struct ag_answer *out)
{
    out->results = ag_results_rows(table);
    if (out->results == NULL) {
        return table->error->decision == LM_OK ? ag_table_no_memory(table) : -1;
    }
    out->columns = ag_results_columns(table->columns, table->column_count);
    out->warnings = ag_warnings(table);
    out->count = table->row_count;
    out->truncated = table->truncated;
    return 0;
}

/* Of a series that was read whole only as much as the caller wants to see. */
static void show_fewer(struct ag_table *table)
{
    size_t shown = (size_t)table->sql->rows_shown;
    if (shown > 0 && table->row_count > shown) {
        table->row_count = shown;
        table->truncated = true;
    }
}

static const char *how_many(struct ag_table *table)
{
    struct lm_buffer number;
    char memory[32];
    lm_buffer_init_fixed(&number, memory, sizeof(memory));
    ag_put_count(&number, (int64_t)table->row_count);
    const char *rows = lm_buffer_text(&number);
    if (table->intent->language == AG_KO) {
        return ag_table_text(table, table->truncated ? "%s행을 보여 줍니다. 더 있습니다." : "%s행입니다.",
                             rows);
    }
    return ag_table_text(table, table->truncated ? "%s rows are shown; there are more." : "%s row%s.", rows,
                         table->row_count == 1 ? "" : "s");
}

int ag_answer_make(const struct ag_answer_input *input, struct lm_arena *arena, struct ag_answer *out,
                   struct lm_error *error)
{
    struct ag_table table;
    struct lm_error own;
    *out = (struct ag_answer){.results = NULL};
    error = error == NULL ? &own : error;
    lm_error_clear(error);
    int result = ag_table_make(input, arena, &table, error);
    if (result != 0) {
        goto done;
    }
    out->insight = insight(&table);
    show_fewer(&table);
    if (take_rows(&table, out) != 0) {
        result = -1;
        goto done;
    }
    out->chart = ag_chart(&table);
    if (out->columns == NULL || out->chart == NULL || out->warnings == NULL || out->insight == NULL) {
        result = ag_table_no_memory(&table);
    }
done:
    ag_table_free(&table);
    return result;
}

int ag_answer_plain(const struct ag_answer_input *input, struct lm_arena *arena, struct ag_answer *out,
                    struct lm_error *error)
{
    struct ag_table table;
    *out = (struct ag_answer){.results = NULL};
    lm_error_clear(error);
    int result = ag_table_make(input, arena, &table, error);
    result = result == 0 ? take_rows(&table, out) : result;
    if (result == 0) {
        out->chart = json_pack("{s:s, s:n, s:[], s:b}", "type", "table", "x", "y", "stacked", 0);
        out->insight = how_many(&table);
        if (out->columns == NULL || out->chart == NULL || out->warnings == NULL || out->insight == NULL) {
            result = ag_table_no_memory(&table);
        }
    }
    ag_table_free(&table);
    return result;
}

json_t *ag_answer_rows(const struct ag_answer_input *input, struct lm_arena *arena, struct lm_error *error)
{
    struct ag_table table;
    json_t *rows = NULL;
    lm_error_clear(error);
    if (ag_table_make(input, arena, &table, error) == 0) {
        show_fewer(&table);
        rows = ag_results_rows(&table);
        if (rows == NULL && error->decision == LM_OK) {
            (void)lm_error_set(error, LM_RETRY, "memory", "no memory for the answer");
        }
    }
    ag_table_free(&table);
    return rows;
}

void ag_answer_free(struct ag_answer *answer)
{
    json_decref(answer->results);
    json_decref(answer->columns);
    json_decref(answer->chart);
    json_decref(answer->warnings);
    *answer = (struct ag_answer){.results = NULL};
}

json_t *ag_answer_columns(const struct ag_intent *intent, const struct ag_sql *sql)
{
    struct ag_column columns[AG_TABLE_COLUMNS];
    struct lm_arena arena;
    lm_arena_init(&arena, 65536);
    size_t count = ag_table_columns(intent, sql, &arena, columns);
    json_t *list = ag_results_columns(columns, count);
    lm_arena_free(&arena);
    return list;
}
