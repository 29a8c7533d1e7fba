/*
 * Subscribed topics that Kafka does not have, each named on /readyz until it is there. librdkafka says once
 * that it misses one and joins the group with the others; whether it has come is asked here, every other
 * second while one is missing. Loop thread; the question blocks and so runs in the thread pool.
 */
#ifndef LOGMILL_CONSUMER_KAFKA_TOPICS_H
#define LOGMILL_CONSUMER_KAFKA_TOPICS_H

#include "common/http/admin.h"
#include "common/record/record.h"

#include <librdkafka/rdkafka.h>
#include <uv.h>

struct co_topics {
    /* Set by the owner. */
    uv_loop_t *loop;
    struct lm_admin *admin;
    rd_kafka_t *kafka;
    void (*settled)(void *context); /* not busy any more */
    void *context;

    bool busy; /* a question is in the thread pool */
    struct co_topic {
        char name[280];
        bool missing;
        bool asked, found; /* the thread pool's while busy */
        struct lm_condition *condition;
    } all[LM_CATEGORY_COUNT];
    size_t count;
    int64_t asked_us; /* monotonic */
    uv_work_t work;
};

/* LM_FATAL without memory. At most one a category. */
int co_topics_add(struct co_topics *topics, const char *name, struct lm_error *error) LM_MUST_CHECK;
/* Kafka does not have it; any other name is ignored. */
void co_topics_missing(struct co_topics *topics, const char *name);
/* Once a second. */
void co_topics_tick(struct co_topics *topics);

#endif
