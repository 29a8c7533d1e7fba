/*
 * The Kafka consumer as we want it: read_committed, eager assignment, no offsets stored or reset by
 * librdkafka, the end of a partition reported, its fetching ahead a share of the memory budget. And the
 * question whether the brokers answer, asked from the thread pool only after librdkafka has reported that
 * none does.
 */
#ifndef LOGMILL_CONSUMER_KAFKA_H
#define LOGMILL_CONSUMER_KAFKA_H

#include "common/config/config.h"
#include "common/error.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <uv.h>

/*
 * What librdkafka fetches ahead of a partition. It fetches again when its queue has less than low_messages
 * (queued.min.messages) and less than low_bytes in it; while that is read the next fetch is on its way, and
 * comes on top. One is under way for each broker, so small ones that come soon keep a queue fuller than large
 * ones do. Small messages are counted because librdkafka keeps more for each than their own bytes.
 */
struct co_kafka_ahead {
    size_t fetch_bytes, low_bytes, low_messages;
};

struct co_kafka_options {
    const char *brokers;
    const char *group;
    const struct lm_config_map *properties;
    struct co_kafka_ahead ahead;
    void (*error)(rd_kafka_t *kafka, int code, const char *reason, void *opaque);
    void (*rebalance)(rd_kafka_t *kafka, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t *list,
                      void *opaque);
    void *opaque;
};

/* Of `bytes` a partition, and as many again for what librdkafka keeps with small messages; it keeps less with
 * large ones, of which there may be a third more than `bytes`. */
struct co_kafka_ahead co_kafka_ahead(size_t bytes);
/* LM_FATAL where the configuration is refused. */
int co_kafka_open(const struct co_kafka_options *options, rd_kafka_t **out,
                  struct lm_error *error) LM_MUST_CHECK;

struct co_kafka_probe {
    uv_work_t work;
    rd_kafka_t *kafka;
    bool busy;
    bool answered;
    void (*done)(bool answered, void *context);
    void *context;
};
/* Asks for metadata; `done` is called on the loop within some seconds. Nothing where a question is under way.
 */
void co_kafka_probe(struct co_kafka_probe *probe, uv_loop_t *loop);

#endif
