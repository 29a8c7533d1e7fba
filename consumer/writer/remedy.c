#include "common/clock.h"
#include "consumer/batch/piece.h"
#include "consumer/writer/retry.h"
#include "consumer/writer/writer_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where PostgreSQL has refused a row it may refuse more: so many batches keep their messages. */
#define CAREFUL_BATCHES 20
/* Where a batch that flowed has failed the next may fail too: so many keep their tuples. */
#define WARY_BATCHES 5

/* An answer that takes so many times lock_timeout is not only slow. */
#define SILENT_LOCK_TIMEOUTS 3

/* A question on the control connection about a batch, which stays until it is answered. */
struct inquiry {
    struct co_writer *writer;
    struct co_batch *batch;
};

/* Back to sealed: everything about it is decided again before it is sent again. */
static void send_again(struct co_writer *writer, struct co_batch *batch)
{
    if (batch->open)
        co_writer_seal(writer, batch);
    if (batch->broken)
        batch->partition->outdated = true;
    if (batch->state != CO_BATCH_SEALED && batch->state != CO_BATCH_DONE)
        (void)co_batch_change_state(batch, CO_BATCH_SEALED);
}

void co_remedy_back_off(struct co_batch *batch)
{
    batch->not_before_us = lm_clock_mono_us() + (int64_t)lm_backoff_next(&batch->backoff) * 1000;
}

/* What stands behind a batch that failed was copied on top of it: it waits for it again. */
static void pull_back_followers(struct co_writer *writer, const struct co_batch *batch)
{
    struct co_partition *partition = batch->partition;

    for (size_t i = co_writer_place(batch) + 1; i < partition->line_count; i++) {
        struct co_batch *follower = partition->line[i];
        struct co_lane *lane = co_writer_lane_of(writer, follower);
        if (lane != NULL)
            co_lane_abort(lane);
        if (follower->state == CO_BATCH_COPYING || follower->state == CO_BATCH_COPIED)
            send_again(writer, follower);
    }
}

/* ---- what became of a batch ---- */

void co_remedy_commit(struct co_writer *writer, struct co_batch *batch)
{
    struct co_partition *partition = batch->partition;

    partition->start_overs = 0;
    partition->committed = batch->next_offset;
    if (batch->kafka_time_us > 0)
        partition->committed_time_us = batch->kafka_time_us;
    partition->commit_to_kafka = true;
    if (batch->keeps_messages && partition->careful_batches > 0)
        partition->careful_batches--;
    if (partition->wary_batches > 0)
        partition->wary_batches--;
    co_sources_committed(partition->sources, batch->serial);
    for (size_t i = 0; i < batch->pattern_count; i++)
        co_patterns_stored(writer->options.patterns, batch->patterns[i].id);
    lm_counter_add(partition->metrics.stored, batch->row_count);
    lm_counter_add(partition->metrics.repeats, batch->repeat_count);
    lm_counter_add(writer->batches, 1);
    lm_histogram_observe(writer->batch_rows, (double)batch->row_count);
    lm_histogram_observe(writer->decode_seconds, (double)batch->decoding_us / 1e6);
    if (batch->first_time_us > 0)
        lm_histogram_observe(writer->latency_seconds,
                             (double)(lm_clock_wall_us() - batch->first_time_us) / 1e6);
    if (batch->row_count > 0)
        writer->believed[partition->category] = 0;
    if (batch->attempts > 0 || batch->unanswered)
        co_partition_say(partition, NULL);

    partition->line_count--;
    memmove(&partition->line[0], &partition->line[1], partition->line_count * sizeof(partition->line[0]));
    (void)co_batch_change_state(batch, CO_BATCH_DONE);
}

void co_writer_drop(struct co_writer *writer, struct co_partition *partition)
{
    partition->outdated = false;
    for (size_t i = 0; i < partition->line_count; i++) {
        struct co_lane *lane = co_writer_lane_of(writer, partition->line[i]);
        if (lane != NULL)
            co_lane_abort(lane);
        (void)co_batch_change_state(partition->line[i], CO_BATCH_DONE);
        if (partition->line[i]->open)
            partition->filling = NULL;
        partition->line[i]->open = false;
    }
    partition->line_count = 0;
    if (partition->filling != NULL) {
        (void)co_batch_change_state(partition->filling, CO_BATCH_DONE);
        co_writer_enlist(writer, partition->filling);
        partition->filling = NULL;
    }
    co_writer_schedule(writer);
}

static void start_over(struct co_writer *writer, struct co_partition *partition)
{
    partition->start_overs++;
    for (size_t i = 0; i < partition->line_count; i++) {
        if (partition->line[i]->letters_pending == 0)
            co_partition_keep_buried(partition, partition->line[i]);
    }
    if (partition->filling != NULL && !partition->filling->open && partition->filling->letters_pending == 0)
        co_partition_keep_buried(partition, partition->filling);
    co_writer_drop(writer, partition);
    writer->options.position_lost(partition, writer->options.context);
}

void co_remedy_read_again(struct co_writer *writer, struct co_batch *batch)
{
    struct co_partition *partition = batch->partition;

    partition->wary_batches = WARY_BATCHES;
    lm_log(LM_LOG_INFO, "writer", "%s/%d: reading again from %lld", partition->topic, (int)partition->number,
           (long long)partition->committed);
    start_over(writer, partition);
}

/* ---- remedies ---- */

/* PostgreSQL refuses a row of a batch that kept no messages: the batch is read again, as one that is broken,
 * and now keeps them. */
static void read_carefully(struct co_batch *batch, const struct lm_error *error)
{
    struct co_partition *partition = batch->partition;

    partition->careful_batches = CAREFUL_BATCHES;
    batch->broken = partition->outdated = true;
    lm_log_error(LM_LOG_INFO, "writer", error, "%s/%d: to be read again, to find the record refused",
                 partition->topic, (int)partition->number);
}

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

static void say(struct co_writer *writer, struct co_partition *partition, const struct lm_error *error,
                bool everything)
{
    char reason[sizeof(error->text)];

    co_retry_explain(error, everything, reason, sizeof(reason));
    co_partition_say(partition, reason);
    lm_log_limited(&writer->stuck_limit, LM_LOG_AGAIN_MS,
                   error->decision == LM_FATAL ? LM_LOG_ERROR : LM_LOG_WARN, "writer", "%s/%d: %s",
                   partition->topic, (int)partition->number, reason);
}

void co_remedy_say_stuck(struct co_writer *writer, struct co_batch *batch, const struct lm_error *error)
{
    say(writer, batch->partition, error, false);
}

int co_remedy_recount(struct co_writer *writer, struct co_batch *batch)
{
    struct lm_error error;
    if (co_batch_recount(batch, &error) == 0)
        return 0;
    lm_log_error(LM_LOG_ERROR, "writer", &error,
                 "a batch cannot be counted again; its partition starts over");
    start_over(writer, batch->partition);
    return -1;
}

void co_remedy_give_back(struct co_writer *writer, struct co_batch *batch)
{
    struct co_lane *lane = co_writer_lane_of(writer, batch);

    pull_back_followers(writer, batch);
    batch->letters_until_us = 0;
    if (lane != NULL)
        co_lane_abort(lane);
    send_again(writer, batch);
}

static void take_row(struct co_writer *writer, struct co_batch *batch, size_t row,
                     const struct lm_error *error)
{
    struct co_partition *partition = batch->partition;
    struct lm_buffer labels;
    size_t rows = batch->row_count < partition->piece_rows ? batch->row_count : partition->piece_rows;
    unsigned tries = batch->attempts > 0 ? batch->attempts : 1;

    batch->probing = false;
    rd_kafka_message_t *message = co_batch_take_row(batch, row);
    int64_t offset = message->offset;
    partition->piece_rows = co_piece_refused(rows);
    partition->careful_batches = CAREFUL_BATCHES;
    lm_log_limited(&writer->refused_limit, 1000, LM_LOG_WARN, "writer",
                   "%s/%d offset %lld to the dead letters: %s", partition->topic, (int)partition->number,
                   (long long)offset, error->text);
    if (co_letters_send(writer->options.letters, batch, message, error, tries) != 0) {
        rd_kafka_message_destroy(message);
        start_over(writer, partition);
        return;
    }
    (void)!co_batch_note_letter(batch, offset); /* without memory a start-over may send it again */
    lm_buffer_init(&labels, 1024);
    lm_metrics_label(&labels, "topic", partition->topic);
    lm_metrics_label(&labels, "class", error->kind);
    lm_counter_add(lm_counter(writer->options.metrics, "logmill_consumer_dead_letters_total",
                              lm_buffer_text(&labels),
                              "Records sent to a dead-letter topic, by what was wrong."),
                   1);
    lm_buffer_free(&labels);
}

/* The batch is tried as a whole next. */
static void try_all(struct co_batch *batch)
{
    batch->probing = false;
    batch->recount = true;
}

/* One row is tried on its own next. */
static void try_sample(struct co_batch *batch)
{
    batch->probing = true;
    batch->probe_from = co_refusal_sample(&batch->refusal, batch->row_count);
    batch->probe_to = batch->probe_from + 1;
    batch->recount = true;
}

/* As many records have come behind a batch as it holds, and there is room in it: read with them it may be
 * seen that the table is well. By doubling, so that it does not start over for every record that comes. */
static bool others_may_tell(const struct co_writer *writer, const struct co_batch *batch)
{
    const struct co_partition *partition = batch->partition;
    const struct co_batch *filling = partition->filling;
    size_t behind = filling != NULL && !filling->open ? filling->record_count : 0;

    for (size_t i = 1; i < partition->line_count; i++)
        behind += partition->line[i]->record_count;
    return co_writer_place(batch) == 0 && behind >= batch->row_count &&
           !co_batch_full(batch, &writer->options.pool->policy);
}

static void blame_table(struct co_writer *writer, struct co_batch *batch, const struct lm_error *error)
{
    count_retry(writer, error);
    if (batch->refusal.waited && others_may_tell(writer, batch)) {
        start_over(writer, batch->partition);
        return;
    }
    batch->refusal.waited = true;
    try_all(batch);
    co_remedy_back_off(batch);
    say(writer, batch->partition, error, true);
}

void co_remedy_blame(struct co_writer *writer, struct co_batch *batch, size_t row,
                     const struct lm_error *error)
{
    size_t *believed = &writer->believed[batch->partition->category];

    switch (co_refusal_judge(&batch->refusal, row, batch->row_count, believed)) {
    case CO_BLAME_ROW:
        take_row(writer, batch, row, error);
        break;
    case CO_BLAME_SAMPLE:
        try_sample(batch);
        break;
    case CO_BLAME_AGAIN:
        try_all(batch);
        break;
    case CO_BLAME_TABLE:
        blame_table(writer, batch, error);
        break;
    }
}

/* Chooses the next part to try; when one row is left, that row on its own. */
static void try_part(struct co_batch *batch)
{
    size_t left = batch->probe_high - batch->probe_low;
    batch->probe_from = batch->probe_low;
    batch->probe_to = left > 1 ? batch->probe_low + left / 2 : batch->probe_high;
    batch->recount = true;
}

static void search_failed(struct co_writer *writer, struct co_batch *batch, const struct lm_error *error)
{
    if (!batch->probing) {
        if (batch->row_count == 0) {
            co_remedy_back_off(batch);
            co_remedy_say_stuck(writer, batch, error);
            return;
        }
        batch->probing = true;
        batch->probe_low = 0;
        batch->probe_high = batch->row_count;
    } else if (batch->probe_to - batch->probe_from == 1) {
        co_remedy_blame(writer, batch, batch->probe_from, error);
        return;
    } else {
        batch->probe_high = batch->probe_to;
    }
    try_part(batch);
}

/* A part passed: the bad row is behind it. If it was the last, no row is bad on its own: wait like for
 * anything else. */
void co_remedy_part_passed(struct co_writer *writer, struct co_batch *batch)
{
    send_again(writer, batch);
    if (batch->refusal.sampling) {
        if (co_refusal_passed(&batch->refusal, batch->row_count) == CO_BLAME_SAMPLE)
            try_sample(batch);
        else
            try_all(batch);
        return;
    }
    batch->probe_low = batch->probe_to;
    if (batch->probe_low < batch->probe_high) {
        try_part(batch);
        return;
    }
    struct lm_error error;
    (void)lm_error_set(&error, LM_RETRY, "data_exception",
                       "PostgreSQL refuses a batch whose rows it takes one part after the other");
    try_all(batch);
    co_remedy_back_off(batch);
    co_remedy_say_stuck(writer, batch, &error);
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

void co_remedy_apply(struct co_writer *writer, struct co_batch *batch, const struct lm_error *error,
                     long long line, bool closing)
{
    enum co_remedy what = co_retry_decide(error, line, closing);
    struct co_partition *partition = batch->partition;

    pull_back_followers(writer, batch);
    batch->attempts++;
    if (what != CO_REMEDY_TAKE_ROW && what != CO_REMEDY_SEARCH)
        count_retry(writer, error);
    lm_log_error(LM_LOG_DEBUG, "writer", error, "%s/%d: batch %u failed, remedy %s", partition->topic,
                 (int)partition->number, batch->serial, co_remedy_name(what));
    if (what == CO_REMEDY_READ_BACK) {
        (void)co_batch_change_state(batch, CO_BATCH_UNKNOWN);
        return;
    }
    send_again(writer, batch);
    if ((what == CO_REMEDY_TAKE_ROW || what == CO_REMEDY_SEARCH) && !batch->keeps_messages &&
        batch->row_count > 0) {
        read_carefully(batch, error);
        return;
    }
    switch (what) {
    case CO_REMEDY_START_OVER:
        lm_log_error(LM_LOG_WARN, "writer", error, "%s/%d: starting over from the stored offset",
                     partition->topic, (int)partition->number);
        start_over(writer, partition);
        if (partition->start_overs > 1)
            say(writer, partition, error, false);
        return;
    case CO_REMEDY_TAKE_ROW:
        line += batch->probing ? (long long)batch->probe_from : 0;
        if (line <= (long long)batch->row_count) {
            co_remedy_blame(writer, batch, (size_t)line - 1, error);
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
    co_remedy_back_off(batch);
    co_remedy_say_stuck(writer, batch, error);
}

/* ---- silence ---- */

/* No time-out of the server's reaches a backend that hangs or a COMMIT that waits for a standby, and giving
 * up would not tell what became of it. So it is waited for, but not in silence. */
static void say_unanswered(const struct co_lane *lane)
{
    struct co_batch *batch = lane->batch;
    char reason[400];

    batch->unanswered = true;
    (void)snprintf(
        reason, sizeof(reason),
        "PostgreSQL does not answer %s: it waits for a lock or a standby, or hangs; pg_stat_activity "
        "tells of process %d",
        lane->state == CO_LANE_CLOSING ? "a COMMIT" : "a COPY", lm_pg_backend_pid(lane->pg));
    co_partition_say(batch->partition, reason);
}

void co_writer_tick(struct co_writer *writer)
{
    int64_t since_us = lm_clock_mono_us() - SILENT_LOCK_TIMEOUTS * writer->options.lock_timeout_ms * 1000;

    for (unsigned i = 0; i < writer->options.connections; i++) {
        const struct co_lane *lane = &writer->lanes[i];
        if ((lane->state == CO_LANE_COPYING || lane->state == CO_LANE_CLOSING) && lane->batch != NULL &&
            lane->batch->state != CO_BATCH_DONE && !lane->hungry && lane->started_us < since_us)
            say_unanswered(lane);
    }
}

/* ---- questions ---- */

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
            co_remedy_back_off(batch);
            co_remedy_say_stuck(inquiry.writer, batch, error);
        } else if (batch->read_back == batch->next_offset && !batch->probing) {
            lm_log(LM_LOG_INFO, "writer", "%s/%d: the COMMIT that broke off had gone through up to %lld",
                   partition->topic, (int)partition->number, (long long)batch->next_offset);
            co_remedy_commit(inquiry.writer, batch);
        } else if (batch->read_back == batch->expected_offset) {
            send_again(inquiry.writer, batch);
            co_remedy_back_off(batch);
        } else {
            start_over(inquiry.writer, partition);
        }
    }
    co_writer_schedule(inquiry.writer);
}

/* The inquiry, or NULL (tried again at the next turn of events). */
static struct inquiry *inquire(struct co_writer *writer, struct co_batch *batch)
{
    struct inquiry *inquiry = malloc(sizeof(*inquiry));
    if (inquiry == NULL) {
        co_remedy_back_off(batch);
        return NULL;
    }
    *inquiry = (struct inquiry){writer, batch};
    return inquiry;
}

void co_remedy_read_back(struct co_writer *writer, struct co_batch *batch)
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
        co_remedy_back_off(batch);
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
        co_remedy_back_off(batch);
        co_remedy_say_stuck(inquiry.writer, batch, error);
    }
    co_writer_schedule(inquiry.writer);
}

void co_remedy_ask_leaves(struct co_writer *writer, struct co_batch *batch)
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
        co_remedy_back_off(batch);
    }
}
