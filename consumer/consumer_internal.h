/*
 * What consumer.c (opening, events) and stop.c (the stop) share. Nobody else's.
 */
#ifndef LOGMILL_CONSUMER_CONSUMER_INTERNAL_H
#define LOGMILL_CONSUMER_CONSUMER_INTERNAL_H

#include "common/http/admin.h"
#include "common/kafka/kafka_wake.h"
#include "common/log.h"
#include "consumer/assignment/assignment.h"
#include "consumer/batch/pool.h"
#include "consumer/chores/expiry.h"
#include "consumer/chores/folds.h"
#include "consumer/chores/progress.h"
#include "consumer/chores/seconds.h"
#include "consumer/chores/summaries.h"
#include "consumer/consumer.h"
#include "consumer/intake/intake.h"
#include "consumer/intake/registry.h"
#include "consumer/kafka/dead_letter.h"
#include "consumer/kafka/kafka.h"
#include "consumer/kafka/prompt.h"
#include "consumer/kafka/topics.h"
#include "consumer/reading.h"
#include "consumer/writer/leaves.h"
#include "consumer/writer/writer.h"

enum co_phase { CO_OPENING, CO_RUNNING, CO_DRAINING, CO_LEAVING, CO_CLOSING };

/* What co_consumer_close() closes, one after the other: what a part uses is closed after it. */
enum co_closing_step {
    CO_CLOSE_CONTROL,
    CO_CLOSE_REGISTRY,
    CO_CLOSE_LETTERS,
    CO_CLOSE_LEAVES,
    CO_CLOSE_WRITER,
    CO_CLOSE_KAFKA,
    CO_CLOSE_WAKE,
    CO_CLOSE_HTTP,
    CO_CLOSE_HANDLES,
    CO_CLOSED
};

#define CO_CHORE_COUNT 5

struct co_consumer {
    struct lm_service *service;
    const struct co_config *config;
    enum co_phase phase;
    bool subscribed[LM_CATEGORY_COUNT];
    char name[128]; /* dlq.consumer */

    struct lm_metrics *metrics;
    struct lm_http_server *http;
    struct lm_admin *admin;
    struct lm_error writer_error, control_error; /* of their connections; LM_OK: none */
    struct lm_condition *kafka_condition, *postgres_condition, *letters_condition;
    struct lm_gauge *loop_lag, *batch_memory;
    struct co_pool pool;
    struct co_patterns *patterns;
    struct co_control *control;
    struct co_leaves *leaves;
    struct co_letters *letters;
    struct co_intake *intake;
    struct co_registry *registry; /* NULL where none is configured */
    struct co_writer *writer;
    struct co_assignment *assignment;
    struct lm_kafka_wake wake;
    bool wake_open;
    rd_kafka_t *kafka;
    rd_kafka_queue_t *events; /* the consumer's own queue: rebalances, errors */
    rd_kafka_queue_t *leaving;
    struct co_kafka_probe probe;
    struct co_prompter prompter;
    struct co_topics topics;
    bool joined, brokers_down;

    struct co_reading reading;
    struct co_progress progress;
    struct co_chore chores[CO_CHORE_COUNT];
    struct co_folds folds;
    struct co_expiry expiry;
    uv_timer_t tick; /* once a second */
    uv_timer_t phase_timer;
    unsigned open_handles; /* of ours */
    enum co_closing_step step;
    int64_t tick_due_us;
    struct lm_log_limit kafka_limit;
};

/* Phases only go forward: 0, or -1 (logged). */
int co_consumer_change_phase(struct co_consumer *consumer, enum co_phase to);
/* While draining: goes on to leave the group once nothing is left that can be written. */
void co_consumer_check_drained(struct co_consumer *consumer);
/* While leaving: whether the group has let go. */
void co_consumer_poll_leaving(struct co_consumer *consumer);
/* Closes everything, from any phase; waits for what the thread pool still does with librdkafka, whose end
 * calls it again. */
void co_consumer_close(struct co_consumer *consumer);

#endif
