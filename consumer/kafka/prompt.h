/*
 * Keeps librdkafka fetching. Its broker thread stops when a partition's queue is full, and looks again only
 * when something wakes it: up to a second later where no other partition of that broker has anything to say.
 * Small queues (memory!) would so mean a second of standstill after every few thousand records. Any request
 * to the partition's leader wakes it: its watermarks are asked for, from the thread pool, as soon as the
 * queue has room for another fetch and the topic has more. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_KAFKA_PROMPT_H
#define LOGMILL_CONSUMER_KAFKA_PROMPT_H

#include "consumer/batch/partition.h"
#include "consumer/kafka/kafka.h"

#include <uv.h>

struct co_prompter {
    uv_loop_t *loop;
    rd_kafka_t *kafka;
    struct co_kafka_ahead ahead;
    unsigned jobs;                  /* in the thread pool */
    void (*settled)(void *context); /* `jobs` is 0 again */
    void *context;
};

/* Asks, if the queue is low, the topic has more, and it was not asked just now. Cheap enough for every slice
 * read. */
void co_prompt(struct co_prompter *prompter, struct co_partition *partition);

#endif
