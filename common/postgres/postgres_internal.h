/*
 * What the files of the PostgreSQL adapter share; nobody else includes this. postgres.c: the connection and
 * its state; postgres_statement.c: statements, results, COPY; postgres_cancel.c; postgres_conninfo.c;
 * postgres_error.c.
 */
#ifndef LOGMILL_COMMON_POSTGRES_INTERNAL_H
#define LOGMILL_COMMON_POSTGRES_INTERNAL_H

#include "common/postgres/postgres.h"

struct pg_conninfo;

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
    size_t sent;                /* of the queue, in the pipeline already */
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

/* ---- postgres.c ---- */

/* Logs and refuses (false) what may not follow. */
bool pg_change_state(struct lm_pg *pg, enum pg_state to);
/* Watches the connection's socket for `events`. -1: there is none, or no memory. */
int pg_watch(struct lm_pg *pg, int events) LM_MUST_CHECK;
/* Sends what libpq holds, tells the owner of a COPY that there is room again, and watches for what is needed
 * next. */
void pg_flush(struct lm_pg *pg);
void pg_start_timer(struct lm_pg *pg, unsigned ms);
/* The connection has ended: everything pending fails, with the server's last words where it said any. */
void pg_fail_lost(struct lm_pg *pg);
/* The same from inside a call of the owner's: the news comes from the loop. */
void pg_fail_soon(struct lm_pg *pg);

/* ---- postgres_statement.c ---- */

void pg_drop_statements(struct lm_pg *pg);
/* Sends the next statement if nothing runs and no cancel request is under way. */
void pg_run_next(struct lm_pg *pg);
/* Takes everything that libpq has read already. */
void pg_process(struct lm_pg *pg);
/* Reads what has come and parses what is no result. False when the connection has ended. */
bool pg_hear(struct lm_pg *pg) LM_MUST_CHECK;
void pg_end_refused_copy(struct lm_pg *pg);

/* ---- postgres_conninfo.c: the user's connection string with our settings joined to it ---- */

/* Parses `conninfo`. LM_FATAL "conninfo" where it cannot be used, LM_RETRY without memory. */
int pg_conninfo_open(const char *conninfo, const char *application_name, const char *settings,
                     struct pg_conninfo **out, struct lm_error *error) LM_MUST_CHECK;
void pg_conninfo_free(struct pg_conninfo *info);
/* How many hosts the string names; at least 1. */
unsigned pg_conninfo_hosts(const struct pg_conninfo *info);
/* Starts a connection attempt whose list of hosts begins at the `first`-th. NULL without memory. */
PGconn *pg_conninfo_connect(const struct pg_conninfo *info, unsigned first);

/* ---- postgres_error.c ---- */

/* Whether the server closes the connection after this. */
bool pg_is_farewell(const PGresult *result);

/* What a failed connection attempt or a broken connection says, with the decision for it; `kind` where no
 * SQLSTATE is found. The connection's verbosity must be PQERRORS_VERBOSE for the SQLSTATE to be there. */
void pg_error_from_connection(const PGconn *conn, const char *kind, struct lm_error *error);

#endif
