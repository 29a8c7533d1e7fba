#include "consumer/kafka/topics.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>

#define ASK_EVERY_US (2 * LM_SECOND_US)
#define TIMEOUT_MS 3000

int co_topics_add(struct co_topics *topics, const char *name, struct lm_error *error)
{
    struct co_topic *topic = &topics->all[topics->count];

    (void)snprintf(topic->name, sizeof(topic->name), "%s", name);
    topic->condition = lm_admin_condition(topics->admin, name);
    if (topic->condition == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the conditions of /readyz");
    lm_condition_set(topic->condition, NULL);
    topics->count++;
    return 0;
}

void co_topics_missing(struct co_topics *topics, const char *name)
{
    for (size_t i = 0; i < topics->count; i++) {
        struct co_topic *topic = &topics->all[i];
        if (strcmp(topic->name, name) != 0)
            continue;
        topic->missing = true;
        lm_condition_set(topic->condition,
                         "Kafka has no such topic. Make it with logmill-ctl topics create; it is "
                         "read as soon as it is there");
    }
}

static bool exists(rd_kafka_t *kafka, const char *name)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, name, NULL);
    bool found = topic != NULL &&
                 rd_kafka_metadata(kafka, 0, topic, &metadata, TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR &&
                 metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    if (topic != NULL)
        rd_kafka_topic_destroy(topic);
    return found;
}

static void job(uv_work_t *work) /* thread pool */
{
    struct co_topics *topics = work->data;
    for (size_t i = 0; i < topics->count; i++) {
        if (topics->all[i].asked)
            topics->all[i].found = exists(topics->kafka, topics->all[i].name);
    }
}

static void after_job(uv_work_t *work, int status)
{
    struct co_topics *topics = work->data;

    (void)status;
    topics->busy = false;
    for (size_t i = 0; i < topics->count; i++) {
        struct co_topic *topic = &topics->all[i];
        if (topic->asked && topic->found) {
            topic->missing = false;
            lm_condition_set(topic->condition, NULL);
        }
    }
    topics->settled(topics->context);
}

void co_topics_tick(struct co_topics *topics)
{
    int64_t now_us = lm_clock_mono_us();
    bool missing = false;

    for (size_t i = 0; i < topics->count; i++)
        missing |= topics->all[i].missing;
    if (!missing || topics->busy || now_us - topics->asked_us < ASK_EVERY_US)
        return;
    for (size_t i = 0; i < topics->count; i++)
        topics->all[i].asked = topics->all[i].missing;
    topics->asked_us = now_us;
    topics->work.data = topics;
    topics->busy = uv_queue_work(topics->loop, &topics->work, job, after_job) == 0;
}
