/*
 * Runs one judged statement for a question, as the reader: a connection from the pool, a read-only
 * transaction with its own limits, a prelude in the same snapshot, the statement row by row, ROLLBACK and
 * nothing of it left. Loop thread.
 */
#ifndef LOGMILL_AGENT_DATABASE_EXECUTE_H
#define LOGMILL_AGENT_DATABASE_EXECUTE_H

#include "agent/database/fetched.h"
#include "agent/database/pool.h"

/* Called with up to 100 rows that came for a streamed statement; PGresult is the caller's. False: wait for
 * ag_execute_more. */
typedef bool (*ag_execute_rows)(const PGresult *rows, void *context);

struct ag_statement {
    const char *sql;     /* copied */
    const char *prelude; /* one row of at most AG_PRELUDE_CELLS cells, read in the same snapshot; NULL: none.
                            Copied */
    const char *role;    /* taken on for the transaction; NULL or "": the reader stays itself. Our own text,
                            never a caller's */
    const char *asker;   /* for taking turns at the connections; NULL: the agent itself. Copied */
    size_t columns; /* the result must have so many; 0: whatever it has, up to AG_MAX_COLUMNS, is described */
    size_t max_rows;
    size_t max_bytes; /* of cells; beyond it the reading stops and `cut` is set */
    unsigned timeout_ms;
    bool serial;     /* without parallel workers */
    double max_cost; /* PostgreSQL's estimate, asked for before; 0: not asked */
    /* NULL: the rows are kept. Else they are handed out as they come, through a cursor, none is kept and no
     * bound but the time-out (of each 100 rows) holds. */
    ag_execute_rows rows;
};

struct ag_execution;

/*
 * Called once, from the loop: with the rows, which the callee then owns (ag_fetched_free), or NULL and the
 * error: kind "statement_timeout", "too_costly", "busy" (the connections are all taken), "unavailable" (no
 * connection, it broke, or the server fell silent), or PostgreSQL's own with its SQLSTATE.
 */
typedef void (*ag_execute_done)(struct ag_fetched *fetched, const struct lm_error *error, void *context);

/* 0: `done` will be called, never from inside this call. -1 (LM_RETRY): no memory, or no connection is up. */
int ag_execute(struct ag_pool *pool, const struct ag_statement *statement, ag_execute_done done,
               void *context, struct ag_execution **out, struct lm_error *error) LM_MUST_CHECK;
/* For a streamed statement whose `rows` answered false. Between the two PostgreSQL waits
 * idle_in_transaction_session_timeout (30 s for the reader) at most. */
void ag_execute_more(struct ag_execution *execution);
/* `done` will not be called any more; what runs is cancelled in the server, and the connection goes back to
 * the pool when both are finished. */
void ag_execute_cancel(struct ag_execution *execution);

#endif
