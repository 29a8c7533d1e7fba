/*
 * From the rows of a statement to the answer: typed results, insight in the question's language, chart and
 * warnings. Every number in the insight is taken from the result by code.
 *
 * Text that comes from logs is quoted in the insight, cut short, and its control characters are escaped;
 * there is no markup and no link in any text made here.
 */
#ifndef LOGMILL_AGENT_ANSWER_ANSWER_H
#define LOGMILL_AGENT_ANSWER_ANSWER_H

#include "agent/intent.h"
#include "agent/sql/sql.h"
#include "common/arena.h"
#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Rows as PostgreSQL's text format gives them (DateStyle ISO). */
struct ag_rows {
    const char *const *cells; /* row after row, sql->column_count a row; NULL is SQL's NULL */
    size_t count;             /* rows */
};

struct ag_answer_input {
    const struct ag_intent *intent;
    const struct ag_sql *sql;
    struct ag_rows rows;
    bool cut; /* the caller stopped reading (4 MiB): truncated, whatever the row limit says */
};

struct ag_answer {
    json_t *results;     /* array of objects, keys in the order of the columns */
    json_t *columns;     /* array of {name, type, unit?} */
    json_t *chart;       /* {type, x, y, series?, stacked} or JSON null */
    json_t *warnings;    /* array of {code, text} */
    const char *insight; /* in the arena; plain text, one to four sentences */
    size_t count;        /* rows in results */
    bool truncated;
};

/*
 * Fills `out`; ag_answer_free also after a failure. Any thread. 0, or -1: LM_RETRY "memory", LM_FATAL
 * "bad_rows" (a cell that is not of its column's type: a fault of ours).
 */
int ag_answer_make(const struct ag_answer_input *input, struct lm_arena *arena, struct ag_answer *out,
                   struct lm_error *error) LM_MUST_CHECK;
/* The same of SQL that no intent stands behind: the rows as they are, a table, and how many there are. The
 * intent says zone and language only. */
int ag_answer_plain(const struct ag_answer_input *input, struct lm_arena *arena, struct ag_answer *out,
                    struct lm_error *error) LM_MUST_CHECK;
/* Only the results: array of objects; NULL with the error as above. For listed records, piece by piece. */
json_t *ag_answer_rows(const struct ag_answer_input *input, struct lm_arena *arena, struct lm_error *error);
/* Gives the JSON back; a zeroed answer is fine. */
void ag_answer_free(struct ag_answer *answer);

/* One sentence: what is measured, over which records, in which window of which zone. In the arena; NULL
 * without memory. `sql` may be NULL (before SQL is written, or where it was refused). */
const char *ag_interpretation(const struct ag_intent *intent, const struct ag_sql *sql,
                              struct lm_arena *arena);

/* The column list of `sql` without its hidden columns and with what the answer adds: array of {name, type,
 * unit?}; NULL without memory. */
json_t *ag_answer_columns(const struct ag_intent *intent, const struct ag_sql *sql);

#endif
