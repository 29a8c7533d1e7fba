#include "consumer/consumer_internal.h"

#include "common/clock.h"
#include "consumer/writer/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* So many partitions share what may be fetched ahead; more of them fetch more. */
#define FETCHING_PARTITIONS 4

/* ---- what the parts report ---- */

static void on_room(void *context)
{
    struct co_consumer *consumer = context;
    if (consumer->phase == CO_RUNNING) {
        co_reading_hand_over(&consumer->reading, false);
        co_reading_go_on(&consumer->reading);
    }
    co_consumer_check_drained(consumer);
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

static void note(struct lm_error *last, const struct lm_error *error)
{
    if (error != NULL)
        *last = *error;
    else
        lm_error_clear(last);
}

/* Batches need a connection, and the one for everything else. */
static void say_postgres(struct co_consumer *consumer)
{
    const struct lm_error *error =
        consumer->writer_error.decision != LM_OK ? &consumer->writer_error : &consumer->control_error;
    char reason[sizeof(error->text)];

    if (error->decision != LM_OK)
        co_retry_explain(error, false, reason, sizeof(reason));
    lm_condition_set(consumer->postgres_condition, error->decision != LM_OK ? reason : NULL);
}

static void on_postgres_state(const struct lm_error *error, void *context)
{
    struct co_consumer *consumer = context;
    note(&consumer->writer_error, error);
    say_postgres(consumer);
}

static void on_control_state(const struct lm_error *error, void *context)
{
    struct co_consumer *consumer = context;
    note(&consumer->control_error, error);
    if (consumer->phase < CO_CLOSING)
        say_postgres(consumer);
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
        co_consumer_close(consumer);
}

static void on_settled(void *context)
{
    struct co_consumer *consumer = context;
    if (consumer->phase == CO_CLOSING)
        co_consumer_close(consumer);
}

/* ---- Kafka ---- */

static void on_kafka_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct co_consumer *consumer = opaque;
    char text[512];

    (void)kafka;
    lm_log_limited(&consumer->kafka_limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "kafka", "%s", reason);
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
        else if (message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && message->rkt != NULL)
            co_topics_missing(&consumer->topics, rd_kafka_topic_name(message->rkt));
        else
            lm_log_limited(&consumer->kafka_limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "kafka", "%s",
                           rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
    }
}

static void on_kafka_ready(void *context)
{
    struct co_consumer *consumer = context;

    if (consumer->phase == CO_LEAVING && consumer->leaving != NULL)
        co_consumer_poll_leaving(consumer);
    else if (consumer->kafka != NULL && consumer->phase < CO_LEAVING)
        poll_events(consumer);
    if (consumer->phase == CO_RUNNING)
        co_reading_arrived(&consumer->reading);
}

static void on_tick(uv_timer_t *timer)
{
    struct co_consumer *consumer = timer->data;
    int64_t now_us = lm_clock_mono_us();
    int64_t late_us = consumer->tick_due_us > 0 ? now_us - consumer->tick_due_us : 0;

    lm_gauge_set(consumer->loop_lag, late_us > 0 ? (double)late_us / 1e6 : 0);
    consumer->tick_due_us = now_us + LM_SECOND_US;
    if (consumer->phase != CO_RUNNING)
        return;
    lm_gauge_set(consumer->batch_memory, (double)co_reading_memory(&consumer->reading));
    co_assignment_tick(consumer->assignment);
    co_progress_tick(&consumer->progress, late_us);
    for (size_t i = 0; i < CO_CHORE_COUNT; i++)
        co_chore_tick(&consumer->chores[i]);
    for (struct co_partition *p = co_assignment_first(consumer->assignment); p != NULL; p = p->next)
        co_intake_tick(consumer->intake, p);
    co_writer_tick(consumer->writer);
    co_topics_tick(&consumer->topics);
    co_letters_tick(consumer->letters);
    if (consumer->brokers_down)
        co_kafka_probe(&consumer->probe, &consumer->service->loop);
    co_reading_go_on(&consumer->reading);
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
    /* Of several hosts only the one that can be written to will do, unless the user says otherwise. */
    (void)setenv("PGTARGETSESSIONATTRS", "read-write", 0);
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

static void fill_windows(const struct co_config *config, struct co_window windows[LM_CATEGORY_COUNT])
{
    for (int i = 0; i < LM_CATEGORY_COUNT; i++)
        windows[i] = (struct co_window){config->window_past_ms[i] * 1000, config->window_future_ms[i] * 1000};
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
    fill_windows(config, intake.windows);
    return co_intake_open(&intake, &consumer->intake, error);
}

static int open_registry(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    struct co_registry_options registry = {.loop = &consumer->service->loop,
                                           .url = config->registry_url,
                                           .user = config->registry_user,
                                           .password = config->registry_password,
                                           .token = config->registry_token,
                                           .ca = config->registry_ca,
                                           .timeout_ms = config->registry_timeout_ms,
                                           .retry_base_ms = (uint32_t)config->retry_base_ms,
                                           .retry_cap_ms = (uint32_t)config->retry_cap_ms,
                                           .schemas = co_intake_schemas(consumer->intake),
                                           .metrics = consumer->metrics};

    if (config->registry_url[0] == '\0')
        return 0;
    if (co_registry_open(&registry, &consumer->registry, error) != 0)
        return -1;
    co_intake_use_registry(consumer->intake, consumer->registry);
    return 0;
}

static int open_writer(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    struct co_writer_options writer = {.loop = &consumer->service->loop,
                                       .conninfo = config->postgres_url,
                                       .connections = (unsigned)config->connections,
                                       .lock_timeout_ms = config->lock_timeout_ms,
                                       .count_seconds = config->count_seconds,
                                       .retry_base_ms = (uint32_t)config->retry_base_ms,
                                       .retry_cap_ms = (uint32_t)config->retry_cap_ms,
                                       .pool = &consumer->pool,
                                       .control = consumer->control,
                                       .leaves = consumer->leaves,
                                       .letters = consumer->letters,
                                       .patterns = consumer->patterns,
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
        if (co_topics_add(&consumer->topics, topic, error) != 0) {
            rd_kafka_topic_partition_list_destroy(list);
            return -1;
        }
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
                                     .ahead =
                                         co_kafka_ahead((size_t)config->memory * 3 / 8 / FETCHING_PARTITIONS),
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
                                              .ahead = kafka.ahead,
                                              .settled = on_settled,
                                              .context = consumer};
    consumer->topics = (struct co_topics){.loop = &consumer->service->loop,
                                          .admin = consumer->admin,
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

static size_t batch_memory(const struct co_config *config)
{
    return (size_t)config->memory / 4;
}

static struct co_policy policy_of(const struct co_config *config)
{
    return (struct co_policy){.rows = (size_t)config->batch_rows,
                              .bytes = (size_t)config->batch_bytes,
                              .age_us = config->batch_age_ms * 1000};
}

static int open_state(struct co_consumer *consumer, struct lm_error *error)
{
    const struct co_config *config = consumer->config;
    struct co_policy policy = policy_of(config);
    char host[64] = "";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(consumer->name, sizeof(consumer->name), "logmill-consumer/%s@%s:%d", LOGMILL_VERSION, host,
                   (int)getpid());
    co_pool_init(&consumer->pool, &policy, batch_memory(config));
    consumer->metrics = lm_metrics_new();
    consumer->patterns = co_patterns_new((size_t)config->patterns_max);
    if (consumer->metrics == NULL || consumer->patterns == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    consumer->loop_lag = lm_gauge(consumer->metrics, "logmill_consumer_loop_lag_seconds", NULL,
                                  "How late the event loop's one-second timer was.");
    consumer->batch_memory = lm_gauge(consumer->metrics, "logmill_consumer_batch_memory_bytes", NULL,
                                      "Memory of the records in batches.");
    return 0;
}

struct co_consumer *co_consumer_new(void)
{
    return calloc(1, sizeof(struct co_consumer));
}

static void set_chores(struct co_consumer *consumer)
{
    const struct co_config *config = consumer->config;

    consumer->folds =
        (struct co_folds){.zone = config->fold_zone,
                          .made = lm_counter(consumer->metrics, "logmill_consumer_folds_total", NULL,
                                             "Hours and days this consumer had folded out of the minutes.")};
    consumer->expiry = (struct co_expiry){
        .retention_ms = config->rollup_retention_ms,
        .hours = lm_counter(consumer->metrics, "logmill_consumer_rollup_hours_expired_total", NULL,
                            "Hours of a category whose counts this consumer had forgotten.")};
    consumer->chores[0] = (struct co_chore){.kind = &co_folds_kind, .context = &consumer->folds};
    consumer->chores[1] = (struct co_chore){.kind = &co_summaries_kind};
    consumer->chores[2] = (struct co_chore){.kind = &co_expiry_kind, .context = &consumer->expiry};
    consumer->chores[3] = (struct co_chore){.kind = &co_seconds_kind};
    consumer->chores[4] = (struct co_chore){.kind = &co_slots_kind};
    for (size_t i = 0; i < CO_CHORE_COUNT; i++)
        consumer->chores[i].control = consumer->control;
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
        open_registry(consumer, error) != 0 || open_writer(consumer, error) != 0 ||
        open_assignment(consumer, error) != 0 || open_kafka(consumer, error) != 0) {
        co_consumer_close(consumer);
        return -1;
    }
    consumer->reading.pool = &consumer->pool;
    consumer->reading.assignment = consumer->assignment;
    consumer->reading.intake = consumer->intake;
    consumer->reading.writer = consumer->writer;
    consumer->reading.prompter = &consumer->prompter;
    consumer->progress.control = consumer->control;
    consumer->progress.assignment = consumer->assignment;
    set_chores(consumer);
    (void)co_consumer_change_phase(consumer, CO_RUNNING);
    (void)uv_timer_start(&consumer->tick, on_tick, 1000, 1000);
    lm_log(LM_LOG_INFO, "consumer", "ready: logmill-consumer %s, librdkafka %s, libpq %d, libuv %s, %s",
           LOGMILL_VERSION, rd_kafka_version_str(), PQlibVersion(), uv_version_string(),
           lm_http_server_url(consumer->http));
    return 0;
}

void co_consumer_reconfigure(void *context)
{
    struct co_consumer *consumer = context;
    const struct co_config *config = consumer->config;
    struct co_writer_settings writer = {.conninfo = config->postgres_url,
                                        .lock_timeout_ms = config->lock_timeout_ms,
                                        .count_seconds = config->count_seconds,
                                        .retry_base_ms = (uint32_t)config->retry_base_ms,
                                        .retry_cap_ms = (uint32_t)config->retry_cap_ms};
    struct co_window windows[LM_CATEGORY_COUNT];

    if (consumer->phase != CO_RUNNING)
        return;
    fill_windows(config, windows);
    co_intake_set(consumer->intake, windows, config->schema_wait_ms * 1000);
    co_control_set(consumer->control, writer.conninfo, writer.retry_base_ms, writer.retry_cap_ms);
    co_writer_set(consumer->writer, &writer);
    co_assignment_set(consumer->assignment, config->source_expiry_ms * 1000, writer.retry_base_ms,
                      writer.retry_cap_ms);
    co_leaves_set_ahead(consumer->leaves, config->leaves_ahead_ms);
    consumer->expiry.retention_ms = config->rollup_retention_ms;
    consumer->pool.policy = policy_of(config);
    consumer->pool.budget = batch_memory(config);
    co_reading_go_on(&consumer->reading);
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
