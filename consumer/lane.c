#include "consumer/lane.h"

#include "common/clock.h"
#include "common/log.h"

#include <string.h>

/* As much as libpq is given at once; it copies what the socket does not take. */
#define PIECE ((size_t)256 * 1024)

static void connect_now(struct co_lane *lane);

static void change_state(struct co_lane *lane, enum co_lane_state to)
{
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

static void on_copied(const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;

    if (error != NULL) {
        report(lane, error, lm_pg_copy_line(lane->pg), false);
    } else if (lane->abort_asked) {
        roll_back(lane);
    } else {
        change_state(lane, CO_LANE_COPIED);
        lane->events->copied(lane, lane->events->context);
    }
}

/* Hands over what libpq will take. */
static void pump(void *context)
{
    static const char trailer[2] = {'\377', '\377'};
    struct co_lane *lane = context;
    const struct lm_buffer *copy;
    int outcome = 0;

    if (lane->abort_asked) {
        lm_pg_copy_end(lane->pg, "the batch was given up");
        return;
    }
    copy = &lane->batch->copy;
    while (lane->copy_sent < copy->len) {
        size_t piece = copy->len - lane->copy_sent < PIECE ? copy->len - lane->copy_sent : PIECE;
        outcome = lm_pg_copy_put(lane->pg, copy->data + lane->copy_sent, piece);
        if (outcome < 0)
            return; /* `done` tells why */
        lane->copy_sent += piece;
        if (outcome == 1)
            return;
    }
    if (lm_pg_copy_put(lane->pg, trailer, sizeof(trailer)) >= 0)
        lm_pg_copy_end(lane->pg, NULL);
}

static void on_started(const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;
    if (error != NULL)
        report(lane, error, 0, false);
    else
        pump(lane);
}

static void on_begun(const struct lm_error *error, void *context)
{
    struct co_lane *lane = context;
    struct lm_error problem;

    if (error != NULL) {
        report(lane, error, 0, false);
        return;
    }
    if (lane->abort_asked) {
        roll_back(lane);
        return;
    }
    if (lane->batch->row_count == 0) {
        on_copied(NULL, lane);
        return;
    }
    struct lm_pg_copy copy = {
        .sql = lane->copy_sql, .started = on_started, .drained = pump, .done = on_copied, .context = lane};
    if (lm_pg_copy_start(lane->pg, &copy, &problem) != 0)
        report(lane, &problem, 0, false);
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
    lane->copy_sent = 0;
    lane->abort_asked = false;
    change_state(lane, CO_LANE_COPYING);
    if (lm_pg_send(lane->pg, &request, &error) != 0)
        report(lane, &error, 0, false);
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
        if (lane->copy_sent > 0)
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
    (void)pg;
    retry_later(context, error);
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
