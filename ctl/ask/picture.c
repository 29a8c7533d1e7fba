#include "ctl/ask/picture.h"

#include "common/arena.h"
#include "ctl/ask/grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX ((size_t)1 << 30)
#define BARS_MAX 31 /* buckets up to which a single series is shown as bars */
#define LINES_MAX 24
#define WIDTH_WITHOUT_TERMINAL 80

/* What a sparkline is drawn of. */
struct line {
    const char *label; /* harmless */
    double *values;    /* of each bucket; NAN: none */
};

struct lines {
    struct line line[LINES_MAX];
    size_t count;
    bool more; /* than there is room for */
    size_t bucket_count;
    size_t *buckets; /* their first rows */
    bool partial;    /* some bucket is */
};

static struct line *line_of(struct lines *lines, const char *label, size_t bucket_max, struct lm_arena *arena)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (strcmp(lines->line[i].label, label) == 0)
            return &lines->line[i];
    }
    if (lines->count == LINES_MAX) {
        lines->more = true;
        return NULL;
    }
    struct line *line = &lines->line[lines->count];
    line->label = label;
    line->values = lm_arena_alloc(arena, (bucket_max + 1) * sizeof *line->values);
    if (line->values == NULL)
        return NULL;
    for (size_t i = 0; i <= bucket_max; i++)
        line->values[i] = (double)NAN;
    lines->count++;
    return line;
}

/* Rows come bucket after bucket. False without memory. */
static bool read_lines(const struct ct_grid *grid, const json_t *y, size_t x, size_t series,
                       struct lm_arena *arena, struct lines *out)
{
    size_t partial = ct_grid_find(grid, "partial");

    *out = (struct lines){.buckets = lm_arena_alloc(arena, (grid->row_count + 1) * sizeof(size_t))};
    for (size_t r = 0; out->buckets != NULL && r < grid->row_count; r++) {
        const char *const *cells = grid->cells + r * grid->column_count;
        if (out->bucket_count == 0 ||
            strcmp(cells[x], grid->cells[out->buckets[out->bucket_count - 1] * grid->column_count + x]) != 0)
            out->buckets[out->bucket_count++] = r;
        out->partial = out->partial || (partial < CT_GRID_COLUMNS && *cells[partial] != '\0');
        for (size_t i = 0; i < json_array_size(y); i++) {
            size_t measure = ct_grid_find(grid, json_string_value(json_array_get(y, i)));
            if (measure == CT_GRID_COLUMNS)
                continue;
            const char *label = json_array_size(y) > 1 || series == CT_GRID_COLUMNS
                                    ? grid->columns[measure].name
                                    : cells[series];
            struct line *line = line_of(out, label, grid->row_count, arena);
            if (line != NULL)
                line->values[out->bucket_count - 1] = ct_grid_number(grid, r, measure);
        }
    }
    return out->buckets != NULL;
}

/* The largest of the buckets that share column `at` of `width`. */
static double share(const struct lines *lines, const struct line *line, size_t at, size_t width)
{
    size_t from = at * lines->bucket_count / width, to = (at + 1) * lines->bucket_count / width;
    double most = line->values[from];

    for (size_t i = from; i < to; i++)
        most = isnan(most) || line->values[i] > most ? line->values[i] : most;
    return most;
}

static double highest(const struct lines *lines, const struct line *line)
{
    return share(lines, line, 0, 1);
}

static void append_spark(const struct lines *lines, const struct line *line, double most, size_t width,
                         struct lm_buffer *out)
{
    static const char *const steps[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

    for (size_t i = 0; i < width; i++) {
        double value = share(lines, line, i, width);
        if (isnan(value))
            lm_buffer_append_char(out, ' ');
        else if (value <= 0 || most <= 0)
            lm_buffer_append_text(out, steps[0]);
        else
            lm_buffer_append_text(out, steps[1 + (size_t)(value / most * 6 + 0.5)]);
    }
}

static size_t label_width(const struct lines *lines, size_t columns)
{
    size_t widest = 0;

    for (size_t i = 0; i < lines->count; i++) {
        size_t width = ct_terminal_width(lines->line[i].label, strlen(lines->line[i].label));
        widest = width > widest ? width : widest;
    }
    return widest < columns / 3 ? widest : columns / 3;
}

/* The highest value, in the form of the measure's column. */
static void append_highest(double value, bool ratio, struct lm_buffer *out)
{
    lm_buffer_append_text(out, "  max ");
    if (isnan(value))
        lm_buffer_append_text(out, "–");
    else
        ct_grid_append_number(out, ratio ? value * 100 : value);
    if (ratio && !isnan(value))
        lm_buffer_append_char(out, '%');
}

static void append_lines(const struct ct_grid *grid, const struct lines *lines, size_t x, bool ratio,
                         size_t columns, struct lm_buffer *out)
{
    size_t label = label_width(lines, columns), room = columns - label - 2;
    size_t width = room > 16 ? room - 14 : 4; /* behind it the highest value */
    double most = 0;

    width = width < lines->bucket_count ? width : lines->bucket_count;
    for (size_t i = 0; i < lines->count; i++) {
        double value = highest(lines, &lines->line[i]);
        most = value > most ? value : most;
    }
    for (size_t i = 0; i < lines->count; i++) {
        ct_terminal_append_cell(out, lines->line[i].label, label, CT_LEFT);
        lm_buffer_append_text(out, "  ");
        append_spark(lines, &lines->line[i], most, width, out);
        append_highest(highest(lines, &lines->line[i]), ratio, out);
        lm_buffer_append_char(out, '\n');
    }
    if (lines->more)
        lm_buffer_append_text(out, "… and more; --table shows all\n");
    lm_buffer_printf(out, "%s … %s: %zu buckets%s\n", grid->cells[lines->buckets[0] * grid->column_count + x],
                     grid->cells[lines->buckets[lines->bucket_count - 1] * grid->column_count + x],
                     lines->bucket_count, lines->partial ? ", those at the ends not whole" : "");
}

static bool append_sparklines(const struct ct_grid *grid, const json_t *chart,
                              const struct ct_terminal *terminal, struct lm_arena *arena,
                              struct lm_buffer *out)
{
    const json_t *y = json_object_get(chart, "y");
    size_t x = ct_grid_find(grid, json_string_value(json_object_get(chart, "x")));
    size_t series = ct_grid_find(grid, json_string_value(json_object_get(chart, "series")));
    size_t measure = ct_grid_find(grid, json_string_value(json_array_get(y, 0)));
    struct lines *lines = lm_arena_alloc(arena, sizeof *lines);

    if (x == CT_GRID_COLUMNS || measure == CT_GRID_COLUMNS || lines == NULL ||
        !read_lines(grid, y, x, series, arena, lines))
        return false;
    append_lines(grid, lines, x, grid->columns[measure].is_ratio,
                 terminal->columns > 0 ? terminal->columns : WIDTH_WITHOUT_TERMINAL, out);
    return true;
}

static bool is(const json_t *chart, const char *type)
{
    const char *its = json_string_value(json_object_get(chart, "type"));
    return its != NULL && strcmp(its, type) == 0;
}

static int draw(const json_t *answer, const struct ct_terminal *terminal, bool as_table,
                struct lm_arena *arena, struct lm_buffer *out)
{
    const json_t *chart = as_table ? NULL : json_object_get(answer, "chart");
    bool line = is(chart, "line"), bar = is(chart, "bar");
    const char *names[] = {json_string_value(json_object_get(chart, "x")),
                           json_string_value(json_object_get(chart, "series")),
                           json_string_value(json_array_get(json_object_get(chart, "y"), 0))};
    const char *first[4] = {NULL};
    struct ct_grid *grid = lm_arena_alloc(arena, sizeof *grid);

    for (size_t i = 0, n = 0; (line || bar) && i < sizeof names / sizeof *names; i++) {
        if (names[i] != NULL)
            first[n++] = names[i];
    }
    if (grid == NULL || ct_grid_read(answer, first, arena, grid) != 0)
        return -1;
    if (grid->row_count == 0)
        return 0;
    if (is(chart, "number")) {
        ct_grid_append_records(grid, terminal, out);
        return 0;
    }
    bool few = names[1] == NULL && grid->row_count <= BARS_MAX;
    bool mixed = names[1] != NULL && json_array_size(json_object_get(chart, "y")) > 1;
    if (line && !few && !mixed && append_sparklines(grid, chart, terminal, arena, out))
        return 0;
    if (line || bar)
        grid->bar = ct_grid_find(grid, names[2]);
    ct_grid_append(grid, terminal, out);
    return 0;
}

int ct_picture_append(const json_t *answer, const struct ct_terminal *terminal, bool as_table,
                      struct lm_buffer *out)
{
    struct lm_arena arena;

    lm_arena_init(&arena, MEMORY_MAX);
    int result = draw(answer, terminal, as_table, &arena, out);
    lm_arena_free(&arena);
    return result == 0 && !out->failed ? 0 : -1;
}
