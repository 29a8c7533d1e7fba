/*
 * What a statement brought back, copied out of libpq's results as they come, within bounds of rows and bytes.
 */
#ifndef LOGMILL_AGENT_DATABASE_FETCHED_H
#define LOGMILL_AGENT_DATABASE_FETCHED_H

#include "common/arena.h"
#include "common/error.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#define AG_PRELUDE_CELLS 4

struct ag_fetched {
    struct lm_arena arena; /* of the cells */
    const char **cells;    /* row after row; NULL is SQL's NULL */
    size_t capacity;       /* of `cells` */
    size_t rows, max_rows;
    size_t columns;
    const char **names; /* where the columns were not known before: they and their types' OIDs; else NULL */
    unsigned *types;
    size_t bytes, max_bytes; /* of cells */
    bool cut;                /* there was more than a bound allows */
    const char *prelude[AG_PRELUDE_CELLS];
};

/* `columns` as the statement says them; 0: the first result describes them. Beyond `max_bytes` nothing more
 * is kept; the row that crosses it is. NULL: no memory. */
struct ag_fetched *ag_fetched_new(size_t columns, size_t max_rows, size_t max_bytes);
void ag_fetched_free(struct ag_fetched *fetched);

/* Keeps the rows of `result`. 0; 1: a bound is reached and `cut` is set; -1 (LM_FATAL: columns other than
 * were to come; LM_RETRY: no memory). */
int ag_fetched_add(struct ag_fetched *fetched, const PGresult *result, struct lm_error *error) LM_MUST_CHECK;
/* Keeps the first AG_PRELUDE_CELLS cells of a result of one row; anything else is passed over. */
void ag_fetched_add_prelude(struct ag_fetched *fetched, const PGresult *result);

#endif
