/*
 * libpq on the loop. One state machine, one queue of statements, one uv_poll, one uv_timer.
 *
 * Two things libpq does shape this file:
 *  - It closes its socket inside PQconnectPoll (next host) and inside any read or write that fails. libuv
 * must have forgotten the descriptor before that number can come back, or epoll is told to change what it no
 * longer has. So the poll is stopped before every PQconnectPoll, and right after any call that lost the
 * socket.
 *  - Its output buffer grows to the largest amount ever unsent and does not shrink while the connection
 * lives.
 *
 * Callbacks come from the loop only, never from inside a call of the owner's. The owner may call anything
 * from them, lm_pg_close too: the struct lives until libuv's close callbacks.
 *
 * Two things block: resolving a host name, inside PQconnectStart and PQconnectPoll (name servers that do not
 * answer stall the loop; use addresses or /etc/hosts where that matters), and PQcancel, which therefore runs
 * on libuv's thread pool.
 */
#include "common/postgres/postgres.h"

#include "common/log.h"
#include "common/postgres/postgres_internal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 10000

static const char *const state_names[] = {"connecting", "ready",    "query", "copy-start",
                                          "copy",       "copy-end", "lost",  "closed"};

static void on_poll(uv_poll_t *handle, int status, int events);
static void on_timer(uv_timer_t *timer);

/* Which states may follow: a bit for each. Losing and closing are always allowed, once. */
static bool may_follow(enum pg_state from, enum pg_state to)
{
    static const unsigned allowed[] = {
        [PG_CONNECTING] = 1U << PG_READY, [PG_READY] = 1U << PG_QUERY | 1U << PG_COPY_START,
        [PG_QUERY] = 1U << PG_READY,      [PG_COPY_START] = 1U << PG_COPY | 1U << PG_READY,
        [PG_COPY] = 1U << PG_COPY_END,    [PG_COPY_END] = 1U << PG_READY,
        [PG_LOST] = 1U << PG_CLOSED,      [PG_CLOSED] = 0,
    };
    if (from < PG_LOST && (to == PG_LOST || to == PG_CLOSED))
        return true;
    return (allowed[from] & 1U << to) != 0;
}

bool pg_change_state(struct lm_pg *pg, enum pg_state to)
{
    if (!may_follow(pg->state, to)) {
        lm_log(LM_LOG_ERROR, "postgres", "a connection cannot go from %s to %s", state_names[pg->state],
               state_names[to]);
        return false;
    }
    if (pg->state == PG_CONNECTING || to >= PG_LOST)
        lm_log(LM_LOG_DEBUG, "postgres", "%s: %s -> %s", pg->name, state_names[pg->state], state_names[to]);
    pg->state = to;
    return true;
}

/* ---- the end of the struct ---- */

static void release(struct lm_pg *pg)
{
    if (--pg->open_handles > 0)
        return;
    void (*closed)(void *) = pg->closed;
    void *context = pg->closed_context;
    free(pg);
    if (closed != NULL)
        closed(context);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct pg_poll *poll = handle->data;
    struct lm_pg *pg = poll->pg;
    free(poll);
    release(pg);
}

static void drop_poll(struct lm_pg *pg)
{
    if (pg->poll == NULL)
        return;
    uv_poll_stop(
        &pg->poll
             ->handle); /* after an error libuv stopped it by itself, but epoll still knows the descriptor */
    pg->poll_events = 0;
    uv_close((uv_handle_t *)&pg->poll->handle, on_poll_closed);
    pg->poll = NULL;
}

/* From any state but PG_CLOSED: nothing of the owner's is called any more but `closed`. */
static void begin_close(struct lm_pg *pg)
{
    if (!pg_change_state(pg, PG_CLOSED))
        return;
    pg_drop_statements(pg);
    drop_poll(pg);
    PQfinish(pg->conn); /* sends Terminate without waiting: the connection is non-blocking */
    pg->conn = NULL;
    pg_conninfo_free(pg->conninfo);
    pg->conninfo = NULL;
    for (struct pg_cancel *cancel = pg->cancels; cancel != NULL; cancel = cancel->next)
        cancel->pg = NULL;
    uv_close((uv_handle_t *)&pg->timer, on_timer_closed);
}

/* ---- failing ---- */

/* Every pending statement gets the error, then `opened` or `lost`. A callback may close the connection: then
 * it is quiet. */
static void fail(struct lm_pg *pg, const struct lm_error *error)
{
    bool connecting = pg->state == PG_CONNECTING;
    bool copy_starting = pg->state == PG_COPY_START;
    struct lm_error told = *error;
    drop_poll(pg);
    uv_timer_stop(&pg->timer);
    if (!pg_change_state(pg, PG_LOST))
        return;
    while (pg->state == PG_LOST && (pg->running != NULL || pg->first != NULL)) {
        struct pg_statement *statement = pg->running;
        bool started = statement != NULL && !copy_starting;
        if (statement == NULL) {
            statement = pg->first;
            pg->first = statement->next;
            started = false;
        }
        pg->running = NULL;
        if (statement->copy && !started)
            statement->copying.started(&told, statement->copying.context);
        else if (statement->copy)
            statement->copying.done(&told, statement->copying.context);
        else if (statement->request.done != NULL)
            statement->request.done(&told, statement->request.context);
        free(statement);
    }
    if (pg->state == PG_LOST && connecting)
        pg->options.opened(pg, &told, pg->options.context);
    else if (pg->state == PG_LOST && pg->options.lost != NULL)
        pg->options.lost(pg, &told, pg->options.context);
    if (pg->state == PG_LOST)
        begin_close(pg);
}

/* Reads what the server said before it closed. libpq has no socket any more, so none of this can wait. */
static void collect_last_words(struct lm_pg *pg)
{
    if (PQstatus(pg->conn) != CONNECTION_BAD || PQsocket(pg->conn) >= 0)
        return;
    if (pg->state == PG_COPY)
        (void)PQputCopyEnd(pg->conn, NULL); /* fails; but from now on libpq reads results */
    PQisBusy(pg->conn);                     /* while nothing ran, a farewell comes as a notice */
    PGresult *result;
    for (int i = 0; i < 100 && (result = PQgetResult(pg->conn)) != NULL; i++) {
        if (PQresultStatus(result) == PGRES_FATAL_ERROR && pg->failure.decision == LM_OK)
            lm_pg_error_from_result(result, &pg->failure, NULL);
        PQclear(result);
    }
}

/* The server's last words are the better explanation, where it said any. */
void pg_fail_lost(struct lm_pg *pg)
{
    drop_poll(pg);
    collect_last_words(pg);
    struct lm_error error;
    const struct lm_error *said = pg->failure.decision != LM_OK ? &pg->failure : &pg->last_fatal;
    if (said->decision != LM_OK) {
        lm_error_set(&error, LM_RETRY, "connection_lost", "the connection to PostgreSQL ended: %s",
                     said->text);
        memcpy(error.sqlstate, said->sqlstate, sizeof(error.sqlstate));
    } else {
        const char *text = PQerrorMessage(pg->conn);
        lm_error_set(&error, LM_RETRY, "connection_lost", "the connection to PostgreSQL ended: %.*s",
                     (int)strcspn(text, "\n"), text);
    }
    fail(pg, &error);
}

/* Statements whose whole answer had arrived before the end are done as usual; the rest fails. */
static void lose(struct lm_pg *pg)
{
    drop_poll(pg);
    pg_process(pg);
    if (pg->state < PG_LOST)
        pg_fail_lost(pg);
}

void pg_start_timer(struct lm_pg *pg, unsigned ms)
{
    uv_timer_start(&pg->timer, on_timer, ms, 0);
}

/* For calls of the owner's: the news comes from the loop. */
void pg_fail_soon(struct lm_pg *pg)
{
    pg->broken = true;
    if (PQsocket(pg->conn) < 0)
        drop_poll(pg);
    pg_start_timer(pg, 0);
}

/* ---- the descriptor ---- */

int pg_watch(struct lm_pg *pg, int events)
{
    int fd = PQsocket(pg->conn);
    if (fd < 0)
        return -1;
    if (pg->poll != NULL && pg->poll->fd != fd)
        drop_poll(pg);
    if (pg->poll == NULL) {
        struct pg_poll *poll = calloc(1, sizeof(*poll));
        if (poll == NULL || uv_poll_init(pg->loop, &poll->handle, fd) != 0) {
            free(poll);
            return -1;
        }
        poll->pg = pg;
        poll->fd = fd;
        poll->handle.data = poll;
        pg->poll = poll;
        pg->open_handles++;
    }
    if (events == pg->poll_events)
        return 0;
    if (uv_poll_start(&pg->poll->handle, events, on_poll) != 0)
        return -1;
    pg->poll_events = events;
    return 0;
}

/* Sends what libpq holds, tells the owner of a COPY that there is room again, and watches for what is needed
 * next. */
void pg_flush(struct lm_pg *pg)
{
    int left = PQflush(pg->conn);
    if (left < 0 || pg_watch(pg, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE) != 0) {
        lose(pg);
        return;
    }
    if (left == 0)
        pg->unsent = 0;
    if (left == 0 && pg->full && !pg->refused) {
        pg->full = false;
        if (pg->state == PG_COPY && pg->running->copying.drained != NULL)
            pg->running->copying.drained(pg->running->copying.context);
    }
}

/* ---- connecting ---- */

static void on_notice(void *argument, const PGresult *notice)
{
    struct lm_pg *pg = argument;
    pg->heard++;
    if (pg_is_farewell(notice))
        lm_pg_error_from_result(notice, &pg->last_fatal, NULL);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    lm_log(LM_LOG_DEBUG, "postgres", "%s: server says: %s", pg->name, message != NULL ? message : "");
}

static void connect_failed(struct lm_pg *pg)
{
    struct lm_error error;
    pg_error_from_connection(pg->conn, "connect", &error);
    fail(pg, &error);
}

/* Starts with the `hosts_tried`-th host in front. 0, or -1 with pg->conn saying why (NULL: no memory). */
static int connect_start(struct lm_pg *pg)
{
    drop_poll(pg);
    PQfinish(pg->conn);
    pg->conn = pg_conninfo_connect(pg->conninfo, pg->hosts_tried);
    if (pg->conn == NULL || PQstatus(pg->conn) == CONNECTION_BAD)
        return -1;
    PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE); /* the only way to a SQLSTATE while connecting */
    PQsetNoticeReceiver(pg->conn, on_notice, pg);
    if (pg_watch(pg, UV_WRITABLE) != 0)
        return -1;
    unsigned timeout = pg->options.connect_timeout_ms;
    pg_start_timer(pg, timeout != 0 ? timeout : CONNECT_TIMEOUT_MS);
    return 0;
}

static void connect_done(struct lm_pg *pg)
{
    uv_timer_stop(&pg->timer);
    PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
    if (PQsetnonblocking(pg->conn, 1) != 0 || pg_watch(pg, UV_READABLE) != 0) {
        connect_failed(pg);
        return;
    }
    pg_change_state(pg, PG_READY);
    pg->options.opened(pg, NULL, pg->options.context);
    if (pg->state == PG_READY)
        pg_run_next(pg);
}

static void connect_step(struct lm_pg *pg)
{
    drop_poll(pg); /* the descriptor may be closed, and its number be used again, inside PQconnectPoll */
    PostgresPollingStatusType wanted = PQconnectPoll(pg->conn);
    if (wanted == PGRES_POLLING_OK)
        connect_done(pg);
    else if (wanted == PGRES_POLLING_FAILED)
        connect_failed(pg);
    else if (pg_watch(pg, wanted == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE) != 0)
        connect_failed(pg);
}

static void connect_timed_out(struct lm_pg *pg)
{
    if (++pg->hosts_tried < pg_conninfo_hosts(pg->conninfo)) {
        lm_log(LM_LOG_WARN, "postgres", "%s: a host did not answer in time, trying the next", pg->name);
        if (connect_start(pg) != 0)
            connect_failed(pg);
        return;
    }
    struct lm_error error;
    unsigned timeout = pg->options.connect_timeout_ms;
    const char *host = PQhost(pg->conn), *port = PQport(pg->conn);
    lm_error_set(&error, LM_RETRY, "connect_timeout", "PostgreSQL at %s port %s did not answer within %u ms",
                 host != NULL ? host : "?", port != NULL ? port : "?",
                 timeout != 0 ? timeout : CONNECT_TIMEOUT_MS);
    fail(pg, &error);
}

int lm_pg_open(const struct lm_pg_options *options, struct lm_pg **out, struct lm_error *error)
{
    struct lm_pg *pg = calloc(1, sizeof(*pg));
    if (pg == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "out of memory while opening a PostgreSQL connection");
    pg->loop = options->loop;
    pg->options = *options;
    snprintf(pg->name, sizeof(pg->name), "%s",
             options->application_name != NULL ? options->application_name : "logmill");
    if (pg_conninfo_open(options->conninfo, options->application_name, options->settings, &pg->conninfo,
                         error) != 0) {
        free(pg);
        return -1;
    }
    uv_timer_init(pg->loop, &pg->timer); /* cannot fail */
    pg->timer.data = pg;
    pg->open_handles = 1;
    if (connect_start(pg) != 0) {
        pg_error_from_connection(pg->conn, "connect", error);
        /* What libpq refuses before it tries to connect is a wrong setting and stays wrong. */
        const char *text = pg->conn != NULL ? PQerrorMessage(pg->conn) : "";
        if (error != NULL && (strncmp(text, "invalid ", 8) == 0 || strncmp(text, "could not match", 15) == 0))
            lm_error_set(error, LM_FATAL, "conninfo", "%.*s", (int)strcspn(text, "\n"), text);
        begin_close(pg);
        return -1;
    }
    *out = pg;
    return 0;
}

/* ---- the loop's callbacks ---- */

static void on_timer(uv_timer_t *timer)
{
    struct lm_pg *pg = timer->data;
    if (pg->state == PG_CONNECTING)
        connect_timed_out(pg);
    else if (pg->broken)
        pg_fail_lost(pg);
    else if (pg->state == PG_COPY && pg->refused)
        pg_end_refused_copy(pg);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct lm_pg *pg = ((struct pg_poll *)handle->data)->pg;
    if (status < 0) { /* POLLERR: libuv has stopped the poll; libpq finds out what it is */
        pg->poll_events = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (pg->state == PG_CONNECTING) {
        connect_step(pg);
        return;
    }
    if (pg->broken)
        return;
    if ((events & UV_READABLE) != 0) {
        if (!pg_hear(pg)) {
            lose(pg);
            return;
        }
        pg_process(pg);
    } else if (pg->state == PG_COPY_END) {
        pg_process(pg);
    }
    if (pg->state < PG_LOST && !pg->broken)
        pg_flush(pg);
}

/* ---- the rest ---- */

int lm_pg_backend_pid(const struct lm_pg *pg)
{
    return pg->conn != NULL && pg->state != PG_CONNECTING ? PQbackendPID(pg->conn) : 0;
}

PGconn *lm_pg_raw(struct lm_pg *pg)
{
    return pg->conn;
}

void lm_pg_close(struct lm_pg *pg, void (*closed)(void *context), void *context)
{
    pg->closed = closed;
    pg->closed_context = context;
    begin_close(pg);
}
