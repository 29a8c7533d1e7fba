/*
 * A statement must never run outside its transaction because BEGIN failed. BEGIN, its settings and the
 * prelude go out in one pipeline, of which nothing more runs once something has failed, and the statement
 * along with them, in a message of its own that can hold no second one: every time PostgreSQL and we wait for
 * each other costs a good part of a small answer. Where its estimate has a say, or it is streamed, it is sent
 * when what is before it has answered. The caller is told as soon as its rows are there; tidying the
 * connection goes on behind.
 *
 * The transaction is REPEATABLE READ, so that the prelude (data epochs, progress of the pipeline) and the
 * rows are of one snapshot. What ROLLBACK leaves of a request goes with all that DISCARD ALL does but for
 * two: plans are kept, for those of rollup_cover() take longer to make than most answers, and belong to no
 * request; advisory locks the reader cannot take.
 *
 * A streamed statement runs as a cursor, fetched by the hundred rows: what the caller cannot take yet stays
 * in the server.
 *
 * Every step has a deadline of our own: a server that has vanished without a word answers nothing, not even
 * its statement_timeout. The connection is then given up.
 */
#include "agent/database/execute.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10000 /* for a connection */
#define STEP_MS 5000  /* for the answer to anything but the statement itself */
#define BATCH_ROWS 100
#define MAX_STEPS 5   /* before the statement */
#define GRACE_MS 5000 /* beyond the server's own timeout */

enum execution_state {
    STARTING,
    WAITING,
    BEGINNING, /* and the prelude */
    ESTIMATING,
    RUNNING,
    TIDYING,
    OVER
};

struct ag_execution {
    struct ag_pool *pool;
    struct ag_waiter waiter;
    uv_timer_t timer; /* first the start, then the deadline of the step */
    struct lm_pg *pg;
    enum execution_state state;
    struct ag_statement statement;
    char role[64]; /* copies: who asked may have gone */
    char asker[64];
    struct ag_fetched *fetched;
    ag_execute_done done; /* NULL: told, or cancelled */
    void *context;
    struct lm_error failure; /* of reading the rows; decision LM_OK while none */
    bool cancelled;          /* a cancel request went out for the statement */
    int batch;               /* rows that the last FETCH brought */
    bool wanted;             /* the caller takes more */
    bool paused;             /* nothing runs until the caller takes more */
};

static const char *const state_names[] = {"starting", "waiting", "begin", "estimate",
                                          "running",  "tidying", "over"};

static const char tidy_sql[] =
    "ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; "
    "DISCARD TEMP; DISCARD SEQUENCES";

static void change_state(struct ag_execution *execution, enum execution_state to)
{
    if (to <= execution->state) {
        lm_log(LM_LOG_ERROR, "execute", "a statement cannot go from %s to %s", state_names[execution->state],
               state_names[to]);
        return;
    }
    execution->state = to;
}

static void free_execution(struct ag_execution *execution)
{
    ag_fetched_free(execution->fetched);
    free((char *)(uintptr_t)execution->statement.sql);
    free((char *)(uintptr_t)execution->statement.prelude);
    free(execution);
}

static void tell(struct ag_execution *execution, const struct lm_error *error)
{
    ag_execute_done done = execution->done;
    struct ag_fetched *fetched = error == NULL ? execution->fetched : NULL;
    execution->done = NULL;
    if (done == NULL) {
        return;
    }
    if (error == NULL) {
        execution->fetched = NULL;
    }
    done(fetched, error, execution->context);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free_execution(handle->data);
}

/* The connection goes back; the execution is gone when its timer is. */
static void finish(struct ag_execution *execution, bool broken)
{
    struct lm_pg *pg = execution->pg;
    change_state(execution, OVER);
    execution->pg = NULL;
    uv_close((uv_handle_t *)&execution->timer, on_timer_closed);
    if (pg != NULL) {
        ag_pool_release(execution->pool, pg, broken);
    }
}

/* The server has been silent for longer than any answer takes. */
static void on_deadline(uv_timer_t *timer)
{
    struct ag_execution *execution = timer->data;
    struct lm_error error;
    if (execution->state == WAITING) {
        ag_pool_forget(execution->pool, &execution->waiter);
        lm_error_set(&error, LM_FATAL, "busy", "no connection became free within %d s", WAIT_MS / 1000);
    } else {
        lm_log(LM_LOG_WARN, "execute", "PostgreSQL does not answer (%s): the connection is given up",
               state_names[execution->state]);
        lm_error_set(&error, LM_RETRY, "unavailable", "PostgreSQL does not answer");
    }
    tell(execution, &error);
    finish(execution, true);
}

static void set_deadline(struct ag_execution *execution, unsigned ms)
{
    uv_timer_start(&execution->timer, on_deadline, ms, 0);
}

/* Names a failure the way the service answers it. */
static void explain(struct lm_error *error)
{
    if (strcmp(error->sqlstate, "57014") == 0) {
        snprintf(error->kind, sizeof(error->kind), "statement_timeout");
    } else if (error->decision == LM_RETRY &&
               (strcmp(error->kind, "connection_lost") == 0 || strncmp(error->sqlstate, "57P", 3) == 0 ||
                strncmp(error->sqlstate, "08", 2) == 0 || strncmp(error->sqlstate, "53", 2) == 0)) {
        snprintf(error->kind, sizeof(error->kind), "unavailable");
    }
}

static bool connection_gone(const struct lm_error *error)
{
    return strcmp(error->kind, "connection_lost") == 0;
}

static bool send_step(struct ag_execution *execution, const struct lm_pg_request *request)
{
    struct lm_error error;
    set_deadline(execution, execution->state == RUNNING ? execution->statement.timeout_ms + STEP_MS + GRACE_MS
                                                        : STEP_MS);
    if (lm_pg_send(execution->pg, request, &error) == 0) {
        return true;
    }
    explain(&error);
    tell(execution, &error);
    finish(execution, true);
    return false;
}

static void on_tidied(const struct lm_error *error, void *context)
{
    struct ag_execution *execution = context;
    finish(execution, error != NULL);
}

/* Whatever came of it: the caller knows, now the connection is made clean. */
static void roll_back(struct ag_execution *execution, const struct lm_error *error)
{
    if (error != NULL && connection_gone(error)) {
        /* The pool hears of the loss by itself; there is nothing to give back. */
        execution->pg = NULL;
        finish(execution, false);
        return;
    }
    change_state(execution, TIDYING);
    const struct lm_pg_request tidy = {.sql = tidy_sql, .done = on_tidied, .context = execution};
    (void)send_step(execution, &tidy);
}

static void fail(struct ag_execution *execution, const struct lm_error *error)
{
    struct lm_error told = *error;
    explain(&told);
    tell(execution, &told);
    roll_back(execution, error);
}

static void stop_reading(struct ag_execution *execution)
{
    if (!execution->cancelled) {
        execution->cancelled = true;
        lm_pg_cancel(execution->pg, NULL, NULL);
    }
}

static void on_row(const PGresult *result, void *context)
{
    struct ag_execution *execution = context;
    if (execution->fetched == NULL || execution->cancelled || execution->failure.decision != LM_OK) {
        return;
    }
    if (ag_fetched_add(execution->fetched, result, &execution->failure) != 0) {
        stop_reading(execution);
    }
}

static void on_statement_done(const struct lm_error *error, void *context)
{
    struct ag_execution *execution = context;
    if (execution->failure.decision != LM_OK) {
        const bool gone = error != NULL && connection_gone(error);
        tell(execution, &execution->failure);
        roll_back(execution, gone ? error : NULL);
        return;
    }
    const bool enough = execution->fetched != NULL && execution->fetched->cut && error != NULL &&
                        strcmp(error->sqlstate, "57014") == 0;
    if (error != NULL && !enough) {
        fail(execution, error);
        return;
    }
    tell(execution, NULL);
    roll_back(execution, NULL);
}

/* What a step that has answered leads to when nothing may follow it. */
static bool stopped(struct ag_execution *execution, const struct lm_error *error)
{
    const struct lm_error gone = {.decision = LM_RETRY};
    if (error == NULL && execution->failure.decision != LM_OK) {
        error = &execution->failure;
    }
    if (error != NULL || execution->done == NULL) {
        fail(execution, error != NULL ? error : &gone);
        return true;
    }
    return false;
}

/* ---- streamed ---- */

static void on_batch(const PGresult *result, void *context)
{
    struct ag_execution *execution = context;
    execution->batch = PQntuples(result);
    if (execution->done == NULL || execution->batch == 0) {
        return;
    }
    if ((size_t)PQnfields(result) != execution->statement.columns) {
        lm_error_set(&execution->failure, LM_FATAL, "bad_rows",
                     "the statement gave %d columns, %zu were expected", PQnfields(result),
                     execution->statement.columns);
        return;
    }
    execution->wanted = false;
    if (execution->statement.rows(result, execution->context)) {
        execution->wanted = true;
    }
}

static void on_batch_done(const struct lm_error *error, void *context);

static void fetch(struct ag_execution *execution)
{
    char text[32];
    snprintf(text, sizeof(text), "FETCH %d FROM answer", BATCH_ROWS);
    execution->batch = 0;
    execution->paused = false;
    const struct lm_pg_request next = {
        .sql = text, .result = on_batch, .done = on_batch_done, .context = execution};
    (void)send_step(execution, &next);
}

static void on_batch_done(const struct lm_error *error, void *context)
{
    struct ag_execution *execution = context;
    if (stopped(execution, error)) {
        return;
    }
    if (execution->batch < BATCH_ROWS) {
        tell(execution, NULL);
        roll_back(execution, NULL);
    } else if (execution->wanted) {
        fetch(execution);
    } else {
        execution->paused = true;
        uv_timer_stop(&execution->timer);
    }
}

void ag_execute_more(struct ag_execution *execution)
{
    execution->wanted = true;
    if (execution->paused) {
        fetch(execution);
    }
}

/* Sends the statement behind `prefix`. */
static void send_prefixed(struct ag_execution *execution, const char *prefix, struct lm_pg_request request)
{
    const size_t size = strlen(prefix) + strlen(execution->statement.sql) + 1;
    char *text = malloc(size);
    if (text == NULL) {
        const struct lm_error memory = {
            .decision = LM_RETRY, .kind = "memory", .text = "out of memory for a statement"};
        fail(execution, &memory);
        return;
    }
    snprintf(text, size, "%s%s", prefix, execution->statement.sql);
    request.sql = text;
    (void)send_step(execution, &request);
    free(text);
}

static void on_declared(const struct lm_error *error, void *context)
{
    if (!stopped(context, error)) {
        fetch(context);
    }
}

static void declare(struct ag_execution *execution)
{
    const struct lm_pg_request request = {.extended = true, .done = on_declared, .context = execution};
    send_prefixed(execution, "DECLARE answer NO SCROLL CURSOR FOR ", request);
}

/* The connection broke. A statement under way has been told; while nothing runs this is the only news. */
static void on_lost(void *context)
{
    struct ag_execution *execution = context;
    struct lm_error error;
    if (!execution->paused || execution->state != RUNNING) {
        return;
    }
    execution->pg = NULL;
    lm_error_set(&error, LM_RETRY, "unavailable", "the connection to PostgreSQL was lost");
    tell(execution, &error);
    finish(execution, false);
}

/* ---- the steps ---- */

static void run_statement(struct ag_execution *execution)
{
    change_state(execution, RUNNING);
    if (execution->statement.rows != NULL) {
        declare(execution);
        return;
    }
    const struct lm_pg_request statement = {.sql = execution->statement.sql,
                                            .extended = true,
                                            .single_row = true,
                                            .result = on_row,
                                            .done = on_statement_done,
                                            .context = execution};
    (void)send_step(execution, &statement);
}

static void on_prelude(const PGresult *result, void *context)
{
    const struct ag_execution *execution = context;
    if (execution->fetched != NULL) {
        ag_fetched_add_prelude(execution->fetched, result);
    }
}

/* Of the plan's first line, "Limit  (cost=0.29..8.31 rows=1 width=8)"; the rest is for people, and long. */
static void on_estimate(const PGresult *result, void *context)
{
    struct ag_execution *execution = context;
    const char *line = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    const char *start = strstr(line, "(cost=");
    const char *total = start != NULL ? strstr(start, "..") : NULL;
    if (total == NULL) {
        lm_error_set(&execution->failure, LM_FATAL, "bad_rows", "PostgreSQL's estimate could not be read");
        return;
    }
    const double cost = strtod(total + 2, NULL);
    if (cost > execution->statement.max_cost) {
        lm_error_set(&execution->failure, LM_FATAL, "too_costly",
                     "the statement would cost about %.0f, %.0f is allowed", cost,
                     execution->statement.max_cost);
    }
}

static void on_estimated(const struct lm_error *error, void *context)
{
    if (!stopped(context, error)) {
        run_statement(context);
    }
}

static void estimate(struct ag_execution *execution)
{
    if (execution->statement.max_cost <= 0) {
        run_statement(execution);
        return;
    }
    change_state(execution, ESTIMATING);
    const struct lm_pg_request request = {
        .extended = true, .result = on_estimate, .done = on_estimated, .context = execution};
    send_prefixed(execution, "EXPLAIN ", request);
}

static void on_begun(const struct lm_error *error, void *context)
{
    if (!stopped(context, error)) {
        estimate(context);
    }
}

static void begin(struct ag_execution *execution)
{
    const struct ag_statement *statement = &execution->statement;
    const bool at_once = statement->max_cost <= 0 && statement->rows == NULL;
    struct lm_pg_request steps[MAX_STEPS] = {{.sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}};
    char role[96], timeout[64];
    size_t count = 1;
    if (execution->role[0] != '\0') {
        snprintf(role, sizeof(role), "SET LOCAL ROLE \"%s\"", execution->role);
        steps[count++].sql = role;
    }
    if (statement->serial) {
        steps[count++].sql = "SET LOCAL max_parallel_workers_per_gather = 0";
    }
    snprintf(timeout, sizeof(timeout), "SET LOCAL statement_timeout = %u", statement->timeout_ms);
    steps[count++].sql = timeout;
    if (statement->prelude != NULL) {
        steps[count++] = (struct lm_pg_request){.sql = statement->prelude, .result = on_prelude};
    }
    change_state(execution, BEGINNING);
    for (size_t i = 0; i < count; i++) {
        steps[i].with_next = at_once || i + 1 < count;
        steps[i].done = steps[i].with_next ? NULL : on_begun;
        steps[i].context = execution;
        if (!send_step(execution, &steps[i])) {
            return;
        }
    }
    if (at_once) {
        run_statement(execution);
    }
}

static void on_connection(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct ag_execution *execution = context;
    if (pg == NULL) {
        struct lm_error told = *error;
        snprintf(told.kind, sizeof(told.kind), "unavailable");
        tell(execution, &told);
        finish(execution, false);
        return;
    }
    execution->pg = pg;
    begin(execution);
}

/* The pool is closing and has taken the connection away. */
static void on_revoked(void *context)
{
    struct ag_execution *execution = context;
    struct lm_error error;
    execution->pg = NULL;
    lm_error_set(&error, LM_RETRY, "unavailable", "the agent is stopping");
    tell(execution, &error);
    finish(execution, false);
}

static void on_start(uv_timer_t *timer)
{
    struct ag_execution *execution = timer->data;
    struct lm_error error;
    change_state(execution, WAITING);
    set_deadline(execution, WAIT_MS);
    if (ag_pool_acquire(execution->pool, &execution->waiter, &error) != 0) {
        tell(execution, &error);
        finish(execution, false);
    }
}

int ag_execute(struct ag_pool *pool, const struct ag_statement *statement, ag_execute_done done,
               void *context, struct ag_execution **out, struct lm_error *error)
{
    *out = NULL;
    if (ag_pool_up(pool) == 0) {
        return ag_pool_why(pool, error);
    }
    struct ag_execution *execution = calloc(1, sizeof(*execution));
    if (execution == NULL) {
        return lm_error_set(error, LM_RETRY, "memory", "out of memory for a statement");
    }
    execution->pool = pool;
    execution->statement = *statement;
    execution->statement.sql = strdup(statement->sql);
    execution->statement.role = NULL;
    snprintf(execution->role, sizeof(execution->role), "%s", statement->role != NULL ? statement->role : "");
    snprintf(execution->asker, sizeof(execution->asker), "%s",
             statement->asker != NULL ? statement->asker : "");
    execution->statement.prelude = statement->prelude != NULL ? strdup(statement->prelude) : NULL;
    execution->fetched = ag_fetched_new(statement->columns, statement->max_rows, statement->max_bytes);
    if (execution->statement.sql == NULL || execution->fetched == NULL ||
        (statement->prelude != NULL && execution->statement.prelude == NULL)) {
        free_execution(execution);
        return lm_error_set(error, LM_RETRY, "memory", "out of memory for a statement");
    }
    execution->done = done;
    execution->context = context;
    execution->waiter = (struct ag_waiter){.asker = execution->asker,
                                           .ready = on_connection,
                                           .revoked = on_revoked,
                                           .lost = on_lost,
                                           .context = execution};
    (void)uv_timer_init(ag_pool_loop(pool), &execution->timer);
    execution->timer.data = execution;
    uv_timer_start(&execution->timer, on_start, 0, 0);
    *out = execution;
    return 0;
}

void ag_execute_cancel(struct ag_execution *execution)
{
    execution->done = NULL;
    if (execution->state <= WAITING) {
        ag_pool_forget(execution->pool, &execution->waiter);
        finish(execution, false);
    } else if (execution->paused) {
        roll_back(execution, NULL);
    } else if (execution->state >= ESTIMATING && execution->state <= RUNNING) {
        stop_reading(execution);
    }
}
