#include "ctl/ask/grid.h"

#include <math.h>
#include <string.h>

#define GAP 2
#define CELL_MAX ((size_t)120) /* where there is no terminal */
#define TEXT_WISH ((size_t)48) /* beyond it a text grows only after the bar */
#define TEXT_LEAST ((size_t)20)
#define BAR_LEAST ((size_t)8)
#define BAR_MAX ((size_t)30)
#define COLUMNS_WANTED 4

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_narrow(const struct ct_terminal *terminal)
{
    return terminal->columns > 0 && terminal->columns < 60;
}

/* What a column takes of `room` at first, 0: it does not fit. A text may take less than its wish. */
static size_t first_width(const struct ct_grid_column *column, size_t room, size_t least_text, size_t wish)
{
    size_t width = column->text ? least(column->natural, wish) : column->natural;

    if (width <= room)
        return width;
    return column->text && room >= least_text ? room : 0;
}

/* Gives the columns their first width from the left for as long as they fit, and says how many do; *room is
 * what is left, of which a bar may have all. */
static size_t take_columns(struct ct_grid *grid, const struct ct_terminal *terminal, size_t wish,
                           size_t *room)
{
    size_t least_text = is_narrow(terminal) ? TEXT_LEAST / 2 : TEXT_LEAST, reserved = 0, shown = 0;
    bool full = false;

    *room = terminal->columns;
    for (size_t i = 0; i < grid->column_count; i++) {
        struct ct_grid_column *column = &grid->columns[i];
        size_t gap = shown > 0 ? GAP : 0;
        column->width = 0;
        if (column->empty && grid->row_count > 0)
            continue;
        if (!full && *room > gap)
            column->width = first_width(column, *room - gap, least_text, wish > 0 ? wish : least_text);
        full = column->width == 0;
        *room -= full ? 0 : column->width + gap;
        shown += !full;
        if (i == grid->bar && *room >= BAR_LEAST + GAP && !is_narrow(terminal))
            reserved = BAR_LEAST + GAP;
        *room -= i == grid->bar ? reserved : 0;
    }
    *room += reserved;
    return shown;
}

/* Lets the texts grow evenly, none beyond what it needs. */
static void grow(struct ct_grid *grid, size_t room)
{
    bool grown = true;

    while (room > 0 && grown) {
        grown = false;
        for (size_t i = 0; i < grid->column_count && room > 0; i++) {
            struct ct_grid_column *column = &grid->columns[i];
            if (column->width == 0 || column->width >= column->natural)
                continue;
            column->width++;
            room--;
            grown = true;
        }
    }
}

static size_t filled_columns(const struct ct_grid *grid)
{
    size_t filled = 0;

    for (size_t i = 0; i < grid->column_count; i++)
        filled += !grid->columns[i].empty;
    return filled;
}

/* False: the terminal is too narrow for a table. */
static bool lay_out(struct ct_grid *grid, const struct ct_terminal *terminal, size_t *bar_width)
{
    const bool bar = grid->bar < CT_GRID_COLUMNS;
    const size_t filled = filled_columns(grid), wanted = least(filled, bar ? grid->bar + 1 : COLUMNS_WANTED);
    size_t room;

    *bar_width = bar ? BAR_MAX : 0;
    if (terminal->columns == 0) {
        for (size_t i = 0; i < grid->column_count; i++)
            grid->columns[i].width =
                grid->columns[i].empty && grid->row_count > 0 ? 0 : least(grid->columns[i].natural, CELL_MAX);
        return true;
    }
    if (take_columns(grid, terminal, TEXT_WISH, &room) < wanted &&
        take_columns(grid, terminal, 0, &room) < wanted)
        return false;
    *bar_width = bar && room >= BAR_LEAST + GAP ? least(room - GAP, BAR_MAX) : 0;
    grow(grid, room - (*bar_width > 0 ? *bar_width + GAP : 0));
    return true;
}

static double largest(const struct ct_grid *grid)
{
    double most = 0;

    for (size_t r = 0; r < grid->row_count; r++) {
        double value = ct_grid_number(grid, r, grid->bar);
        most = value > most && isfinite(value) ? value : most;
    }
    return most;
}

/* In eighths of a column. */
static void append_bar(struct lm_buffer *out, double value, double most, size_t width)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    size_t eighths = isfinite(value) && value > 0 ? (size_t)(value / most * (double)width * 8 + 0.5) : 0;

    if (value > 0 && eighths == 0)
        eighths = 1;
    for (size_t i = 0; i < eighths / 8; i++)
        lm_buffer_append_text(out, "█");
    lm_buffer_append_text(out, parts[eighths % 8]);
    if (eighths < width * 8)
        lm_buffer_printf(out, "%*s", (int)(width - (eighths + 7) / 8), "");
}

/* Blanks before the end of a line, which is at out->len. */
static void trim(struct lm_buffer *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    lm_buffer_append_char(out, '\n');
}

static const char *colour_of(const struct ct_grid_column *column, const char *cell)
{
    if (strcmp(column->key, "level") != 0)
        return NULL;
    if (strcmp(cell, "ERROR") == 0 || strcmp(cell, "FATAL") == 0)
        return "\033[31m";
    return strcmp(cell, "WARN") == 0 ? "\033[33m" : NULL;
}

static void append_header(const struct ct_grid *grid, size_t bar_width, bool colour, struct lm_buffer *out)
{
    bool first = true;

    if (colour)
        lm_buffer_append_text(out, "\033[2m");
    for (size_t i = 0; i < grid->column_count; i++) {
        const struct ct_grid_column *column = &grid->columns[i];
        if (column->width == 0)
            continue;
        lm_buffer_printf(out, "%*s", first ? 0 : GAP, "");
        first = false;
        ct_terminal_append_cell(out, column->name, column->width,
                                column->text || column->is_time ? CT_LEFT : CT_RIGHT);
        if (i == grid->bar && bar_width > 0)
            lm_buffer_printf(out, "%*s", (int)(GAP + bar_width), "");
    }
    if (colour)
        lm_buffer_append_text(out, "\033[0m");
    trim(out);
}

static void append_row(const struct ct_grid *grid, size_t row, size_t bar_width, double most, bool colour,
                       struct lm_buffer *out)
{
    bool first = true;

    for (size_t i = 0; i < grid->column_count; i++) {
        const struct ct_grid_column *column = &grid->columns[i];
        const char *cell = grid->cells[row * grid->column_count + i];
        const char *shade = colour ? colour_of(column, cell) : NULL;
        if (column->width == 0)
            continue;
        lm_buffer_printf(out, "%*s", first ? 0 : GAP, "");
        first = false;
        lm_buffer_append_text(out, shade != NULL ? shade : "");
        ct_terminal_append_cell(out, *cell != '\0' || column->is_flag ? cell : "–", column->width,
                                column->text || column->is_time ? CT_LEFT : CT_RIGHT);
        lm_buffer_append_text(out, shade != NULL ? "\033[0m" : "");
        if (i == grid->bar && bar_width > 0) {
            lm_buffer_printf(out, "%*s", GAP, "");
            append_bar(out, ct_grid_number(grid, row, i), most, bar_width);
        }
    }
    trim(out);
}

/* What did not fit, by name. */
static void append_left_out(const struct ct_grid *grid, struct lm_buffer *out)
{
    const char *before = "not shown: ";
    bool any = false;

    for (size_t i = 0; i < grid->column_count; i++) {
        if (grid->columns[i].width > 0 || grid->columns[i].empty)
            continue;
        lm_buffer_printf(out, "%s%s", before, grid->columns[i].name);
        before = ", ";
        any = true;
    }
    if (any)
        lm_buffer_append_char(out, '\n');
}

void ct_grid_append_records(const struct ct_grid *grid, const struct ct_terminal *terminal,
                            struct lm_buffer *out)
{
    const char *const dim = terminal->colour ? "\033[2m" : "", *const plain =
                                                                   terminal->colour ? "\033[0m" : "";
    size_t widest = 0;

    for (size_t i = 0; i < grid->column_count; i++) {
        size_t width = ct_terminal_width(grid->columns[i].name, strlen(grid->columns[i].name));
        widest = width > widest && !grid->columns[i].empty ? width : widest;
    }
    for (size_t r = 0; r < grid->row_count; r++) {
        if (grid->row_count > 1)
            lm_buffer_printf(out, "%s[%zu]%s\n", dim, r + 1, plain);
        for (size_t i = 0; i < grid->column_count; i++) {
            const char *cell = grid->cells[r * grid->column_count + i];
            if (*cell == '\0')
                continue;
            lm_buffer_append_text(out, dim);
            ct_terminal_append_cell(out, grid->columns[i].name, widest, CT_LEFT);
            lm_buffer_printf(out, "%s  %s\n", plain, cell);
        }
    }
}

void ct_grid_append(struct ct_grid *grid, const struct ct_terminal *terminal, struct lm_buffer *out)
{
    size_t bar_width;

    if (!lay_out(grid, terminal, &bar_width)) {
        ct_grid_append_records(grid, terminal, out);
        return;
    }
    double most = bar_width > 0 ? largest(grid) : 0;
    if (most <= 0)
        bar_width = 0;
    append_header(grid, bar_width, terminal->colour, out);
    for (size_t r = 0; r < grid->row_count; r++)
        append_row(grid, r, bar_width, most, terminal->colour, out);
    append_left_out(grid, out);
}
