#include "agent/database/fetched.h"

#include "agent/intent.h"

#include <stdlib.h>
#include <string.h>

struct ag_fetched *ag_fetched_new(size_t columns, size_t max_rows, size_t max_bytes)
{
    struct ag_fetched *fetched = calloc(1, sizeof(*fetched));
    if (fetched == NULL) {
        return NULL;
    }
    /* Room for the last row that crosses the bound, and for alignment of many small cells. */
    lm_arena_init(&fetched->arena,
                  max_bytes * 2 + (1u << 20) + max_rows * 64 * (columns > 0 ? columns : AG_MAX_COLUMNS));
    fetched->columns = columns;
    fetched->max_rows = max_rows;
    fetched->max_bytes = max_bytes;
    return fetched;
}

void ag_fetched_free(struct ag_fetched *fetched)
{
    if (fetched != NULL) {
        lm_arena_free(&fetched->arena);
        free(fetched->cells);
        free(fetched);
    }
}

static int no_memory(struct lm_error *error)
{
    return lm_error_set(error, LM_RETRY, "memory", "out of memory for the rows");
}

/* The columns of a statement that was sent without knowing them. */
static int describe(struct ag_fetched *fetched, const PGresult *result, struct lm_error *error)
{
    const int count = PQnfields(result);
    if (count < 1 || count > AG_MAX_COLUMNS) {
        return lm_error_set(error, LM_FATAL, "bad_rows", "the statement gives %d columns; 1 to %d may be",
                            count, AG_MAX_COLUMNS);
    }
    fetched->columns = (size_t)count;
    fetched->names = lm_arena_alloc(&fetched->arena, fetched->columns * sizeof(*fetched->names));
    fetched->types = lm_arena_alloc(&fetched->arena, fetched->columns * sizeof(*fetched->types));
    bool good = fetched->names != NULL && fetched->types != NULL;
    for (int i = 0; good && i < count; i++) {
        const char *name = PQfname(result, i);
        fetched->names[i] = lm_arena_copy(&fetched->arena, name, strlen(name));
        fetched->types[i] = PQftype(result, i);
        good = fetched->names[i] != NULL;
    }
    return good ? 0 : no_memory(error);
}

/* A copy of one cell; NULL also for SQL's NULL. */
static const char *copy_cell(struct ag_fetched *fetched, const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) != 0
               ? NULL
               : lm_arena_copy(&fetched->arena, PQgetvalue(result, row, column),
                               (size_t)PQgetlength(result, row, column));
}

static int keep_row(struct ag_fetched *fetched, const PGresult *result, int row)
{
    const size_t need = (fetched->rows + 1) * fetched->columns;
    if (need > fetched->capacity) {
        const size_t capacity = need * 2 < 64 ? 64 : need * 2;
        const char **cells = realloc(fetched->cells, capacity * sizeof(*cells));
        if (cells == NULL) {
            return -1;
        }
        fetched->cells = cells;
        fetched->capacity = capacity;
    }
    const char **cells = fetched->cells + fetched->rows * fetched->columns;
    for (int i = 0; i < (int)fetched->columns; i++) {
        cells[i] = copy_cell(fetched, result, row, i);
        if (cells[i] == NULL && PQgetisnull(result, row, i) == 0) {
            return -1;
        }
        fetched->bytes += (size_t)PQgetlength(result, row, i);
    }
    fetched->rows++;
    return 0;
}

int ag_fetched_add(struct ag_fetched *fetched, const PGresult *result, struct lm_error *error)
{
    if (fetched->columns == 0 && describe(fetched, result, error) != 0) {
        return -1;
    }
    if ((size_t)PQnfields(result) != fetched->columns) {
        return lm_error_set(error, LM_FATAL, "bad_rows", "the statement gave %d columns, %zu were expected",
                            PQnfields(result), fetched->columns);
    }
    for (int row = 0; row < PQntuples(result); row++) {
        if (fetched->rows >= fetched->max_rows || fetched->bytes >= fetched->max_bytes) {
            fetched->cut = true;
            return 1;
        }
        if (keep_row(fetched, result, row) != 0) {
            return no_memory(error);
        }
    }
    return 0;
}

void ag_fetched_add_prelude(struct ag_fetched *fetched, const PGresult *result)
{
    for (int i = 0; PQntuples(result) == 1 && i < PQnfields(result) && i < AG_PRELUDE_CELLS; i++) {
        fetched->prelude[i] = copy_cell(fetched, result, 0, i);
    }
}
