/*
 * What the tests need of Kafka's administration and no packaged tool offers:
 *   logmill-test-kafka BROKERS delete-records TOPIC PARTITION BEFORE    what retention does
 *   logmill-test-kafka BROKERS delete-topic TOPIC…
 *   logmill-test-kafka BROKERS create-topic TOPIC PARTITIONS NODE [NODE …]    replicas on just these nodes
 *   logmill-test-kafka BROKERS add-partitions TOPIC TOTAL
 *   logmill-test-kafka BROKERS topic-config TOPIC NAME VALUE    the others go back to their defaults
 *   logmill-test-kafka BROKERS transaction TOPIC PARTITION COUNT commit|abort    {"message":"commit 0"} …
 *   logmill-test-kafka BROKERS produce TOPIC PARTITION null|empty|VALUE [KEY [NAME=VALUE|at:MS …]]
 *   logmill-test-kafka BROKERS group-offsets GROUP TOPIC PARTITIONS    what it has committed, a line each
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 20000

static int finish(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    int failed = event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (failed)
        fprintf(stderr, "logmill-test-kafka: %s\n",
                event == NULL ? "no answer" : rd_kafka_event_error_string(event));
    if (event != NULL)
        rd_kafka_event_destroy(event);
    return failed;
}

static int delete_records(rd_kafka_t *kafka, rd_kafka_queue_t *queue, char **argv)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, argv[0], atoi(argv[1]))->offset = atoll(argv[2]);
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(kafka, &request, 1, NULL, queue);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    return finish(queue);
}

static int topic_config(rd_kafka_t *kafka, rd_kafka_queue_t *queue, char **argv)
{
    rd_kafka_ConfigResource_t *topic = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, argv[0]);
    rd_kafka_ConfigResource_set_config(topic, argv[1], argv[2]);
    rd_kafka_AlterConfigs(kafka, &topic, 1, NULL, queue);
    rd_kafka_ConfigResource_destroy(topic);
    return finish(queue);
}

#define MAX_TOPICS 16

static int delete_topics(rd_kafka_t *kafka, rd_kafka_queue_t *queue, int count, char **argv)
{
    rd_kafka_DeleteTopic_t *requests[MAX_TOPICS];

    if (count > MAX_TOPICS)
        return 2;
    for (int i = 0; i < count; i++)
        requests[i] = rd_kafka_DeleteTopic_new(argv[i]);
    rd_kafka_DeleteTopics(kafka, requests, (size_t)count, NULL, queue);
    rd_kafka_DeleteTopic_destroy_array(requests, (size_t)count);
    return finish(queue);
}

static int create_topic(rd_kafka_t *kafka, rd_kafka_queue_t *queue, int argc, char **argv)
{
    char text[256];
    int32_t nodes[16];
    int partitions = atoi(argv[1]), failed = 0;
    size_t count = 0;
    rd_kafka_NewTopic_t *request = rd_kafka_NewTopic_new(argv[0], partitions, -1, text, sizeof(text));

    for (int i = 2; i < argc && count < 16; i++)
        nodes[count++] = (int32_t)atoi(argv[i]);
    for (int32_t i = 0; i < partitions; i++)
        failed |= rd_kafka_NewTopic_set_replica_assignment(request, i, nodes, count, text, sizeof(text)) !=
                  RD_KAFKA_RESP_ERR_NO_ERROR;
    (void)rd_kafka_NewTopic_set_config(request, "min.insync.replicas", "1");
    rd_kafka_CreateTopics(kafka, &request, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(request);
    return failed | finish(queue);
}

static int add_partitions(rd_kafka_t *kafka, rd_kafka_queue_t *queue, char **argv)
{
    char text[256];
    rd_kafka_NewPartitions_t *request =
        rd_kafka_NewPartitions_new(argv[0], (size_t)atoi(argv[1]), text, sizeof(text));
    rd_kafka_CreatePartitions(kafka, &request, 1, NULL, queue);
    rd_kafka_NewPartitions_destroy(request);
    return finish(queue);
}

static int check(rd_kafka_error_t *error)
{
    if (error == NULL)
        return 0;
    fprintf(stderr, "logmill-test-kafka: %s\n", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return 1;
}

static int transaction(rd_kafka_t *kafka, char **argv)
{
    char value[64];
    int failed =
        check(rd_kafka_init_transactions(kafka, TIMEOUT_MS)) || check(rd_kafka_begin_transaction(kafka));

    for (int i = 0; i < atoi(argv[2]) && !failed; i++) {
        int len = snprintf(value, sizeof(value), "{\"message\":\"%s %d\"}", argv[3], i);
        failed =
            rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(argv[0]), RD_KAFKA_V_PARTITION((int32_t)atoi(argv[1])),
                              RD_KAFKA_V_VALUE(value, (size_t)len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    if (failed || rd_kafka_flush(kafka, TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 1;
    return check(strcmp(argv[3], "abort") == 0 ? rd_kafka_abort_transaction(kafka, TIMEOUT_MS)
                                               : rd_kafka_commit_transaction(kafka, TIMEOUT_MS));
}

static int group_offsets(rd_kafka_t *kafka, rd_kafka_queue_t *queue, char **argv)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int32_t i = 0; i < atoi(argv[2]); i++)
        rd_kafka_topic_partition_list_add(list, argv[1], i);
    rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(argv[0], list);
    rd_kafka_ListConsumerGroupOffsets(kafka, &request, 1, NULL, queue);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);

    size_t count = 0;
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    const rd_kafka_ListConsumerGroupOffsets_result_t *result =
        event != NULL ? rd_kafka_event_ListConsumerGroupOffsets_result(event) : NULL;
    const rd_kafka_group_result_t **groups =
        result != NULL ? rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count) : NULL;
    int failed = count == 0 || rd_kafka_group_result_error(groups[0]) != NULL;
    const rd_kafka_topic_partition_list_t *found =
        failed ? NULL : rd_kafka_group_result_partitions(groups[0]);
    for (int i = 0; found != NULL && i < found->cnt; i++)
        printf("%lld\n", (long long)found->elems[i].offset);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    return failed;
}

static int produce(rd_kafka_t *kafka, int argc, char **argv)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    const char *key = argc > 3 && argv[3][0] != '\0' ? argv[3] : NULL;

    void *value = strcmp(argv[2], "null") == 0 ? NULL : argv[2];
    size_t key_len = key == NULL ? 0 : strlen(key);
    size_t len = value == NULL || strcmp(argv[2], "empty") == 0 ? 0 : strlen(argv[2]);
    int64_t at_ms = 0; /* now */

    for (int i = 4; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        if (strncmp(argv[i], "at:", 3) == 0)
            at_ms = strtoll(argv[i] + 3, NULL, 10);
        else if (equals != NULL)
            rd_kafka_header_add(headers, argv[i], equals - argv[i], equals + 1, -1);
    }
    rd_kafka_resp_err_t error =
        rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(argv[0]), RD_KAFKA_V_PARTITION((int32_t)atoi(argv[1])),
                          RD_KAFKA_V_VALUE(value, len), RD_KAFKA_V_KEY(key, key_len),
                          RD_KAFKA_V_TIMESTAMP(at_ms), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    return error != RD_KAFKA_RESP_ERR_NO_ERROR ||
           rd_kafka_flush(kafka, TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

int main(int argc, char **argv)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int status = 2;

    if (argc < 4 ||
        rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof(text)) != RD_KAFKA_CONF_OK)
        return 2;
    if (strcmp(argv[2], "transaction") == 0)
        (void)rd_kafka_conf_set(conf, "transactional.id", "logmill-test", text, sizeof(text));
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    if (strcmp(argv[2], "delete-records") == 0 && argc == 6)
        status = delete_records(kafka, queue, argv + 3);
    else if (strcmp(argv[2], "delete-topic") == 0 && argc >= 4)
        status = delete_topics(kafka, queue, argc - 3, argv + 3);
    else if (strcmp(argv[2], "create-topic") == 0 && argc >= 6)
        status = create_topic(kafka, queue, argc - 3, argv + 3);
    else if (strcmp(argv[2], "topic-config") == 0 && argc == 6)
        status = topic_config(kafka, queue, argv + 3);
    else if (strcmp(argv[2], "add-partitions") == 0 && argc == 5)
        status = add_partitions(kafka, queue, argv + 3);
    else if (strcmp(argv[2], "transaction") == 0 && argc == 7)
        status = transaction(kafka, argv + 3);
    else if (strcmp(argv[2], "group-offsets") == 0 && argc == 6)
        status = group_offsets(kafka, queue, argv + 3);
    else if (strcmp(argv[2], "produce") == 0 && argc >= 6)
        status = produce(kafka, argc - 3, argv + 3);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(kafka);
    return status;
}
