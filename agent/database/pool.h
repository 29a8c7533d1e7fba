/*
 * The connections that read. A fixed number, opened at the start, warmed, and opened again with back-off when
 * they are lost. Whoever needs one waits in a bounded line, in which the one whose asker holds the fewest
 * comes next, and no asker holds the last quarter of them; when no connection is up the answer is at once
 * that there is none. Loop thread.
 */
#ifndef LOGMILL_AGENT_DATABASE_POOL_H
#define LOGMILL_AGENT_DATABASE_POOL_H

#include "common/http/admin.h"
#include "common/postgres/postgres.h"

struct ag_pool;

struct ag_pool_options {
    uv_loop_t *loop;
    const char *conninfo;
    unsigned size;                  /* connections */
    unsigned max_waiters;           /* beyond them ag_pool_acquire fails */
    int migration;                  /* a database that is not so far yet is not used */
    struct lm_condition *condition; /* met while at least one connection is up; may be NULL */
    struct lm_metrics *metrics;
    const char *labels; /* of the metrics, as lm_gauge takes them; may be NULL */
};

/* One that waits for a connection and then holds it; memory of the caller's, valid until it gave the
 * connection back. */
struct ag_waiter {
    struct ag_waiter *next, *previous;
    bool waiting;
    const char *asker; /* for whom; "": the agent itself, which may have any number */
    /* With a connection that is the caller's until ag_pool_release, or NULL with the error: none is up. */
    void (*ready)(struct lm_pg *pg, const struct lm_error *error, void *context);
    /* The pool closes and has closed the connection: there is nothing to give back. No further call comes. */
    void (*revoked)(void *context);
    /* May be NULL. The connection broke while it was lent; statements of the holder's have been told before.
     */
    void (*lost)(void *context);
    void *context;
};

/* Begins to connect; `conninfo` and `labels` must outlive it. 0, or -1 without memory (LM_FATAL). */
int ag_pool_open(const struct ag_pool_options *options, struct ag_pool **out,
                 struct lm_error *error) LM_MUST_CHECK;
/* `ready` is called once, from the loop, maybe before this returns. -1 with LM_RETRY "unavailable" when no
 * connection is up, or "not_migrated" for want of migrations, LM_FATAL "busy" when the line is full; then
 * `ready` is not called. */
int ag_pool_acquire(struct ag_pool *pool, struct ag_waiter *waiter, struct lm_error *error) LM_MUST_CHECK;
/* `ready` will not be called any more. Nothing happens where it does not wait. */
void ag_pool_forget(struct ag_pool *pool, struct ag_waiter *waiter);
/* Gives a connection back: it must be outside a transaction, or, with `broken`, is closed and opened anew. A
 * connection that was lost meanwhile may be given back too. */
void ag_pool_release(struct ag_pool *pool, struct lm_pg *pg, bool broken);
uv_loop_t *ag_pool_loop(const struct ag_pool *pool);
/* Connections that are up. */
unsigned ag_pool_up(const struct ag_pool *pool);
/* Why none is: as ag_pool_acquire says it. Returns -1. */
int ag_pool_why(const struct ag_pool *pool, struct lm_error *error);
/* Waiters are told, holders are revoked and their statements cancelled; calls `closed` once on the loop when
 * every connection is closed, and frees the pool. */
void ag_pool_close(struct ag_pool *pool, void (*closed)(void *context), void *context);

#endif
