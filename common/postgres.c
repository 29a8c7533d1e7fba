/*
 * libpq on the loop. One state machine, one queue of statements, one uv_poll, one uv_timer.
 *
 * Three things libpq does shape this file:
 *  - It closes its socket inside PQconnectPoll (next host) and inside any read or write that fails. libuv
 * must have forgotten the descriptor before that number can come back, or epoll is told to change what it no
 * longer has. So the poll is stopped before every PQconnectPoll, and right after any call that lost the
 * socket.
 *  - During COPY it leaves an ErrorResponse unread in its buffer, and no call tells. Input that turns out to
 * be neither a notice nor a notification is therefore taken as the server's refusal after a short while, and
 * the COPY ended. Where input slips by unseen the refusal comes after lm_pg_copy_end: later, never wrongly.
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
#include "common/postgres.h"

#include "common/log.h"
#include "common/postgres_internal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define CONNECT_TIMEOUT_MS 10000
#define COPY_HIGH_WATER ((size_t)1 << 20)
#define COPY_SUSPICION_MS 50
#define MAX_QUEUED 1000
#define MAX_QUEUED_BYTES ((size_t)64 << 20)

enum pg_state {
    PG_CONNECTING,
    PG_READY,      /* nothing runs */
    PG_QUERY,      /* results are awaited */
    PG_COPY_START, /* the COPY statement is sent, the server has not answered */
    PG_COPY,       /* rows flow */
    PG_COPY_END,   /* the end is sent, the verdict awaited */
    PG_LOST,       /* callbacks with the error are under way */
    PG_CLOSED      /* waits for libuv's close callbacks */
};

struct pg_statement {
    struct pg_statement *next;
    bool copy;
    struct lm_pg_request request; /* sql and params point behind this struct */
    struct lm_pg_copy copying;
    size_t bytes;
};

/* A uv_poll_t belongs to one descriptor for ever; a connection attempt uses several one after another. */
struct pg_poll {
    uv_poll_t handle;
    struct lm_pg *pg;
    int fd;
};

/* A cancel request outlives its connection if that is closed meanwhile: `pg` is NULL then. */
struct pg_cancel {
    struct pg_cancel *next;
    uv_work_t work;
    struct lm_pg *pg;
    PGcancel *packet;
    void (*done)(void *context);
    void *context;
    char complaint[256];
};

struct lm_pg {
    uv_loop_t *loop;
    PGconn *conn;
    struct pg_conninfo *conninfo;
    enum pg_state state;
    struct lm_pg_options options; /* its texts are the owner's and not touched after lm_pg_open */
    char name[64];                /* for our log lines */
    unsigned hosts_tried;         /* that stayed silent */
    struct pg_poll *poll;         /* NULL before the first socket */
    int poll_events;              /* what it waits for now; 0: stopped */
    uv_timer_t timer; /* connecting: the time-out; COPY: the suspicion; else a failure to report */
    unsigned open_handles;
    struct pg_statement *running;
    struct pg_statement *first, *last;
    size_t queued, queued_bytes;
    struct lm_error failure;    /* of the running statement; decision LM_OK while none */
    struct lm_error last_fatal; /* what the server said last before it closed */
    long long copy_line;
    size_t unsent;             /* bytes given to libpq since it was last known to be empty */
    bool full;                 /* lm_pg_copy_put answered 1 */
    bool broken;               /* a call of the owner's met a dead connection: told from the timer */
    bool refused;              /* the input during COPY must be an error */
    unsigned heard;            /* notices and notifications so far */
    struct pg_cancel *cancels; /* under way */
    void (*closed)(void *context);
    void *closed_context;
};

static const char *const state_names[] = {"connecting", "ready",    "query", "copy-start",
                                          "copy",       "copy-end", "lost",  "closed"};

static void on_poll(uv_poll_t *handle, int status, int events);
static void on_timer(uv_timer_t *timer);
static void process(struct lm_pg *pg);
static void run_next(struct lm_pg *pg);

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

static bool change_state(struct lm_pg *pg, enum pg_state to)
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

static void free_statement(struct pg_statement *statement)
{
    free(statement);
}

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

static void drop_statements(struct lm_pg *pg)
{
    free_statement(pg->running);
    pg->running = NULL;
    while (pg->first != NULL) {
        struct pg_statement *statement = pg->first;
        pg->first = statement->next;
        free_statement(statement);
    }
    pg->last = NULL;
    pg->queued = 0;
    pg->queued_bytes = 0;
}

/* From any state but PG_CLOSED: nothing of the owner's is called any more but `closed`. */
static void begin_close(struct lm_pg *pg)
{
    if (!change_state(pg, PG_CLOSED))
        return;
    drop_statements(pg);
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
    if (!change_state(pg, PG_LOST))
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
        free_statement(statement);
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
static void fail_connection_lost(struct lm_pg *pg)
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
    process(pg);
    if (pg->state < PG_LOST)
        fail_connection_lost(pg);
}

/* For calls of the owner's: the news comes from the loop. */
static void fail_soon(struct lm_pg *pg)
{
    pg->broken = true;
    if (PQsocket(pg->conn) < 0)
        drop_poll(pg);
    uv_timer_start(&pg->timer, on_timer, 0, 0);
}

/* ---- the descriptor ---- */

static int watch(struct lm_pg *pg, int events)
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
static void flush(struct lm_pg *pg)
{
    int left = PQflush(pg->conn);
    if (left < 0 || watch(pg, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE) != 0) {
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

/* The server closes the connection after this. */
static bool is_farewell(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void on_notice(void *argument, const PGresult *notice)
{
    struct lm_pg *pg = argument;
    pg->heard++;
    if (is_farewell(notice))
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
    if (watch(pg, UV_WRITABLE) != 0)
        return -1;
    unsigned timeout = pg->options.connect_timeout_ms;
    return uv_timer_start(&pg->timer, on_timer, timeout != 0 ? timeout : CONNECT_TIMEOUT_MS, 0) == 0 ? 0 : -1;
}

static void connect_done(struct lm_pg *pg)
{
    uv_timer_stop(&pg->timer);
    PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
    if (PQsetnonblocking(pg->conn, 1) != 0 || watch(pg, UV_READABLE) != 0) {
        connect_failed(pg);
        return;
    }
    change_state(pg, PG_READY);
    pg->options.opened(pg, NULL, pg->options.context);
    if (pg->state == PG_READY)
        run_next(pg);
}

static void connect_step(struct lm_pg *pg)
{
    drop_poll(pg); /* the descriptor may be closed, and its number be used again, inside PQconnectPoll */
    PostgresPollingStatusType wanted = PQconnectPoll(pg->conn);
    if (wanted == PGRES_POLLING_OK)
        connect_done(pg);
    else if (wanted == PGRES_POLLING_FAILED)
        connect_failed(pg);
    else if (watch(pg, wanted == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE) != 0)
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

/* ---- statements ---- */

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
        free_statement(statement);
        return -1;
    }
    const char *sql = statement->request.sql;
    const char *const *params = statement->request.params;
    statement->request = *request;
    statement->request.sql = sql;
    statement->request.params = params;
    enqueue(pg, statement);
    run_next(pg);
    return 0;
}

int lm_pg_copy_start(struct lm_pg *pg, const struct lm_pg_copy *copy, struct lm_error *error)
{
    struct pg_statement *statement = new_statement(copy->sql, 0, NULL);
    if (statement == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "out of memory while starting a COPY");
    if (may_queue(pg, statement->bytes, error) != 0) {
        free_statement(statement);
        return -1;
    }
    statement->copy = true;
    statement->copying = *copy;
    enqueue(pg, statement);
    run_next(pg);
    return 0;
}

/* Sends the next statement if nothing runs. Nothing starts while a cancel request is under way: it would hit
 * the wrong one. */
static void run_next(struct lm_pg *pg)
{
    if (pg->state != PG_READY || pg->running != NULL || pg->first == NULL || pg->broken ||
        pg->cancels != NULL)
        return;
    struct pg_statement *statement = pg->first;
    pg->first = statement->next;
    if (pg->first == NULL)
        pg->last = NULL;
    statement->next = NULL;
    pg->queued--;
    pg->queued_bytes -= statement->bytes;
    pg->running = statement;
    lm_error_clear(&pg->failure);
    pg->copy_line = 0;
    pg->refused = false;
    change_state(pg, statement->copy ? PG_COPY_START : PG_QUERY);

    const struct lm_pg_request *request = &statement->request;
    int sent = request->param_count > 0 || request->extended
                   ? PQsendQueryParams(pg->conn, request->sql, request->param_count, NULL, request->params,
                                       NULL, NULL, 0)
                   : PQsendQuery(pg->conn, request->sql);
    if (sent == 1 && request->single_row)
        PQsetSingleRowMode(pg->conn);
    int left = sent == 1 ? PQflush(pg->conn) : -1;
    if (left < 0 || watch(pg, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE) != 0)
        fail_soon(pg);
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
    change_state(pg, PG_READY);
    if (statement->copy && starting)
        statement->copying.started(error, statement->copying.context);
    else if (statement->copy)
        statement->copying.done(error, statement->copying.context);
    else if (statement->request.done != NULL)
        statement->request.done(error, statement->request.context);
    free_statement(statement);
    if (pg->state == PG_READY)
        run_next(pg);
}

/* One result of the running statement. False where the connection cannot go on. */
static bool take_result(struct lm_pg *pg, const PGresult *result)
{
    struct pg_statement *statement = pg->running;
    switch (PQresultStatus(result)) {
    case PGRES_COPY_IN:
        if (pg->state == PG_COPY_START) {
            change_state(pg, PG_COPY);
            statement->copying.started(NULL, statement->copying.context);
            return true;
        }
        /* A COPY that came through lm_pg_send: nobody would feed it. */
        return PQputCopyEnd(pg->conn, "sent as a plain statement") == 1;
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        lm_error_set(&pg->failure, LM_FATAL, "copy_out", "COPY … TO STDOUT is not served");
        return false;
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
        if (pg->failure.decision == LM_OK)
            lm_pg_error_from_result(result, &pg->failure, &pg->copy_line);
        return !is_farewell(result); /* what is queued must not be sent into a closing connection */
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
static void process(struct lm_pg *pg)
{
    while (awaits_results(pg) && !pg->broken && !PQisBusy(pg->conn)) {
        PGresult *result = PQgetResult(pg->conn);
        if (result == NULL) {
            statement_done(pg);
            continue;
        }
        bool usable = take_result(pg, result);
        PQclear(result);
        if (!usable && pg->state < PG_LOST) {
            fail_connection_lost(pg);
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

static void end_refused_copy(struct lm_pg *pg)
{
    pg->refused = false;
    change_state(pg, PG_COPY_END);
    if (PQputCopyEnd(pg->conn, "the server has refused it already") != 1) {
        fail_connection_lost(pg);
        return;
    }
    flush(pg);
    if (pg->state == PG_COPY_END)
        process(pg);
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
        uv_timer_start(&pg->timer, on_timer, COPY_SUSPICION_MS, 0);
    }
}

/* Reads what has come and parses what is no result. False when the connection has ended. */
static bool hear(struct lm_pg *pg)
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
    return ioctl(PQsocket(pg->conn), FIONREAD, &waiting) != 0 || waiting == 0 || hear(pg);
}

int lm_pg_copy_put(struct lm_pg *pg, const void *data, size_t len)
{
    if (pg->state != PG_COPY || pg->broken)
        return -1;
    if (!hear_before_sending(pg) || len > INT32_MAX / 2 || PQputCopyData(pg->conn, data, (int)len) != 1) {
        fail_soon(pg);
        return -1;
    }
    pg->unsent += len;
    int left = pg->unsent >= COPY_HIGH_WATER ? PQflush(pg->conn) : 1;
    if (left == 0)
        pg->unsent = 0;
    /* Below the mark libpq may hold something too: it goes out from the loop, whenever the next put comes. */
    if (left < 0 || (left > 0 && watch(pg, UV_READABLE | UV_WRITABLE) != 0)) {
        fail_soon(pg);
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
    change_state(pg, PG_COPY_END);
    int left = PQputCopyEnd(pg->conn, error_text) == 1 ? PQflush(pg->conn) : -1;
    if (left < 0 || watch(pg, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE) != 0)
        fail_soon(pg);
}

long long lm_pg_copy_line(const struct lm_pg *pg)
{
    return pg->copy_line;
}

/* ---- the loop's callbacks ---- */

static void on_timer(uv_timer_t *timer)
{
    struct lm_pg *pg = timer->data;
    if (pg->state == PG_CONNECTING)
        connect_timed_out(pg);
    else if (pg->broken)
        fail_connection_lost(pg);
    else if (pg->state == PG_COPY && pg->refused)
        end_refused_copy(pg);
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
        if (!hear(pg)) {
            lose(pg);
            return;
        }
        process(pg);
    }
    if (pg->state < PG_LOST && !pg->broken)
        flush(pg);
}

/* ---- cancel ---- */

/* Thread pool: PQcancel connects, sends and waits for the server to hang up, and is documented as safe here.
 */
static void cancel_work(uv_work_t *work)
{
    struct pg_cancel *cancel = work->data;
    cancel->complaint[0] = '\0';
    if (PQcancel(cancel->packet, cancel->complaint, sizeof(cancel->complaint)) == 1)
        cancel->complaint[0] = '\0';
}

static void cancel_forget(struct pg_cancel *cancel)
{
    struct pg_cancel **link = &cancel->pg->cancels;
    while (*link != cancel)
        link = &(*link)->next;
    *link = cancel->next;
}

static void cancel_done(uv_work_t *work, int status)
{
    struct pg_cancel *cancel = work->data;
    struct lm_pg *pg = cancel->pg;
    if (status == 0 && cancel->complaint[0] != '\0')
        lm_log(LM_LOG_WARN, "postgres", "a cancel request did not go through: %s", cancel->complaint);
    if (pg != NULL) {
        cancel_forget(cancel);
        if (cancel->done != NULL)
            cancel->done(cancel->context);
        if (pg->state == PG_READY)
            run_next(pg);
    }
    PQfreeCancel(cancel->packet);
    free(cancel);
}

static bool cancel_start(struct lm_pg *pg, void (*done)(void *context), void *context)
{
    if (pg->state < PG_READY || pg->state >= PG_LOST)
        return false;
    struct pg_cancel *cancel = calloc(1, sizeof(*cancel));
    if (cancel == NULL)
        return false;
    cancel->packet = PQgetCancel(pg->conn);
    cancel->pg = pg;
    cancel->done = done;
    cancel->context = context;
    cancel->work.data = cancel;
    if (cancel->packet == NULL || uv_queue_work(pg->loop, &cancel->work, cancel_work, cancel_done) != 0) {
        PQfreeCancel(cancel->packet);
        free(cancel);
        return false;
    }
    cancel->next = pg->cancels;
    pg->cancels = cancel;
    return true;
}

void lm_pg_cancel(struct lm_pg *pg, void (*done)(void *context), void *context)
{
    if (!cancel_start(pg, done, context) && done != NULL)
        done(context);
}

/* ---- the rest ---- */

bool lm_pg_idle(const struct lm_pg *pg)
{
    return pg->running == NULL && pg->first == NULL && pg->cancels == NULL;
}

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
