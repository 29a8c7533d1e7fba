/*
 * Whose queue is read next, and when a batch is handed to the writer. One slice of one partition a turn of
 * the loop, as long as there is something to read and memory to hold it; otherwise the loop sleeps until
 * something arrives or a batch comes back. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_READING_H
#define LOGMILL_CONSUMER_READING_H

#include "consumer/assignment/assignment.h"
#include "consumer/batch/pool.h"
#include "consumer/intake/intake.h"
#include "consumer/kafka/prompt.h"
#include "consumer/writer/writer.h"

struct co_reading {
    /* Set by the owner before the first call below but co_reading_init. */
    struct co_pool *pool;
    struct co_assignment *assignment;
    struct co_intake *intake;
    struct co_writer *writer;
    struct co_prompter *prompter;

    uv_idle_t idle; /* active while some queue may hold messages and there is room */
    uv_timer_t age; /* for the oldest batch that is not full */
    uint64_t turn;  /* batches handed over so far */
    uint64_t pass;  /* of co_reading_hand_over over the partitions */
    bool stopped;
};

/* Memory of all batches, those being filled included. */
size_t co_reading_memory(const struct co_reading *reading);
/* The owner closes `idle` and `age` itself; their data is its own by then. */
void co_reading_init(struct co_reading *reading, uv_loop_t *loop);
/* Messages may have arrived in any queue. */
void co_reading_arrived(struct co_reading *reading);
/* There may be room again, or a partition that can be read. */
void co_reading_go_on(struct co_reading *reading);
/* Hands over the batches that are due; `urgent`: whatever they hold. */
void co_reading_hand_over(struct co_reading *reading, bool urgent);
/* Nothing is read any more; batches can still be handed over. */
void co_reading_stop(struct co_reading *reading);

#endif
