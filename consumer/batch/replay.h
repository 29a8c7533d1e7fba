/*
 * Records put back from a dead-letter topic. Their dlq.* headers say where they first stood, and that place,
 * not the producer's sequence, decides whether one was stored before (ingest_replay). Headers that only look
 * so, whoever wrote them, make no replay of a record. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_BATCH_REPLAY_H
#define LOGMILL_CONSUMER_BATCH_REPLAY_H

#include "consumer/batch/batch.h"

/* Where a record put back first stood (texts in the message). False: it was not put back. */
bool co_replay_read(const rd_kafka_message_t *message, struct co_replay *out);
/* Kafka's time it had there, in microseconds; 0 where it was not put back or that is not known. */
int64_t co_replay_time_us(const rd_kafka_message_t *message);
/* How often it was tried before it was put back; 0 where it was not. */
unsigned co_replay_attempts(const rd_kafka_message_t *message);

/* Whether the batch brings the same record. */
bool co_replay_in(const struct co_batch *batch, const struct co_replay *replay);
/* Adds it to the batch's replays (room was made by co_batch_reserve). 0, or -1 without memory. */
int co_replay_add(struct co_batch *batch, const struct co_replay *replay) LM_MUST_CHECK;
/* Takes the last one back. */
void co_replay_take_back(struct co_batch *batch);
/* Takes out the one at `position`, from 1 as rows count them; rows are adjusted. */
void co_replay_forget(struct co_batch *batch, size_t position);

#endif
