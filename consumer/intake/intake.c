#include "common/clock.h"
#include "consumer/batch/replay.h"
#include "consumer/intake/intake_internal.h"

#include <stdlib.h>
#include <string.h>

int co_intake_open(const struct co_intake_options *options, struct co_intake **out, struct lm_error *error)
{
    struct co_intake *intake = calloc(1, sizeof(*intake));
    if (intake == NULL || (intake->schemas = lm_schema_set_new()) == NULL) {
        free(intake);
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the intake");
    }
    intake->options = *options;
    intake->scratch.schemas = intake->schemas;
    lm_buffer_init(&intake->scratch.template, 8192);
    *out = intake;
    return 0;
}

void co_intake_free(struct co_intake *intake)
{
    if (intake == NULL)
        return;
    lm_buffer_free(&intake->scratch.template);
    lm_schema_set_free(intake->schemas);
    free(intake);
}

void co_intake_set(struct co_intake *intake, const struct co_window windows[LM_CATEGORY_COUNT],
                   int64_t schema_wait_us)
{
    memcpy(intake->options.windows, windows, sizeof(intake->options.windows));
    intake->options.schema_wait_us = schema_wait_us;
}

void co_intake_read_clocks(struct co_intake *intake)
{
    intake->scratch.now_us = lm_clock_wall_us();
    intake->mono_us = lm_clock_mono_us();
}

struct lm_schema_set *co_intake_schemas(struct co_intake *intake)
{
    return intake->schemas;
}

void co_intake_use_registry(struct co_intake *intake, struct co_registry *registry)
{
    intake->registry = registry;
}

static void count_dead(struct co_intake *intake, const struct co_partition *partition, const char *class)
{
    struct lm_buffer labels;
    lm_buffer_init(&labels, 1024);
    lm_metrics_label(&labels, "topic", partition->topic);
    lm_metrics_label(&labels, "class", class);
    lm_counter_add(lm_counter(intake->options.metrics, "logmill_consumer_dead_letters_total",
                              lm_buffer_text(&labels),
                              "Records sent to a dead-letter topic, by what was wrong."),
                   1);
    lm_buffer_free(&labels);
}

int co_intake_bury(struct co_intake *intake, struct co_partition *partition, rd_kafka_message_t *message,
                   const struct lm_error *why)
{
    struct co_batch *batch = partition->filling;
    int64_t offset = message->offset;

    if (co_batch_note_letter(batch, offset) != 0)
        return -1;
    if (co_partition_is_buried(partition, offset)) {
        rd_kafka_message_destroy(message);
        return 0;
    }
    if (co_letters_send(intake->options.letters, batch, message, why, 1) != 0) {
        batch->letter_count--;
        return -1;
    }
    count_dead(intake, partition, why->kind);
    lm_log_limited(&intake->dead_limit, 1000, LM_LOG_WARN, "intake",
                   "%s/%d offset %lld to the dead letters: %s: %s", partition->topic, (int)partition->number,
                   (long long)offset, why->kind, why->text);
    return 0;
}

/* What went to the dead letters before the partition started over stays there, though it might pass now (its
 * time has come, its schema is known): put back later it would be stored twice. */
static int check_not_buried(const struct co_partition *partition, const rd_kafka_message_t *message,
                            struct lm_error *error)
{
    if (!co_partition_is_buried(partition, message->offset))
        return 0;
    return lm_error_set(error, LM_DEAD_LETTER, "buried", "the dead letters have it already");
}

/* Whether an uncommitted batch of this partition brings the same record already. */
static bool on_the_way(const struct co_partition *partition, const struct co_replay *replay)
{
    for (size_t i = 0; i < partition->line_count; i++) {
        if (co_replay_in(partition->line[i], replay))
            return true;
    }
    return co_replay_in(partition->filling, replay);
}

/* The filter for records put back: ingest_replay decides, not the producer's sequence. */
static enum co_hold judge_replay(struct co_partition *partition, const struct co_replay *replay, bool *repeat)
{
    if (on_the_way(partition, replay)) {
        *repeat = true;
        return CO_HOLD_NONE;
    }
    if (!partition->replay_answered)
        return CO_HOLD_REPLAY;
    *repeat = partition->replay_stored;
    if (*repeat)
        return CO_HOLD_NONE;
    return co_replay_add(partition->filling, replay) == 0 ? CO_HOLD_NONE : CO_HOLD_MEMORY;
}

static enum co_hold judge_source(struct co_partition *partition, const struct lm_record *record,
                                 int64_t kafka_us, bool *repeat)
{
    struct co_batch *batch = partition->filling;
    enum co_verdict verdict;
    size_t move;

    if (!record->has_source || !record->has_sequence)
        return CO_HOLD_NONE;
    if (co_sources_decide(partition->sources, record->source, record->sequence, batch->move_count, &verdict,
                          &move) != 0)
        return CO_HOLD_MEMORY;
    if (verdict == CO_VERDICT_UNKNOWN)
        return CO_HOLD_SOURCE;
    *repeat = verdict == CO_VERDICT_REPEAT;
    if (*repeat)
        return CO_HOLD_NONE;
    if (move == batch->move_count)
        batch->move_count++;
    batch->moves[move] = (struct co_source_move){record->source, record->sequence, kafka_us};
    return CO_HOLD_NONE;
}

/* Kafka's time as far as it has passed. A producer may set any, and what is committed must never run ahead of
 * the clock: a partition forgets by it which sequences it has seen. */
int64_t co_intake_passed_us(const struct co_intake *intake, const rd_kafka_message_t *message)
{
    int64_t us = co_message_time_us(message), now_us = intake->scratch.now_us;
    return us < now_us ? us : now_us;
}

/* A producer registers its schema before it sends, so a registry that lags behind by less than schema_wait
 * knows the id by then. What was sent earlier waits for nothing, so that an id nobody ever registers delays
 * its partition by schema_wait and not each of its records. */
static bool may_be_registered_yet(const struct co_intake *intake, const rd_kafka_message_t *message,
                                  const struct lm_error *error)
{
    return strcmp(error->kind, "unknown_schema_id") == 0 &&
           intake->scratch.now_us - co_intake_passed_us(intake, message) < intake->options.schema_wait_us;
}

enum outcome {
    STORED, /* the message is the batch's, if it keeps any */
    REPEAT, /* still the caller's */
    BURIED, /* the dead letters have it */
    HELD,   /* still the caller's; *hold says what it waits for */
    LOST /* still the caller's; memory ran out half-way: the partition starts over from what is committed */
};

/* A bad record whose producer sends it again is a repeat like any other, where it says whose it is: put back,
 * both would be stored. */
static enum outcome refuse(struct co_intake *intake, struct co_partition *partition,
                           rd_kafka_message_t *message, const struct lm_error *error, enum co_hold *hold)
{
    const struct co_batch_scratch *scratch = &intake->scratch;
    struct co_replay replay;
    bool repeat = false, judged = false;

    if (error->decision == LM_DEAD_LETTER && scratch->decoded && !co_replay_read(message, &replay)) {
        *hold = judge_source(partition, &scratch->record, co_intake_passed_us(intake, message), &repeat);
        if (*hold != CO_HOLD_NONE)
            return HELD;
        judged = true;
    }
    if (repeat)
        return REPEAT;
    if (error->decision == LM_DEAD_LETTER && may_be_registered_yet(intake, message, error)) {
        *hold = CO_HOLD_UNREGISTERED;
        return HELD;
    }
    if (error->decision == LM_DEAD_LETTER && co_intake_bury(intake, partition, message, error) == 0)
        return BURIED;
    if (judged) /* its source has moved on without it */
        return LOST;
    *hold = strcmp(error->kind, "unknown_schema") == 0 ? CO_HOLD_SCHEMA : CO_HOLD_MEMORY;
    if (strcmp(error->kind, "unknown_schema_id") == 0)
        *hold = CO_HOLD_REGISTRY;
    return HELD;
}

/* The verdict on repeats comes after everything else that can hold the record, because it moves the source
 * forward. */
static enum outcome take(struct co_intake *intake, struct co_partition *partition,
                         rd_kafka_message_t *message, enum co_hold *hold)
{
    struct co_batch *batch = partition->filling;
    struct co_batch_scratch *scratch = &intake->scratch;
    struct lm_error error;
    struct co_replay replay;
    bool repeat = false;
    uint32_t place;
    size_t replays = batch->replay_count;

    if (co_batch_reserve(batch) != 0) {
        *hold = CO_HOLD_MEMORY;
        return HELD;
    }
    if (co_batch_decode(batch, scratch, message, partition->category, &error) != 0 ||
        co_window_check(&intake->options.windows[partition->category], scratch->record.timestamp_us,
                        scratch->now_us, &error) != 0 ||
        check_not_buried(partition, message, &error) != 0)
        return refuse(intake, partition, message, &error, hold);

    *hold = co_replay_read(message, &replay)
                ? judge_replay(partition, &replay, &repeat)
                : judge_source(partition, &scratch->record, co_intake_passed_us(intake, message), &repeat);
    if (*hold != CO_HOLD_NONE)
        return HELD;
    if (repeat)
        return REPEAT;
    if (co_names_add(partition->names, &scratch->record, &place) != 0)
        return LOST;
    if (co_batch_add(batch, scratch, message, partition->category, place, intake->options.patterns, &error) ==
        0) {
        if (batch->replay_count > replays && batch->keeps_messages)
            batch->rows[batch->row_count - 1].replay = batch->replay_count;
        return STORED;
    }
    if (batch->replay_count > replays) /* not stored: it may be put back again */
        co_replay_take_back(batch);
    return error.decision == LM_DEAD_LETTER && co_intake_bury(intake, partition, message, &error) == 0
               ? BURIED
               : LOST;
}

bool co_intake_process(struct co_intake *intake, struct co_partition *partition, rd_kafka_message_t *message)
{
    struct co_batch *batch = partition->filling;
    int64_t offset = message->offset, kafka_us = co_intake_passed_us(intake, message);
    size_t bytes = message->len;
    enum co_hold hold = CO_HOLD_NONE;

    switch (take(intake, partition, message, &hold)) {
    case HELD:
        co_intake_hold(intake, partition, message, hold, intake->scratch.record.source);
        return false;
    case LOST:
        rd_kafka_message_destroy(message);
        lm_log(LM_LOG_ERROR, "intake", "%s/%d: no memory; starting over from the committed offset",
               partition->topic, (int)partition->number);
        intake->options.position_refused(partition, intake->options.context);
        return false;
    case REPEAT:
        batch->repeat_count++;
        rd_kafka_message_destroy(message);
        break;
    case STORED:
        if (!batch->keeps_messages)
            rd_kafka_message_destroy(message);
        break;
    case BURIED:
        break;
    }
    co_batch_passed(batch, offset, kafka_us, intake->mono_us);
    partition->position = offset + 1;
    partition->message_bytes = (partition->message_bytes * 15 + bytes) / 16;
    lm_counter_add(partition->metrics.consumed, 1);
    return true;
}

/* The position follows past what is never delivered: aborted transactions, the marks at their ends. They
 * would count as lag for ever, and as lost when retention deletes them. */
static void pass_over(struct co_partition *partition, int64_t end)
{
    if (end <= partition->position)
        return;
    co_batch_skip(partition->filling, end, lm_clock_mono_us());
    partition->position = end;
}

/* An event instead of a message: only a refused position needs a decision, librdkafka goes on by itself from
 * the rest. */
static bool process_event(struct co_intake *intake, struct co_partition *partition,
                          const rd_kafka_message_t *message)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        lm_log(LM_LOG_WARN, "intake", "%s/%d: the broker has no offset %lld: %s", partition->topic,
               (int)partition->number, (long long)partition->position, rd_kafka_message_errstr(message));
        (void)co_partition_change_state(partition, CO_PARTITION_REFUSED);
        return false;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        pass_over(partition, message->offset);
        return true;
    default:
        lm_log_limited(&intake->event_limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "intake", "%s/%d: %s",
                       partition->topic, (int)partition->number, rd_kafka_message_errstr(message));
        return true;
    }
}

/* NULL: nothing is there. */
static rd_kafka_message_t *next_message(struct co_partition *partition, size_t most)
{
    if (partition->ahead.count == 0 && !co_ahead_fill(&partition->ahead, partition->queue, most)) {
        partition->replay_answered = false; /* what was answered was about another */
        return rd_kafka_consume_queue(partition->queue, 0);
    }
    return co_ahead_take(&partition->ahead, &partition->replay_answered, &partition->replay_stored);
}

bool co_intake_read(struct co_intake *intake, struct co_partition *partition, size_t limit)
{
    co_intake_read_clocks(intake);
    for (size_t i = 0; i < limit; i++) {
        rd_kafka_message_t *message;
        bool go_on;

        if (partition->state != CO_PARTITION_RUNNING || partition->filling == NULL ||
            co_batch_full(partition->filling, &intake->options.pool->policy))
            return false;
        message = next_message(partition, limit - i);
        if (message == NULL)
            return false;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            go_on = process_event(intake, partition, message);
            rd_kafka_message_destroy(message);
        } else if (message->offset < partition->position) {
            rd_kafka_message_destroy(message); /* fetched before the seek */
            go_on = true;
        } else {
            go_on = co_intake_process(intake, partition, message);
        }
        if (!go_on)
            return false;
    }
    return true;
}
