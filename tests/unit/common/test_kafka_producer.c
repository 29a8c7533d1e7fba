/*
 * The producer against librdkafka's mock cluster, where errors can be injected, and against a real Kafka
 * (LOGMILL_TEST_BROKERS). Every message must end in exactly one callback; the teardown counts them.
 */
#include "common/kafka_producer.h"

#include "common/clock.h"
#include "common/log.h"

#include "tests/unit/common/failing_alloc.h"
#include "tests/unit/common/loop_end.h"

#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_SENT 20000

struct fixture {
    uv_loop_t loop;
    rd_kafka_t *mock_owner;
    rd_kafka_mock_cluster_t *mock;
    char brokers[512], topic[64];
    struct lm_kafka_producer *producer;
    struct lm_metrics *metrics;
    size_t sent, delivered, dead, unknown, done, rooms, closed;
    unsigned char calls[MAX_SENT]; /* callbacks of each message */
    struct lm_error error;         /* the last one */
    bool close_in_callback, send_in_callback;
};

static void on_closed(void *context)
{
    ((struct fixture *)context)->closed++;
}

static void send_text(struct fixture *f, const char *key, const char *value);

static void on_delivered(void *opaque, const struct lm_error *error, void *context)
{
    struct fixture *f = context;
    f->calls[(size_t)(uintptr_t)opaque]++;
    f->done++;
    if (error == NULL)
        f->delivered++;
    else if (error->decision == LM_DEAD_LETTER)
        f->dead++;
    else
        f->unknown++;
    if (error != NULL)
        f->error = *error;
    if (f->close_in_callback) {
        f->close_in_callback = false;
        lm_kafka_producer_close(f->producer, 10000, on_closed, f);
    }
    if (f->send_in_callback) {
        f->send_in_callback = false;
        send_text(f, "k", "again");
    }
}

static void on_room(void *context)
{
    ((struct fixture *)context)->rooms++;
}

static int setup_loop(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL || uv_loop_init(&f->loop) != 0)
        return -1;
    f->metrics = lm_metrics_new();
    *state = f;
    alarm(100);
    return 0;
}

static int setup_mock(void **state)
{
    char complaint[256];
    if (setup_loop(state) != 0)
        return -1;
    struct fixture *f = *state;
    f->mock_owner = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, complaint, sizeof(complaint));
    f->mock = f->mock_owner != NULL ? rd_kafka_mock_cluster_new(f->mock_owner, 3) : NULL;
    if (f->mock == NULL)
        return -1;
    snprintf(f->brokers, sizeof(f->brokers), "%s", rd_kafka_mock_cluster_bootstraps(f->mock));
    snprintf(f->topic, sizeof(f->topic), "mocked");
    return rd_kafka_mock_topic_create(f->mock, f->topic, 1, 3) == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : -1;
}

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

static int setup_kafka(void **state)
{
    if (setup_loop(state) != 0)
        return -1;
    struct fixture *f = *state;
    snprintf(f->brokers, sizeof(f->brokers), "%s", getenv("LOGMILL_TEST_BROKERS"));
    snprintf(f->topic, sizeof(f->topic), "test-producer-%d-%llx", getpid(), (unsigned long long)uv_hrtime());
    return create_topic(f, 1, "200000");
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

static void wait_until(struct fixture *f, const size_t *what, size_t value)
{
    while (*what < value)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->producer != NULL && f->closed == 0) {
        lm_kafka_producer_close(f->producer, 5000, on_closed, f);
        wait_until(f, &f->closed, 1);
    }
    int left = loop_end(&f->loop);
    for (size_t i = 0; i < f->sent; i++) {
        if (f->calls[i] != 1) {
            fprintf(stderr, "message %zu was called back %d times\n", i, f->calls[i]);
            left = -1;
        }
    }
    if (f->mock != NULL)
        rd_kafka_mock_cluster_destroy(f->mock);
    if (f->mock_owner != NULL)
        rd_kafka_destroy(f->mock_owner);
    else if (f->topic[0] != '\0')
        delete_topic(f);
    if (left == 0) {
        lm_metrics_free(f->metrics);
        free(f);
    }
    return left;
}

static struct lm_kafka_producer *open_with(struct fixture *f, struct lm_kafka_producer_options options)
{
    struct lm_error error;
    options.loop = &f->loop;
    options.brokers = f->brokers;
    options.metrics = f->metrics;
    options.delivered = on_delivered;
    options.room = on_room;
    options.context = f;
    if (lm_kafka_producer_open(&options, &f->producer, &error) != 0)
        fail_msg("%s", error.text);
    return f->producer;
}

static int try_send(struct fixture *f, const struct lm_kafka_message *from)
{
    struct lm_kafka_message message = *from;
    message.opaque = (void *)f->sent;
    int answer = lm_kafka_producer_send(f->producer, &message, &f->error);
    f->sent += answer == 0;
    return answer;
}

static void send_text(struct fixture *f, const char *key, const char *value)
{
    struct lm_kafka_message message = {.topic = f->topic,
                                       .partition = RD_KAFKA_PARTITION_UA,
                                       .key = key,
                                       .key_len = key != NULL ? strlen(key) : 0,
                                       .value = value,
                                       .value_len = value != NULL ? strlen(value) : 0};
    assert_int_equal(try_send(f, &message), 0);
}

static void send_numbers(struct fixture *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char value[32];
        snprintf(value, sizeof(value), "%d", i);
        send_text(f, "k", value);
    }
}

/* Reads the topic's partition 0 from its beginning to its end; calls `seen` for each message. */
static size_t read_back(struct fixture *f, void (*seen)(const rd_kafka_message_t *, size_t, void *),
                        void *context)
{
    char complaint[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", f->brokers, complaint, sizeof(complaint));
    rd_kafka_conf_set(conf, "group.id", "unused", complaint, sizeof(complaint));
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", complaint, sizeof(complaint));
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", complaint, sizeof(complaint));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, complaint, sizeof(complaint));
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, f->topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, list);
    size_t n = 0;
    for (bool end = false; !end;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 200);
        if (message == NULL)
            continue;
        end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            seen(message, n++, context);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return n;
}

/* Repeats are allowed, gaps and steps back to something new are not. */
struct order {
    int next;
    size_t repeats;
};

static void check_order(const rd_kafka_message_t *message, size_t index, void *context)
{
    struct order *order = context;
    char text[32];
    (void)index;
    snprintf(text, sizeof(text), "%.*s", (int)message->len, (const char *)message->payload);
    int number = atoi(text);
    if (number > order->next)
        fail_msg("%d came where %d was due", number, order->next);
    order->repeats += number < order->next;
    order->next += number == order->next;
}

/* ---- mock cluster ---- */

static void messages_are_delivered_in_order(void **state)
{
    struct fixture *f = *state;
    struct order order = {0};
    open_with(f, (struct lm_kafka_producer_options){0});
    send_numbers(f, 0, 5000);
    assert_int_equal(lm_kafka_producer_pending(f->producer), 5000);
    wait_until(f, &f->done, 5000);
    assert_int_equal(f->delivered, 5000);
    assert_int_equal(lm_kafka_producer_pending(f->producer), 0);
    assert_int_equal(lm_kafka_producer_stalled_since(f->producer), 0);
    assert_int_equal(read_back(f, check_order, &order), 5000);
    assert_int_equal(order.next, 5000);
    assert_int_equal(order.repeats, 0);
}

static void a_property_that_delivery_rests_on_cannot_be_changed(void **state)
{
    static const char *const wrong[][2] = {{"acks", "1"},
                                           {"enable.idempotence", "false"},
                                           {"partitioner", "random"},
                                           {"message.timeout.ms", "1000"},
                                           {"no.such.thing", "1"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *names[] = {(char *)(uintptr_t)wrong[i][0]}, *values[] = {(char *)(uintptr_t)wrong[i][1]};
        struct lm_config_map properties = {.names = names, .values = values, .count = 1};
        struct lm_kafka_producer_options options = {.loop = &f->loop,
                                                    .brokers = f->brokers,
                                                    .properties = &properties,
                                                    .delivered = on_delivered,
                                                    .context = f};
        struct lm_error error;
        assert_int_equal(lm_kafka_producer_open(&options, &f->producer, &error), -1);
        assert_int_equal(error.decision, LM_FATAL);
        assert_non_null(strstr(error.text, wrong[i][0]));
        f->producer = NULL;
    }
}

static void a_message_over_the_limit_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    static char value[2000];
    open_with(f, (struct lm_kafka_producer_options){.max_message_bytes = 1500});
    struct lm_kafka_message message = {
        .topic = f->topic, .partition = -1, .value = value, .value_len = sizeof(value)};
    assert_int_equal(try_send(f, &message), -1);
    assert_int_equal(f->error.decision, LM_DEAD_LETTER);
    assert_string_equal(f->error.kind, "too_large");
    message.value_len = 1400;
    assert_int_equal(try_send(f, &message), 0);
    wait_until(f, &f->done, 1);
    assert_int_equal(f->delivered, 1);
}

static void full_is_said_and_room_is_told_once(void **state)
{
    struct fixture *f = *state;
    open_with(f, (struct lm_kafka_producer_options){.max_messages = 100});
    for (int id = 1; id <= 3; id++)
        rd_kafka_mock_broker_set_down(f->mock, id);
    struct lm_kafka_message message = {.topic = f->topic, .partition = -1, .value = "x", .value_len = 1};
    int answer;
    while ((answer = try_send(f, &message)) == 0)
        ;
    assert_int_equal(answer, 1);
    assert_int_equal(f->sent, 100);
    assert_int_equal(try_send(f, &message), 1);
    assert_int_equal(f->rooms, 0);
    for (int id = 1; id <= 3; id++)
        rd_kafka_mock_broker_set_up(f->mock, id);
    wait_until(f, &f->rooms, 1);
    assert_int_equal(try_send(f, &message), 0);
    wait_until(f, &f->done, 101);
    assert_int_equal(f->rooms, 1);
    assert_int_equal(f->delivered, 101);
}

static void full_is_said_by_bytes_too(void **state)
{
    struct fixture *f = *state;
    static char value[1000];
    open_with(f, (struct lm_kafka_producer_options){.max_bytes = 10000});
    for (int id = 1; id <= 3; id++)
        rd_kafka_mock_broker_set_down(f->mock, id);
    struct lm_kafka_message message = {
        .topic = f->topic, .partition = -1, .value = value, .value_len = sizeof(value)};
    while (try_send(f, &message) == 0)
        ;
    assert_int_equal(f->sent, 10);
    lm_kafka_producer_close(f->producer, 10, on_closed, f);
    wait_until(f, &f->closed, 1);
    assert_int_equal(f->unknown, 10);
    assert_string_equal(f->error.kind, "not_delivered");
}

static void no_memory_is_as_good_as_full(void **state)
{
    struct fixture *f = *state;
    open_with(f, (struct lm_kafka_producer_options){0});
    struct lm_kafka_message message = {.topic = f->topic, .partition = -1, .value = "x", .value_len = 1};
    failing_alloc_after(1);
    int answer = try_send(f, &message);
    failing_alloc_after(0);
    assert_int_equal(answer, 1);
    wait_until(f, &f->rooms, 1);
    assert_int_equal(try_send(f, &message), 0);
    wait_until(f, &f->done, 1);
    assert_int_equal(f->delivered, 1);
}

static void a_producer_without_memory_is_not_opened(void **state)
{
    struct fixture *f = *state;
    struct lm_kafka_producer_options options = {
        .loop = &f->loop, .brokers = f->brokers, .delivered = on_delivered, .context = f};
    struct lm_error error;
    failing_alloc_after(1);
    int opened = lm_kafka_producer_open(&options, &f->producer, &error);
    failing_alloc_after(0);
    assert_int_equal(opened, -1);
    assert_int_equal(error.decision, LM_FATAL);
    f->producer = NULL;
}

static void a_broker_that_is_down_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct order order = {0};
    char *names[] = {(char *)"reconnect.backoff.max.ms"}, *values[] = {(char *)"500"};
    struct lm_config_map properties = {.names = names, .values = values, .count = 1};
    open_with(f, (struct lm_kafka_producer_options){.properties = &properties});
    send_numbers(f, 0, 100);
    wait_until(f, &f->done, 100);
    for (int id = 1; id <= 3; id++)
        rd_kafka_mock_broker_set_down(f->mock, id);
    send_numbers(f, 100, 300);
    int64_t until = lm_clock_mono_us() + 3 * LM_SECOND_US;
    while (lm_clock_mono_us() < until)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->done, 100);
    assert_true(lm_kafka_producer_stalled_since(f->producer) != 0);
    for (int id = 1; id <= 3; id++)
        rd_kafka_mock_broker_set_up(f->mock, id);
    wait_until(f, &f->done, 300);
    assert_int_equal(f->delivered, 300);
    assert_int_equal(lm_kafka_producer_stalled_since(f->producer), 0);
    assert_int_equal(read_back(f, check_order, &order), 300);
}

static void errors_that_pass_are_retried(void **state)
{
    struct fixture *f = *state;
    struct order order = {0};
    open_with(f, (struct lm_kafka_producer_options){0});
    rd_kafka_mock_push_request_errors(f->mock, 0 /* Produce */, 6, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT,
                                      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    send_numbers(f, 0, 500);
    wait_until(f, &f->done, 500);
    assert_int_equal(f->delivered, 500);
    read_back(f, check_order, &order);
    assert_int_equal(order.next, 500);
}

static uint64_t renewed(struct fixture *f)
{
    return lm_counter_get(lm_counter(f->metrics, "logmill_kafka_producers_renewed_total", NULL, ""));
}

static void a_fatal_error_makes_a_new_producer_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    struct order order = {0};
    open_with(f, (struct lm_kafka_producer_options){0});
    for (int round = 0; round < 3; round++) {
        send_numbers(f, round * 1000, round * 1000 + 600);
        if (round > 0)
            wait_until(f, &f->delivered, (size_t)round * 1000 + 100);
        rd_kafka_t *rk = lm_kafka_producer_raw(f->producer);
        assert_non_null(rk);
        rd_kafka_test_fatal_error(rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "injected");
        send_numbers(f, round * 1000 + 600, round * 1000 + 1000);
        wait_until(f, &f->done, (size_t)(round + 1) * 1000);
        while (renewed(f) < (uint64_t)round + 1)
            uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(f->delivered, 3000);
    read_back(f, check_order, &order);
    assert_int_equal(order.next, 3000);
}

static void an_authorisation_that_is_missing_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct order order = {0};
    open_with(f, (struct lm_kafka_producer_options){0});
    rd_kafka_mock_push_request_errors(f->mock, 0, 2, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    send_numbers(f, 0, 200);
    wait_until(f, &f->done, 200);
    assert_int_equal(f->delivered, 200);
    assert_true(renewed(f) > 0);
    read_back(f, check_order, &order);
    assert_int_equal(order.next, 200);
}

static void a_batch_that_is_too_large_is_sent_one_by_one_and_nothing_given_up(void **state)
{
    struct fixture *f = *state;
    struct order order = {0};
    open_with(f, (struct lm_kafka_producer_options){0});
    rd_kafka_mock_push_request_errors(f->mock, 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    send_numbers(f, 0, 50);
    wait_until(f, &f->done, 50);
    assert_int_equal(f->delivered, 50);
    read_back(f, check_order, &order);
    assert_int_equal(order.next, 50);
}

static void close_delivers_what_is_pending(void **state)
{
    struct fixture *f = *state;
    open_with(f, (struct lm_kafka_producer_options){0});
    send_numbers(f, 0, 2000);
    lm_kafka_producer_close(f->producer, 30000, on_closed, f);
    struct lm_kafka_message message = {.topic = f->topic, .partition = -1, .value = "x", .value_len = 1};
    assert_int_equal(try_send(f, &message), -1);
    wait_until(f, &f->closed, 1);
    assert_int_equal(f->delivered, 2000);
}

static void close_gives_up_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    open_with(f, (struct lm_kafka_producer_options){0});
    for (int id = 1; id <= 3; id++)
        rd_kafka_mock_broker_set_down(f->mock, id);
    send_numbers(f, 0, 100);
    lm_kafka_producer_close(f->producer, 100, on_closed, f);
    wait_until(f, &f->closed, 1);
    assert_int_equal(f->unknown, 100);
}

static void close_while_an_instance_is_replaced_delivers(void **state)
{
    struct fixture *f = *state;
    open_with(f, (struct lm_kafka_producer_options){0});
    send_numbers(f, 0, 100);
    rd_kafka_test_fatal_error(lm_kafka_producer_raw(f->producer),
                              RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "injected");
    lm_kafka_producer_close(f->producer, 30000, on_closed, f);
    wait_until(f, &f->closed, 1);
    assert_int_equal(f->delivered, 100);
}

static void close_and_send_from_a_callback_are_allowed(void **state)
{
    struct fixture *f = *state;
    open_with(f, (struct lm_kafka_producer_options){0});
    f->send_in_callback = true;
    send_numbers(f, 0, 10);
    wait_until(f, &f->done, 11);
    assert_int_equal(f->delivered, 11);
    f->close_in_callback = true;
    send_numbers(f, 10, 20);
    wait_until(f, &f->closed, 1);
    assert_int_equal(f->delivered, 21);
}

static void close_without_a_broker_ever_seen_ends(void **state)
{
    struct fixture *f = *state;
    snprintf(f->brokers, sizeof(f->brokers), "127.0.0.1:1");
    open_with(f, (struct lm_kafka_producer_options){0});
    send_numbers(f, 0, 3);
    lm_kafka_producer_close(f->producer, 50, on_closed, f);
    wait_until(f, &f->closed, 1);
    assert_int_equal(f->unknown, 3);
}

/* ---- a real Kafka ---- */

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

#define MOCK(function) cmocka_unit_test_setup_teardown(function, setup_mock, teardown)
#define KAFKA(function) cmocka_unit_test_setup_teardown(function, setup_kafka, teardown)

int main(void)
{
    const struct CMUnitTest mocked[] = {
        MOCK(messages_are_delivered_in_order),
        MOCK(a_property_that_delivery_rests_on_cannot_be_changed),
        MOCK(a_message_over_the_limit_is_refused_at_once),
        MOCK(full_is_said_and_room_is_told_once),
        MOCK(full_is_said_by_bytes_too),
        MOCK(no_memory_is_as_good_as_full),
        MOCK(a_producer_without_memory_is_not_opened),
        MOCK(a_broker_that_is_down_is_waited_for),
        MOCK(errors_that_pass_are_retried),
        MOCK(a_fatal_error_makes_a_new_producer_and_nothing_is_lost),
        MOCK(an_authorisation_that_is_missing_is_waited_for),
        MOCK(a_batch_that_is_too_large_is_sent_one_by_one_and_nothing_given_up),
        MOCK(close_delivers_what_is_pending),
        MOCK(close_gives_up_at_the_deadline),
        MOCK(close_while_an_instance_is_replaced_delivers),
        MOCK(close_and_send_from_a_callback_are_allowed),
        MOCK(close_without_a_broker_ever_seen_ends),
    };
    const struct CMUnitTest real[] = {
        KAFKA(keys_values_headers_and_times_arrive_as_they_were),
        KAFKA(ten_thousand_arrive_in_order_across_a_fatal_error),
        KAFKA(one_message_the_broker_will_not_take_is_given_up_and_its_neighbours_arrive),
        KAFKA(an_unknown_topic_is_given_up_after_the_grace_period),
    };
    lm_log_open("test_kafka_producer", LM_LOG_FATAL);
    if (cmocka_run_group_tests_name("kafka_producer, mock cluster", mocked, NULL, NULL) != 0)
        return 1;
    if (getenv("LOGMILL_TEST_BROKERS") == NULL) {
        printf("skipped: LOGMILL_TEST_BROKERS names no Kafka to test against\n");
        return 77;
    }
    return cmocka_run_group_tests_name("kafka_producer, Kafka", real, NULL, NULL) == 0 ? 0 : 1;
}
