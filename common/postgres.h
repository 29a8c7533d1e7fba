/*
 * A libpq connection on the loop: one struct, one uv_poll, one uv_timer. Statements are queued and run one after another;
 * nothing blocks. The connection does not reconnect by itself: the owner decides when (lm_pg_open again, with back-off).
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
    /* error NULL: connected. Otherwise the attempt failed; the connection is closed already and freed after return. */
    void (*opened)(struct lm_pg *pg, const struct lm_error *error, void *context);
    /* The connection broke while idle or in use, after every pending statement's `done` was called with the error. Freed
     * after return. Not called for lm_pg_close. */
    void (*lost)(struct lm_pg *pg, const struct lm_error *error, void *context);
    /* NOTIFY payloads and notices go to the log. */
    void *context;
};

/* Starts connecting. LM_FATAL for an unusable conninfo, LM_RETRY otherwise; after 0 `opened` is called once. */
int lm_pg_open(const struct lm_pg_options *options, struct lm_pg **out, struct lm_error *error) LM_MUST_CHECK;

/*
 * For each result: `result` (may be NULL) gets it, owned by the adapter and cleared after return. Then `done` once: error
 * NULL, or what went wrong (lm_pg_error_from_result decides; a broken connection is LM_RETRY "connection_lost").
 */
struct lm_pg_request {
    const char *sql;           /* copied */
    int param_count;           /* > 0 or `extended`: extended protocol, one statement */
    const char *const *params; /* text format, NULL for NULL; copied */
    bool extended;
    bool single_row;           /* results come row by row (PGRES_SINGLE_TUPLE) */
    void (*result)(const PGresult *result, void *context);
    void (*done)(const struct lm_error *error, void *context);
    void *context;
};
/* Queues. 0, or -1 (no memory, or the connection is already lost). */
int lm_pg_send(struct lm_pg *pg, const struct lm_pg_request *request, struct lm_error *error) LM_MUST_CHECK;

/*
 * COPY … FROM STDIN: after `started(NULL)` the owner calls lm_pg_copy_put until it answers 1 (libpq's buffer holds more
 * than 1 MiB unsent): wait for `drained`. lm_pg_copy_end finishes (error_text NULL) or makes the server drop it all.
 * `done` as above. `started` is called with the error, and `done` not, where the COPY statement itself failed.
 */
struct lm_pg_copy {
    const char *sql;
    void (*started)(const struct lm_error *error, void *context);
    void (*drained)(void *context);
    void (*done)(const struct lm_error *error, void *context);
    void *context;
};
int lm_pg_copy_start(struct lm_pg *pg, const struct lm_pg_copy *copy, struct lm_error *error) LM_MUST_CHECK;
int lm_pg_copy_put(struct lm_pg *pg, const void *data, size_t len) LM_MUST_CHECK; /* 0, 1 (buffer full), -1 (lost) */
void lm_pg_copy_end(struct lm_pg *pg, const char *error_text);

/* Sends a cancel request for what runs now, on a socket of its own through the loop; `done` is called when it went out (or
 * failed). The statement's own `done` says what became of it. */
void lm_pg_cancel(struct lm_pg *pg, void (*done)(void *context), void *context);

/* Nothing is queued or running. */
bool lm_pg_idle(const struct lm_pg *pg);
/* The server's process id of this connection; 0 before it is open. */
int lm_pg_backend_pid(const struct lm_pg *pg);
/* For PQparameterStatus, PQescape… and the like; never for I/O. */
PGconn *lm_pg_raw(struct lm_pg *pg);
/* Drops what is queued without calling back, closes, then calls `closed` (may be NULL) once on the loop; freed by then. */
void lm_pg_close(struct lm_pg *pg, void (*closed)(void *context), void *context);

/*
 * What to do about a failed result: classes 08, 40, 53, 55P03, 57P*, 25006, 58*, 57014 and unknown ones are LM_RETRY; 22,
 * 23 and 54001 with a COPY line in the context are LM_DEAD_LETTER; 42 (undefined table or column, no privilege), 28, 3D, 3F
 * are LM_FATAL (a systematic fault: wait for a person). *copy_line (may be NULL) receives the line of "COPY …, line N",
 * else 0.
 */
void lm_pg_error_from_result(const PGresult *result, struct lm_error *error, long long *copy_line);

#endif
