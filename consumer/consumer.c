#include "consumer/consumer.h"

#include "common/admin.h"
#include "common/clock.h"
#include "common/kafka_wake.h"
#include "common/log.h"
#include "consumer/assignment.h"
#include "consumer/dead_letter.h"
#include "consumer/intake.h"
#include "consumer/kafka.h"
#include "consumer/leaves.h"
#include "consumer/pool.h"
#include "consumer/reading.h"
#include "consumer/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So many partitions share what may be fetched ahead; more of them fetch more. */
#define FETCHING_PARTITIONS 8
#define LEAVE_MS 5000
#define LETTERS_CLOSE_MS 1000
#define HTTP_CLOSE_MS 500

enum co_phase { CO_OPENING, CO_RUNNING, CO_DRAINING, CO_LEAVING, CO_CLOSING };

/* What close_all() closes, one after the other: what a part uses is closed after it. */
enum co_closing_step {
    CO_CLOSE_CONTROL,
    CO_CLOSE_LETTERS,
    CO_CLOSE_LEAVES,
    CO_CLOSE_WRITER,
    CO_CLOSE_KAFKA,
    CO_CLOSE_WAKE,
    CO_CLOSE_HTTP,
    CO_CLOSE_HANDLES,
    CO_CLOSED
};

struct co_consumer {
    struct lm_service *service;
    const struct co_config *config;
    enum co_phase phase;
    bool subscribed[LM_CATEGORY_COUNT];
    char name[128]; /* dlq.consumer */

    struct lm_metrics *metrics;
    struct lm_http_server *http;
    struct lm_admin *admin;
    struct lm_condition *kafka_condition, *postgres_condition, *letters_condition;
    struct lm_gauge *loop_lag;
    struct co_pool pool;
    struct co_patterns *patterns;
    struct co_control *control;
    struct co_leaves *leaves;
    struct co_letters *letters;
    struct co_intake *intake;
    struct co_writer *writer;
    struct co_assignment *assignment;
    struct lm_kafka_wake wake;
    bool wake_open;
    rd_kafka_t *kafka;
    rd_kafka_queue_t *events; /* the consumer's own queue: rebalances, errors */
    rd_kafka_queue_t *leaving;
    struct co_kafka_probe probe;
    struct co_prompter prompter;
    bool joined, brokers_down;

    struct co_reading reading;
    uv_timer_t tick; /* once a second */
    uv_timer_t phase_timer;
    unsigned open_handles; /* of ours */
    enum co_closing_step step;
    int64_t tick_due_us;
    struct lm_log_limit limit;
};

static const char *const phase_names[] = {"opening", "running", "draining", "leaving", "closing"};

/* Phases only go forward. */
static int change_phase(struct co_consumer *consumer, enum co_phase to)
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

static void close_all(struct co_consumer *consumer);

static void leave(struct co_consumer *consumer)
{
    rd_kafka_error_t *error = NULL;

    if (consumer->phase != CO_DRAINING || change_phase(consumer, CO_LEAVING) != 0)
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
        close_all(consumer);
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
        close_all(consumer);
    }
}

/* Draining is over when no partition holds anything that can be written. What is held back waits in Kafka. */
static void check_drained(struct co_consumer *consumer)
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

void co_consumer_stop(void *context, bool now)
{
    struct co_consumer *consumer = context;

    if (consumer->phase == CO_OPENING) /* the start failed, or has not come this far: nothing to drain */
        return;
    if (consumer->phase == CO_RUNNING) {
        (void)change_phase(consumer, CO_DRAINING);
        co_reading_stop(&consumer->reading);
        (void)uv_timer_start(&consumer->phase_timer, on_phase_timer, (uint64_t)consumer->config->grace_ms, 0);
    }
    if (now && consumer->phase == CO_DRAINING)
        on_phase_timer(&consumer->phase_timer);
    else
        check_drained(consumer);
}

/* ---- what the parts report ---- */

static void on_room(void *context)
{
    struct co_consumer *consumer = context;
    if (consumer->phase == CO_RUNNING) {
        co_reading_hand_over(&consumer->reading, false);
        co_reading_go_on(&consumer->reading);
    }
    check_drained(consumer);
}

static void on_awake(void *context)
{
    struct co_consumer *consumer = context;
    co_reading_go_on(&consumer->reading);
}

static void on_position_lost(struct co_partition *partition, void *context)
{
    struct co_consumer *consumer = context;
    if (consumer->phase == CO_RUNNING)
        co_assignment_restart(consumer->assignment, partition);
}

static void on_confirmed(struct co_batch *batch, void *context)
{
    struct co_consumer *consumer = context;
    (void)batch;
    co_writer_kick(consumer->writer);
}

static void on_letters_state(const char *reason, void *context)
{
    struct co_consumer *consumer = context;
    lm_condition_set(consumer->letters_condition, reason);
}

static void on_postgres_state(const struct lm_error *error, void *context)
{
    struct co_consumer *consumer = context;
    lm_condition_set(consumer->postgres_condition, error == NULL ? NULL : error->text);
}

static void on_control_state(const struct lm_error *error, void *context)
{
    struct co_consumer *consumer = context;
    if (error != NULL)
        lm_log_limited(&consumer->limit, 5000, LM_LOG_WARN, "control", "connection to PostgreSQL: %s",
                       error->text);
}

static void on_joined(void *context)
{
    struct co_consumer *consumer = context;
    consumer->joined = true;
    consumer->brokers_down = false;
    lm_condition_set(consumer->kafka_condition, NULL);
}

static void on_probed(bool answered, void *context)
{
    struct co_consumer *consumer = context;
    if (answered && consumer->brokers_down) {
        consumer->brokers_down = false;
        lm_condition_set(consumer->kafka_condition, consumer->joined ? NULL : "joining the consumer group");
    }
    if (consumer->phase == CO_CLOSING)
        close_all(consumer);
}

static void on_settled(void *context)
{
    struct co_consumer *consumer = context;
    if (consumer->phase == CO_CLOSING)
        close_all(consumer);
}

/* ---- Kafka ---- */

static void on_kafka_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct co_consumer *consumer = opaque;
    char text[512];

    (void)kafka;
    lm_log_limited(&consumer->limit, 5000, LM_LOG_WARN, "kafka", "%s", reason);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        consumer->brokers_down = true;
        (void)snprintf(text, sizeof(text), "no broker of %s answers; librdkafka goes on trying",
                       consumer->config->brokers);
        lm_condition_set(consumer->kafka_condition, text);
    }
}

/* Rebalances and errors come from within this poll; messages do not (their queues are not forwarded here). */
static void poll_events(struct co_consumer *consumer)
{
    rd_kafka_message_t *message;

    while (consumer->phase < CO_LEAVING && (message = rd_kafka_consumer_poll(consumer->kafka, 0)) != NULL) {
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            co_assignment_astray(consumer->assignment, message);
        else
            lm_log_limited(&consumer->limit, 5000, LM_LOG_WARN, "kafka", "%s",
                           rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
    }
}

static void poll_leaving(struct co_consumer *consumer)
{
    rd_kafka_message_t *message;

    while ((message = rd_kafka_consume_queue(consumer->leaving, 0)) != NULL)
        rd_kafka_message_destroy(message);
    if (rd_kafka_consumer_closed(consumer->kafka))
        close_all(consumer);
}

static void on_kafka_ready(void *context)
{
    struct co_consumer *consumer = context;

    if (consumer->phase == CO_LEAVING && consumer->leaving != NULL)
        poll_leaving(consumer);
    else if (consumer->kafka != NULL && consumer->phase < CO_LEAVING)
        poll_events(consumer);
    if (consumer->phase == CO_RUNNING)
        co_reading_arrived(&consumer->reading);
}

static void on_tick(uv_timer_t *timer)
{
    struct co_consumer *consumer = timer->data;
    int64_t now_us = lm_clock_mono_us();

    if (consumer->tick_due_us > 0)
        lm_gauge_set(consumer->loop_lag, (double)(now_us - consumer->tick_due_us) / 1e6);
    consumer->tick_due_us = now_us + LM_SECOND_US;
    if (consumer->phase != CO_RUNNING)
        return;
    co_assignment_tick(consumer->assignment);
    for (struct co_partition *p = co_assignment_first(consumer->assignment); p != NULL; p = p->next)
        co_intake_tick(consumer->intake, p);
    if (consumer->brokers_down)
        co_kafka_probe(&consumer->probe, &consumer->service->loop);
    co_reading_go_on(&consumer->reading);
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

/* From any phase; waits for what the thread pool still does with librdkafka, which calls here again. */
static void close_all(struct co_consumer *consumer)
{
    if (consumer->phase != CO_CLOSING) {
        (void)change_phase(consumer, CO_CLOSING);
        (void)uv_timer_stop(&consumer->phase_timer);
        co_reading_stop(&consumer->reading);
        (void)uv_timer_stop(&consumer->tick);
        if (consumer->assignment != NULL)
            co_assignment_release(consumer->assignment);
    }
    if ((consumer->assignment != NULL && !co_assignment_settled(consumer->assignment)) ||
        consumer->probe.busy || consumer->prompter.jobs > 0 || consumer->step != CO_CLOSE_CONTROL)
        return;
    close_next(consumer);
}

/* ---- opening ---- */

static int open_servers(struct co_consumer *consumer, struct lm_error *error)
{
    struct lm_http_options http = {
        .loop = &consumer->service->loop, .listen = consumer->config->listen, .metrics = consumer->metrics};

    if (lm_http_server_open(&http, &consumer->http, error) != 0 ||
        lm_admin_open(consumer->http, consumer->metrics, &consumer->admin, error) != 0)
        return -1;
    consumer->kafka_condition = lm_admin_condition(consumer->admin, "kafka");
    consumer->postgres_condition = lm_admin_condition(consumer->admin, "postgres");
    consumer->letters_condition = lm_admin_condition(consumer->admin, "dead_letters");
    if (consumer->kafka_condition == NULL || consumer->postgres_condition == NULL ||
        consumer->letters_condition == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the conditions of /readyz");
    lm_condition_set(consumer->kafka_condition, "joining the consumer group");
    lm_condition_set(consumer->letters_condition, NULL);
    return 0;
}

static int open_postgres(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    uv_loop_t *loop = &consumer->service->loop;
    struct co_control_options control = {.loop = loop,
                                         .conninfo = config->postgres_url,
                                         .retry_base_ms = (uint32_t)config->retry_base_ms,
                                         .retry_cap_ms = (uint32_t)config->retry_cap_ms,
                                         .state = on_control_state,
                                         .context = consumer};
    if (co_control_open(&control, &consumer->control, error) != 0)
        return -1;
    struct co_leaves_options leaves = {
        .loop = loop, .control = consumer->control, .ahead_ms = config->leaves_ahead_ms};
    return co_leaves_open(&leaves, &consumer->leaves, error);
}

static int open_letters(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    struct co_letters_options letters = {.loop = &consumer->service->loop,
                                         .brokers = config->brokers,
                                         .properties = &config->kafka,
                                         .metrics = consumer->metrics,
                                         .max_bytes = (size_t)config->dlq_max_bytes,
                                         .consumer = consumer->name,
                                         .confirmed = on_confirmed,
                                         .state = on_letters_state,
                                         .context = consumer};
    return co_letters_open(&letters, &consumer->letters, error);
}

static int open_intake(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    struct co_intake_options intake = {.control = consumer->control,
                                       .letters = consumer->letters,
                                       .pool = &consumer->pool,
                                       .patterns = consumer->patterns,
                                       .metrics = consumer->metrics,
                                       .schema_wait_us = config->schema_wait_ms * 1000,
                                       .position_refused = on_position_lost,
                                       .awake = on_awake,
                                       .context = consumer};
    for (int i = 0; i < LM_CATEGORY_COUNT; i++)
        intake.windows[i] =
            (struct co_window){config->window_past_ms[i] * 1000, config->window_future_ms[i] * 1000};
    return co_intake_open(&intake, &consumer->intake, error);
}

static int open_writer(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    struct co_writer_options writer = {.loop = &consumer->service->loop,
                                       .conninfo = config->postgres_url,
                                       .connections = (unsigned)config->connections,
                                       .lock_timeout_ms = config->lock_timeout_ms,
                                       .retry_base_ms = (uint32_t)config->retry_base_ms,
                                       .retry_cap_ms = (uint32_t)config->retry_cap_ms,
                                       .pool = &consumer->pool,
                                       .control = consumer->control,
                                       .leaves = consumer->leaves,
                                       .letters = consumer->letters,
                                       .patterns = consumer->patterns,
                                       .scratch = co_intake_scratch(consumer->intake),
                                       .metrics = consumer->metrics,
                                       .position_lost = on_position_lost,
                                       .room = on_room,
                                       .state = on_postgres_state,
                                       .context = consumer};
    return co_writer_open(&writer, &consumer->writer, error);
}

static int open_assignment(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    struct co_assignment_options assignment = {.loop = &consumer->service->loop,
                                               .topic_prefix = config->topic_prefix,
                                               .wake = &consumer->wake,
                                               .control = consumer->control,
                                               .writer = consumer->writer,
                                               .admin = consumer->admin,
                                               .metrics = consumer->metrics,
                                               .sources_max = (size_t)config->sources_max,
                                               .names_max = (size_t)config->names_max,
                                               .source_expiry_us = config->source_expiry_ms * 1000,
                                               .retry_base_ms = (uint32_t)config->retry_base_ms,
                                               .retry_cap_ms = (uint32_t)config->retry_cap_ms,
                                               .joined = on_joined,
                                               .running = on_awake,
                                               .settled = on_settled,
                                               .context = consumer};
    return co_assignment_open(&assignment, &consumer->assignment, error);
}

static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    struct co_consumer *consumer = opaque;
    co_assignment_rebalance(kafka, code, list, consumer->assignment);
}

static int subscribe(struct co_consumer *consumer, struct lm_error *error)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(LM_CATEGORY_COUNT);
    rd_kafka_resp_err_t code;
    char topic[300];

    for (int i = 0; i < LM_CATEGORY_COUNT; i++) {
        if (!consumer->subscribed[i])
            continue;
        (void)snprintf(topic, sizeof(topic), "%s%s", consumer->config->topic_prefix,
                       lm_category_name((enum lm_category)i));
        rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
    }
    code = rd_kafka_subscribe(consumer->kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return lm_error_set(error, LM_FATAL, "configuration", "cannot subscribe: %s", rd_kafka_err2str(code));
    return 0;
}

static int open_kafka(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    struct co_kafka_options kafka = {.brokers = config->brokers,
                                     .group = config->group,
                                     .properties = &config->kafka,
                                     .fetch_ahead_bytes = (size_t)config->memory / 4 / FETCHING_PARTITIONS,
                                     .error = on_kafka_error,
                                     .rebalance = on_rebalance,
                                     .opaque = consumer};

    if (lm_kafka_wake_open(&consumer->wake, &consumer->service->loop, on_kafka_ready, consumer, error) != 0)
        return -1;
    consumer->wake_open = true;
    if (co_kafka_open(&kafka, &consumer->kafka, error) != 0)
        return -1;
    consumer->probe =
        (struct co_kafka_probe){.kafka = consumer->kafka, .done = on_probed, .context = consumer};
    consumer->prompter = (struct co_prompter){.loop = &consumer->service->loop,
                                              .kafka = consumer->kafka,
                                              .settled = on_settled,
                                              .context = consumer};
    co_assignment_attach(consumer->assignment, consumer->kafka);
    consumer->events = rd_kafka_queue_get_consumer(consumer->kafka);
    lm_kafka_wake_attach(&consumer->wake, consumer->events);
    return subscribe(consumer, error);
}

static void init_handles(struct co_consumer *consumer)
{
    uv_loop_t *loop = &consumer->service->loop;

    co_reading_init(&consumer->reading, loop);
    (void)uv_timer_init(loop, &consumer->tick);
    (void)uv_timer_init(loop, &consumer->phase_timer);
    consumer->tick.data = consumer->phase_timer.data = consumer;
}

static int open_state(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    struct co_policy policy = {.rows = (size_t)config->batch_rows,
                               .bytes = (size_t)config->batch_bytes,
                               .age_us = config->batch_age_ms * 1000};
    char host[64] = "";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(consumer->name, sizeof(consumer->name), "logmill-consumer/%s@%s:%d", LOGMILL_VERSION, host,
                   (int)getpid());
    co_pool_init(&consumer->pool, &policy, (size_t)config->memory / 4 * 3);
    consumer->metrics = lm_metrics_new();
    consumer->patterns = co_patterns_new((size_t)config->patterns_max);
    if (consumer->metrics == NULL || consumer->patterns == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    consumer->loop_lag = lm_gauge(consumer->metrics, "logmill_consumer_loop_lag_seconds", NULL,
                                  "How late the event loop's one-second timer was.");
    return 0;
}

struct co_consumer *co_consumer_new(void)
{
    return calloc(1, sizeof(struct co_consumer));
}

int co_consumer_open(struct lm_service *service, const struct co_config *config, struct co_consumer *consumer,
                     struct lm_error *error)
{
    consumer->service = service;
    consumer->config = config;
    init_handles(consumer);
    if (co_config_check(config, consumer->subscribed, error) != 0 || open_state(consumer, error) != 0 ||
        open_servers(consumer, error) != 0 || open_postgres(consumer, error) != 0 ||
        open_letters(consumer, error) != 0 || open_intake(consumer, error) != 0 ||
        open_writer(consumer, error) != 0 || open_assignment(consumer, error) != 0 ||
        open_kafka(consumer, error) != 0) {
        close_all(consumer);
        return -1;
    }
    consumer->reading.pool = &consumer->pool;
    consumer->reading.assignment = consumer->assignment;
    consumer->reading.intake = consumer->intake;
    consumer->reading.writer = consumer->writer;
    consumer->reading.prompter = &consumer->prompter;
    (void)change_phase(consumer, CO_RUNNING);
    (void)uv_timer_start(&consumer->tick, on_tick, 1000, 1000);
    lm_log(LM_LOG_INFO, "consumer", "ready: logmill-consumer %s, librdkafka %s, libpq %d, libuv %s, %s",
           LOGMILL_VERSION, rd_kafka_version_str(), PQlibVersion(), uv_version_string(),
           lm_http_server_url(consumer->http));
    return 0;
}

void co_consumer_free(struct co_consumer *consumer)
{
    if (consumer == NULL)
        return;
    co_assignment_free(consumer->assignment);
    co_intake_free(consumer->intake);
    co_pool_free(&consumer->pool);
    co_patterns_free(consumer->patterns);
    lm_admin_free(consumer->admin);
    lm_metrics_free(consumer->metrics);
    free(consumer);
}
