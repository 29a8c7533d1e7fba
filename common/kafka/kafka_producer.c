/*
 * Every message is kept in one list, in the order sent, until its fate is known; librdkafka gets a copy. So a
 * librdkafka instance can be thrown away at any time: the next one is given the list from its head. That
 * happens on a fatal error and on every failed delivery that is not the message's own fault, for with
 * enable.gapless.guarantee the order of a partition survives only if everything behind the failure goes again
 * too. What was stored but not acknowledged is then stored twice; the consumer drops repeats by source and
 * sequence.
 *
 * "Too large" from the broker blames a whole batch. Its messages are sent again one at a time, and only one
 * that fails on its own is given up.
 *
 * Loop thread only. librdkafka's threads do nothing here but wake the loop; destroying an instance waits for
 * its threads, and so runs on libuv's thread pool.
 */
#include "common/kafka/kafka_producer.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/kafka/kafka_message.h"
#include "common/kafka/kafka_wake.h"
#include "common/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MESSAGES 100000
#define MAX_BYTES ((size_t)64 << 20)
#define MAX_MESSAGE_BYTES ((size_t)1 << 20)
#define PURGE_WAIT_US (2 * LM_SECOND_US)
#define POLL_ROUNDS 20
#define STALL_US LM_SECOND_US

enum producer_state {
    PRODUCER_RUNNING,
    PRODUCER_PURGING, /* the instance is given up; its last delivery reports are read */
    PRODUCER_WAITING, /* for the next instance, by back-off */
    PRODUCER_CLOSED   /* waits for handles and threads */
};

struct lm_kafka_producer {
    uv_loop_t *loop;
    struct lm_kafka_producer_options options;
    rd_kafka_conf_t *conf; /* each instance gets a copy */
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct lm_kafka_wake wake;
    uv_timer_t retry, deadline;
    unsigned open_handles; /* wake, the timers, instances being destroyed */
    enum producer_state state;
    struct kafka_message *head, **tail;
    struct kafka_message *unsent; /* the first that librdkafka does not have; all behind it neither */
    size_t count, bytes, in_flight, verdicts;
    bool renew;     /* the instance must be replaced */
    bool want_room; /* somebody was told "full" */
    bool closing;
    int64_t purge_since_us, progress_us;
    struct lm_backoff backoff;
    struct lm_log_limit log_limit, batch_limit;
    struct lm_counter *delivered, *refused, *renewed;
    struct lm_gauge *pending_messages, *pending_bytes;
    void (*closed)(void *context);
    void *closed_context;
};

static const char *const state_names[] = {"running", "purging", "waiting", "closed"};

static void pump(struct lm_kafka_producer *producer);
static void on_ready(void *context);

static bool change_state(struct lm_kafka_producer *producer, enum producer_state to)
{
    static const unsigned allowed[] = {
        [PRODUCER_RUNNING] = 1U << PRODUCER_PURGING | 1U << PRODUCER_CLOSED,
        [PRODUCER_PURGING] = 1U << PRODUCER_WAITING | 1U << PRODUCER_CLOSED,
        [PRODUCER_WAITING] = 1U << PRODUCER_RUNNING | 1U << PRODUCER_CLOSED,
        [PRODUCER_CLOSED] = 0,
    };
    if ((allowed[producer->state] & 1U << to) == 0) {
        lm_log(LM_LOG_ERROR, "kafka", "a producer cannot go from %s to %s", state_names[producer->state],
               state_names[to]);
        return false;
    }
    lm_log(LM_LOG_DEBUG, "kafka", "producer: %s -> %s", state_names[producer->state], state_names[to]);
    producer->state = to;
    return true;
}

/* ---- messages ---- */

static void show_pending(struct lm_kafka_producer *producer)
{
    if (producer->pending_messages == NULL)
        return;
    lm_gauge_set(producer->pending_messages, (double)producer->count);
    lm_gauge_set(producer->pending_bytes, (double)producer->bytes);
}

static void append(struct lm_kafka_producer *producer, struct kafka_message *message)
{
    if (producer->count == 0)
        producer->progress_us = lm_clock_mono_us();
    message->link = producer->tail;
    *producer->tail = message;
    producer->tail = &message->next;
    if (producer->unsent == NULL)
        producer->unsent = message;
    producer->count++;
    producer->bytes += message->bytes;
    show_pending(producer);
}

/* Off the list, the owner told, freed. */
static void finish(struct lm_kafka_producer *producer, struct kafka_message *message,
                   const struct lm_error *error)
{
    *message->link = message->next;
    if (message->next != NULL)
        message->next->link = message->link;
    else
        producer->tail = message->link;
    if (producer->unsent == message)
        producer->unsent = message->next;
    producer->count--;
    producer->bytes -= message->bytes;
    show_pending(producer);
    struct lm_counter *counter = error == NULL ? producer->delivered : producer->refused;
    if (counter != NULL)
        lm_counter_add(counter, 1);
    producer->options.delivered(message->opaque, error, producer->options.context);
    kafka_message_free(message);
}

static void offer_room(struct lm_kafka_producer *producer)
{
    if (!producer->want_room || producer->closing ||
        producer->count > producer->options.max_messages / 4 * 3 ||
        producer->bytes > producer->options.max_bytes / 4 * 3)
        return;
    producer->want_room = false;
    if (producer->options.room != NULL)
        producer->options.room(producer->options.context);
}

/* ---- verdicts ---- */

static void refuse(struct lm_kafka_producer *producer, struct kafka_message *message,
                   rd_kafka_resp_err_t code)
{
    struct lm_error error;
    const char *kind =
        kafka_topic_unknown(code) ? "unknown_topic"
        : code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE
            ? "too_large"
            : "refused";
    lm_error_set(&error, LM_DEAD_LETTER, kind, "Kafka will never take this message of %zu bytes for %s: %s",
                 message->bytes, message->topic, rd_kafka_err2str(code));
    finish(producer, message, &error);
}

/* From rd_kafka_poll, so on the loop. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *report, void *opaque)
{
    struct lm_kafka_producer *producer = opaque;
    struct kafka_message *message = report->_private;
    (void)rk;
    if (message->sent) {
        message->sent = false; /* a purged one stays in the list; only the next instance sends it */
        producer->in_flight--;
    }
    if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        producer->progress_us = lm_clock_mono_us();
        lm_backoff_reset(&producer->backoff);
        finish(producer, message, NULL);
        return;
    }
    if (kafka_topic_unknown(report->err) || (kafka_message_at_fault(report->err) && message->alone)) {
        refuse(producer, message, report->err);
        return;
    }
    producer->renew = true;
    if (kafka_message_at_fault(report->err)) {
        message->suspect = true;
        lm_log_limited(&producer->batch_limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "kafka",
                       "a batch for %s was refused (%s): its messages go again one by one; if this repeats, "
                       "set kafka.batch.size "
                       "below the topic's max.message.bytes",
                       message->topic, rd_kafka_err2str(report->err));
    }
    if (report->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE && report->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT &&
        report->err != RD_KAFKA_RESP_ERR__FATAL)
        lm_log_limited(&producer->log_limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "kafka",
                       "a message for %s goes again: %s", message->topic, rd_kafka_err2str(report->err));
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct lm_kafka_producer *producer = opaque;
    char text[512] = "";
    if (code != RD_KAFKA_RESP_ERR__FATAL) {
        lm_log(LM_LOG_DEBUG, "kafka", "producer: %s", reason); /* librdkafka has logged it already */
        return;
    }
    rd_kafka_resp_err_t cause = rd_kafka_fatal_error(rk, text, sizeof(text));
    lm_log(LM_LOG_WARN, "kafka", "the producer is replaced: %s: %s", rd_kafka_err2name(cause), text);
    producer->renew = true;
}

/* ---- sending ---- */

/* Gives librdkafka what it does not have yet, in order. A suspect goes alone: nothing before, nothing beside
 * it. */
static void pump(struct lm_kafka_producer *producer)
{
    while (producer->state == PRODUCER_RUNNING && !producer->renew && producer->unsent != NULL) {
        struct kafka_message *message = producer->unsent;
        if (producer->in_flight > 0 && (message->suspect || producer->head->alone))
            return;
        rd_kafka_resp_err_t code = kafka_message_produce(producer->rk, message);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return; /* the next report, or the wake's second, comes back here */
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            message->sent = true;
            message->alone = message->suspect;
            producer->in_flight++;
        } else if (kafka_message_at_fault(code) || kafka_topic_unknown(code)) {
            message->verdict = code;
            producer->verdicts++;
            lm_kafka_wake_again(&producer->wake);
        } else {
            producer->renew = true;
            lm_kafka_wake_again(&producer->wake);
            return;
        }
        producer->unsent = message->next;
    }
}

static void tell_verdicts(struct lm_kafka_producer *producer)
{
    struct kafka_message *next;
    for (struct kafka_message *message = producer->head; message != NULL && producer->verdicts > 0;
         message = next) {
        next = message->next;
        if (message->verdict == RD_KAFKA_RESP_ERR_NO_ERROR)
            continue;
        producer->verdicts--;
        refuse(producer, message, message->verdict);
    }
}

int lm_kafka_producer_send(struct lm_kafka_producer *producer, const struct lm_kafka_message *message,
                           struct lm_error *error)
{
    size_t bytes = message->key_len + message->value_len + kafka_headers_bytes(message->headers);
    if (bytes > producer->options.max_message_bytes)
        return lm_error_set(error, LM_DEAD_LETTER, "too_large",
                            "a message of %zu bytes for %s is over the limit of %zu", bytes, message->topic,
                            producer->options.max_message_bytes);
    if (producer->closing)
        return lm_error_set(error, LM_RETRY, "closing", "the producer is being closed");
    if (producer->count >= producer->options.max_messages ||
        (producer->count > 0 && producer->bytes + bytes > producer->options.max_bytes)) {
        producer->want_room = true;
        return 1;
    }
    struct kafka_message *copy = kafka_message_new(message, bytes);
    if (copy == NULL) { /* as good as full */
        producer->want_room = true;
        return 1;
    }
    append(producer, copy);
    pump(producer);
    return 0;
}

/* ---- instances ---- */

struct retired {
    uv_work_t work;
    rd_kafka_t *rk;
    struct lm_kafka_producer *producer;
};

static void release(struct lm_kafka_producer *producer)
{
    if (--producer->open_handles > 0)
        return;
    void (*closed)(void *) = producer->closed;
    void *context = producer->closed_context;
    rd_kafka_conf_destroy(producer->conf);
    free(producer);
    if (closed != NULL)
        closed(context);
}

/* Thread pool: waits for the instance's own threads. */
static void destroy_work(uv_work_t *work)
{
    rd_kafka_destroy(((struct retired *)work->data)->rk);
}

static void destroy_done(uv_work_t *work, int status)
{
    struct retired *retired = work->data;
    (void)status;
    release(retired->producer);
    free(retired);
}

/* The instance calls nothing of ours from here on: its queue is not read any more. */
static void retire(struct lm_kafka_producer *producer)
{
    if (producer->rk == NULL)
        return;
    lm_kafka_wake_detach(producer->queue);
    rd_kafka_queue_destroy(producer->queue);
    producer->queue = NULL;
    struct retired *retired = calloc(1, sizeof(*retired));
    if (retired != NULL) {
        retired->rk = producer->rk;
        retired->producer = producer;
        retired->work.data = retired;
        producer->open_handles++;
    }
    if (retired == NULL || uv_queue_work(producer->loop, &retired->work, destroy_work, destroy_done) != 0) {
        rd_kafka_destroy(producer->rk); /* without memory for the thread: here */
        producer->open_handles -= retired != NULL;
        free(retired);
    }
    producer->rk = NULL;
}

static int start_instance(struct lm_kafka_producer *producer, struct lm_error *error)
{
    char complaint[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(producer->conf);
    producer->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, complaint, sizeof(complaint));
    if (producer->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return lm_error_set(error, LM_FATAL, "kafka_producer", "a Kafka producer cannot be made: %s",
                            complaint);
    }
    producer->queue = rd_kafka_queue_get_main(producer->rk);
    lm_kafka_wake_attach(&producer->wake, producer->queue);
    return 0;
}

static void on_retry(uv_timer_t *timer)
{
    struct lm_kafka_producer *producer = timer->data;
    struct lm_error error;
    if (start_instance(producer, &error) != 0) {
        lm_log_error(LM_LOG_ERROR, "kafka", &error, "%s", error.text);
        uv_timer_start(&producer->retry, on_retry, lm_backoff_next(&producer->backoff), 0);
        return;
    }
    change_state(producer, PRODUCER_RUNNING);
    if (producer->renewed != NULL)
        lm_counter_add(producer->renewed, 1);
    pump(producer);
}

/* Everything in the list goes again. */
static void take_back(struct lm_kafka_producer *producer)
{
    for (struct kafka_message *message = producer->head; message != NULL; message = message->next) {
        message->sent = false;
        message->alone = false;
        message->verdict = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    producer->unsent = producer->head;
    producer->in_flight = 0;
    producer->verdicts = 0;
}

static void begin_purge(struct lm_kafka_producer *producer)
{
    if (!change_state(producer, PRODUCER_PURGING))
        return;
    producer->purge_since_us = lm_clock_mono_us();
    (void)rd_kafka_purge(producer->rk,
                         RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    lm_kafka_wake_again(&producer->wake);
}

static void end_purge(struct lm_kafka_producer *producer)
{
    if (rd_kafka_outq_len(producer->rk) > 0 && lm_clock_mono_us() - producer->purge_since_us < PURGE_WAIT_US)
        return;
    retire(producer);
    take_back(producer);
    producer->renew = false;
    change_state(producer, PRODUCER_WAITING);
    uv_timer_start(&producer->retry, on_retry, lm_backoff_next(&producer->backoff), 0);
}

/* ---- closing ---- */

static void on_wake_closed(void *context)
{
    release(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

/* Whoever is left is told so, in order; whether Kafka has it is unknown. */
static void end_close(struct lm_kafka_producer *producer)
{
    if (!change_state(producer, PRODUCER_CLOSED))
        return;
    struct lm_error error;
    lm_error_set(&error, LM_RETRY, "not_delivered",
                 "the producer was closed before Kafka acknowledged this message");
    while (producer->head != NULL)
        finish(producer, producer->head, &error);
    retire(producer);
    lm_kafka_wake_close(&producer->wake, on_wake_closed);
    uv_close((uv_handle_t *)&producer->retry, on_handle_closed);
    uv_close((uv_handle_t *)&producer->deadline, on_handle_closed);
}

static void on_deadline(uv_timer_t *timer)
{
    struct lm_kafka_producer *producer = timer->data;
    if (producer->rk != NULL)
        while (rd_kafka_poll(producer->rk, 0) > 0) /* acknowledgements that are here already */
            ;
    end_close(producer);
}

void lm_kafka_producer_close(struct lm_kafka_producer *producer, unsigned deadline_ms,
                             void (*closed)(void *context), void *context)
{
    if (producer->closing) {
        if (uv_is_active((uv_handle_t *)&producer->deadline) &&
            uv_timer_get_due_in(&producer->deadline) > deadline_ms)
            uv_timer_start(&producer->deadline, on_deadline, deadline_ms, 0);
        return;
    }
    producer->closing = true;
    producer->closed = closed;
    producer->closed_context = context;
    uv_timer_start(&producer->deadline, on_deadline, deadline_ms, 0);
    lm_kafka_wake_again(&producer->wake);
}

/* ---- the loop ---- */

/* The queue has turned not empty, or a second has passed, or something of ours is to be done from the loop.
 */
static void on_ready(void *context)
{
    struct lm_kafka_producer *producer = context;
    if (producer->state == PRODUCER_CLOSED)
        return;
    int rounds = 0;
    while (producer->rk != NULL && rounds < POLL_ROUNDS && rd_kafka_poll(producer->rk, 0) > 0)
        rounds++;
    if (rounds == POLL_ROUNDS)
        lm_kafka_wake_again(&producer->wake);
    tell_verdicts(producer);
    if (producer->state == PRODUCER_RUNNING && producer->renew)
        begin_purge(producer);
    if (producer->state == PRODUCER_PURGING)
        end_purge(producer);
    pump(producer);
    offer_room(producer);
    if (producer->closing && producer->count == 0)
        end_close(producer);
}

/* ---- opening ---- */

/* What delivery rests on. A user's kafka.* that names one of these is refused rather than ignored. */
static const char *const fixed[][2] = {
    {"enable.idempotence", "true"},       {"acks", "all"},
    {"enable.gapless.guarantee", "true"}, {"message.timeout.ms", "0"},
    {"partitioner", "murmur2_random"},
};
#define FIXED_COUNT (sizeof(fixed) / sizeof(fixed[0]))

static int check_properties(const struct lm_config_map *properties, struct lm_error *error)
{
    for (size_t i = 0; properties != NULL && i < properties->count; i++) {
        for (size_t j = 0; j < FIXED_COUNT; j++) {
            if (strcmp(properties->names[i], fixed[j][0]) == 0 &&
                strcmp(properties->values[i], fixed[j][1]) != 0)
                return lm_error_set(
                    error, LM_FATAL, "kafka_property",
                    "kafka.%s cannot be changed: that nothing is lost or out of order depends on \"%s\"",
                    fixed[j][0], fixed[j][1]);
        }
    }
    return 0;
}

static int make_conf(struct lm_kafka_producer *producer, struct lm_error *error)
{
    const struct lm_kafka_producer_options *options = &producer->options;
    char number[32];
    if (check_properties(options->properties, error) != 0 ||
        lm_kafka_conf(options->brokers, options->properties, &producer->conf, error) != 0)
        return -1;
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        if (lm_kafka_conf_set(producer->conf, fixed[i][0], fixed[i][1], error) != 0)
            return -1;
    }
    /* Ours is the queue that is bounded; librdkafka's is made just large enough never to be the first to
     * fill. */
    snprintf(number, sizeof(number), "%zu",
             options->max_messages < 10000000 ? options->max_messages + 1 : 10000000);
    if (lm_kafka_conf_set(producer->conf, "queue.buffering.max.messages", number, error) != 0)
        return -1;
    snprintf(number, sizeof(number), "%zu", (options->max_bytes + options->max_message_bytes) / 1024 + 1);
    if (lm_kafka_conf_set(producer->conf, "queue.buffering.max.kbytes", number, error) != 0)
        return -1;
    snprintf(number, sizeof(number), "%zu",
             options->max_message_bytes < 1000 ? 1000 : options->max_message_bytes);
    if (lm_kafka_conf_set(producer->conf, "message.max.bytes", number, error) != 0)
        return -1;
    rd_kafka_conf_set_dr_msg_cb(producer->conf, on_delivery);
    rd_kafka_conf_set_error_cb(producer->conf, on_error);
    rd_kafka_conf_set_opaque(producer->conf, producer);
    return 0;
}

static void make_metrics(struct lm_kafka_producer *producer, struct lm_metrics *metrics)
{
    if (metrics == NULL)
        return;
    const char *name = "logmill_kafka_produced_total", *help = "Messages whose delivery was decided.";
    producer->delivered = lm_counter(metrics, name, "result=\"delivered\"", help);
    producer->refused = lm_counter(metrics, name, "result=\"refused\"", help);
    producer->renewed = lm_counter(metrics, "logmill_kafka_producers_renewed_total", NULL,
                                   "Producers replaced after a fatal error.");
    producer->pending_messages =
        lm_gauge(metrics, "logmill_kafka_pending_messages", NULL, "Messages sent and not acknowledged yet.");
    producer->pending_bytes =
        lm_gauge(metrics, "logmill_kafka_pending_bytes", NULL, "Bytes of those messages.");
}

int lm_kafka_producer_open(const struct lm_kafka_producer_options *options, struct lm_kafka_producer **out,
                           struct lm_error *error)
{
    struct lm_kafka_producer *producer = calloc(1, sizeof(*producer));
    if (producer == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "out of memory while opening a Kafka producer");
    producer->loop = options->loop;
    producer->options = *options;
    producer->tail = &producer->head;
    producer->options.max_messages = options->max_messages != 0 ? options->max_messages : MAX_MESSAGES;
    producer->options.max_bytes = options->max_bytes != 0 ? options->max_bytes : MAX_BYTES;
    producer->options.max_message_bytes =
        options->max_message_bytes != 0 ? options->max_message_bytes : MAX_MESSAGE_BYTES;
    lm_backoff_init(&producer->backoff, 100, 10000, 0);
    if (make_conf(producer, error) != 0 ||
        lm_kafka_wake_open(&producer->wake, producer->loop, on_ready, producer, error) != 0) {
        if (producer->conf != NULL)
            rd_kafka_conf_destroy(producer->conf);
        free(producer);
        return -1;
    }
    uv_timer_init(producer->loop, &producer->retry);
    uv_timer_init(producer->loop, &producer->deadline);
    producer->retry.data = producer;
    producer->deadline.data = producer;
    producer->open_handles = 3;
    if (start_instance(producer, error) != 0) {
        end_close(producer);
        return -1;
    }
    make_metrics(producer, options->metrics);
    *out = producer;
    return 0;
}

/* ---- the rest ---- */

size_t lm_kafka_producer_pending(const struct lm_kafka_producer *producer)
{
    return producer->count;
}

int64_t lm_kafka_producer_stalled_since(const struct lm_kafka_producer *producer)
{
    bool stalled = producer->count > 0 && lm_clock_mono_us() - producer->progress_us > STALL_US;
    return stalled ? producer->progress_us : 0;
}

rd_kafka_t *lm_kafka_producer_raw(struct lm_kafka_producer *producer)
{
    return producer->rk;
}
