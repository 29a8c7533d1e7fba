/*
 * Finds where a partition is to be read from and takes librdkafka there (see assignment.h for the rules).
 * Loop thread; watermarks and seek block and so run in the thread pool.
 */
#ifndef LOGMILL_CONSUMER_ASSIGNMENT_LOCATE_H
#define LOGMILL_CONSUMER_ASSIGNMENT_LOCATE_H

#include "common/log.h"
#include "consumer/batch/partition.h"
#include "consumer/writer/control.h"

struct co_locator {
    uv_loop_t *loop;
    rd_kafka_t *kafka;
    struct co_control *control;
    size_t sources_max, names_max;
    unsigned jobs; /* in the thread pool */
    struct lm_log_limit limit;
    /* The partition is running. */
    void (*running)(struct co_partition *partition, void *context);
    /* It did not work; the partition is in state locating or beyond_end, to be located again later. */
    void (*failed)(struct co_partition *partition, void *context);
    void (*settled)(void *context); /* `jobs` is 0 again */
    void *context;
};

/* For a partition in state locating. */
void co_locate(struct co_locator *locator, struct co_partition *partition);

#endif
