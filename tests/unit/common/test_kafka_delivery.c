/*
 * What the producer sent, read back from a real Kafka (LOGMILL_TEST_BROKERS).
 */
#include "common/kafka/kafka_producer.h"

#include "common/log.h"

#include "tests/unit/common/kafka_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int create_topic(struct fixture *f, int partitions, const char *max_bytes)
{
    char complaint[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", f->brokers, complaint, sizeof(complaint));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, complaint, sizeof(complaint));
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(f->topic, partitions, 1, complaint, sizeof(complaint));
    rd_kafka_NewTopic_set_config(topic, "max.message.bytes", max_bytes);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    int failed = event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_destroy(rk);
    return failed ? -1 : 0;
}

static void delete_topic(struct fixture *f)
{
    char complaint[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", f->brokers, complaint, sizeof(complaint));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, complaint, sizeof(complaint));
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(f->topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_event_destroy(rd_kafka_queue_poll(queue, 20000));
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy(topic);
    rd_kafka_destroy(rk);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    if (f == NULL || fixture_begin(f) != 0)
        return -1;
    snprintf(f->brokers, sizeof(f->brokers), "%s", getenv("LOGMILL_TEST_BROKERS"));
    snprintf(f->topic, sizeof(f->topic), "test-producer-%d-%llx", getpid(), (unsigned long long)uv_hrtime());
    return create_topic(f, 1, "200000");
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int left = fixture_end(f);
    delete_topic(f);
    if (left == 0)
        free(f);
    return left;
}

static void check_parts(const rd_kafka_message_t *message, size_t index, void *context)
{
    const char *name;
    const void *value;
    size_t len;
    rd_kafka_headers_t *headers = NULL;
    (void)context;
    if (index == 0) {
        assert_int_equal(message->key_len, 3);
        assert_memory_equal(message->key, "a\0b", 3);
        assert_int_equal(message->len, 4);
        assert_memory_equal(message->payload, "v\0\xff\n", 4);
        assert_int_equal(rd_kafka_message_timestamp(message, NULL), 1234567890123);
        assert_int_equal(rd_kafka_message_headers(message, &headers), RD_KAFKA_RESP_ERR_NO_ERROR);
        assert_int_equal(rd_kafka_header_get_all(headers, 0, &name, &value, &len),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
        assert_string_equal(name, "dlq.topic");
        assert_memory_equal(value, "logs.raw", 8);
        assert_int_equal(rd_kafka_header_get_all(headers, 1, &name, &value, &len),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
        assert_string_equal(name, "dlq.topic"); /* repeated names stay, in order */
        assert_int_equal(len, 0);
    } else if (index == 1) {
        assert_null(message->key);
        assert_null(message->payload);
    } else {
        assert_non_null(message->key);
        assert_int_equal(message->key_len, 0);
        assert_non_null(message->payload);
        assert_int_equal(message->len, 0);
    }
}

static void keys_values_headers_and_times_arrive_as_they_were(void **state)
{
    struct fixture *f = *state;
    open_with(f, (struct lm_kafka_producer_options){0});
    rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
    rd_kafka_header_add(headers, "dlq.topic", -1, "logs.raw", 8);
    rd_kafka_header_add(headers, "dlq.topic", -1, "", 0);
    char key[] = "a\0b", value[] = "v\0\xff\n";
    struct lm_kafka_message message = {.topic = f->topic,
                                       .partition = RD_KAFKA_PARTITION_UA,
                                       .key = key,
                                       .key_len = 3,
                                       .value = value,
                                       .value_len = 4,
                                       .timestamp_ms = 1234567890123,
                                       .headers = headers};
    assert_int_equal(try_send(f, &message), 0);
    rd_kafka_headers_destroy(headers);
    memset(key, 'x', 3);
    memset(value, 'x', 4);
    struct lm_kafka_message nothing = {.topic = f->topic, .partition = 0};
    struct lm_kafka_message empty = {.topic = f->topic, .partition = 0, .key = "", .value = ""};
    assert_int_equal(try_send(f, &nothing), 0);
    assert_int_equal(try_send(f, &empty), 0);
    wait_until(f, &f->done, 3);
    assert_int_equal(f->delivered, 3);
    assert_int_equal(read_back(f, check_parts, NULL), 3);
}

static void ten_thousand_arrive_in_order_across_a_fatal_error(void **state)
{
    struct fixture *f = *state;
    struct order order = {0};
    open_with(f, (struct lm_kafka_producer_options){0});
    send_numbers(f, 0, 5000);
    wait_until(f, &f->delivered, 100);
    rd_kafka_test_fatal_error(lm_kafka_producer_raw(f->producer),
                              RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "injected");
    send_numbers(f, 5000, 10000);
    wait_until(f, &f->done, 10000);
    assert_int_equal(f->delivered, 10000);
    read_back(f, check_order, &order);
    assert_int_equal(order.next, 10000);
    print_message("%zu repeats after the fatal error\n", order.repeats);
}

/* The topic takes 200,000 bytes; the producer would send more. */
static void one_message_the_broker_will_not_take_is_given_up_and_its_neighbours_arrive(void **state)
{
    struct fixture *f = *state;
    open_with(f, (struct lm_kafka_producer_options){0});
    char *big = malloc(300000);
    assert_non_null(big);
    for (size_t i = 0; i < 300000; i++)
        big[i] = (char)(i * 2654435761U >> 13);
    send_numbers(f, 0, 20);
    struct lm_kafka_message message = {.topic = f->topic, .partition = 0, .value = big, .value_len = 300000};
    assert_int_equal(try_send(f, &message), 0);
    send_numbers(f, 20, 40);
    wait_until(f, &f->done, 41);
    free(big);
    assert_int_equal(f->delivered, 40);
    assert_int_equal(f->dead, 1);
    assert_string_equal(f->error.kind, "too_large");
    struct order order = {0};
    read_back(f, check_order, &order);
    assert_int_equal(order.next, 40);
}

static void an_unknown_topic_is_given_up_after_the_grace_period(void **state)
{
    struct fixture *f = *state;
    char *names[] = {(char *)"topic.metadata.propagation.max.ms"}, *values[] = {(char *)"1000"};
    struct lm_config_map properties = {.names = names, .values = values, .count = 1};
    open_with(f, (struct lm_kafka_producer_options){.properties = &properties});
    struct lm_kafka_message message = {
        .topic = "no-such-topic", .partition = -1, .value = "x", .value_len = 1};
    send_numbers(f, 0, 5);
    wait_until(f, &f->done, 5); /* the broker knows of the topic that was just made */
    assert_int_equal(try_send(f, &message), 0);
    send_numbers(f, 5, 10);
    wait_until(f, &f->done, 11);
    assert_int_equal(f->delivered, 10);
    assert_int_equal(f->dead, 1);
    assert_string_equal(f->error.kind, "unknown_topic");
    /* known to be missing by now: refused at once, but told from the loop */
    assert_int_equal(try_send(f, &message), 0);
    assert_int_equal(f->done, 11);
    wait_until(f, &f->done, 12);
    struct lm_kafka_message partition = {.topic = f->topic, .partition = 7, .value = "x", .value_len = 1};
    assert_int_equal(try_send(f, &partition), 0);
    wait_until(f, &f->done, 13);
    assert_int_equal(f->dead, 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_values_headers_and_times_arrive_as_they_were),
        TEST(ten_thousand_arrive_in_order_across_a_fatal_error),
        TEST(one_message_the_broker_will_not_take_is_given_up_and_its_neighbours_arrive),
        TEST(an_unknown_topic_is_given_up_after_the_grace_period),
    };
    lm_log_open("test_kafka_delivery", LM_LOG_FATAL);
    if (getenv("LOGMILL_TEST_BROKERS") == NULL) {
        printf("skipped: LOGMILL_TEST_BROKERS names no Kafka to test against\n");
        return 77;
    }
    return cmocka_run_group_tests_name("kafka_delivery", tests, NULL, NULL) == 0 ? 0 : 1;
}
