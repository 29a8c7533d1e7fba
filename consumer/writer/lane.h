/*
 * One writing connection: it opens itself, again and again where it must, and carries one batch at a time
 * through BEGIN, COPY (one, or several pieces) and the closing message. A batch that flows is carried while
 * it is filled. What an outcome means is the writer's business. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_WRITER_LANE_H
#define LOGMILL_CONSUMER_WRITER_LANE_H

#include "common/backoff.h"
#include "common/postgres/postgres.h"
#include "consumer/batch/batch.h"

enum co_lane_state {
    CO_LANE_DOWN, /* not connected: waits for the timer, or connects */
    CO_LANE_IDLE,
    CO_LANE_COPYING, /* BEGIN and COPY */
    CO_LANE_COPIED,  /* in the transaction, nothing under way */
    CO_LANE_CLOSING, /* the closing message is out */
    CO_LANE_ROLLING_BACK
};

struct co_lane;

struct co_lane_events {
    /* Connected (NULL) or not (any more); the batch it had was reported as failed before. */
    void (*state)(struct co_lane *lane, const struct lm_error *error, void *context);
    /* Of a batch that flows: PostgreSQL has taken more of it, and its memory is free. */
    void (*taken)(struct co_lane *lane, void *context);
    /* All rows are in; the batch waits for co_lane_close_batch. */
    void (*copied)(struct co_lane *lane, void *context);
    /* The closing message was answered: NULL, the transaction has ended; else see failed. */
    void (*finished)(struct co_lane *lane, void *context);
    /* COPY named a row of the batch (its place among the rows) that it does not take. True: it has been taken
     * out and the rest goes on; false: the batch has failed. */
    bool (*refused)(struct co_lane *lane, const struct lm_error *error, size_t row, void *context);
    /* The batch failed (during COPY or in closing); `line`: the row COPY named, 1 for the first, or 0. The
     * transaction is being rolled back, or the connection is gone: then `error` is of kind "connection_lost".
     */
    void (*failed)(struct co_lane *lane, struct co_batch *batch, const struct lm_error *error, long long line,
                   bool closing, void *context);
    /* Idle (again). */
    void (*idle)(struct co_lane *lane, void *context);
    void *context;
};

struct co_lane {
    const struct co_lane_events *events;
    uv_loop_t *loop;
    const char *conninfo;
    enum co_lane_state state;
    struct lm_pg *pg;       /* NULL while the timer runs */
    struct co_batch *batch; /* NULL where the lane is down or idle, or the batch has failed or was given up */
    const char *copy_sql;
    /* Of the batch's rows: the COPY under way holds [piece_from, piece_to), those before row_next were handed
     * over; row_end are all. */
    size_t piece_from, piece_to, row_next, row_end;
    bool pieces; /* each behind a savepoint, see piece.h */
    bool hungry; /* the COPY of a batch that flows waits for its rows */
    bool abort_asked;
    int64_t started_us; /* monotonic: of the step under way */
    struct lm_backoff backoff;
    uv_timer_t timer;
    bool dropping; /* the old connection is closing, the timer not started yet */
    bool closing;
    int open_parts;
    void (*closed)(void *context);
    void *closed_context;
};

/* Starts connecting. `lane` must not move. */
void co_lane_open(struct co_lane *lane, uv_loop_t *loop, const char *conninfo,
                  const struct co_lane_events *events, uint32_t retry_base_ms, uint32_t retry_cap_ms);
/* Idle lanes only. `copy_sql` is static. A batch without rows skips COPY and is copied at once. */
void co_lane_start(struct co_lane *lane, struct co_batch *batch, const char *copy_sql);
/* There may be more of the lane's batch, which flows, or its end. */
void co_lane_feed(struct co_lane *lane);
/* Copied lanes only: sends batch->closing. */
void co_lane_close_batch(struct co_lane *lane);
/* Gives the batch up without a report; nothing where the closing message is out. The lane is idle some time
 * later. */
void co_lane_abort(struct co_lane *lane);
/* After an error that another server may not give (a failed-over primary that is read-only now). */
void co_lane_reconnect(struct co_lane *lane);
void co_lane_close(struct co_lane *lane, void (*closed)(void *context), void *context);

#endif
