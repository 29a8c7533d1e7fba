/*
 * Which partitions are ours and where they are read from: rebalances (eager), and for each partition its
 * position out of PostgreSQL, held against what the topic still has. Kafka's own committed offsets are
 * written for lag tools and never read. Blocking calls of librdkafka (watermarks, seek) run in libuv's thread
 * pool, each on its own.
 *
 *   no row yet                 INSERT the low watermark, ON CONFLICT DO NOTHING
 *   below the low watermark    retention has deleted what we had not read: move by compare-and-set, say it
 *   beyond the end             the topic was made anew: stop, say so, look again until a person decides
 *                              (`logmill-ctl offsets`)
 */
#ifndef LOGMILL_CONSUMER_ASSIGNMENT_H
#define LOGMILL_CONSUMER_ASSIGNMENT_H

#include "common/http/admin.h"
#include "common/kafka/kafka_wake.h"
#include "consumer/intake/intake.h"
#include "consumer/writer/control.h"
#include "consumer/writer/writer.h"

struct co_assignment;

struct co_assignment_options {
    uv_loop_t *loop;
    const char *topic_prefix; /* must outlive it */
    struct lm_kafka_wake *wake;
    struct co_control *control;
    struct co_writer *writer;
    struct lm_admin *admin;
    struct lm_metrics *metrics;
    size_t sources_max; /* of all partitions together */
    size_t names_max;
    int64_t source_expiry_us;
    uint32_t retry_base_ms, retry_cap_ms;
    /* After the first rebalance; every later one too. */
    void (*joined)(void *context);
    /* A partition is ready to be read. */
    void (*running)(void *context);
    /* No thread pool job is left (for the stop). */
    void (*settled)(void *context);
    void *context;
};

/* Reads nothing before co_assignment_attach. 0, or -1 without memory (LM_FATAL). */
int co_assignment_open(const struct co_assignment_options *options, struct co_assignment **out,
                       struct lm_error *error) LM_MUST_CHECK;
/* Partitions are given back and co_assignment_settled. */
void co_assignment_free(struct co_assignment *assignment);

/* The consumer this is about; its rebalances come to co_assignment_rebalance. */
void co_assignment_attach(struct co_assignment *assignment, rd_kafka_t *kafka);
/* librdkafka's rebalance callback; `opaque` is the assignment. On the loop, from within a poll. */
void co_assignment_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t error,
                             rd_kafka_topic_partition_list_t *list, void *opaque);

/* The partitions, a list through `next`. */
struct co_partition *co_assignment_first(const struct co_assignment *assignment);
/* Drops what is under way and locates it anew. */
void co_assignment_restart(struct co_assignment *assignment, struct co_partition *partition);
/* A message came on the event queue instead of its partition's: the partition starts over, or the record
 * would be missed. */
void co_assignment_astray(struct co_assignment *assignment, const rd_kafka_message_t *message);
/* What can change while it runs. */
void co_assignment_set(struct co_assignment *assignment, int64_t source_expiry_us, uint32_t retry_base_ms,
                       uint32_t retry_cap_ms);
/* Once a second: what is due again, lag, offsets to Kafka, expired sources. */
void co_assignment_tick(struct co_assignment *assignment);
/* Tells Kafka the committed offsets, without waiting. */
void co_assignment_commit(struct co_assignment *assignment);
/* Gives all partitions back, as a revocation does. */
void co_assignment_release(struct co_assignment *assignment);
/* No job of it is in the thread pool. */
bool co_assignment_settled(const struct co_assignment *assignment);

#endif
