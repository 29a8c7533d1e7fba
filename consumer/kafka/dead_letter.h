/*
 * Records that can never be stored go to <topic>.dlq: value, key and headers untouched, plus dlq.* headers
 * that say where they stood and why they are here. A letter holds its Kafka message until the broker has
 * confirmed it, and its batch does not commit before: what cannot be delivered holds its partition back and
 * is tried again for ever. Loop thread.
 *
 * The dead-letter topic is at least once: dlq.topic, dlq.partition and dlq.offset name a repeat. A record put
 * back from there and refused again keeps these three, which name it for ever.
 */
#ifndef LOGMILL_CONSUMER_KAFKA_DEAD_LETTER_H
#define LOGMILL_CONSUMER_KAFKA_DEAD_LETTER_H

#include "common/config/config.h"
#include "common/error.h"
#include "common/metrics.h"
#include "consumer/batch/batch.h"

#include <uv.h>

struct co_letters;

struct co_letters_options {
    uv_loop_t *loop;
    const char *brokers;
    const struct lm_config_map *properties;
    struct lm_metrics *metrics;
    size_t max_bytes;     /* of one letter with its headers */
    const char *consumer; /* for dlq.consumer; must outlive it */
    /* The batch has one letter less to wait for (letters_pending was counted down). */
    void (*confirmed)(struct co_batch *batch, void *context);
    /* NULL: letters are delivered (again). Else why one is not; the sentence says what to do. */
    void (*state)(const char *reason, void *context);
    void *context;
};

/* 0, or -1 as lm_kafka_producer_open, or without memory (LM_FATAL). */
int co_letters_open(const struct co_letters_options *options, struct co_letters **out,
                    struct lm_error *error) LM_MUST_CHECK;

/* Takes the message, counts batch->letters_pending up and sends. `why` gives class, text and SQLSTATE. 0, or
 * -1 without memory (nothing was taken). */
int co_letters_send(struct co_letters *letters, struct co_batch *batch, rd_kafka_message_t *message,
                    const struct lm_error *why, unsigned attempts) LM_MUST_CHECK;

/* Once a second: says when the brokers have not confirmed anything for a while. */
void co_letters_tick(struct co_letters *letters);

/* Gives up on what is not confirmed after `deadline_ms` (Kafka still has the originals, their batches never
 * commit); `closed` is called on the loop, all messages given back and the struct freed by then. */
void co_letters_close(struct co_letters *letters, unsigned deadline_ms, void (*closed)(void *context),
                      void *context);

#endif
