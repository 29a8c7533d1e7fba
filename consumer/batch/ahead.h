/*
 * Messages taken from a partition's queue, many in one go, and not yet their turn. When a record must wait
 * for PostgreSQL (is this producer known, was this dead letter stored before), those behind it most likely
 * must too: what all of them need is asked in one question.
 *
 * Bounded in messages and bytes. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_BATCH_AHEAD_H
#define LOGMILL_CONSUMER_BATCH_AHEAD_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/record/record_avro.h"
#include "consumer/batch/sources.h"

#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>

#define CO_AHEAD_MAX 500

struct co_ahead_message {
    rd_kafka_message_t *message;
    bool replay_answered, replay_stored; /* of a record put back: asked, and stored before */
};

/* Zeroed is empty and valid. */
struct co_ahead {
    struct co_ahead_message *messages; /* CO_AHEAD_MAX of them, or NULL */
    size_t first, count, bytes;
};

/* Gives the messages back; memory is kept (clear) or not (free). */
void co_ahead_clear(struct co_ahead *ahead);
void co_ahead_free(struct co_ahead *ahead);

/* Takes what the queue holds, without waiting: `most` at most, in one go, which is cheaper than one by one.
 * False without memory. */
bool co_ahead_fill(struct co_ahead *ahead, rd_kafka_queue_t *queue, size_t most);
/* The next one, the caller's from then on; NULL: none. */
rd_kafka_message_t *co_ahead_take(struct co_ahead *ahead, bool *replay_answered, bool *replay_stored);

/* Writes the question after the producers that `sources` does not know: the held record's and those behind
 * it; co_ahead_load takes the answer. 0, or -1 without memory. */
int co_ahead_ask_sources(const struct co_ahead *ahead, const struct lm_schema_set *schemas,
                         const struct co_sources *sources, const char *topic, int32_t partition, int64_t held,
                         struct lm_buffer *sql) LM_MUST_CHECK;
int co_ahead_load_sources(struct co_sources *sources, int64_t held, const PGresult *result) LM_MUST_CHECK;

/* The same for records put back: which were stored before. co_ahead_note_replays says of the held one. */
void co_ahead_ask_replays(const struct co_ahead *ahead, const rd_kafka_message_t *held,
                          struct lm_buffer *sql);
bool co_ahead_note_replays(struct co_ahead *ahead, const PGresult *result);

#endif
