/*
 * What intake.c (a message into a batch) and hold.c (what a held one waits for) share. Nobody else's.
 */
#ifndef LOGMILL_CONSUMER_INTAKE_INTERNAL_H
#define LOGMILL_CONSUMER_INTAKE_INTERNAL_H

#include "common/log.h"
#include "consumer/intake/intake.h"

struct co_intake {
    struct co_intake_options options;
    struct lm_schema_set *schemas;
    struct co_registry *registry; /* NULL: none is configured */
    struct co_batch_scratch scratch;
    int64_t mono_us; /* monotonic, read with scratch.now_us */
    struct lm_log_limit dead_limit, event_limit;
};

/* `scratch.now_us` and `mono_us` are now. */
void co_intake_read_clocks(struct co_intake *intake);
/* Kafka's time of a message as far as it has passed, in microseconds. */
int64_t co_intake_passed_us(const struct co_intake *intake, const rd_kafka_message_t *message);
/* The message is the dead letters' from then on. -1: not now, it is still the caller's. */
int co_intake_bury(struct co_intake *intake, struct co_partition *partition, rd_kafka_message_t *message,
                   const struct lm_error *why) LM_MUST_CHECK;
/* Takes the message. True: the partition may go on with the next; false: it is held, or starts over. */
bool co_intake_process(struct co_intake *intake, struct co_partition *partition, rd_kafka_message_t *message);

/* The message, the partition's from then on, waits: asks for what it waits for. `source`: of
 * CO_HOLD_SOURCE. */
void co_intake_hold(struct co_intake *intake, struct co_partition *partition, rd_kafka_message_t *message,
                    enum co_hold hold, int64_t source);

#endif
