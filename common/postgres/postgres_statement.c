/*
 * The statements of a connection: queued, sent one after another, their results handed out; COPY among them.
 *
 * During COPY libpq leaves an ErrorResponse unread in its buffer, and no call tells. Input that turns out to
 * be neither a notice nor a notification is therefore taken as the server's refusal after a short while, and
 * the COPY ended. Where input slips by unseen the refusal comes after lm_pg_copy_end: later, never wrongly.
 */
#include "common/log.h"
#include "common/postgres/postgres_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define COPY_HIGH_WATER ((size_t)1 << 20)
#define COPY_SUSPICION_MS 50
#define MAX_QUEUED 1000
#define MAX_QUEUED_BYTES ((size_t)64 << 20)

void pg_drop_statements(struct lm_pg *pg)
{
    free(pg->running);
    pg->running = NULL;
    while (pg->first != NULL) {
        struct pg_statement *statement = pg->first;
        pg->first = statement->next;
        free(statement);
    }
    pg->last = NULL;
    pg->queued = 0;
    pg->queued_bytes = 0;
}

static void enqueue(struct lm_pg *pg, struct pg_statement *statement)
{
    if (pg->last != NULL)
        pg->last->next = statement;
    else
        pg->first = statement;
    pg->last = statement;
    pg->queued++;
    pg->queued_bytes += statement->bytes;
}

static int may_queue(const struct lm_pg *pg, size_t bytes, struct lm_error *error)
{
    if (pg->state >= PG_LOST || pg->broken)
        return lm_error_set(error, LM_RETRY, "connection_lost", "the connection to PostgreSQL has ended");
    if (pg->queued > 0 && (pg->queued >= MAX_QUEUED || pg->queued_bytes + bytes > MAX_QUEUED_BYTES))
        return lm_error_set(error, LM_RETRY, "queue_full",
                            "%zu statements (%zu bytes) wait for PostgreSQL already", pg->queued,
                            pg->queued_bytes);
    return 0;
}

/* One block: the struct, the parameters' pointers, then all texts. */
static struct pg_statement *new_statement(const char *sql, int count, const char *const *params)
{
    size_t pointers = (size_t)count * sizeof(char *);
    size_t sql_size = strlen(sql) + 1;
    size_t bytes = sizeof(struct pg_statement) + pointers + sql_size;
    for (int i = 0; i < count; i++)
        bytes += params[i] != NULL ? strlen(params[i]) + 1 : 0;
    struct pg_statement *statement = calloc(1, bytes);
    if (statement == NULL)
        return NULL;
    const char **copies = (const char **)(statement + 1);
    char *text = (char *)(statement + 1) + pointers;
    statement->bytes = bytes;
    statement->request.params = copies;
    statement->request.sql = memcpy(text, sql, sql_size);
    text += sql_size;
    for (int i = 0; i < count; i++) {
        size_t size = params[i] != NULL ? strlen(params[i]) + 1 : 0;
        copies[i] = params[i] != NULL ? memcpy(text, params[i], size) : NULL;
        text += size;
    }
    return statement;
}

int lm_pg_send(struct lm_pg *pg, const struct lm_pg_request *request, struct lm_error *error)
{
    struct pg_statement *statement = new_statement(request->sql, request->param_count, request->params);
    if (statement == NULL)
        return lm_error_set(error, LM_RETRY, "memory",
                            "out of memory while sending a statement to PostgreSQL");
    if (may_queue(pg, statement->bytes, error) != 0) {
        free(statement);
        return -1;
    }
    const char *sql = statement->request.sql;
    const char *const *params = statement->request.params;
    statement->request = *request;
    statement->request.sql = sql;
    statement->request.params = params;
    enqueue(pg, statement);
    pg_run_next(pg);
    return 0;
}

int lm_pg_copy_start(struct lm_pg *pg, const struct lm_pg_copy *copy, struct lm_error *error)
{
    struct pg_statement *statement = new_statement(copy->sql, 0, NULL);
    if (statement == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "out of memory while starting a COPY");
    if (may_queue(pg, statement->bytes, error) != 0) {
        free(statement);
        return -1;
    }
    statement->copy = true;
    statement->copying = *copy;
    enqueue(pg, statement);
    pg_run_next(pg);
    return 0;
}

/* Takes the next of the queue to be the one that runs. */
static struct pg_statement *take_first(struct lm_pg *pg)
{
    struct pg_statement *statement = pg->first;
    pg->first = statement->next;
    if (pg->first == NULL)
        pg->last = NULL;
    statement->next = NULL;
    pg->queued--;
    pg->queued_bytes -= statement->bytes;
    pg->running = statement;
    return statement;
}

static bool in_pipeline(const struct lm_pg *pg)
{
    return PQpipelineStatus(pg->conn) != PQ_PIPELINE_OFF;
}

static bool send_request(struct lm_pg *pg, const struct lm_pg_request *request)
{
    bool simple = request->param_count == 0 && !request->extended && !in_pipeline(pg);
    return (simple ? PQsendQuery(pg->conn, request->sql)
                   : PQsendQueryParams(pg->conn, request->sql, request->param_count, NULL, request->params,
                                       NULL, NULL, 0)) == 1;
}

/* All up to the first that does not go along with the next; that one is there. */
static bool send_pipeline(struct lm_pg *pg, const struct pg_statement *statement)
{
    if (PQenterPipelineMode(pg->conn) != 1 || !send_request(pg, &statement->request))
        return false;
    const struct pg_statement *next = pg->first;
    for (bool more = true; more; next = next->next) {
        if (!send_request(pg, &next->request))
            return false;
        pg->sent++;
        more = next->request.with_next;
    }
    return PQpipelineSync(pg->conn) == 1;
}

/* What goes along with the next waits for it; COPY cannot be in a pipeline. */
static bool is_whole(const struct pg_statement *statement)
{
    while (statement != NULL && statement->request.with_next)
        statement = statement->next;
    return statement != NULL;
}

/* Sends the next statement if nothing runs. Nothing starts while a cancel request is under way: it would hit
 * the wrong one. */
void pg_run_next(struct lm_pg *pg)
{
    if (pg->state != PG_READY || pg->running != NULL || !is_whole(pg->first) || pg->broken ||
        pg->cancels != NULL)
        return;
    struct pg_statement *statement = take_first(pg);
    lm_error_clear(&pg->failure);
    pg->copy_line = 0;
    pg->refused = false;
    pg_change_state(pg, statement->copy ? PG_COPY_START : PG_QUERY);

    bool sent =
        statement->request.with_next ? send_pipeline(pg, statement) : send_request(pg, &statement->request);
    if (sent && statement->request.single_row)
        PQsetSingleRowMode(pg->conn);
    int left = sent ? PQflush(pg->conn) : -1;
    if (left < 0 || pg_watch(pg, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE) != 0)
        pg_fail_soon(pg);
}

/* The next of the pipeline, whose answer follows; the connection is ready when its end has come. */
static void next_in_pipeline(struct lm_pg *pg)
{
    if (pg->sent == 0)
        return;
    pg->sent--;
    if (take_first(pg)->request.single_row)
        PQsetSingleRowMode(pg->conn);
}

static void end_pipeline(struct lm_pg *pg)
{
    if (PQexitPipelineMode(pg->conn) != 1) {
        pg_fail_lost(pg);
        return;
    }
    pg_change_state(pg, PG_READY);
    pg_run_next(pg);
}

static void statement_done(struct lm_pg *pg)
{
    struct pg_statement *statement = pg->running;
    const struct lm_error *error = pg->failure.decision != LM_OK ? &pg->failure : NULL;
    struct lm_error no_copy;
    bool starting = pg->state == PG_COPY_START;
    if (starting && error == NULL) {
        lm_error_set(&no_copy, LM_FATAL, "not_a_copy", "the statement is no COPY … FROM STDIN");
        error = &no_copy;
    }
    pg->running = NULL;
    pg->full = false;
    uv_timer_stop(&pg->timer);
    if (in_pipeline(pg))
        next_in_pipeline(pg);
    else
        pg_change_state(pg, PG_READY);
    if (statement->copy && starting)
        statement->copying.started(error, statement->copying.context);
    else if (statement->copy)
        statement->copying.done(error, statement->copying.context);
    else if (statement->request.done != NULL)
        statement->request.done(error, statement->request.context);
    free(statement);
    if (pg->state == PG_READY)
        pg_run_next(pg);
}

/* One result of the running statement. False where the connection cannot go on. */
static bool take_result(struct lm_pg *pg, const PGresult *result)
{
    struct pg_statement *statement = pg->running;
    switch (PQresultStatus(result)) {
    case PGRES_COPY_IN:
        if (pg->state == PG_COPY_START) {
            pg_change_state(pg, PG_COPY);
            statement->copying.started(NULL, statement->copying.context);
            return true;
        }
        /* A COPY that came through lm_pg_send: nobody would feed it. */
        return PQputCopyEnd(pg->conn, "sent as a plain statement") == 1;
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        lm_error_set(&pg->failure, LM_FATAL, "copy_out", "COPY … TO STDOUT is not served");
        return false;
    case PGRES_PIPELINE_ABORTED: /* the failure of one before stands */
        return true;
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
        if (pg->failure.decision == LM_OK)
            lm_pg_error_from_result(result, &pg->failure, &pg->copy_line);
        return !pg_is_farewell(result); /* what is queued must not be sent into a closing connection */
    default:
        if (!statement->copy && statement->request.result != NULL)
            statement->request.result(result, statement->request.context);
        return true;
    }
}

static bool awaits_results(const struct lm_pg *pg)
{
    return pg->state == PG_QUERY || pg->state == PG_COPY_START || pg->state == PG_COPY_END;
}

/* Everything that libpq has read already. Returns when more input is needed, or when a callback closed the
 * connection. */
void pg_process(struct lm_pg *pg)
{
    while (awaits_results(pg) && !pg->broken && !PQisBusy(pg->conn)) {
        PGresult *result = PQgetResult(pg->conn);
        if (result == NULL && pg->running == NULL) { /* a pipeline whose end will not come any more */
            pg_fail_lost(pg);
            return;
        }
        if (result == NULL) {
            statement_done(pg);
            continue;
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            end_pipeline(pg);
            continue;
        }
        bool usable = take_result(pg, result);
        PQclear(result);
        if (!usable && pg->state < PG_LOST) {
            pg_fail_lost(pg);
            return;
        }
    }
}

static void log_notifications(struct lm_pg *pg)
{
    PGnotify *notify;
    while ((notify = PQnotifies(pg->conn)) != NULL) {
        pg->heard++;
        lm_log(LM_LOG_DEBUG, "postgres", "notification on %s: %s", notify->relname, notify->extra);
        PQfreemem(notify);
    }
}

/* ---- COPY ---- */

void pg_end_refused_copy(struct lm_pg *pg)
{
    pg->refused = false;
    pg_change_state(pg, PG_COPY_END);
    if (PQputCopyEnd(pg->conn, "the server has refused it already") != 1) {
        pg_fail_lost(pg);
        return;
    }
    pg_flush(pg);
    if (pg->state == PG_COPY_END)
        pg_process(pg);
}

/* Input in the middle of a COPY that was no notice: give a notice in two pieces the time to be completed,
 * then end it. */
static void suspect_refusal(struct lm_pg *pg, unsigned heard_before)
{
    if (pg->heard != heard_before) {
        pg->refused = false;
        uv_timer_stop(&pg->timer);
    } else if (!pg->refused) {
        pg->refused = true;
        pg_start_timer(pg, COPY_SUSPICION_MS);
    }
}

/* Reads what has come and parses what is no result. False when the connection has ended. */
bool pg_hear(struct lm_pg *pg)
{
    unsigned heard = pg->heard;
    if (PQconsumeInput(pg->conn) != 1)
        return false;
    PQisBusy(pg->conn); /* parses, also while nothing runs */
    log_notifications(pg);
    if (pg->state == PG_COPY)
        suspect_refusal(pg, heard);
    return true;
}

/* When a send would wait, libpq itself reads whatever is there, and we would never see it come: look first.
 */
static bool hear_before_sending(struct lm_pg *pg)
{
    int waiting = 0;
    return ioctl(PQsocket(pg->conn), FIONREAD, &waiting) != 0 || waiting == 0 || pg_hear(pg);
}

int lm_pg_copy_put(struct lm_pg *pg, const void *data, size_t len)
{
    if (pg->state != PG_COPY || pg->broken)
        return -1;
    if (!hear_before_sending(pg) || len > INT32_MAX / 2 || PQputCopyData(pg->conn, data, (int)len) != 1) {
        pg_fail_soon(pg);
        return -1;
    }
    pg->unsent += len;
    int left = pg->unsent >= COPY_HIGH_WATER ? PQflush(pg->conn) : 1;
    if (left == 0)
        pg->unsent = 0;
    /* Below the mark libpq may hold something too: it goes out from the loop, whenever the next put comes. */
    if (left < 0 || (left > 0 && pg_watch(pg, UV_READABLE | UV_WRITABLE) != 0)) {
        pg_fail_soon(pg);
        return -1;
    }
    pg->full = pg->unsent >= COPY_HIGH_WATER || pg->refused;
    return pg->full ? 1 : 0;
}

void lm_pg_copy_end(struct lm_pg *pg, const char *error_text)
{
    if (pg->state != PG_COPY || pg->broken)
        return;
    uv_timer_stop(&pg->timer);
    pg->full = false;
    pg_change_state(pg, PG_COPY_END);
    /* A refusal that slipped by is with libpq already, whole, and nothing more will come: the loop looks as
     * soon as it can send. */
    if (PQputCopyEnd(pg->conn, error_text) != 1 || PQflush(pg->conn) < 0 ||
        pg_watch(pg, UV_READABLE | UV_WRITABLE) != 0)
        pg_fail_soon(pg);
}

long long lm_pg_copy_line(const struct lm_pg *pg)
{
    return pg->copy_line;
}
