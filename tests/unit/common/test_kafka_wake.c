/* librdkafka's threads waking a loop, on librdkafka's own mock cluster: no server needed. */
#include "common/kafka/kafka_wake.h"

#include "common/log.h"

#include "tests/unit/common/loop_end.h"

#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    uv_loop_t loop;
    struct lm_kafka_wake wake;
    rd_kafka_t *rk;
    int readies, delivered, closed;
};

static void on_closed(void *context)
{
    ((struct fixture *)context)->closed++;
}

static void on_ready(void *context)
{
    struct fixture *f = context;
    f->readies++;
    if (f->rk != NULL)
        rd_kafka_poll(f->rk, 0);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)message;
    ((struct fixture *)opaque)->delivered++;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct lm_error error;
    if (f == NULL || uv_loop_init(&f->loop) != 0 ||
        lm_kafka_wake_open(&f->wake, &f->loop, on_ready, f, &error) != 0)
        return -1;
    *state = f;
    alarm(100);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lm_kafka_wake_close(&f->wake, on_closed);
    if (loop_end(&f->loop) != 0 || f->closed != 1)
        return -1;
    free(f);
    return 0;
}

static void a_delivery_report_wakes_the_loop(void **state)
{
    struct fixture *f = *state;
    struct lm_error error;
    char complaint[256];
    rd_kafka_conf_t *conf;
    char *names[] = {(char *)"test.mock.num.brokers"}, *values[] = {(char *)"1"};
    struct lm_config_map properties = {.names = names, .values = values, .count = 1};
    assert_int_equal(lm_kafka_conf("", &properties, &conf, &error), 0);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, f);
    f->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, complaint, sizeof(complaint));
    assert_non_null(f->rk);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(f->rk);
    lm_kafka_wake_attach(&f->wake, queue);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rd_kafka_producev(f->rk, RD_KAFKA_V_TOPIC("t"),
                                           RD_KAFKA_V_VALUE((void *)(uintptr_t) "x", 1), RD_KAFKA_V_END),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
        while (f->delivered <= i)
            uv_run(&f->loop, UV_RUN_ONCE);
    }
    lm_kafka_wake_detach(queue);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(f->rk);
    f->rk = NULL;
}

static void the_timer_fires_once_a_second_without_any_queue(void **state)
{
    struct fixture *f = *state;
    uint64_t before = uv_now(&f->loop); /* as it was when the timer was started */
    while (f->readies < 2)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_true(uv_now(&f->loop) - before >= 2000);
}

static void again_wakes_at_once(void **state)
{
    struct fixture *f = *state;
    lm_kafka_wake_again(&f->wake);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(f->readies >= 1);
}

static void a_wrong_property_is_fatal_and_named(void **state)
{
    static const char *const wrong[][2] = {
        {"linger.mss", "5"}, {"linger.ms", "soon"}, {"fetch.min.bytes", "-1"}, {"compression.codec", "rar"}};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct lm_error error;
        rd_kafka_conf_t *conf = NULL;
        char *names[] = {(char *)(uintptr_t)wrong[i][0]}, *values[] = {(char *)(uintptr_t)wrong[i][1]};
        struct lm_config_map properties = {.names = names, .values = values, .count = 1};
        assert_int_equal(lm_kafka_conf("localhost:1", &properties, &conf, &error), -1);
        assert_int_equal(error.decision, LM_FATAL);
        assert_non_null(strstr(error.text, wrong[i][0]));
    }
}

static void the_users_properties_override_our_defaults(void **state)
{
    struct lm_error error;
    rd_kafka_conf_t *conf = NULL;
    char *names[] = {(char *)"socket.nagle.disable", (char *)"client.id"},
         *values[] = {(char *)"false", (char *)"mine"};
    struct lm_config_map properties = {.names = names, .values = values, .count = 2};
    char value[64];
    size_t size = sizeof(value);
    (void)state;
    assert_int_equal(lm_kafka_conf("localhost:1", &properties, &conf, &error), 0);
    assert_int_equal(rd_kafka_conf_get(conf, "socket.nagle.disable", value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, "false");
    size = sizeof(value);
    assert_int_equal(rd_kafka_conf_get(conf, "client.id", value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, "mine");
    rd_kafka_conf_destroy(conf);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_delivery_report_wakes_the_loop),
        TEST(the_timer_fires_once_a_second_without_any_queue),
        TEST(again_wakes_at_once),
        TEST(a_wrong_property_is_fatal_and_named),
        TEST(the_users_properties_override_our_defaults),
    };
    lm_log_open("test_kafka_wake", LM_LOG_ERROR);
    return cmocka_run_group_tests_name("kafka_wake", tests, NULL, NULL) == 0 ? 0 : 1;
}
