/*
 * The rows of an answer as cells of harmless text, and how they fit a terminal.
 *
 * As a table: first what may not be cut (numbers, times, levels), then text, which shrinks; columns that hold
 * nothing are left out, and columns for which no room is left are left out and named. As records: a line a
 * column, uncut, for a terminal too narrow for a table. Cells for no terminal are cut at 120 columns: for
 * programs there are --csv and --json.
 */
#ifndef LOGMILL_CTL_ASK_GRID_H
#define LOGMILL_CTL_ASK_GRID_H

#include "common/arena.h"
#include "common/buffer.h"
#include "ctl/terminal.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CT_GRID_COLUMNS 64

struct ct_grid_column {
    const char *name; /* harmless */
    const char *key;  /* of the row's object */
    bool text;        /* may be cut, stands on the left */
    bool is_time, is_ratio, is_change, is_flag;
    int seconds; /* of times: 0 without, 1 whole, 2 with milliseconds; what the finest of them needs */
    bool empty;  /* no row has a value */
    size_t natural, width;
};

struct ct_grid {
    struct ct_grid_column columns[CT_GRID_COLUMNS]; /* in the order they are shown */
    size_t column_count;
    const char **cells; /* row after row; "" for none */
    const json_t *rows; /* the answer's */
    size_t row_count;
    size_t bar; /* the column behind which a bar is drawn; CT_GRID_COLUMNS: none */
};

/* Takes the rows of an answer of the agent, whose they stay; texts live in `arena`. `first`: names of columns
 * to stand in front, NULL at the end. 0, or -1: it is no answer, or no memory is left. */
int ct_grid_read(const json_t *answer, const char *const *first, struct lm_arena *arena,
                 struct ct_grid *out) LM_MUST_CHECK;
/* Position of a column, or CT_GRID_COLUMNS. */
size_t ct_grid_find(const struct ct_grid *grid, const char *key);
/* The number in a cell; NAN where there is none. */
double ct_grid_number(const struct ct_grid *grid, size_t row, size_t column);

/* A table where the terminal is wide enough for one, else records. */
void ct_grid_append(struct ct_grid *grid, const struct ct_terminal *terminal, struct lm_buffer *out);
void ct_grid_append_records(const struct ct_grid *grid, const struct ct_terminal *terminal,
                            struct lm_buffer *out);

/* A number with thousands separators; three significant digits where it has a fraction. */
void ct_grid_append_number(struct lm_buffer *out, double value);

#endif
