/* A message of the producer's, from the owner's send to its verdict. For kafka_producer.c; nobody else
 * includes this. */
#ifndef LOGMILL_COMMON_KAFKA_MESSAGE_H
#define LOGMILL_COMMON_KAFKA_MESSAGE_H

#include "common/kafka/kafka_producer.h"

#include <stdbool.h>
#include <stdint.h>

struct kafka_message {
    struct kafka_message *next, **link;
    const char *topic;
    int32_t partition;
    const void *key, *value; /* NULL stays NULL */
    size_t key_len, value_len, bytes;
    int64_t timestamp_ms;
    rd_kafka_headers_t *headers;
    void *opaque;
    bool sent;                   /* librdkafka has it */
    bool suspect;                /* a batch with it was refused for good: send it alone */
    bool alone;                  /* it was sent so */
    rd_kafka_resp_err_t verdict; /* refused by librdkafka at once; told from the loop */
};

/* Names and values together; NULL has none. */
size_t kafka_headers_bytes(const rd_kafka_headers_t *headers);
/* A copy of everything in `from`; the time is fixed now, so that a message sent again carries the same.
 * `bytes` is what it counts for in the bound. NULL: no memory. */
struct kafka_message *kafka_message_new(const struct lm_kafka_message *from, size_t bytes);
void kafka_message_free(struct kafka_message *message);
/* Gives librdkafka a copy, with the message as its opaque. */
rd_kafka_resp_err_t kafka_message_produce(rd_kafka_t *rk, struct kafka_message *message) LM_MUST_CHECK;

/* The message itself is at fault; nothing that passes will help. But a batch is refused as a whole. */
bool kafka_message_at_fault(rd_kafka_resp_err_t code);
/* There is no such topic or partition, and the time for it to appear is over. */
bool kafka_topic_unknown(rd_kafka_resp_err_t code);

#endif
