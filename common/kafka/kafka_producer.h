/*
 * An idempotent producer on the loop: acks=all, enable.idempotence, gapless, message.timeout.ms=0,
 * murmur2_random. Every message ends in exactly one delivery callback on the loop's thread. Full is a normal
 * answer.
 *
 * A fatal producer error makes a new librdkafka instance; what was not acknowledged is sent again from our
 * own queue, in order; so does any failed delivery that is not the message's own fault. Memory: each pending
 * message is held twice, here and by librdkafka. A user's kafka.* may not change what delivery rests on
 * (acks, enable.idempotence, …): LM_FATAL. Used by logmill-ship, logmill-gateway, liblogmill's background
 * thread and the consumer's dead letters.
 */
#ifndef LOGMILL_COMMON_KAFKA_PRODUCER_H
#define LOGMILL_COMMON_KAFKA_PRODUCER_H

#include "common/config/config.h"
#include "common/error.h"
#include "common/metrics.h"

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <uv.h>

struct lm_kafka_producer;

struct lm_kafka_message {
    const char *topic;
    int32_t partition; /* RD_KAFKA_PARTITION_UA: by the key */
    const void *key;
    size_t key_len;
    const void *value;
    size_t value_len;
    int64_t timestamp_ms;              /* 0: now */
    const rd_kafka_headers_t *headers; /* copied; NULL for none */
    void *opaque;                      /* handed to the delivery callback */
};

/* Never called from inside lm_kafka_producer_send. It may send and close. `error` NULL: acknowledged by all
 * in-sync replicas. LM_DEAD_LETTER: the broker will never take this message (too large, unknown topic after
 * the grace period); it was not sent. The producer itself retries all that can pass. */
typedef void (*lm_kafka_delivered)(void *opaque, const struct lm_error *error, void *context);

struct lm_kafka_producer_options {
    uv_loop_t *loop;
    const char *brokers;
    const struct lm_config_map *properties;
    size_t max_messages;        /* 0: 100,000 */
    size_t max_bytes;           /* 0: 64 MiB */
    size_t max_message_bytes;   /* 0: 1 MiB; message.max.bytes, and refused before sending */
    struct lm_metrics *metrics; /* may be NULL */
    lm_kafka_delivered delivered;
    void (*room)(void *context); /* after a full: there is room again; may be NULL */
    void *context;
};

/* `brokers` and `properties` are read here only. 0, or -1: LM_FATAL for a property it does not know or that
 * may not be changed, and without memory or threads. What had been begun by then ends on the loop, which must
 * run once more before it is closed. */
int lm_kafka_producer_open(const struct lm_kafka_producer_options *options, struct lm_kafka_producer **out,
                           struct lm_error *error) LM_MUST_CHECK;

/* Copies key, value and headers. 0: queued. 1: full, try again after room(). -1: refused for good
 * (LM_DEAD_LETTER). */
int lm_kafka_producer_send(struct lm_kafka_producer *producer, const struct lm_kafka_message *message,
                           struct lm_error *error) LM_MUST_CHECK;
/* Messages queued or in flight. */
size_t lm_kafka_producer_pending(const struct lm_kafka_producer *producer);
/* Microseconds (monotonic) since when nothing was acknowledged while something was pending; 0: nothing is
 * pending, or the last acknowledgement is less than a second old. */
int64_t lm_kafka_producer_stalled_since(const struct lm_kafka_producer *producer);
/* For rd_kafka_metadata and the like, and tests; NULL while an instance is being replaced. Changes over time.
 */
rd_kafka_t *lm_kafka_producer_raw(struct lm_kafka_producer *producer);
/* Waits up to deadline_ms for what is pending, then gives up on the rest (their callbacks get LM_RETRY),
 * closes, and calls `closed` once on the loop; freed by then. Called again before that, it only shortens the
 * wait; the first call's `closed` counts. */
void lm_kafka_producer_close(struct lm_kafka_producer *producer, unsigned deadline_ms,
                             void (*closed)(void *context), void *context);

#endif
