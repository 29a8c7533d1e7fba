#include "tests/unit/consumer/fake_queue.h"

#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct {
    rd_kafka_message_t messages[FAKE_QUEUE_SIZE];
    int held[FAKE_QUEUE_SIZE];
    size_t count, next;
} queue;

rd_kafka_message_t *__wrap_rd_kafka_consume_queue(rd_kafka_queue_t *rkqu, int timeout_ms);
ssize_t __wrap_rd_kafka_consume_batch_queue(rd_kafka_queue_t *rkqu, int timeout_ms,
                                            rd_kafka_message_t **messages, size_t size);
void __wrap_rd_kafka_message_destroy(rd_kafka_message_t *message);
int64_t __wrap_rd_kafka_message_timestamp(const rd_kafka_message_t *message, rd_kafka_timestamp_type_t *type);

void fake_queue_clear(void)
{
    memset(&queue, 0, sizeof(queue));
}

void fake_queue_add(const char *text)
{
    assert_true(queue.count < FAKE_QUEUE_SIZE);
    queue.messages[queue.count] = (rd_kafka_message_t){
        .payload = (void *)(uintptr_t)text, .len = strlen(text), .offset = (int64_t)queue.count};
    queue.count++;
}

void fake_queue_rewind(void)
{
    queue.next = 0;
}

int fake_queue_held(void)
{
    int held = 0;
    for (size_t i = 0; i < queue.count; i++)
        held += queue.held[i];
    return held;
}

rd_kafka_message_t *__wrap_rd_kafka_consume_queue(rd_kafka_queue_t *rkqu, int timeout_ms)
{
    (void)rkqu, (void)timeout_ms;
    if (queue.next == queue.count)
        return NULL;
    queue.held[queue.next]++;
    return &queue.messages[queue.next++];
}

ssize_t __wrap_rd_kafka_consume_batch_queue(rd_kafka_queue_t *rkqu, int timeout_ms,
                                            rd_kafka_message_t **messages, size_t size)
{
    size_t taken = 0;
    while (taken < size && (messages[taken] = __wrap_rd_kafka_consume_queue(rkqu, timeout_ms)) != NULL)
        taken++;
    return (ssize_t)taken;
}

void __wrap_rd_kafka_message_destroy(rd_kafka_message_t *message)
{
    assert_true(queue.held[message->offset] > 0);
    queue.held[message->offset]--;
}

int64_t __wrap_rd_kafka_message_timestamp(const rd_kafka_message_t *message, rd_kafka_timestamp_type_t *type)
{
    *type = RD_KAFKA_TIMESTAMP_CREATE_TIME;
    return INT64_C(1700000000000) + message->offset;
}
