/*
 * Records that wait: for their writer's schema, for a source or a replay to be looked up, for memory. One a
 * partition; the partition waits with it.
 */
#include "common/clock.h"
#include "consumer/intake/intake_internal.h"
#include "consumer/writer/retry.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_LOOK_US (2 * LM_SECOND_US)
#define LOOK_AGAIN_US (LM_SECOND_US / 2)
/* How long after the registry knew no such id it is asked again: as long as it has been waited for, but. */
#define REGISTRY_AGAIN_MIN_US LM_SECOND_US
#define REGISTRY_AGAIN_MAX_US (10 * LM_SECOND_US)
#define QUESTION_MAX 1048576

/* A question about a held record; the answer is stale when the partition has started over meanwhile. */
struct lookup {
    struct co_intake *intake;
    struct co_partition *partition;
    uint32_t epoch;
    int64_t source;
    uint64_t fingerprint;
    bool found;
    bool no_memory; /* for what was found */
};

static void look_up(struct co_intake *intake, struct co_partition *partition);

void co_intake_hold(struct co_intake *intake, struct co_partition *partition, rd_kafka_message_t *message,
                    enum co_hold hold, int64_t source)
{
    if (partition->held == NULL) {
        partition->held_since_us = lm_clock_mono_us();
        (void)co_partition_change_state(partition, CO_PARTITION_HOLDING);
    }
    partition->held = message;
    partition->hold = hold;
    partition->held_source = source;
    partition->hold_asked = false;
    partition->hold_again_us = 0;
    if (hold != CO_HOLD_UNREGISTERED) /* the registry has just answered; it is asked again later */
        look_up(intake, partition);
}

/* That PostgreSQL does not answer what a record waits for; NULL: it does. */
static void say_unanswered(struct co_partition *partition, const struct lm_error *error)
{
    char reason[sizeof(error->text)];

    if (error != NULL && strcmp(error->kind, "closing") != 0) {
        co_retry_explain(error, false, reason, sizeof(reason));
        co_partition_say(partition, reason);
        partition->hold_unanswered = true;
    } else if (partition->hold_unanswered) {
        co_partition_say(partition, NULL);
        partition->hold_unanswered = false;
    }
}

/* Tries the held message again, now that something is known. */
static void resume(struct co_intake *intake, struct co_partition *partition)
{
    rd_kafka_message_t *message = partition->held;
    enum co_hold hold = partition->hold;

    if (partition->filling == NULL) /* its batch went out while it waited; the tick comes back */
        return;
    partition->held = NULL;
    partition->hold = CO_HOLD_NONE;
    (void)co_partition_change_state(partition, CO_PARTITION_RUNNING);
    int64_t since_us = partition->held_since_us;
    co_intake_read_clocks(intake);
    if (co_intake_process(intake, partition, message)) {
        if (hold == CO_HOLD_SCHEMA || hold == CO_HOLD_UNREGISTERED)
            co_partition_say(partition, NULL);
        else
            say_unanswered(partition, NULL); /* what it waited for may have been asked by another */
        intake->options.awake(intake->options.context);
    } else if (partition->held != NULL && partition->hold == hold) {
        partition->held_since_us = since_us;
    }
}

/* How long the held record's schema has been waited for: from when it was sent, so that a schema that never
 * comes delays its partition by schema_wait and not each of its records. */
static int64_t schema_waited_us(struct co_intake *intake, const struct co_partition *partition)
{
    co_intake_read_clocks(intake);
    int64_t held_us = intake->mono_us - partition->held_since_us;
    int64_t sent_us = intake->scratch.now_us - co_intake_passed_us(intake, partition->held);
    return sent_us > held_us ? sent_us : held_us;
}

/* The schema did not come in time. */
static void give_up_on_schema(struct co_intake *intake, struct co_partition *partition)
{
    rd_kafka_message_t *message = partition->held;
    struct co_batch *batch = partition->filling;
    struct lm_error error;

    co_intake_read_clocks(intake);
    int64_t offset = message->offset, kafka_us = co_intake_passed_us(intake, message);
    if (partition->hold == CO_HOLD_UNREGISTERED)
        (void)lm_error_set(&error, LM_DEAD_LETTER, "unknown_schema_id",
                           "the schema registry knew no schema with its id within schema_wait");
    else
        (void)lm_error_set(&error, LM_DEAD_LETTER, "unknown_schema",
                           "the schema it was written with did not become known within schema_wait");
    if (batch == NULL || co_intake_bury(intake, partition, message, &error) != 0)
        return;
    co_batch_passed(batch, offset, kafka_us, intake->mono_us);
    partition->position = offset + 1;
    lm_counter_add(partition->metrics.consumed, 1);
    partition->held = NULL;
    partition->hold = CO_HOLD_NONE;
    (void)co_partition_change_state(partition, CO_PARTITION_RUNNING);
    co_partition_say(partition, NULL);
    intake->options.awake(intake->options.context);
}

static void on_source(const PGresult *result, void *context)
{
    struct lookup *lookup = context;
    struct co_partition *partition = lookup->partition;

    if (partition->epoch != lookup->epoch || partition->state != CO_PARTITION_HOLDING)
        return;
    lookup->found = co_ahead_load_sources(partition->sources, lookup->source, result) == 0;
}

static void on_replay(const PGresult *result, void *context)
{
    struct lookup *lookup = context;
    struct co_partition *partition = lookup->partition;

    if (partition->epoch != lookup->epoch || partition->state != CO_PARTITION_HOLDING)
        return;
    lookup->found = true;
    partition->replay_answered = true;
    partition->replay_stored = co_ahead_note_replays(&partition->ahead, result);
}

static void on_schema(const PGresult *result, void *context)
{
    struct lookup *lookup = context;
    struct lm_error error;
    uint64_t fingerprint;

    if (PQntuples(result) == 0)
        return;
    if (lm_schema_set_add(lookup->intake->schemas, PQgetvalue(result, 0, 0),
                          (size_t)PQgetlength(result, 0, 0), &fingerprint, &error) == 0) {
        /* A row that names a schema by another's fingerprint would be found again and again. */
        lookup->found = fingerprint == lookup->fingerprint;
        return;
    }
    lookup->no_memory = error.decision == LM_RETRY;
    lm_log_error(LM_LOG_WARN, "intake", &error, "a schema in logmill.log_schema cannot be used");
}

static void on_looked_up(const struct lm_error *error, void *context)
{
    struct lookup *lookup = context;
    struct co_intake *intake = lookup->intake;
    struct co_partition *partition = lookup->partition;

    if (partition->epoch == lookup->epoch && partition->state == CO_PARTITION_HOLDING) {
        partition->hold_asked = false;
        say_unanswered(partition, error);
        if (error == NULL && lookup->found)
            resume(intake, partition);
        else if (error == NULL && !lookup->no_memory && partition->hold == CO_HOLD_SCHEMA &&
                 schema_waited_us(intake, partition) >= intake->options.schema_wait_us)
            give_up_on_schema(intake, partition);
        else
            partition->hold_again_us =
                lm_clock_mono_us() + (partition->hold == CO_HOLD_SCHEMA ? SCHEMA_LOOK_US : LOOK_AGAIN_US);
    }
    co_partition_unref(partition);
    free(lookup);
}

/* The question for what the held message waits for; false where there is none. */
static bool write_question(struct co_partition *partition, struct lm_buffer *sql,
                           struct co_question *question, struct lookup *lookup)
{
    const rd_kafka_message_t *message = partition->held;

    switch (partition->hold) {
    case CO_HOLD_SOURCE:
        lookup->source = partition->held_source;
        (void)co_ahead_fill(&partition->ahead, partition->queue, CO_AHEAD_MAX);
        question->result = on_source;
        return co_ahead_ask_sources(&partition->ahead, lookup->intake->schemas, partition->sources,
                                    partition->topic, partition->number, lookup->source, sql) == 0;
    case CO_HOLD_REPLAY:
        (void)co_ahead_fill(&partition->ahead, partition->queue, CO_AHEAD_MAX);
        question->result = on_replay;
        co_ahead_ask_replays(&partition->ahead, message, sql);
        return true;
    case CO_HOLD_SCHEMA:
        memcpy(&lookup->fingerprint, (const char *)message->payload + 2, sizeof(lookup->fingerprint));
        lookup->fingerprint = le64toh(lookup->fingerprint);
        lm_buffer_printf(sql, "SELECT schema FROM logmill.log_schema WHERE fingerprint = %" PRId64,
                         (int64_t)lookup->fingerprint);
        question->result = on_schema;
        return true;
    case CO_HOLD_NONE:
    case CO_HOLD_REGISTRY:
    case CO_HOLD_UNREGISTERED:
    case CO_HOLD_MEMORY:
        break;
    }
    return false;
}

/* Why the registry does not tell; NULL: it did. Whatever it said before, an answer is what is waited for now.
 */
static void note_registry(struct co_partition *partition, const struct lm_error *error)
{
    char reason[768];

    if (error == NULL) {
        say_unanswered(partition, NULL);
        return;
    }
    if (strcmp(error->kind, "closing") == 0)
        return;
    (void)snprintf(reason, sizeof(reason),
                   "offset %lld waits for its schema: %s (asked again until the registry tells)",
                   (long long)partition->held->offset, error->text);
    co_partition_say(partition, reason);
    partition->hold_unanswered = true;
    partition->hold = CO_HOLD_REGISTRY;
}

static void ask_again_later(struct co_partition *partition)
{
    int64_t now_us = lm_clock_mono_us(), delay_us = now_us - partition->held_since_us;

    if (delay_us < REGISTRY_AGAIN_MIN_US)
        delay_us = REGISTRY_AGAIN_MIN_US;
    if (delay_us > REGISTRY_AGAIN_MAX_US)
        delay_us = REGISTRY_AGAIN_MAX_US;
    partition->hold_again_us = now_us + delay_us;
}

static void on_registered(const struct lm_error *error, void *context)
{
    struct lookup *lookup = context;
    struct co_partition *partition = lookup->partition;

    if (partition->epoch == lookup->epoch && partition->state == CO_PARTITION_HOLDING) {
        partition->hold_asked = false;
        partition->hold_again_us = 0;
        if (error != NULL || partition->hold != CO_HOLD_UNREGISTERED)
            note_registry(partition, error);
        if (error == NULL)
            resume(lookup->intake, partition);
        if (partition->hold == CO_HOLD_UNREGISTERED)
            ask_again_later(partition);
    }
    co_partition_unref(partition);
    free(lookup);
}

static void ask_registry(struct co_intake *intake, struct co_partition *partition)
{
    const rd_kafka_message_t *message = partition->held;
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    struct lm_error error;
    uint32_t id;

    if (lookup == NULL || lm_schema_id(message->payload, message->len, &id) != 0) {
        free(lookup);
        return; /* the tick comes back */
    }
    *lookup = (struct lookup){.intake = intake, .partition = partition, .epoch = partition->epoch};
    if (co_registry_ask(intake->registry, id, on_registered, lookup, &error) != 0) {
        note_registry(partition, &error);
        free(lookup);
        return;
    }
    (void)co_partition_ref(partition);
    partition->hold_asked = true;
}

static void look_up(struct co_intake *intake, struct co_partition *partition)
{
    struct co_question question = {.done = on_looked_up};
    struct lm_buffer sql;
    struct lm_error error;

    if (partition->hold == CO_HOLD_REGISTRY || partition->hold == CO_HOLD_UNREGISTERED) {
        ask_registry(intake, partition);
        return;
    }
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    partition->hold_again_us = lm_clock_mono_us() + LOOK_AGAIN_US;
    if (lookup == NULL)
        return;
    *lookup = (struct lookup){.intake = intake, .partition = partition, .epoch = partition->epoch};
    question.context = lookup;
    lm_buffer_init(&sql, QUESTION_MAX);
    if (write_question(partition, &sql, &question, lookup) && (question.sql = lm_buffer_text(&sql)) != NULL &&
        co_control_ask(intake->options.control, &question, &error) == 0) {
        (void)co_partition_ref(partition);
        partition->hold_asked = true;
        lookup = NULL;
    }
    lm_buffer_free(&sql);
    free(lookup);
}

static void say_schema(struct co_partition *partition, int64_t waited_us)
{
    char reason[256];
    (void)snprintf(reason, sizeof(reason), "offset %lld was written with a schema %s since %lld s",
                   (long long)partition->held->offset,
                   partition->hold == CO_HOLD_UNREGISTERED
                       ? "whose id the schema registry does not know; asking it again"
                       : "this consumer does not know; waiting for it in logmill.log_schema (logmill-ctl "
                         "migrate)",
                   (long long)(waited_us / LM_SECOND_US));
    co_partition_say(partition, reason);
}

void co_intake_tick(struct co_intake *intake, struct co_partition *partition)
{
    int64_t now_us = lm_clock_mono_us();

    if (partition->state != CO_PARTITION_HOLDING)
        return;
    if (partition->hold == CO_HOLD_SCHEMA || partition->hold == CO_HOLD_UNREGISTERED) {
        int64_t waited_us = schema_waited_us(intake, partition);
        say_schema(partition, waited_us);
        /* The other is given up on when PostgreSQL has answered that it is not there: on_looked_up. */
        if (partition->hold == CO_HOLD_UNREGISTERED && waited_us >= intake->options.schema_wait_us &&
            !partition->hold_asked) {
            give_up_on_schema(intake, partition);
            return;
        }
    }
    if (partition->hold_asked || now_us < partition->hold_again_us)
        return;
    if (partition->hold == CO_HOLD_MEMORY || partition->hold == CO_HOLD_REGISTRY)
        resume(intake, partition);
    else
        look_up(intake, partition);
}
