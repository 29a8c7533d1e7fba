/*
 * A libpq connection on the loop: one struct, one uv_poll, one uv_timer. Statements are queued and run one
 * after another; nothing blocks. The connection does not reconnect by itself: the owner decides when
 * (lm_pg_open again, with back-off).
 */
#ifndef LOGMILL_COMMON_POSTGRES_H
#define LOGMILL_COMMON_POSTGRES_H

#include "common/error.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct lm_pg;

struct lm_pg_options {
    uv_loop_t *loop;
    const char *conninfo;         /* URL or key=value; "" takes PG* variables */
    const char *application_name; /* shown in pg_stat_activity */
    const char *settings;         /* options: "-c lock_timeout=5s -c …", or NULL */
    unsigned connect_timeout_ms;  /* 0: 10,000 */
    /* error NULL: connected. Otherwise the attempt failed, after every statement queued meanwhile got the
     * error; the connection is closed already and freed after return. */
    void (*opened)(struct lm_pg *pg, const struct lm_error *error, void *context);
    /* The connection broke while idle or in use, after every pending statement's `done` was called with the
     * error. Freed after return. Not called for lm_pg_close. */
    void (*lost)(struct lm_pg *pg, const struct lm_error *error, void *context);
    void *context; /* NOTIFY payloads and notices go to the log */
};

/*
 * Starts connecting. LM_FATAL for an unusable conninfo, LM_RETRY otherwise; after 0 `opened` is called once.
 * The options' texts are not needed after return. The session speaks UTF-8; the user's own `options` stay in
 * front of `settings`. Of several hosts each gets the time-out. Host names are resolved by libpq,
 * synchronously: on a host with a dead name server use addresses.
 */
int lm_pg_open(const struct lm_pg_options *options, struct lm_pg **out, struct lm_error *error) LM_MUST_CHECK;

/*
 * For each result that is no error: `result` (may be NULL) gets it, owned by the adapter and cleared after
 * return. Then `done` (may be NULL) once: error NULL, or the first thing that went wrong
 * (lm_pg_error_from_result decides; a broken connection is LM_RETRY "connection_lost", with the server's last
 * SQLSTATE if it sent one: 57P01 …). In single-row mode results that came before an error have been handed
 * out already. Any callback may call anything here, lm_pg_close too.
 */
struct lm_pg_request {
    const char *sql;           /* copied */
    int param_count;           /* > 0 or `extended`: extended protocol, one statement */
    const char *const *params; /* text format, NULL for NULL; copied */
    bool extended;
    /* Goes to the server along with the request sent next, in extended protocol, without waiting between the
     * two (libpq's pipeline mode). That runs only if this one has not failed, else it gets the same error; no
     * COPY. */
    bool with_next;
    bool single_row; /* results come row by row (PGRES_SINGLE_TUPLE) */
    void (*result)(const PGresult *result, void *context);
    void (*done)(const struct lm_error *error, void *context);
    void *context;
};
/* Queues; allowed while connecting. 0, or -1 with LM_RETRY: no memory, the connection is already lost, or
 * 1,000 statements or 64 MiB wait already ("queue_full"). Callbacks never come from inside this call. */
int lm_pg_send(struct lm_pg *pg, const struct lm_pg_request *request, struct lm_error *error) LM_MUST_CHECK;

/*
 * COPY … FROM STDIN: after `started(NULL)` the owner calls lm_pg_copy_put until it answers 1 (libpq's buffer
 * holds more than 1 MiB unsent): wait for `drained`. lm_pg_copy_end finishes (error_text NULL) or makes the
 * server drop it all. `done` as above. `started` is called with the error, and `done` not, where the COPY
 * statement itself failed.
 *
 * `done` with an error may come before lm_pg_copy_end, when the server refuses a row or the connection breaks
 * while rows flow; puts answer -1 from then on. A refusal may also be noticed only after the end. libpq keeps
 * the largest amount ever unsent allocated until the connection closes: put at most 1 MiB at once, and that
 * is about 2 MiB.
 */
struct lm_pg_copy {
    const char *sql;
    void (*started)(const struct lm_error *error, void *context);
    void (*drained)(void *context);
    void (*done)(const struct lm_error *error, void *context);
    void *context;
};
int lm_pg_copy_start(struct lm_pg *pg, const struct lm_pg_copy *copy, struct lm_error *error) LM_MUST_CHECK;
/* 0: taken. 1: taken, and full now: wait for `drained`. -1: no COPY is running (any more); `done` tells or
 * has told why. */
int lm_pg_copy_put(struct lm_pg *pg, const void *data, size_t len) LM_MUST_CHECK;
/* Does nothing where no COPY is running any more. */
void lm_pg_copy_end(struct lm_pg *pg, const char *error_text);
/* Inside `done` with an error: the row it named ("COPY …, line N"; 1 is the first row put), else 0. */
long long lm_pg_copy_line(const struct lm_pg *pg);

/* Sends a cancel request for what runs now, from libuv's thread pool. `done` (may be NULL) is called once
 * when the server has taken it or it could not be sent (at once, from inside the call, without a connection
 * or memory); not after the connection was lost or closed. The statement's own `done` says what became of it:
 * 57014, or finished before. No further statement starts until the cancel is done, so it never hits the next
 * one. The request is not encrypted even over TLS (libpq 15). */
void lm_pg_cancel(struct lm_pg *pg, void (*done)(void *context), void *context);

/* The server's process id of this connection; 0 before it is open. */
int lm_pg_backend_pid(const struct lm_pg *pg);
/* For PQparameterStatus, PQescape… and the like; never for I/O. */
PGconn *lm_pg_raw(struct lm_pg *pg);
/* Drops what is queued without calling back, closes, then calls `closed` (may be NULL) once on the loop;
 * freed by then. A statement under way goes on in the server: cancel it first if it must not. */
void lm_pg_close(struct lm_pg *pg, void (*closed)(void *context), void *context);

/*
 * What to do about a failed result: classes 08, 40, 53, 55P03, 57P*, 25006, 58*, 57014 and unknown ones are
 * LM_RETRY; 22, 23 and 54001 with a COPY line in the context are LM_DEAD_LETTER; 42 (undefined table or
 * column, no privilege), 28, 3D, 3F are LM_FATAL (a systematic fault: wait for a person). 23514 that names no
 * constraint is a row without a leaf: LM_RETRY "no_partition", whatever its line. *copy_line (may be NULL)
 * receives the line of "COPY …, line N", else 0.
 */
void lm_pg_error_from_result(const PGresult *result, struct lm_error *error, long long *copy_line);

#endif
