#include "consumer/writer/lane.h"

#include "common/clock.h"
#include "common/log.h"
#include "consumer/batch/copy_row.h"
#include "consumer/batch/partition.h"
#include "consumer/batch/piece.h"

#include <stdio.h>
#include <string.h>

static void connect_now(struct co_lane *lane);

static const char *const state_names[] = {"down", "idle", "copying", "copied", "closing", "rolling back"};

/* A lane may go down from any state, and while it is down fail to come up. */
static const unsigned follows[] = {
    [CO_LANE_DOWN] = 1u << CO_LANE_IDLE,
    [CO_LANE_IDLE] = 1u << CO_LANE_COPYING,
    [CO_LANE_COPYING] = 1u << CO_LANE_COPIED | 1u << CO_LANE_ROLLING_BACK,
    [CO_LANE_COPIED] = 1u << CO_LANE_CLOSING | 1u << CO_LANE_ROLLING_BACK,
    [CO_LANE_CLOSING] = 1u << CO_LANE_IDLE | 1u << CO_LANE_ROLLING_BACK,
    [CO_LANE_ROLLING_BACK] = 1u << CO_LANE_IDLE,
};

/* The one way to another state; logs and refuses what cannot follow. */
static void change_state(struct co_lane *lane, enum co_lane_state to)
{
    if (to != CO_LANE_DOWN && (follows[lane->state] >> to & 1u) == 0) {
        lm_log(LM_LOG_ERROR, "lane", "%s cannot become %s", state_names[lane->state], state_names[to]);
        return;
    }
    lane->state = to;
    lane->started_us = lm_clock_mono_us();
}

static void become_idle(struct co_lane *lane)
{
    lane->batch = NULL;
    lane->abort_asked = false;
    change_state(lane, CO_LANE_IDLE);
    lane->events->idle(lane, lane->events->context);
}

static void on_rolled_back(const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;
    /* Where even ROLLBACK fails the connection is gone, and `lost` follows. */
    if (error == NULL)
        become_idle(lane);
}

static void roll_back(struct co_lane *lane)
{
    struct lm_pg_request request = {.sql = "ROLLBACK", .done = on_rolled_back, .context = lane};
    struct lm_error error;

    lane->batch = NULL;
    change_state(lane, CO_LANE_ROLLING_BACK);
    if (lm_pg_send(lane->pg, &request, &error) != 0)
        co_lane_reconnect(lane);
}

/* The batch is out of the lane before the writer hears of it. */
static void report(struct co_lane *lane, const struct lm_error *error, long long line, bool closing)
{
    struct co_batch *batch = lane->batch;
    struct lm_error why = *error; /* the connection's own, and gone with its next statement */
    bool aborted = lane->abort_asked;

    if (strcmp(error->kind, "connection_lost") == 0) {
        lane->batch = NULL;
        change_state(lane, CO_LANE_DOWN); /* `lost` follows */
    } else {
        roll_back(lane);
    }
    if (!aborted)
        lane->events->failed(lane, batch, &why, line, closing, lane->events->context);
}

static void all_copied(struct co_lane *lane)
{
    if (lane->abort_asked) {
        roll_back(lane);
        return;
    }
    change_state(lane, CO_LANE_COPIED);
    lane->events->copied(lane, lane->events->context);
}

static void copy_piece(struct co_lane *lane, const char *before);

static void on_back_at_savepoint(const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;
    if (error != NULL)
        report(lane, error, 0, false);
    else
        all_copied(lane);
}

/* The piece goes again without the row, or the transaction goes on without the piece. False: the batch has
 * failed. */
static bool go_on_without(struct co_lane *lane, const struct lm_error *error)
{
    struct lm_pg_request request = {
        .sql = "ROLLBACK TO piece", .done = on_back_at_savepoint, .context = lane};
    long long line = lm_pg_copy_line(lane->pg);
    struct lm_error why = *error, problem; /* the connection's own, and gone with its next statement */

    if (!lane->pieces || lane->abort_asked || line < 1 || lane->piece_from + (size_t)line > lane->piece_to ||
        !lane->events->refused(lane, &why, lane->piece_from + (size_t)line - 1, lane->events->context))
        return false;
    if (lane->abort_asked) {
        roll_back(lane);
        return true;
    }
    lane->row_end--;
    if (lane->piece_from < lane->row_end)
        copy_piece(lane, "ROLLBACK TO piece;");
    else if (lm_pg_send(lane->pg, &request, &problem) != 0)
        report(lane, &problem, 0, false);
    return true;
}

static void on_piece_copied(const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;

    if (error != NULL) {
        if (!go_on_without(lane, error))
            report(lane, error, lm_pg_copy_line(lane->pg), false);
        return;
    }
    if (lane->abort_asked || lane->piece_to == lane->row_end) {
        all_copied(lane);
        return;
    }
    struct co_partition *partition = lane->batch->partition;
    partition->piece_rows = co_piece_passed(partition->piece_rows);
    lane->piece_from = lane->piece_to;
    copy_piece(lane, "RELEASE piece; SAVEPOINT piece;");
}

static void end_copy(struct co_lane *lane)
{
    if (lm_pg_copy_put(lane->pg, CO_COPY_END, sizeof(CO_COPY_END) - 1) >= 0)
        lm_pg_copy_end(lane->pg, NULL);
}

/* Hands over the chunks that are ready; PostgreSQL's own copy is libpq's by then, and ours can go. */
static void pump_flow(struct co_lane *lane)
{
    struct co_batch *batch = lane->batch;
    struct lm_slice tuples;
    bool full = false;

    lane->hungry = false;
    while (!full && co_batch_front(batch, &tuples)) {
        int outcome = lm_pg_copy_put(lane->pg, tuples.data, tuples.len);
        if (outcome < 0)
            return; /* `done` tells why */
        co_batch_drop_front(batch);
        lane->started_us = lm_clock_mono_us(); /* it takes rows: it answers */
        full = outcome == 1;
    }
    if (!batch->open && batch->copy == NULL)
        end_copy(lane);
    else
        lane->hungry = !full;
}

static void pump_rows(struct co_lane *lane);

static void pump(void *context)
{
    struct co_lane *lane = context;

    if (lane->abort_asked) {
        lm_pg_copy_end(lane->pg, "the batch was given up");
    } else if (lane->batch->flows) {
        pump_flow(lane);
        lane->events->taken(lane, lane->events->context);
    } else {
        pump_rows(lane);
    }
}

/* Hands over what libpq will take: the rows' tuples stand in order, with gaps where one was taken out. */
static void pump_rows(struct co_lane *lane)
{
    const struct co_batch *batch = lane->batch;
    while (lane->row_next < lane->piece_to) {
        struct lm_slice tuples;
        size_t next = co_batch_run(batch, lane->row_next, lane->piece_to, &tuples);
        int outcome = lm_pg_copy_put(lane->pg, tuples.data, tuples.len);
        if (outcome < 0)
            return; /* `done` tells why */
        lane->row_next = next;
        /* Behind the last row comes the end at once: a refusal that is already there is heard with it. */
        if (outcome == 1 && next < lane->piece_to)
            return;
    }
    end_copy(lane);
}

static void on_started(const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;
    char bytes[CO_COPY_BEGIN_BYTES + 1];
    struct lm_buffer header;

    lm_buffer_init_fixed(&header, bytes, sizeof(bytes));
    co_copy_begin(&header);
    if (error != NULL)
        report(lane, error, 0, false);
    else if (lane->abort_asked || lm_pg_copy_put(lane->pg, header.data, header.len) == 0)
        pump(lane);
}

/* The COPY of the rows from piece_from on; `before`: what must go first, in the same message. */
static void copy_piece(struct co_lane *lane, const char *before)
{
    char sql[1024];
    size_t left = lane->row_end - lane->piece_from, most = lane->batch->partition->piece_rows;
    struct lm_pg_copy copy = {
        .sql = sql, .started = on_started, .drained = pump, .done = on_piece_copied, .context = lane};
    struct lm_error error;

    lane->piece_to = lane->piece_from + (lane->pieces && most < left ? most : left);
    lane->row_next = lane->piece_from;
    (void)snprintf(sql, sizeof(sql), "%s%s", before, lane->copy_sql);
    if (lm_pg_copy_start(lane->pg, &copy, &error) != 0)
        report(lane, &error, 0, false);
}

static void on_begun(const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;

    if (error != NULL) {
        report(lane, error, 0, false);
        return;
    }
    if (lane->abort_asked) {
        roll_back(lane);
        return;
    }
    all_copied(lane);
}

static void on_closed_batch(const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;

    if (error != NULL) {
        report(lane, error, 0, true);
        return;
    }
    lane->events->finished(lane, lane->events->context);
    become_idle(lane);
}

void co_lane_start(struct co_lane *lane, struct co_batch *batch, const char *copy_sql)
{
    struct lm_pg_request request = {.sql = "BEGIN", .done = on_begun, .context = lane};
    struct lm_error error;

    lane->batch = batch;
    lane->copy_sql = copy_sql;
    lane->abort_asked = lane->hungry = false;
    change_state(lane, CO_LANE_COPYING);
    co_batch_range(batch, &lane->piece_from, &lane->row_end);
    /* A part that is tried is rolled back, whatever becomes of it: nothing is taken out of it on the way. */
    lane->pieces = batch->keeps_messages && !batch->probing &&
                   lane->row_end - lane->piece_from > batch->partition->piece_rows;
    if (lane->piece_from < lane->row_end)
        copy_piece(lane, lane->pieces ? "BEGIN; SAVEPOINT piece;" : "BEGIN;");
    else if (lm_pg_send(lane->pg, &request, &error) != 0)
        report(lane, &error, 0, false);
}

void co_lane_feed(struct co_lane *lane)
{
    if (lane->hungry && lane->state == CO_LANE_COPYING && lane->batch != NULL)
        pump_flow(lane);
}

void co_lane_close_batch(struct co_lane *lane)
{
    struct lm_pg_request request = {
        .sql = lane->batch->closing.data, .done = on_closed_batch, .context = lane};
    struct lm_error error;

    change_state(lane, CO_LANE_CLOSING);
    if (lm_pg_send(lane->pg, &request, &error) != 0)
        report(lane, &error, 0, false);
}

void co_lane_abort(struct co_lane *lane)
{
    switch (lane->state) {
    case CO_LANE_COPIED:
        roll_back(lane);
        break;
    case CO_LANE_COPYING:
        /* At once: the server may take its time to answer, and the batch be on another lane by then. */
        lane->batch = NULL;
        lane->abort_asked = true;
        lm_pg_copy_end(lane->pg, "the batch was given up");
        break;
    case CO_LANE_DOWN:
    case CO_LANE_IDLE:
    case CO_LANE_CLOSING:
    case CO_LANE_ROLLING_BACK:
        break;
    }
}

static void on_timer(uv_timer_t *timer)
{
    connect_now(timer->data);
}

static void retry_later(struct co_lane *lane, const struct lm_error *error)
{
    lane->pg = NULL;
    lane->batch = NULL;
    change_state(lane, CO_LANE_DOWN);
    lane->events->state(lane, error, lane->events->context);
    if (!lane->closing)
        (void)uv_timer_start(&lane->timer, on_timer, lm_backoff_next(&lane->backoff), 0);
}

static void on_opened(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;
    (void)pg;
    if (error != NULL) {
        retry_later(lane, error);
        return;
    }
    lm_backoff_reset(&lane->backoff);
    lane->events->state(lane, NULL, lane->events->context);
    become_idle(lane);
}

static void on_lost(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;
    (void)pg;
    if (lane->state == CO_LANE_COPIED) /* no statement was under way that could have told */
        report(lane, error, 0, false);
    retry_later(lane, error);
}

static void connect_now(struct co_lane *lane)
{
    struct lm_error error;
    struct lm_pg_options options = {
        .loop = lane->loop,
        .conninfo = lane->conninfo,
        .application_name = "logmill-consumer",
        .settings =
            "-c standard_conforming_strings=on -c timezone=UTC -c idle_in_transaction_session_timeout=30s "
            "-c statement_timeout=0 -c lock_timeout=30s",
        .opened = on_opened,
        .lost = on_lost,
        .context = lane,
    };
    if (lane->closing)
        return;
    if (lm_pg_open(&options, &lane->pg, &error) != 0)
        retry_later(lane, &error);
}

static void part_closed(struct co_lane *lane)
{
    if (--lane->open_parts == 0)
        lane->closed(lane->closed_context);
}

static void on_dropped(void *context)
{
    struct co_lane *lane = context;
    lane->dropping = false;
    if (lane->closing)
        part_closed(lane);
    else
        (void)uv_timer_start(&lane->timer, on_timer, lm_backoff_next(&lane->backoff), 0);
}

void co_lane_reconnect(struct co_lane *lane)
{
    struct lm_pg *pg = lane->pg;

    if (pg == NULL)
        return;
    lane->pg = NULL;
    lane->batch = NULL;
    change_state(lane, CO_LANE_DOWN);
    lane->dropping = true;
    lm_pg_close(pg, on_dropped, lane);
}

void co_lane_open(struct co_lane *lane, uv_loop_t *loop, const char *conninfo,
                  const struct co_lane_events *events, uint32_t retry_base_ms, uint32_t retry_cap_ms)
{
    *lane = (struct co_lane){.events = events, .loop = loop, .conninfo = conninfo};
    lm_backoff_init(&lane->backoff, retry_base_ms, retry_cap_ms, 0);
    (void)uv_timer_init(loop, &lane->timer);
    lane->timer.data = lane;
    connect_now(lane);
}

static void pg_closed(void *context)
{
    part_closed(context);
}

static void timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

void co_lane_close(struct co_lane *lane, void (*closed)(void *context), void *context)
{
    lane->closing = true;
    lane->closed = closed;
    lane->closed_context = context;
    lane->open_parts = 1 + (lane->pg != NULL) + lane->dropping;
    if (lane->pg != NULL)
        lm_pg_close(lane->pg, pg_closed, lane);
    uv_close((uv_handle_t *)&lane->timer, timer_closed);
}
