#include "tests/unit/common/kafka_fixture.h"

#include "tests/unit/common/loop_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void on_closed(void *context)
{
    ((struct fixture *)context)->closed++;
}

void on_delivered(void *opaque, const struct lm_error *error, void *context)
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

int fixture_begin(struct fixture *f)
{
    alarm(100);
    f->metrics = lm_metrics_new();
    return f->metrics != NULL && uv_loop_init(&f->loop) == 0 ? 0 : -1;
}

int fixture_end(struct fixture *f)
{
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
    lm_metrics_free(f->metrics);
    return left == 0 ? 0 : -1;
}

void open_with(struct fixture *f, struct lm_kafka_producer_options options)
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
}

void wait_until(struct fixture *f, const size_t *what, size_t value)
{
    while (*what < value)
        uv_run(&f->loop, UV_RUN_ONCE);
}

int try_send(struct fixture *f, const struct lm_kafka_message *from)
{
    struct lm_kafka_message message = *from;
    message.opaque = (void *)f->sent;
    int answer = lm_kafka_producer_send(f->producer, &message, &f->error);
    f->sent += answer == 0;
    return answer;
}

void send_text(struct fixture *f, const char *key, const char *value)
{
    struct lm_kafka_message message = {.topic = f->topic,
                                       .partition = RD_KAFKA_PARTITION_UA,
                                       .key = key,
                                       .key_len = key != NULL ? strlen(key) : 0,
                                       .value = value,
                                       .value_len = value != NULL ? strlen(value) : 0};
    assert_int_equal(try_send(f, &message), 0);
}

void send_numbers(struct fixture *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char value[32];
        snprintf(value, sizeof(value), "%d", i);
        send_text(f, "k", value);
    }
}

size_t read_back(struct fixture *f, void (*seen)(const rd_kafka_message_t *, size_t, void *), void *context)
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

void check_order(const rd_kafka_message_t *message, size_t index, void *context)
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
