#include "common/clock.h"
#include "consumer/batch/copy_row.h"
#include "consumer/writer/closing.h"
#include "consumer/writer/retry.h"
#include "consumer/writer/writer_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* No transaction waits for Kafka longer than this. */
#define LETTERS_WAIT_US (LM_SECOND_US / 2)
/* A batch with less in it does not flow: it is small, or it will be larger soon. */
#define FLOW_BYTES ((size_t)512 * 1024)

/* ---- a batch's place ---- */

struct co_lane *co_writer_lane_of(struct co_writer *writer, const struct co_batch *batch)
{
    for (unsigned i = 0; i < writer->options.connections; i++) {
        if (writer->lanes[i].batch == batch)
            return &writer->lanes[i];
    }
    return NULL;
}

static struct co_lane *idle_lane(struct co_writer *writer)
{
    for (unsigned i = 0; i < writer->options.connections; i++) {
        if (writer->lanes[i].state == CO_LANE_IDLE)
            return &writer->lanes[i];
    }
    return NULL;
}

bool co_writer_busy(const struct co_writer *writer)
{
    for (unsigned i = 0; i < writer->options.connections; i++) {
        if (writer->lanes[i].state == CO_LANE_IDLE)
            return false;
    }
    return true;
}

size_t co_writer_place(const struct co_batch *batch)
{
    const struct co_partition *partition = batch->partition;
    size_t place = 0;
    while (place < partition->line_count && partition->line[place] != batch)
        place++;
    return place;
}

void co_writer_enlist(struct co_writer *writer, struct co_batch *batch)
{
    batch->next = NULL;
    *writer->last = batch;
    writer->last = &batch->next;
}

/* ---- events of a lane ---- */

static double seconds_since(int64_t us)
{
    return (double)(lm_clock_mono_us() - us) / 1e6;
}

static void on_lane_state(struct co_lane *lane, const struct lm_error *error, void *context)
{
    struct co_writer *writer = context;

    writer->connected = 0;
    for (unsigned i = 0; i < writer->options.connections; i++)
        writer->connected += writer->lanes[i].pg != NULL && (&writer->lanes[i] != lane || error == NULL) &&
                             (writer->lanes[i].state != CO_LANE_DOWN || &writer->lanes[i] == lane);
    lm_gauge_set(writer->connections, writer->connected);
    if (error != NULL)
        lm_log_limited(&writer->connection_limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "writer",
                       "connection to PostgreSQL: %s", error->text);
    if (writer->closing)
        return;
    if (writer->connected > 0)
        writer->options.state(NULL, writer->options.context);
    else if (error != NULL)
        writer->options.state(error, writer->options.context);
    co_writer_schedule(writer);
}

static void on_lane_copied(struct co_lane *lane, void *context)
{
    struct co_writer *writer = context;
    struct co_batch *batch = lane->batch;

    if (batch->state == CO_BATCH_COPYING) {
        lm_histogram_observe(writer->copy_seconds, seconds_since(batch->since_us));
        (void)co_batch_change_state(batch, CO_BATCH_COPIED);
    }
    co_writer_schedule(writer);
}

static void on_lane_finished(struct co_lane *lane, void *context)
{
    struct co_writer *writer = context;
    struct co_batch *batch = lane->batch;

    lm_histogram_observe(writer->commit_seconds, seconds_since(lane->started_us));
    if (batch->state == CO_BATCH_DONE) /* its partition went while the message was out */
        return;
    if (batch->probing)
        co_remedy_part_passed(writer, batch);
    else
        co_remedy_commit(writer, batch);
}

static void tell_room(struct co_writer *writer)
{
    if (!writer->closing)
        writer->options.room(writer->options.context);
}

static void on_lane_taken(struct co_lane *lane, void *context)
{
    (void)lane;
    tell_room(context);
}

static bool on_lane_refused(struct co_lane *lane, const struct lm_error *error, size_t row, void *context)
{
    struct co_writer *writer = context;

    if (co_retry_decide(error, 1, false) != CO_REMEDY_TAKE_ROW || !lane->batch->keeps_messages ||
        !co_refusal_is_clear(&lane->batch->refusal, row))
        return false;
    co_remedy_blame(writer, lane->batch, row, error);
    return true;
}

static void on_lane_failed(struct co_lane *lane, struct co_batch *batch, const struct lm_error *error,
                           long long line, bool closing, void *context)
{
    struct co_writer *writer = context;

    if (batch->state == CO_BATCH_DONE) /* its partition went while the closing message was out */
        return;
    co_remedy_apply(writer, batch, error, line, closing);
    if (co_retry_decide(error, line, closing) == CO_REMEDY_RECONNECT)
        co_lane_reconnect(lane);
    co_writer_schedule(writer); /* another connection may go on before this one has rolled back */
}

static void on_lane_idle(struct co_lane *lane, void *context)
{
    struct co_writer *writer = context;
    (void)lane;
    /* What is ready and what could flow take turns: neither waits until the other runs out. */
    writer->flow_first = !writer->flow_first;
    if (writer->flow_first)
        tell_room(writer);
    co_writer_schedule(writer);
    tell_room(writer);
}

/* ---- what runs ---- */

/* 0, or -1: the batch waits. */
static int write_closing(struct co_writer *writer, struct co_batch *batch)
{
    const struct co_partition *partition = batch->partition;
    struct co_closing_options options = {.topic = partition->topic,
                                         .partition = partition->number,
                                         .category = partition->category,
                                         .lock_timeout_ms = writer->options.lock_timeout_ms,
                                         .count_seconds = writer->options.count_seconds,
                                         .rehearse = batch->probing};
    struct lm_error error;

    if (co_closing_write(batch, &options, &error) == 0)
        return 0;
    lm_buffer_clear(&batch->closing);
    co_remedy_back_off(batch);
    co_remedy_say_stuck(writer, batch, &error);
    return -1;
}

/* Dead letters of any of the partition's batches are not confirmed yet. */
static bool awaits_letters(const struct co_partition *partition)
{
    for (size_t i = 0; i < partition->line_count; i++) {
        if (partition->line[i]->letters_pending > 0)
            return true;
    }
    return partition->filling != NULL && partition->filling->letters_pending > 0;
}

static void make_ready(struct co_writer *writer, struct co_batch *batch)
{
    const struct co_partition *partition = batch->partition;

    if (batch->letters_pending > 0)
        return;
    if (batch->broken) {
        /* What is on its way before it must not be read again with it, nor any dead letter be sent twice. */
        if (co_writer_place(batch) == 0 && !awaits_letters(partition))
            co_remedy_read_again(writer, batch);
        return;
    }
    if (co_remedy_recount(writer, batch) != 0)
        return;
    if (!co_leaves_known(writer->options.leaves, partition->category, batch->rollup.hours,
                         batch->rollup.hour_count)) {
        co_remedy_ask_leaves(writer, batch);
        return;
    }
    if (write_closing(writer, batch) == 0)
        (void)co_batch_change_state(batch, CO_BATCH_READY);
}

/* The batch before it has committed. Where rows were refused while it was copied, their dead letters are
 * confirmed, and what it closes with has been written without them. */
static bool may_close(struct co_writer *writer, struct co_batch *batch, int64_t now_us)
{
    if (co_writer_place(batch) != 0)
        return false;
    if (batch->letters_pending > 0) {
        if (batch->letters_until_us == 0)
            batch->letters_until_us = now_us + LETTERS_WAIT_US;
        else if (now_us >= batch->letters_until_us)
            co_remedy_give_back(writer, batch);
        return false;
    }
    batch->letters_until_us = 0;
    if (!batch->recount && batch->closing.len > 0)
        return true;
    if (co_remedy_recount(writer, batch) != 0)
        return false;
    if (write_closing(writer, batch) == 0)
        return true;
    co_remedy_give_back(writer, batch);
    return false;
}

/* In order: the batch before it must be on its way already. */
static bool may_start(const struct co_batch *batch)
{
    size_t place = co_writer_place(batch);
    if (place == 0)
        return true;
    enum co_batch_state before = batch->partition->line[place - 1]->state;
    return before == CO_BATCH_COPYING || before == CO_BATCH_COPIED || before == CO_BATCH_CLOSING;
}

/* Lets go what has come since. A COPY under way does not see leaves that are made after it began: the batch
 * waits for them outside of its transaction. */
static void feed(struct co_writer *writer, struct co_batch *batch)
{
    struct co_lane *lane = co_writer_lane_of(writer, batch);

    if (lane == NULL)
        return;
    if (!co_leaves_known(writer->options.leaves, batch->partition->category, batch->rollup.hours,
                         batch->rollup.hour_count)) {
        co_remedy_give_back(writer, batch);
        return;
    }
    batch->cleared = batch->row_count;
    co_lane_feed(lane);
}

static void advance(struct co_writer *writer, struct co_batch *batch, int64_t now_us)
{
    struct co_lane *lane;

    if (batch->state == CO_BATCH_COPYING && batch->flows)
        feed(writer, batch);
    if (batch->state == CO_BATCH_SEALED && !batch->asked && now_us >= batch->not_before_us)
        make_ready(writer, batch);
    if (batch->state == CO_BATCH_READY && may_start(batch) && (lane = idle_lane(writer)) != NULL) {
        lm_histogram_observe(writer->wait_seconds, seconds_since(batch->since_us));
        (void)co_batch_change_state(batch, CO_BATCH_COPYING);
        batch->cleared = batch->row_count; /* its leaves are there, or it were not ready */
        co_lane_start(lane, batch, writer->copy_sql[batch->partition->category]);
    }
    if (batch->state == CO_BATCH_COPIED && may_close(writer, batch, now_us) &&
        (lane = co_writer_lane_of(writer, batch)) != NULL) {
        lm_histogram_observe(writer->turn_seconds, seconds_since(batch->since_us));
        (void)co_batch_change_state(batch, CO_BATCH_CLOSING);
        co_lane_close_batch(lane);
    }
    if (batch->state == CO_BATCH_UNKNOWN && !batch->asked && now_us >= batch->not_before_us)
        co_remedy_read_back(writer, batch);
}

/* Removes what is done and nobody points to any more. */
static void sweep(struct co_writer *writer)
{
    struct co_batch **at = &writer->first;
    bool gone = false;

    while (*at != NULL) {
        struct co_batch *batch = *at;
        if (batch->state != CO_BATCH_DONE || batch->letters_pending > 0 || batch->asked ||
            co_writer_lane_of(writer, batch) != NULL) {
            at = &batch->next;
            continue;
        }
        struct co_partition *partition = batch->partition;
        *at = batch->next;
        co_pool_give(writer->options.pool, batch);
        co_partition_unref(partition);
        gone = true;
    }
    writer->last = at;
    if (gone)
        tell_room(writer);
}

static void on_timer(uv_timer_t *timer)
{
    co_writer_schedule(timer->data);
}

static void set_timer(struct co_writer *writer, int64_t now_us)
{
    int64_t next_us = INT64_MAX;

    for (const struct co_batch *batch = writer->first; batch != NULL; batch = batch->next) {
        int64_t due_us = 0;
        if ((batch->state == CO_BATCH_SEALED || batch->state == CO_BATCH_UNKNOWN) && !batch->asked)
            due_us = batch->not_before_us;
        else if (batch->state == CO_BATCH_COPIED)
            due_us = batch->letters_until_us;
        if (due_us > now_us && due_us < next_us)
            next_us = due_us;
    }
    if (next_us != INT64_MAX)
        (void)uv_timer_start(&writer->timer, on_timer, (uint64_t)(next_us - now_us) / 1000 + 1, 0);
}

void co_writer_schedule(struct co_writer *writer)
{
    if (writer->scheduling) {
        writer->schedule_again = true;
        return;
    }
    if (writer->closing)
        return;
    writer->scheduling = true;
    int64_t now_us;
    do {
        writer->schedule_again = false;
        now_us = lm_clock_mono_us();
        for (struct co_batch *batch = writer->first, *next; batch != NULL; batch = next) {
            next = batch->next;
            advance(writer, batch, now_us);
        }
        sweep(writer);
    } while (writer->schedule_again);
    set_timer(writer, now_us);
    writer->scheduling = false;
}

/* ---- the outside ---- */

bool co_writer_wants(const struct co_writer *writer, const struct co_partition *partition, bool full)
{
    if (partition->line_count >= CO_LINE_MAX)
        return false;
    if (full)
        return true;
    if (partition->line_count > 0)
        return false;
    for (unsigned i = 0; i < writer->options.connections; i++) {
        if (writer->lanes[i].state == CO_LANE_IDLE)
            return true;
    }
    return false;
}

static void line_up(struct co_writer *writer, struct co_batch *batch)
{
    struct co_partition *partition = batch->partition;

    lm_backoff_init(&batch->backoff, writer->options.retry_base_ms, writer->options.retry_cap_ms, 0);
    partition->line[partition->line_count++] = batch;
    co_writer_enlist(writer, batch);
}

void co_writer_seal(struct co_writer *writer, struct co_batch *batch)
{
    struct co_partition *partition = batch->partition;

    /* Without memory the names go with a later batch. */
    (void)!co_names_take(partition->names, lm_clock_mono_us(), &batch->names, &batch->name_count,
                         &batch->name_cap);
    lm_counter_add(writer->names_overflow, co_names_take_overflow(partition->names));
    batch->open = false;
    partition->filling = NULL;
}

bool co_writer_may_flow(const struct co_writer *writer, const struct co_partition *partition)
{
    const struct co_batch *batch = partition->filling;

    if (batch == NULL || batch->open || batch->copy_held < FLOW_BYTES || batch->keeps_messages ||
        partition->wary_batches > 0 || partition->line_count >= CO_LINE_MAX || co_writer_busy(writer))
        return false;
    if (partition->line_count == 0)
        return true;
    const struct co_batch *before = partition->line[partition->line_count - 1];
    return before->state == CO_BATCH_COPIED || before->state == CO_BATCH_CLOSING;
}

void co_writer_flow(struct co_writer *writer, struct co_partition *partition, bool behind)
{
    struct co_batch *batch = partition->filling;
    struct co_lane *lane = idle_lane(writer);

    if (batch != NULL && batch->open) {
        if (batch->copy != batch->copy_last)
            feed(writer, batch);
        return;
    }
    if (!behind || lane == NULL || !co_writer_may_flow(writer, partition))
        return;
    batch->open = batch->flows = true;
    batch->opened_us = lm_clock_mono_us();
    line_up(writer, batch);
    (void)co_batch_change_state(batch, CO_BATCH_COPYING);
    co_lane_start(lane, batch, writer->copy_sql[partition->category]);
    co_writer_schedule(writer);
}

void co_writer_submit(struct co_writer *writer, struct co_partition *partition)
{
    struct co_batch *batch = partition->filling;

    bool flowing = batch->open;

    co_writer_seal(writer, batch);
    if (flowing) {
        (void)write_closing(writer, batch); /* meanwhile PostgreSQL has the last rows to take */
    } else {
        line_up(writer, batch);
        (void)co_batch_change_state(batch, CO_BATCH_SEALED);
    }
    co_writer_schedule(writer);
}

void co_writer_set(struct co_writer *writer, const struct co_writer_settings *settings)
{
    struct co_writer_options *options = &writer->options;

    options->conninfo = settings->conninfo;
    options->lock_timeout_ms = settings->lock_timeout_ms;
    options->count_seconds = settings->count_seconds;
    options->retry_base_ms = settings->retry_base_ms;
    options->retry_cap_ms = settings->retry_cap_ms;
    for (unsigned i = 0; i < options->connections; i++) {
        writer->lanes[i].conninfo = settings->conninfo;
        lm_backoff_init(&writer->lanes[i].backoff, settings->retry_base_ms, settings->retry_cap_ms, 0);
    }
}

void co_writer_kick(struct co_writer *writer)
{
    co_writer_schedule(writer);
}

bool co_writer_idle(const struct co_writer *writer)
{
    return writer->first == NULL;
}

static struct lm_histogram *stage(struct co_writer *writer, const char *name, const char *help)
{
    static const double seconds[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2,
                                     0.5,   1,     2,     5,    10,   30,   60,  300};
    return lm_histogram(writer->options.metrics, name, NULL, help, seconds,
                        sizeof(seconds) / sizeof(seconds[0]));
}

static void create_metrics(struct co_writer *writer)
{
    static const double rows[] = {1, 10, 100, 300, 1000, 3000, 10000, 30000, 100000};
    struct lm_metrics *metrics = writer->options.metrics;

    writer->decode_seconds = stage(writer, "logmill_consumer_decode_seconds",
                                   "Reading and decoding the records of a committed batch.");
    writer->wait_seconds =
        stage(writer, "logmill_consumer_wait_seconds",
              "From a batch being full or old enough to its BEGIN: dead letters, leaves, a "
              "connection.");
    writer->copy_seconds =
        stage(writer, "logmill_consumer_copy_seconds", "From BEGIN to the end of a batch's COPY.");
    writer->turn_seconds = stage(writer, "logmill_consumer_turn_seconds",
                                 "From the end of COPY to the commit of the batch before it.");
    writer->commit_seconds =
        stage(writer, "logmill_consumer_commit_seconds", "From a batch's closing message to its answer.");
    writer->latency_seconds =
        stage(writer, "logmill_consumer_latency_seconds",
              "From the Kafka time of a batch's first record, which waits longest, to its commit.");
    writer->connections = lm_gauge(metrics, "logmill_consumer_connections", NULL,
                                   "Connections to PostgreSQL that can write batches.");
    writer->batch_rows = lm_histogram(metrics, "logmill_consumer_batch_rows", NULL,
                                      "Rows of a committed batch.", rows, sizeof(rows) / sizeof(rows[0]));
    writer->batches = lm_counter(metrics, "logmill_consumer_batches_total", NULL, "Batches committed.");
    writer->names_overflow = lm_counter(metrics, "logmill_consumer_names_overflow_total", NULL,
                                        "Records with a name that found no place (names_max, or too long).");
}

int co_writer_open(const struct co_writer_options *options, struct co_writer **out, struct lm_error *error)
{
    struct co_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the writer");
    writer->options = *options;
    writer->last = &writer->first;
    if (writer->options.connections > CO_LANES_MAX)
        writer->options.connections = CO_LANES_MAX;
    for (int i = 0; i < LM_CATEGORY_COUNT; i++)
        (void)snprintf(writer->copy_sql[i], sizeof(writer->copy_sql[i]),
                       "COPY logmill.logs_%s %s FROM STDIN (FORMAT binary)",
                       lm_category_name((enum lm_category)i), co_copy_columns);
    create_metrics(writer);
    (void)uv_timer_init(options->loop, &writer->timer);
    writer->timer.data = writer;
    writer->events = (struct co_lane_events){.state = on_lane_state,
                                             .taken = on_lane_taken,
                                             .copied = on_lane_copied,
                                             .finished = on_lane_finished,
                                             .refused = on_lane_refused,
                                             .failed = on_lane_failed,
                                             .idle = on_lane_idle,
                                             .context = writer};
    *out = writer;
    for (unsigned i = 0; i < writer->options.connections; i++)
        co_lane_open(&writer->lanes[i], options->loop, options->conninfo, &writer->events,
                     options->retry_base_ms, options->retry_cap_ms);
    return 0;
}

static void part_closed(struct co_writer *writer)
{
    if (--writer->open_parts > 0)
        return;
    void (*closed)(void *context) = writer->closed;
    void *context = writer->closed_context;
    while (writer->first != NULL) {
        struct co_batch *batch = writer->first;
        writer->first = batch->next;
        co_partition_unref(batch->partition);
        co_batch_free(batch);
    }
    free(writer);
    closed(context);
}

static void lane_closed(void *context)
{
    part_closed(context);
}

static void timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

void co_writer_close(struct co_writer *writer, void (*closed)(void *context), void *context)
{
    writer->closing = true;
    writer->closed = closed;
    writer->closed_context = context;
    writer->open_parts = writer->options.connections + 1;
    for (unsigned i = 0; i < writer->options.connections; i++)
        co_lane_close(&writer->lanes[i], lane_closed, writer);
    uv_close((uv_handle_t *)&writer->timer, timer_closed);
}
