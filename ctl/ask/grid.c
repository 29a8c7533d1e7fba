/* Reading cells; grid_layout.c shows them. */
#include "ctl/ask/grid.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL_BYTES ((size_t)64 << 10)

static void append_separated(struct lm_buffer *out, const char *digits)
{
    size_t whole = strspn(digits, "0123456789");

    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0)
            lm_buffer_append_char(out, ',');
        lm_buffer_append_char(out, digits[i]);
    }
    lm_buffer_append_text(out, digits + whole);
}

void ct_grid_append_number(struct lm_buffer *out, double value)
{
    double size = fabs(value);
    char text[400];

    snprintf(text, sizeof text, size >= 100 || size == trunc(size) ? "%.0f" : "%.3g", size);
    if (value < 0 && strcmp(text, "0") != 0)
        lm_buffer_append_text(out, "-");
    append_separated(out, text);
}

static void append_change(struct lm_buffer *out, double value)
{
    if (value > 0)
        lm_buffer_append_char(out, '+');
    ct_grid_append_number(out, value);
}

/* 2026-11-21T23:59:09.123456+09:00 → 2026-11-21 23:59:09.123; the zone is the answer's. */
static void append_time(struct lm_buffer *out, const char *text, size_t len, int seconds)
{
    if (len < 19 || text[10] != 'T') {
        ct_terminal_append_safe(out, text, len, SIZE_MAX);
        return;
    }
    ct_terminal_append_safe(out, text, 10, SIZE_MAX);
    lm_buffer_append_char(out, ' ');
    ct_terminal_append_safe(out, text + 11, seconds > 0 ? 8 : 5, SIZE_MAX);
    if (seconds > 1) {
        size_t digits = len > 20 && text[19] == '.' ? strspn(text + 20, "0123456789") : 0;
        lm_buffer_append_char(out, '.');
        for (size_t i = 0; i < 3; i++)
            lm_buffer_append_char(out, i < digits ? text[20 + i] : '0');
    }
}

static void append_cell(const struct ct_grid_column *column, const json_t *value, struct lm_buffer *out)
{
    char *dumped;

    switch (json_typeof(value)) {
    case JSON_NULL:
        break;
    case JSON_TRUE:
        lm_buffer_append_text(out, column->is_flag ? "yes" : "true");
        break;
    case JSON_FALSE:
        lm_buffer_append_text(out, column->is_flag ? "" : "false");
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        if (column->is_change)
            append_change(out, json_number_value(value) * (column->is_ratio ? 100 : 1));
        else
            ct_grid_append_number(out, json_number_value(value) * (column->is_ratio ? 100 : 1));
        if (column->is_ratio)
            lm_buffer_append_char(out, '%');
        break;
    case JSON_STRING:
        if (column->is_time)
            append_time(out, json_string_value(value), json_string_length(value), column->seconds);
        else if (column->text)
            ct_terminal_append_safe(out, json_string_value(value), json_string_length(value), SIZE_MAX);
        else /* a whole number beyond 2^53 */
            ct_terminal_append_safe(out, json_string_value(value), json_string_length(value), 40);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        if (json_array_size(value) == 0 && json_object_size(value) == 0)
            break;
        dumped = json_dumps(value, JSON_COMPACT);
        if (dumped != NULL)
            ct_terminal_append_safe(out, dumped, strlen(dumped), SIZE_MAX);
        free(dumped);
        break;
    }
}

static bool read_column(const json_t *json, struct lm_arena *arena, struct ct_grid_column *out)
{
    const char *key = json_string_value(json_object_get(json, "name"));
    const char *type = json_string_value(json_object_get(json, "type"));
    const char *unit = json_string_value(json_object_get(json, "unit"));
    struct lm_buffer name;

    if (key == NULL || type == NULL)
        return false;
    lm_buffer_init(&name, CELL_BYTES);
    ct_terminal_append_safe(&name, key, strlen(key), 60);
    *out = (struct ct_grid_column){
        .key = key,
        .name = lm_buffer_text(&name) != NULL ? lm_arena_copy(arena, name.data, name.len) : NULL,
        .text = strcmp(type, "integer") != 0 && strcmp(type, "number") != 0 && strcmp(type, "timestamp") != 0,
        .is_time = strcmp(type, "timestamp") == 0,
        .is_ratio = unit != NULL && strcmp(unit, "ratio") == 0,
        .is_change = strcmp(key, "change") == 0 || strcmp(key, "difference") == 0,
        .is_flag = strcmp(key, "partial") == 0,
        .empty = true};
    lm_buffer_free(&name);
    return out->name != NULL;
}

static bool is_named(const char *const *names, const char *key)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, key) == 0)
            return true;
    }
    return false;
}

/* Those of `first` in front, in that order, the others behind. */
static bool read_columns(const json_t *columns, const char *const *first, struct lm_arena *arena,
                         struct ct_grid *grid)
{
    size_t index;
    const json_t *json;

    for (size_t i = 0; first[i] != NULL; i++) {
        json_array_foreach(columns, index, json)
        {
            const char *key = json_string_value(json_object_get(json, "name"));
            if (key == NULL || strcmp(key, first[i]) != 0 || grid->column_count == CT_GRID_COLUMNS)
                continue;
            if (!read_column(json, arena, &grid->columns[grid->column_count++]))
                return false;
            break;
        }
    }
    json_array_foreach(columns, index, json)
    {
        const char *key = json_string_value(json_object_get(json, "name"));
        if (key != NULL && is_named(first, key))
            continue;
        if (grid->column_count == CT_GRID_COLUMNS)
            break;
        if (!read_column(json, arena, &grid->columns[grid->column_count++]))
            return false;
    }
    return true;
}

static int seconds_of(const char *text)
{
    if (strlen(text) < 19 || strncmp(text + 16, ":00", 3) != 0 || text[19] == '.')
        return strchr(text, '.') != NULL ? 2 : 1;
    return 0;
}

/* A column's times show seconds, and milliseconds, as soon as one of them has some. */
static void find_seconds(struct ct_grid *grid)
{
    for (size_t c = 0; c < grid->column_count; c++) {
        struct ct_grid_column *column = &grid->columns[c];
        for (size_t r = 0; column->is_time && column->seconds < 2 && r < grid->row_count; r++) {
            const char *text = json_string_value(json_object_get(json_array_get(grid->rows, r), column->key));
            int seconds = text != NULL ? seconds_of(text) : 0;
            column->seconds = seconds > column->seconds ? seconds : column->seconds;
        }
    }
}

static bool read_cells(struct ct_grid *grid, struct lm_arena *arena)
{
    struct lm_buffer text;
    bool whole = true;

    lm_buffer_init(&text, CELL_BYTES);
    for (size_t i = 0; whole && i < grid->row_count * grid->column_count; i++) {
        struct ct_grid_column *column = &grid->columns[i % grid->column_count];
        const json_t *value =
            json_object_get(json_array_get(grid->rows, i / grid->column_count), column->key);
        lm_buffer_clear(&text);
        if (value != NULL)
            append_cell(column, value, &text);
        grid->cells[i] = text.failed ? NULL : lm_arena_copy(arena, text.data, text.len);
        whole = grid->cells[i] != NULL;
        size_t width = ct_terminal_width(text.data, text.len);
        column->natural = width > column->natural ? width : column->natural;
        column->empty = column->empty && text.len == 0;
    }
    lm_buffer_free(&text);
    return whole;
}

int ct_grid_read(const json_t *answer, const char *const *first, struct lm_arena *arena, struct ct_grid *out)
{
    const json_t *columns = json_object_get(answer, "columns");
    const json_t *rows = json_object_get(answer, "results");

    *out = (struct ct_grid){.rows = rows, .row_count = json_array_size(rows), .bar = CT_GRID_COLUMNS};
    if (!json_is_array(columns) || !json_is_array(rows) || !read_columns(columns, first, arena, out))
        return -1;
    out->cells = lm_arena_alloc(arena, (out->row_count * out->column_count + 1) * sizeof *out->cells);
    if (out->cells == NULL)
        return -1;
    find_seconds(out);
    for (size_t i = 0; i < out->column_count; i++)
        out->columns[i].natural = ct_terminal_width(out->columns[i].name, strlen(out->columns[i].name));
    return read_cells(out, arena) ? 0 : -1;
}

size_t ct_grid_find(const struct ct_grid *grid, const char *key)
{
    for (size_t i = 0; key != NULL && i < grid->column_count; i++) {
        if (strcmp(grid->columns[i].key, key) == 0)
            return i;
    }
    return CT_GRID_COLUMNS;
}

double ct_grid_number(const struct ct_grid *grid, size_t row, size_t column)
{
    const json_t *value = json_object_get(json_array_get(grid->rows, row), grid->columns[column].key);
    return json_is_number(value)   ? json_number_value(value)
           : json_is_string(value) ? strtod(json_string_value(value), NULL)
                                   : (double)NAN;
}
