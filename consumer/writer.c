#include "consumer/writer.h"

#include "common/clock.h"
#include "common/log.h"
#include "consumer/closing.h"
#include "consumer/copy_row.h"
#include "consumer/lane.h"
#include "consumer/retry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LANES_MAX 16

struct co_writer {
    struct co_writer_options options;
    struct co_lane_events events;
    struct co_lane lanes[LANES_MAX];
    unsigned connected;
    char copy_sql[LM_CATEGORY_COUNT][768];
    struct co_batch *first, **last; /* all batches with the writer, in the order they came */
    bool scheduling, schedule_again;
    uv_timer_t timer; /* for the next batch that waits for a time */
    struct lm_log_limit limit;
    struct lm_histogram *copy_seconds, *commit_seconds, *batch_rows;
    struct lm_counter *batches;
    bool closing;
    unsigned open_parts;
    void (*closed)(void *context);
    void *closed_context;
};

/* A question on the control connection about a batch, which stays until it is answered. */
struct inquiry {
    struct co_writer *writer;
    struct co_batch *batch;
};

static void schedule(struct co_writer *writer);

/* --- a batch's place -------------------------------------------------------------------------------------
 */

static struct co_lane *lane_of(struct co_writer *writer, const struct co_batch *batch)
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

static size_t place_in_line(const struct co_batch *batch)
{
    const struct co_partition *partition = batch->partition;
    size_t place = 0;
    while (place < partition->line_count && partition->line[place] != batch)
        place++;
    return place;
}

static void enlist(struct co_writer *writer, struct co_batch *batch)
{
    batch->next = NULL;
    *writer->last = batch;
    writer->last = &batch->next;
}

/* Back to sealed: everything about it is decided again before it is sent again. */
static void send_again(struct co_batch *batch)
{
    if (batch->state != CO_BATCH_SEALED && batch->state != CO_BATCH_DONE)
        (void)co_batch_change_state(batch, CO_BATCH_SEALED);
}

static void back_off(struct co_batch *batch)
{
    batch->not_before_us = lm_clock_mono_us() + (int64_t)lm_backoff_next(&batch->backoff) * 1000;
}

/* What stands behind a batch that failed was copied on top of it: it waits for it again. */
static void pull_back_followers(struct co_writer *writer, const struct co_batch *batch)
{
    struct co_partition *partition = batch->partition;

    for (size_t i = place_in_line(batch) + 1; i < partition->line_count; i++) {
        struct co_batch *follower = partition->line[i];
        struct co_lane *lane = lane_of(writer, follower);
        if (lane != NULL)
            co_lane_abort(lane);
        if (follower->state == CO_BATCH_COPYING || follower->state == CO_BATCH_COPIED)
            send_again(follower);
    }
}

/* --- what became of a batch -------------------------------------------------------------------------------
 */

static void commit(struct co_writer *writer, struct co_batch *batch)
{
    struct co_partition *partition = batch->partition;

    partition->committed = batch->next_offset;
    if (batch->kafka_time_us > 0)
        partition->committed_time_us = batch->kafka_time_us;
    partition->commit_to_kafka = true;
    co_sources_committed(partition->sources, batch->serial);
    lm_counter_add(partition->metrics.stored, batch->row_count);
    lm_counter_add(partition->metrics.repeats, batch->repeat_count);
    lm_counter_add(writer->batches, 1);
    lm_histogram_observe(writer->batch_rows, (double)batch->row_count);
    if (batch->attempts > 0)
        co_partition_say(partition, NULL);

    partition->line_count--;
    memmove(&partition->line[0], &partition->line[1], partition->line_count * sizeof(partition->line[0]));
    (void)co_batch_change_state(batch, CO_BATCH_DONE);
}

static void discard(struct co_writer *writer, struct co_batch *batch)
{
    for (size_t i = 0; i < batch->pattern_count; i++)
        co_patterns_forget(writer->options.patterns, batch->patterns[i].id);
    (void)co_batch_change_state(batch, CO_BATCH_DONE);
}

void co_writer_drop(struct co_writer *writer, struct co_partition *partition)
{
    for (size_t i = 0; i < partition->line_count; i++) {
        struct co_lane *lane = lane_of(writer, partition->line[i]);
        if (lane != NULL)
            co_lane_abort(lane);
        discard(writer, partition->line[i]);
    }
    partition->line_count = 0;
    if (partition->filling != NULL) {
        discard(writer, partition->filling);
        enlist(writer, partition->filling);
        partition->filling = NULL;
    }
    schedule(writer);
}

static void start_over(struct co_writer *writer, struct co_partition *partition)
{
    co_writer_drop(writer, partition);
    writer->options.position_lost(partition, writer->options.context);
}

/* --- remedies --------------------------------------------------------------------------------------------
 */

static void count_retry(struct co_writer *writer, const struct lm_error *error)
{
    struct lm_buffer labels;
    lm_buffer_init(&labels, 512);
    lm_metrics_label(&labels, "reason", error->sqlstate[0] != '\0' ? error->sqlstate : error->kind);
    lm_counter_add(lm_counter(writer->options.metrics, "logmill_consumer_retries_total",
                              lm_buffer_text(&labels),
                              "Batches sent again, by SQLSTATE or kind of what went wrong."),
                   1);
    lm_buffer_free(&labels);
}

static void say_stuck(struct co_writer *writer, struct co_batch *batch, const struct lm_error *error)
{
    struct co_partition *partition = batch->partition;
    char reason[768];

    (void)snprintf(reason, sizeof(reason),
                   "%s%s%s%s (tried %u times since, goes on by itself when it is mended)", error->text,
                   error->sqlstate[0] != '\0' ? " [" : "", error->sqlstate,
                   error->sqlstate[0] != '\0' ? "]" : "", batch->attempts);
    co_partition_say(partition, reason);
    lm_log_limited(&writer->limit, 5000, error->decision == LM_FATAL ? LM_LOG_ERROR : LM_LOG_WARN, "writer",
                   "%s/%d: %s", partition->topic, (int)partition->number, reason);
}

static int rebuild(struct co_writer *writer, struct co_batch *batch, size_t from, size_t to)
{
    struct lm_error error;
    if (co_batch_rebuild(batch, writer->options.scratch, batch->partition->category, from, to, &error) == 0)
        return 0;
    lm_log_error(LM_LOG_ERROR, "writer", &error, "a batch cannot be built again; its partition starts over");
    start_over(writer, batch->partition);
    return -1;
}

/* The row goes to the dead letters, the rest is sent again once that is confirmed. */
static void take_row(struct co_writer *writer, struct co_batch *batch, size_t row,
                     const struct lm_error *error)
{
    struct lm_buffer labels;
    rd_kafka_message_t *message;

    batch->probing = false;
    message = co_batch_take_row(batch, row);
    lm_log_error(LM_LOG_WARN, "writer", error, "%s/%d offset %lld to the dead letters",
                 batch->partition->topic, (int)batch->partition->number, (long long)message->offset);
    if (co_letters_send(writer->options.letters, batch, message, error, batch->attempts) != 0) {
        rd_kafka_message_destroy(message);
        start_over(writer, batch->partition);
        return;
    }
    lm_buffer_init(&labels, 1024);
    lm_metrics_label(&labels, "topic", batch->partition->topic);
    lm_metrics_label(&labels, "class", error->kind);
    lm_counter_add(lm_counter(writer->options.metrics, "logmill_consumer_dead_letters_total",
                              lm_buffer_text(&labels),
                              "Records sent to a dead-letter topic, by what was wrong."),
                   1);
    lm_buffer_free(&labels);
    (void)rebuild(writer, batch, 0, batch->row_count);
}

/* Chooses the next part to try; when one row is left, that row on its own. */
static void try_part(struct co_writer *writer, struct co_batch *batch)
{
    size_t left = batch->probe_high - batch->probe_low;
    batch->probe_from = batch->probe_low;
    batch->probe_to = left > 1 ? batch->probe_low + left / 2 : batch->probe_high;
    (void)rebuild(writer, batch, batch->probe_from, batch->probe_to);
}

static void search_failed(struct co_writer *writer, struct co_batch *batch, const struct lm_error *error)
{
    if (!batch->probing) {
        if (batch->row_count == 0) {
            back_off(batch);
            say_stuck(writer, batch, error);
            return;
        }
        batch->probing = true;
        batch->probe_low = 0;
        batch->probe_high = batch->row_count;
    } else if (batch->probe_to - batch->probe_from == 1) {
        take_row(writer, batch, batch->probe_from, error);
        return;
    } else {
        batch->probe_high = batch->probe_to;
    }
    try_part(writer, batch);
}

/* A part passed: the bad row is behind it. If it was the last, no row is bad on its own: wait like for
 * anything else. */
static void part_passed(struct co_writer *writer, struct co_batch *batch)
{
    send_again(batch);
    batch->probe_low = batch->probe_to;
    if (batch->probe_low < batch->probe_high) {
        try_part(writer, batch);
        return;
    }
    batch->probing = false;
    back_off(batch);
    (void)rebuild(writer, batch, 0, batch->row_count);
}

static void ignore_answer(const struct lm_error *error, void *context)
{
    (void)context;
    if (error != NULL && strcmp(error->kind, "closing") != 0)
        lm_log_error(LM_LOG_WARN, "writer", error,
                     "the backend that holds a partition's lock could not be ended");
}

static void end_holder(struct co_writer *writer, const struct co_partition *partition)
{
    struct lm_buffer sql;
    struct lm_error error;

    lm_buffer_init(&sql, 8192);
    lm_buffer_append_text(&sql, "SELECT logmill.end_holder(");
    lm_buffer_append_literal(&sql, partition->topic, strlen(partition->topic));
    lm_buffer_printf(&sql, ", %d, '{", (int)partition->number);
    for (unsigned i = 0; i < writer->options.connections; i++) {
        int pid = writer->lanes[i].pg != NULL ? lm_pg_backend_pid(writer->lanes[i].pg) : 0;
        lm_buffer_printf(&sql, "%s%d", i > 0 ? "," : "", pid);
    }
    lm_buffer_append_text(&sql, "}'::int[])");
    struct co_question question = {.sql = lm_buffer_text(&sql), .done = ignore_answer};
    if (question.sql != NULL)
        (void)!co_control_ask(writer->options.control, &question, &error);
    lm_buffer_free(&sql);
    lm_log(LM_LOG_WARN, "writer",
           "%s/%d: its lock is held by another connection; ending that, if it is a consumer's",
           partition->topic, (int)partition->number);
}

static void remedy(struct co_writer *writer, struct co_batch *batch, const struct lm_error *error,
                   long long line, bool closing)
{
    enum co_remedy what = co_retry_decide(error, line, closing);
    struct co_partition *partition = batch->partition;

    batch->attempts++;
    if (what != CO_REMEDY_TAKE_ROW && what != CO_REMEDY_SEARCH)
        count_retry(writer, error);
    lm_log_error(LM_LOG_DEBUG, "writer", error, "%s/%d: batch %u failed, remedy %s", partition->topic,
                 (int)partition->number, batch->serial, co_remedy_name(what));
    if (what == CO_REMEDY_READ_BACK) {
        (void)co_batch_change_state(batch, CO_BATCH_UNKNOWN);
        return;
    }
    send_again(batch);
    switch (what) {
    case CO_REMEDY_START_OVER:
        lm_log_error(LM_LOG_WARN, "writer", error, "%s/%d: starting over from the stored offset",
                     partition->topic, (int)partition->number);
        start_over(writer, partition);
        return;
    case CO_REMEDY_TAKE_ROW:
        line += batch->probing ? (long long)batch->probe_from : 0;
        if (line <= (long long)batch->row_count) {
            take_row(writer, batch, (size_t)line - 1, error);
            return;
        }
        break;
    case CO_REMEDY_SEARCH:
        search_failed(writer, batch, error);
        return;
    case CO_REMEDY_LEAF:
        co_leaves_forget(writer->options.leaves, partition->category);
        if (batch->attempts == 1)
            return;
        break;
    case CO_REMEDY_END_HOLDER:
        end_holder(writer, partition);
        break;
    case CO_REMEDY_RECONNECT:
    case CO_REMEDY_WAIT:
    case CO_REMEDY_READ_BACK:
        break;
    }
    back_off(batch);
    say_stuck(writer, batch, error);
}

/* --- events of a lane -------------------------------------------------------------------------------------
 */

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
    if (error != NULL)
        lm_log_limited(&writer->limit, 5000, LM_LOG_WARN, "writer", "connection to PostgreSQL: %s",
                       error->text);
    if (writer->closing)
        return;
    if (writer->connected > 0)
        writer->options.state(NULL, writer->options.context);
    else if (error != NULL)
        writer->options.state(error, writer->options.context);
    schedule(writer);
}

static void on_lane_copied(struct co_lane *lane, void *context)
{
    struct co_writer *writer = context;
    struct co_batch *batch = lane->batch;

    if (batch->state == CO_BATCH_COPYING)
        (void)co_batch_change_state(batch, CO_BATCH_COPIED);
    schedule(writer);
}

static void on_lane_finished(struct co_lane *lane, void *context)
{
    struct co_writer *writer = context;
    struct co_batch *batch = lane->batch;

    lm_histogram_observe(writer->commit_seconds, seconds_since(lane->started_us));
    if (batch->state == CO_BATCH_DONE) /* its partition went while the message was out */
        return;
    if (batch->probing)
        part_passed(writer, batch);
    else
        commit(writer, batch);
}

static void on_lane_failed(struct co_lane *lane, struct co_batch *batch, const struct lm_error *error,
                           long long line, bool closing, void *context)
{
    struct co_writer *writer = context;

    if (batch->state == CO_BATCH_DONE) /* its partition went while the closing message was out */
        return;
    pull_back_followers(writer, batch);
    remedy(writer, batch, error, line, closing);
    if (co_retry_decide(error, line, closing) == CO_REMEDY_RECONNECT)
        co_lane_reconnect(lane);
}

static void on_lane_idle(struct co_lane *lane, void *context)
{
    struct co_writer *writer = context;
    (void)lane;
    schedule(writer);
    if (!writer->closing)
        writer->options.room(writer->options.context);
}

/* --- questions -------------------------------------------------------------------------------------------
 */

static void on_read_back(const PGresult *result, void *context)
{
    struct inquiry *inquiry = context;
    if (PQntuples(result) > 0)
        inquiry->batch->read_back = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
}

static void on_read_back_done(const struct lm_error *error, void *context)
{
    struct inquiry inquiry = *(struct inquiry *)context;
    struct co_batch *batch = inquiry.batch;
    struct co_partition *partition = batch->partition;

    free(context);
    batch->asked = false;
    if (batch->state == CO_BATCH_UNKNOWN) {
        if (error != NULL) {
            back_off(batch);
        } else if (batch->read_back == batch->next_offset && !batch->probing) {
            lm_log(LM_LOG_INFO, "writer", "%s/%d: the COMMIT that broke off had gone through up to %lld",
                   partition->topic, (int)partition->number, (long long)batch->next_offset);
            commit(inquiry.writer, batch);
        } else if (batch->read_back == batch->expected_offset) {
            send_again(batch);
            back_off(batch);
        } else {
            start_over(inquiry.writer, partition);
        }
    }
    schedule(inquiry.writer);
}

/* The inquiry, or NULL (tried again at the next turn of events). */
static struct inquiry *inquire(struct co_writer *writer, struct co_batch *batch)
{
    struct inquiry *inquiry = malloc(sizeof(*inquiry));
    if (inquiry == NULL) {
        back_off(batch);
        return NULL;
    }
    *inquiry = (struct inquiry){writer, batch};
    return inquiry;
}

static void ask_read_back(struct co_writer *writer, struct co_batch *batch)
{
    const struct co_partition *partition = batch->partition;
    struct inquiry *inquiry = inquire(writer, batch);
    struct lm_buffer sql;
    struct lm_error error;

    if (inquiry == NULL)
        return;
    batch->read_back = -1;
    lm_buffer_init(&sql, 4096);
    lm_buffer_append_text(&sql, "SELECT next_offset FROM logmill.ingest_offset WHERE topic = ");
    lm_buffer_append_literal(&sql, partition->topic, strlen(partition->topic));
    lm_buffer_printf(&sql, " AND partition = %d", (int)partition->number);
    struct co_question question = {
        .sql = lm_buffer_text(&sql), .result = on_read_back, .done = on_read_back_done, .context = inquiry};
    if (question.sql != NULL && co_control_ask(writer->options.control, &question, &error) == 0) {
        batch->asked = true;
    } else {
        free(inquiry);
        back_off(batch);
    }
    lm_buffer_free(&sql);
}

static void on_leaves(const struct lm_error *error, void *context)
{
    struct inquiry inquiry = *(struct inquiry *)context;
    struct co_batch *batch = inquiry.batch;

    free(context);
    batch->asked = false;
    if (batch->state == CO_BATCH_SEALED && error != NULL) {
        batch->attempts++;
        count_retry(inquiry.writer, error);
        back_off(batch);
        say_stuck(inquiry.writer, batch, error);
    }
    schedule(inquiry.writer);
}

static void ask_leaves(struct co_writer *writer, struct co_batch *batch)
{
    struct inquiry *inquiry = inquire(writer, batch);
    struct lm_error error;

    if (inquiry == NULL)
        return;
    if (co_leaves_make(writer->options.leaves, batch->partition->category, batch->rollup.hours,
                       batch->rollup.hour_count, on_leaves, inquiry, &error) == 0) {
        batch->asked = true;
    } else {
        free(inquiry);
        back_off(batch);
    }
}

/* --- what runs -------------------------------------------------------------------------------------------
 */

static void make_ready(struct co_writer *writer, struct co_batch *batch)
{
    const struct co_partition *partition = batch->partition;
    struct co_closing_options options = {.topic = partition->topic,
                                         .partition = partition->number,
                                         .category = partition->category,
                                         .lock_timeout_ms = writer->options.lock_timeout_ms,
                                         .rehearse = batch->probing};
    struct lm_error error;

    if (batch->letters_pending > 0)
        return;
    if (!co_leaves_known(writer->options.leaves, partition->category, batch->rollup.hours,
                         batch->rollup.hour_count)) {
        ask_leaves(writer, batch);
        return;
    }
    if (co_closing_write(batch, &options, &error) != 0) {
        back_off(batch);
        say_stuck(writer, batch, &error);
        return;
    }
    (void)co_batch_change_state(batch, CO_BATCH_READY);
}

/* In order: the batch before it must be on its way already. */
static bool may_start(const struct co_batch *batch)
{
    size_t place = place_in_line(batch);
    if (place == 0)
        return true;
    enum co_batch_state before = batch->partition->line[place - 1]->state;
    return before == CO_BATCH_COPYING || before == CO_BATCH_COPIED || before == CO_BATCH_CLOSING;
}

static void advance(struct co_writer *writer, struct co_batch *batch, int64_t now_us)
{
    struct co_lane *lane;

    if (batch->state == CO_BATCH_SEALED && !batch->asked && now_us >= batch->not_before_us)
        make_ready(writer, batch);
    if (batch->state == CO_BATCH_READY && may_start(batch) && (lane = idle_lane(writer)) != NULL) {
        (void)co_batch_change_state(batch, CO_BATCH_COPYING);
        co_lane_start(lane, batch, writer->copy_sql[batch->partition->category]);
    }
    if (batch->state == CO_BATCH_COPIED && place_in_line(batch) == 0 &&
        (lane = lane_of(writer, batch)) != NULL) {
        lm_histogram_observe(writer->copy_seconds, seconds_since(lane->started_us));
        (void)co_batch_change_state(batch, CO_BATCH_CLOSING);
        co_lane_close_batch(lane);
    }
    if (batch->state == CO_BATCH_UNKNOWN && !batch->asked && now_us >= batch->not_before_us)
        ask_read_back(writer, batch);
}

/* Removes what is done and nobody points to any more. */
static void sweep(struct co_writer *writer)
{
    struct co_batch **at = &writer->first;
    bool gone = false;

    while (*at != NULL) {
        struct co_batch *batch = *at;
        if (batch->state != CO_BATCH_DONE || batch->letters_pending > 0 || batch->asked ||
            lane_of(writer, batch) != NULL) {
            at = &batch->next;
            continue;
        }
        struct co_partition *partition = batch->partition;
        *at = batch->next;
        writer->options.pool->sealed -= batch->charged;
        co_pool_give(writer->options.pool, batch);
        co_partition_unref(partition);
        gone = true;
    }
    writer->last = at;
    if (gone && !writer->closing)
        writer->options.room(writer->options.context);
}

static void on_timer(uv_timer_t *timer)
{
    schedule(timer->data);
}

static void set_timer(struct co_writer *writer, int64_t now_us)
{
    int64_t next_us = INT64_MAX;

    for (const struct co_batch *batch = writer->first; batch != NULL; batch = batch->next) {
        if ((batch->state == CO_BATCH_SEALED || batch->state == CO_BATCH_UNKNOWN) && !batch->asked &&
            batch->not_before_us > now_us && batch->not_before_us < next_us)
            next_us = batch->not_before_us;
    }
    if (next_us != INT64_MAX)
        (void)uv_timer_start(&writer->timer, on_timer, (uint64_t)(next_us - now_us) / 1000 + 1, 0);
}

static void schedule(struct co_writer *writer)
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

/* --- the outside -----------------------------------------------------------------------------------------
 */

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

void co_writer_submit(struct co_writer *writer, struct co_partition *partition)
{
    struct co_batch *batch = partition->filling;

    /* Without memory the names go with a later batch. */
    (void)!co_names_take(partition->names, lm_clock_mono_us(), &batch->names, &batch->name_count,
                         &batch->name_cap);
    lm_backoff_init(&batch->backoff, writer->options.retry_base_ms, writer->options.retry_cap_ms, 0);
    batch->charged = co_batch_memory(batch);
    writer->options.pool->sealed += batch->charged;
    partition->filling = NULL;
    partition->line[partition->line_count++] = batch;
    (void)co_batch_change_state(batch, CO_BATCH_SEALED);
    enlist(writer, batch);
    schedule(writer);
}

void co_writer_kick(struct co_writer *writer)
{
    schedule(writer);
}

bool co_writer_idle(const struct co_writer *writer)
{
    return writer->first == NULL;
}

static void create_metrics(struct co_writer *writer)
{
    static const double seconds[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30};
    static const double rows[] = {1, 10, 100, 300, 1000, 3000, 10000, 30000, 100000};
    struct lm_metrics *metrics = writer->options.metrics;

    writer->copy_seconds = lm_histogram(metrics, "logmill_consumer_copy_seconds", NULL,
                                        "From BEGIN to the end of a batch's COPY.", seconds,
                                        sizeof(seconds) / sizeof(seconds[0]));
    writer->commit_seconds = lm_histogram(metrics, "logmill_consumer_commit_seconds", NULL,
                                          "From a batch's closing message to its answer.", seconds,
                                          sizeof(seconds) / sizeof(seconds[0]));
    writer->batch_rows = lm_histogram(metrics, "logmill_consumer_batch_rows", NULL,
                                      "Rows of a committed batch.", rows, sizeof(rows) / sizeof(rows[0]));
    writer->batches = lm_counter(metrics, "logmill_consumer_batches_total", NULL, "Batches committed.");
}

int co_writer_open(const struct co_writer_options *options, struct co_writer **out, struct lm_error *error)
{
    struct co_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the writer");
    writer->options = *options;
    writer->last = &writer->first;
    if (writer->options.connections > LANES_MAX)
        writer->options.connections = LANES_MAX;
    for (int i = 0; i < LM_CATEGORY_COUNT; i++)
        (void)snprintf(writer->copy_sql[i], sizeof(writer->copy_sql[i]),
                       "COPY logmill.logs_%s %s FROM STDIN (FORMAT binary)",
                       lm_category_name((enum lm_category)i), co_copy_columns);
    create_metrics(writer);
    (void)uv_timer_init(options->loop, &writer->timer);
    writer->timer.data = writer;
    writer->events = (struct co_lane_events){.state = on_lane_state,
                                             .copied = on_lane_copied,
                                             .finished = on_lane_finished,
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
