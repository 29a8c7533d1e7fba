/*
 * logmill-ctl topics create: makes the topic of every category and its dead-letter topic where they are
 * missing. What is there already is left as it is: more partitions would send the keys of a stream elsewhere.
 */
#include "ctl/brokers.h"
#include "ctl/command.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MS 30000
/* A dead letter is its record with a dozen headers around it. */
#define DEAD_LETTER_MAX_BYTES "2097152"

static const char *const categories[] = {"raw", "summary", "training", "tagged"};
#define TOPIC_COUNT (2 * sizeof categories / sizeof categories[0])

static rd_kafka_NewTopic_t *describe_topic(const struct ct_config *config, size_t index, char *error,
                                           size_t size)
{
    const bool dead_letters = index % 2 == 1;
    char name[300];
    snprintf(name, sizeof name, "%s%s%s", config->topic_prefix, categories[index / 2],
             dead_letters ? ".dlq" : "");
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(name, (int)config->partitions, (int)config->replication, error, size);
    if (topic != NULL && dead_letters &&
        rd_kafka_NewTopic_set_config(topic, "max.message.bytes", DEAD_LETTER_MAX_BYTES) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(error, size, "out of memory");
        rd_kafka_NewTopic_destroy(topic);
        return NULL;
    }
    return topic;
}

/* Prints what became of each topic; false where one could not be made. */
static bool print_results(const struct ct_context *context, rd_kafka_event_t *event)
{
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(
            context->errors,
            "logmill-ctl topics create: no answer from Kafka at %s: %s. Start Kafka, or say where it is with "
            "--brokers.\n",
            context->config->brokers, rd_kafka_event_error_string(event));
        return false;
    }
    bool all = true;
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_topic_result_name(results[i]);
        const rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[i]);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            fprintf(context->out, "%s made, %d partitions\n", name, (int)context->config->partitions);
        } else if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            fprintf(context->out, "%s is there\n", name);
        } else {
            const char *text = rd_kafka_topic_result_error_string(results[i]);
            fprintf(context->errors, "logmill-ctl topics create: %s: %s\n", name,
                    text != NULL ? text : rd_kafka_err2str(err));
            all = false;
        }
    }
    return all;
}

static bool create(const struct ct_context *context, rd_kafka_t *client, rd_kafka_NewTopic_t **topics)
{
    bool done = false;
    char text[512] = "";
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    if (rd_kafka_AdminOptions_set_request_timeout(options, WAIT_MS, text, sizeof text) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_AdminOptions_set_operation_timeout(options, WAIT_MS / 2, text, sizeof text) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(context->errors, "logmill-ctl topics create: %s\n", text);
        goto destroy;
    }
    rd_kafka_CreateTopics(client, topics, TOPIC_COUNT, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 2 * WAIT_MS);
    if (event == NULL) {
        fprintf(context->errors, "logmill-ctl topics create: no answer from Kafka at %s within %d s\n",
                context->config->brokers, 2 * WAIT_MS / 1000);
        goto destroy;
    }
    done = print_results(context, event);
    rd_kafka_event_destroy(event);
destroy:
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return done;
}

static enum ct_exit run_topics(const struct ct_context *context)
{
    if (strcmp(context->arguments[0], "create") != 0) {
        fprintf(context->errors, "usage: logmill-ctl topics create [--partitions N] [--replication N]\n");
        return CT_USAGE;
    }
    enum ct_exit code = CT_FAILED;
    char text[512] = "";
    rd_kafka_NewTopic_t *topics[TOPIC_COUNT] = {NULL};
    rd_kafka_t *client = ct_brokers_open(context->config, text, sizeof text);
    if (client == NULL) {
        fprintf(context->errors, "logmill-ctl topics create: %s\n", text);
        return CT_FAILED;
    }
    size_t made = 0;
    while (made < TOPIC_COUNT &&
           (topics[made] = describe_topic(context->config, made, text, sizeof text)) != NULL)
        made++;
    if (made < TOPIC_COUNT)
        fprintf(context->errors, "logmill-ctl topics create: %s\n", text);
    else if (create(context, client, topics))
        code = CT_DONE;
    rd_kafka_NewTopic_destroy_array(topics, made);
    rd_kafka_destroy(client);
    return code;
}

const struct ct_command ct_topics_command = {
    .name = "topics",
    .arguments = "create",
    .summary = "makes the topic of every category and its dead-letter topic where they are missing",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_topics,
};
