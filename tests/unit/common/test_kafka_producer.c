/*
 * The producer against librdkafka's mock cluster, where errors can be injected.
 */
#include "common/kafka/kafka_producer.h"

#include "common/clock.h"
#include "common/log.h"

#include "tests/unit/common/failing_alloc.h"
#include "tests/unit/common/kafka_fixture.h"

#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BROKERS 3

/* The fixture stands first: who has one of these as `struct fixture *` has its cluster by mock_of. */
struct mocked {
    struct fixture fixture;
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
};

static rd_kafka_mock_cluster_t *mock_of(struct fixture *f)
{
    return ((struct mocked *)f)->cluster;
}

static int setup(void **state)
{
    char complaint[256];
    struct mocked *m = calloc(1, sizeof(*m));
    *state = m;
    if (m == NULL || fixture_begin(&m->fixture) != 0)
        return -1;
    struct fixture *f = &m->fixture;
    m->owner = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, complaint, sizeof(complaint));
    m->cluster = m->owner != NULL ? rd_kafka_mock_cluster_new(m->owner, BROKERS) : NULL;
    if (m->cluster == NULL)
        return -1;
    snprintf(f->brokers, sizeof(f->brokers), "%s", rd_kafka_mock_cluster_bootstraps(m->cluster));
    snprintf(f->topic, sizeof(f->topic), "mocked");
    return rd_kafka_mock_topic_create(m->cluster, f->topic, 1, BROKERS) == RD_KAFKA_RESP_ERR_NO_ERROR ? 0
                                                                                                      : -1;
}

static int teardown(void **state)
{
    struct mocked *m = *state;
    int left = fixture_end(&m->fixture);
    rd_kafka_mock_cluster_destroy(m->cluster);
    rd_kafka_destroy(m->owner);
    if (left == 0)
        free(m);
    return left;
}

static void set_brokers_down(struct fixture *f)
{
    for (int id = 1; id <= BROKERS; id++)
        rd_kafka_mock_broker_set_down(mock_of(f), id);
}

static void set_brokers_up(struct fixture *f)
{
    for (int id = 1; id <= BROKERS; id++)
        rd_kafka_mock_broker_set_up(mock_of(f), id);
}

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
    set_brokers_down(f);
    struct lm_kafka_message message = {.topic = f->topic, .partition = -1, .value = "x", .value_len = 1};
    int answer;
    while ((answer = try_send(f, &message)) == 0)
        ;
    assert_int_equal(answer, 1);
    assert_int_equal(f->sent, 100);
    assert_int_equal(try_send(f, &message), 1);
    assert_int_equal(f->rooms, 0);
    set_brokers_up(f);
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
    set_brokers_down(f);
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
    set_brokers_down(f);
    send_numbers(f, 100, 300);
    int64_t until = lm_clock_mono_us() + 3 * LM_SECOND_US;
    while (lm_clock_mono_us() < until)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->done, 100);
    assert_true(lm_kafka_producer_stalled_since(f->producer) != 0);
    set_brokers_up(f);
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
    rd_kafka_mock_push_request_errors(
        mock_of(f), 0 /* Produce */, 6, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
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
    rd_kafka_mock_push_request_errors(mock_of(f), 0, 2, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
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
    rd_kafka_mock_push_request_errors(mock_of(f), 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
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
    set_brokers_down(f);
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_are_delivered_in_order),
        TEST(a_property_that_delivery_rests_on_cannot_be_changed),
        TEST(a_message_over_the_limit_is_refused_at_once),
        TEST(full_is_said_and_room_is_told_once),
        TEST(full_is_said_by_bytes_too),
        TEST(no_memory_is_as_good_as_full),
        TEST(a_producer_without_memory_is_not_opened),
        TEST(a_broker_that_is_down_is_waited_for),
        TEST(errors_that_pass_are_retried),
        TEST(a_fatal_error_makes_a_new_producer_and_nothing_is_lost),
        TEST(an_authorisation_that_is_missing_is_waited_for),
        TEST(a_batch_that_is_too_large_is_sent_one_by_one_and_nothing_given_up),
        TEST(close_delivers_what_is_pending),
        TEST(close_gives_up_at_the_deadline),
        TEST(close_while_an_instance_is_replaced_delivers),
        TEST(close_and_send_from_a_callback_are_allowed),
        TEST(close_without_a_broker_ever_seen_ends),
    };
    lm_log_open("test_kafka_producer", LM_LOG_FATAL);
    return cmocka_run_group_tests_name("kafka_producer", tests, NULL, NULL) == 0 ? 0 : 1;
}
