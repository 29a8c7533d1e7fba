#include "consumer/consumer_internal.h"

#define LEAVE_MS 5000
#define LETTERS_CLOSE_MS 1000
#define HTTP_CLOSE_MS 500

static const char *const phase_names[] = {"opening", "running", "draining", "leaving", "closing"};

int co_consumer_change_phase(struct co_consumer *consumer, enum co_phase to)
{
    if (to <= consumer->phase) {
        lm_log(LM_LOG_ERROR, "consumer", "%s cannot become %s", phase_names[consumer->phase],
               phase_names[to]);
        return -1;
    }
    lm_log(LM_LOG_INFO, "consumer", "%s -> %s", phase_names[consumer->phase], phase_names[to]);
    consumer->phase = to;
    return 0;
}

/* ---- phases ---- */

static void leave(struct co_consumer *consumer)
{
    rd_kafka_error_t *error = NULL;

    if (consumer->phase != CO_DRAINING || co_consumer_change_phase(consumer, CO_LEAVING) != 0)
        return;
    co_assignment_commit(consumer->assignment);
    consumer->leaving = rd_kafka_queue_new(consumer->kafka);
    if (consumer->leaving != NULL) {
        lm_kafka_wake_attach(&consumer->wake, consumer->leaving);
        error = rd_kafka_consumer_close_queue(consumer->kafka, consumer->leaving);
    }
    if (consumer->leaving == NULL || error != NULL) {
        if (error != NULL)
            rd_kafka_error_destroy(error);
        co_consumer_close(consumer);
    }
}

static void on_phase_timer(uv_timer_t *timer)
{
    struct co_consumer *consumer = timer->data;

    if (consumer->phase == CO_DRAINING) {
        lm_log(LM_LOG_WARN, "consumer", "the grace period is over; what is not committed stays in Kafka");
        (void)uv_timer_start(&consumer->phase_timer, on_phase_timer, LEAVE_MS, 0);
        leave(consumer);
    } else if (consumer->phase == CO_LEAVING) {
        lm_log(LM_LOG_WARN, "consumer", "the group did not answer in time; leaving without it");
        co_consumer_close(consumer);
    }
}

/* Draining is over when no partition holds anything that can be written. What is held back waits in Kafka. */
void co_consumer_check_drained(struct co_consumer *consumer)
{
    if (consumer->phase != CO_DRAINING)
        return;
    co_reading_hand_over(&consumer->reading, true);
    for (const struct co_partition *p = co_assignment_first(consumer->assignment); p != NULL; p = p->next) {
        if (p->line_count > 0 || (p->filling != NULL && p->filling->record_count > 0))
            return;
    }
    (void)uv_timer_start(&consumer->phase_timer, on_phase_timer, LEAVE_MS, 0);
    leave(consumer);
}

unsigned co_consumer_stop(struct co_consumer *consumer, bool now)
{
    unsigned grace_ms = now ? 0 : (unsigned)consumer->config->grace_ms;

    if (consumer->phase == CO_OPENING) /* the start failed, or has not come this far: nothing to drain */
        return 0;
    if (consumer->phase == CO_RUNNING) {
        (void)co_consumer_change_phase(consumer, CO_DRAINING);
        co_reading_stop(&consumer->reading);
        (void)uv_timer_start(&consumer->phase_timer, on_phase_timer, (uint64_t)consumer->config->grace_ms, 0);
    }
    if (now && consumer->phase == CO_DRAINING)
        on_phase_timer(&consumer->phase_timer);
    else
        co_consumer_check_drained(consumer);
    return grace_ms + LEAVE_MS;
}

void co_consumer_poll_leaving(struct co_consumer *consumer)
{
    rd_kafka_message_t *message;

    while ((message = rd_kafka_consume_queue(consumer->leaving, 0)) != NULL)
        rd_kafka_message_destroy(message);
    if (rd_kafka_consumer_closed(consumer->kafka))
        co_consumer_close(consumer);
}

/* ---- closing ---- */

static void close_next(void *context);

static void handle_closed(uv_handle_t *handle)
{
    struct co_consumer *consumer = handle->data;
    if (--consumer->open_handles == 0)
        close_next(consumer);
}

static void close_handles(struct co_consumer *consumer)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&consumer->reading.idle, (uv_handle_t *)&consumer->reading.age,
                              (uv_handle_t *)&consumer->tick, (uv_handle_t *)&consumer->phase_timer};
    consumer->open_handles = sizeof(handles) / sizeof(handles[0]);
    for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
        handles[i]->data = consumer;
        uv_close(handles[i], handle_closed);
    }
}

/* All messages and partition queues have been given back: librdkafka would wait for them. */
static void close_kafka(struct co_consumer *consumer)
{
    if (consumer->leaving != NULL) {
        lm_kafka_wake_detach(consumer->leaving);
        rd_kafka_queue_destroy(consumer->leaving);
    }
    if (consumer->events != NULL) {
        lm_kafka_wake_detach(consumer->events);
        rd_kafka_queue_destroy(consumer->events);
    }
    if (consumer->kafka != NULL)
        rd_kafka_destroy_flags(consumer->kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    consumer->leaving = consumer->events = NULL;
    consumer->kafka = NULL;
}

/* One step; a part that was never opened is passed over. */
static void close_next(void *context)
{
    struct co_consumer *consumer = context;

    for (;;) {
        switch (consumer->step++) {
        case CO_CLOSE_CONTROL:
            if (consumer->control == NULL)
                continue;
            co_control_close(consumer->control, close_next, consumer);
            return;
        case CO_CLOSE_REGISTRY:
            if (consumer->registry == NULL)
                continue;
            co_registry_close(consumer->registry, close_next, consumer);
            return;
        case CO_CLOSE_LETTERS:
            if (consumer->letters == NULL)
                continue;
            co_letters_close(consumer->letters, LETTERS_CLOSE_MS, close_next, consumer);
            return;
        case CO_CLOSE_LEAVES:
            if (consumer->leaves == NULL)
                continue;
            co_leaves_close(consumer->leaves, close_next, consumer);
            return;
        case CO_CLOSE_WRITER:
            if (consumer->writer == NULL)
                continue;
            co_writer_close(consumer->writer, close_next, consumer);
            return;
        case CO_CLOSE_KAFKA:
            close_kafka(consumer);
            continue;
        case CO_CLOSE_WAKE:
            if (!consumer->wake_open)
                continue;
            lm_kafka_wake_close(&consumer->wake, close_next);
            return;
        case CO_CLOSE_HTTP:
            if (consumer->http == NULL)
                continue;
            lm_http_server_close(consumer->http, HTTP_CLOSE_MS, close_next, consumer);
            return;
        case CO_CLOSE_HANDLES:
            close_handles(consumer);
            return;
        case CO_CLOSED:
        default:
            lm_service_release(consumer->service);
            return;
        }
    }
}

void co_consumer_close(struct co_consumer *consumer)
{
    if (consumer->phase != CO_CLOSING) {
        lm_service_end_within(consumer->service, 0); /* before the grace period is over, as a rule */
        (void)co_consumer_change_phase(consumer, CO_CLOSING);
        (void)uv_timer_stop(&consumer->phase_timer);
        co_reading_stop(&consumer->reading);
        (void)uv_timer_stop(&consumer->tick);
        if (consumer->assignment != NULL)
            co_assignment_release(consumer->assignment);
    }
    if ((consumer->assignment != NULL && !co_assignment_settled(consumer->assignment)) ||
        consumer->probe.busy || consumer->topics.busy || consumer->prompter.jobs > 0 ||
        consumer->step != CO_CLOSE_CONTROL)
        return;
    close_next(consumer);
}
