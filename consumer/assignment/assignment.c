#include "consumer/assignment/assignment.h"

#include "common/clock.h"
#include "common/log.h"
#include "consumer/assignment/locate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRE_EVERY_US LM_HOUR_US
#define EXPIRE_FIRST_US (10 * LM_SECOND_US) /* after the start */
#define EXPIRE_PORTION 20000

struct co_assignment {
    struct co_assignment_options options;
    rd_kafka_t *kafka;
    struct co_partition *partitions;
    struct co_locator *locator;
    struct lm_counter *rebalances;
    struct lm_gauge *assigned, *remembered;
    int64_t expired_us; /* monotonic time sources were expired last */
    struct lm_log_limit expiry_limit;
    struct condition_name {
        struct lm_condition *condition;
        char name[280];
        struct condition_name *next;
    } * conditions; /* a condition lives as long as the admin: one a partition ever seen */
};

/* ---- partitions ---- */

static struct lm_condition *condition_of(struct co_assignment *assignment, const char *topic, int32_t number)
{
    char name[280];
    struct condition_name *known;

    (void)snprintf(name, sizeof(name), "%s/%d", topic, (int)number);
    for (known = assignment->conditions; known != NULL; known = known->next) {
        if (strcmp(known->name, name) == 0)
            return known->condition;
    }
    known = calloc(1, sizeof(*known));
    if (known == NULL)
        return NULL;
    memcpy(known->name, name, sizeof(name));
    known->condition = lm_admin_condition(assignment->options.admin, name);
    known->next = assignment->conditions;
    assignment->conditions = known;
    return known->condition;
}

static void create_metrics(struct co_assignment *assignment, struct co_partition *partition)
{
    struct lm_metrics *metrics = assignment->options.metrics;
    struct lm_buffer labels;
    char number[16];

    lm_buffer_init(&labels, 1024);
    lm_metrics_label(&labels, "topic", partition->topic);
    partition->metrics = (struct co_topic_metrics){
        .consumed = lm_counter(metrics, "logmill_consumer_records_total", lm_buffer_text(&labels),
                               "Records taken from Kafka."),
        .stored = lm_counter(metrics, "logmill_consumer_stored_total", lm_buffer_text(&labels),
                             "Records committed to PostgreSQL."),
        .repeats = lm_counter(metrics, "logmill_consumer_repeats_total", lm_buffer_text(&labels),
                              "Records dropped because their producer had sent them before."),
        .lost_by_retention =
            lm_counter(metrics, "logmill_consumer_lost_by_retention_total", lm_buffer_text(&labels),
                       "Records Kafka deleted before they were read.")};
    (void)snprintf(number, sizeof(number), "%d", (int)partition->number);
    lm_metrics_label(&labels, "partition", number);
    partition->lag_records = lm_gauge(metrics, "logmill_consumer_lag_records", lm_buffer_text(&labels),
                                      "Records in the topic that PostgreSQL does not have yet.");
    partition->lag_seconds =
        lm_gauge(metrics, "logmill_consumer_lag_seconds", lm_buffer_text(&labels),
                 "For how long the oldest record not stored yet may have waited; 0 where none waits.");
    lm_buffer_free(&labels);
}

static void locate(struct co_assignment *assignment, struct co_partition *partition)
{
    size_t count = 0;

    for (const struct co_partition *p = assignment->partitions; p != NULL; p = p->next)
        count++;
    assignment->locator->sources_max = assignment->options.sources_max / (count > 0 ? count : 1);
    partition->locate_again_us = INT64_MAX;
    co_locate(assignment->locator, partition);
}

/* The tick locates it, the later the more attempts were for nothing. */
static void locate_later(const struct co_assignment *assignment, struct co_partition *partition,
                         unsigned attempts)
{
    int64_t delay_ms = assignment->options.retry_base_ms;

    for (unsigned i = 0; i < attempts && delay_ms < assignment->options.retry_cap_ms; i++)
        delay_ms *= 2;
    if (delay_ms > assignment->options.retry_cap_ms)
        delay_ms = assignment->options.retry_cap_ms;
    partition->locate_again_us = lm_clock_mono_us() + delay_ms * 1000;
}

static void on_locate_failed(struct co_partition *partition, void *context)
{
    locate_later(context, partition, partition->locate_attempts++);
}

static void on_running(struct co_partition *partition, void *context)
{
    struct co_assignment *assignment = context;
    (void)partition;
    assignment->options.running(assignment->options.context);
}

static void on_settled(void *context)
{
    struct co_assignment *assignment = context;
    assignment->options.settled(assignment->options.context);
}

void co_assignment_restart(struct co_assignment *assignment, struct co_partition *partition)
{
    partition->epoch++;
    co_writer_drop(assignment->options.writer, partition);
    if (partition->held != NULL)
        rd_kafka_message_destroy(partition->held);
    partition->held = NULL;
    co_ahead_clear(&partition->ahead);
    partition->hold = CO_HOLD_NONE;
    partition->replay_answered = false;
    if (partition->state == CO_PARTITION_GONE || partition->state == CO_PARTITION_REFUSED)
        return;
    if (partition->state != CO_PARTITION_LOCATING)
        (void)co_partition_change_state(partition, CO_PARTITION_LOCATING);
    /* What makes it start over may be there still when it has read all again. */
    if (partition->start_overs > 1)
        locate_later(assignment, partition, partition->start_overs - 2);
    else
        locate(assignment, partition);
}

void co_assignment_astray(struct co_assignment *assignment, const rd_kafka_message_t *message)
{
    for (struct co_partition *p = assignment->partitions; p != NULL; p = p->next) {
        if (p->number != message->partition || strcmp(p->topic, rd_kafka_topic_name(message->rkt)) != 0)
            continue;
        lm_log(LM_LOG_WARN, "assignment", "%s/%d: a record came astray; starting over", p->topic,
               (int)p->number);
        if (p->state != CO_PARTITION_LOCATING && p->state != CO_PARTITION_BEYOND_END &&
            p->state != CO_PARTITION_REFUSED)
            co_assignment_restart(assignment, p);
        return;
    }
}

/* ---- rebalance ---- */

static enum lm_category category_of(const struct co_assignment *assignment, const char *topic)
{
    enum lm_category category = LM_RAW;
    const char *name = topic + strlen(assignment->options.topic_prefix);
    /* Only topics made of the prefix and a category are subscribed. */
    (void)!lm_category_parse(name, strlen(name), &category);
    return category;
}

static void add_partition(struct co_assignment *assignment, const char *topic, int32_t number)
{
    struct co_partition *partition = co_partition_new(topic, number, category_of(assignment, topic));

    if (partition == NULL) {
        lm_log(LM_LOG_ERROR, "assignment", "%s/%d: no memory; not read until the next rebalance", topic,
               (int)number);
        return;
    }
    partition->queue = rd_kafka_queue_get_partition(assignment->kafka, topic, number);
    if (partition->queue == NULL) {
        lm_log(LM_LOG_ERROR, "assignment", "%s/%d: librdkafka has no queue for it", topic, (int)number);
        co_partition_unref(partition);
        return;
    }
    /* Its messages stay in its own queue, read only when there is room. */
    rd_kafka_queue_forward(partition->queue, NULL);
    lm_kafka_wake_attach(assignment->options.wake, partition->queue);
    partition->condition = condition_of(assignment, topic, number);
    create_metrics(assignment, partition);
    co_partition_say(partition, "finding where to read from");
    partition->next = assignment->partitions;
    assignment->partitions = partition;
}

/*
 * Paused until the seek (locate.c), so nothing is fetched where the offset says, and it cannot be refused: a
 * refused fetcher cannot be sought. It must be a number. END, BEGINNING and the like librdkafka looks up;
 * where the answer comes after the seek it asks again half a second later and goes on from that answer
 * instead: what lies between is never delivered, and nobody told (librdkafka's issue 2256; 2.0.2 and later).
 */
static void start_paused(struct co_assignment *assignment, rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = 0;
    rd_kafka_resp_err_t error = rd_kafka_pause_partitions(assignment->kafka, list);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        error = rd_kafka_assign(assignment->kafka, list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        lm_log(LM_LOG_ERROR, "assignment", "assign: %s", rd_kafka_err2str(error));
}

static void assign(struct co_assignment *assignment, rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        add_partition(assignment, list->elems[i].topic, list->elems[i].partition);
    start_paused(assignment, list);
    for (struct co_partition *partition = assignment->partitions; partition != NULL;
         partition = partition->next)
        locate(assignment, partition);
    lm_log(LM_LOG_INFO, "assignment", "%d partitions assigned", list->cnt);
    assignment->options.joined(assignment->options.context);
}

void co_assignment_release(struct co_assignment *assignment)
{
    while (assignment->partitions != NULL) {
        struct co_partition *partition = assignment->partitions;
        assignment->partitions = partition->next;
        partition->epoch++;
        co_writer_drop(assignment->options.writer, partition);
        lm_kafka_wake_detach(partition->queue);
        co_partition_say(partition, NULL);
        lm_gauge_set(partition->lag_records, 0);
        lm_gauge_set(partition->lag_seconds, 0);
        (void)co_partition_change_state(partition, CO_PARTITION_GONE);
        co_partition_unref(partition);
    }
    lm_gauge_set(assignment->assigned, 0);
}

void co_assignment_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t error,
                             rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct co_assignment *assignment = opaque;

    lm_counter_add(assignment->rebalances, 1);
    if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        co_assignment_release(assignment);
        assign(assignment, list);
        lm_gauge_set(assignment->assigned, list->cnt);
        return;
    }
    if (error != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
        lm_log(LM_LOG_ERROR, "assignment", "rebalance: %s", rd_kafka_err2str(error));
    else
        lm_log(LM_LOG_INFO, "assignment", "%d partitions %s", list->cnt,
               rd_kafka_assignment_lost(kafka) ? "lost" : "revoked");
    co_assignment_commit(assignment);
    co_assignment_release(assignment);
    (void)rd_kafka_assign(kafka, NULL);
}

/* librdkafka has given up on a partition, and takes up reading it only when all are assigned again. What was
 * read of it before may not be in Kafka any more: it is stored first. */
static bool wants_reassignment(const struct co_partition *partition)
{
    return partition->state == CO_PARTITION_REFUSED && partition->line_count == 0 &&
           (partition->filling == NULL || partition->filling->record_count == 0);
}

static void reassign(struct co_assignment *assignment)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);

    for (const struct co_partition *p = assignment->partitions; p != NULL; p = p->next)
        rd_kafka_topic_partition_list_add(list, p->topic, p->number);
    co_assignment_commit(assignment);
    co_assignment_release(assignment);
    assign(assignment, list);
    lm_gauge_set(assignment->assigned, list->cnt);
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- once a second ---- */

/* Since when records wait that are not stored: those stored last came before it, and when all were stored
 * nothing waited. */
static int64_t behind_since_us(const struct co_partition *partition)
{
    return partition->committed_time_us > partition->caught_up_us ? partition->committed_time_us
                                                                  : partition->caught_up_us;
}

static void measure_lag(const struct co_assignment *assignment, struct co_partition *partition)
{
    int64_t low, high, now_us = lm_clock_wall_us();

    if (partition->state != CO_PARTITION_RUNNING && partition->state != CO_PARTITION_HOLDING)
        return;
    if (rd_kafka_get_watermark_offsets(assignment->kafka, partition->topic, partition->number, &low, &high) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0)
        return;
    /* Before the first fetch librdkafka tells what it knew when the partition was last ours. */
    if (high < partition->located_high)
        high = partition->located_high;
    else
        partition->located_high = 0;
    partition->lag = high > partition->committed ? high - partition->committed : 0;
    if (partition->lag == 0)
        partition->caught_up_us = now_us;
    int64_t since_us = partition->lag > 0 ? behind_since_us(partition) : 0;
    lm_gauge_set(partition->lag_records, (double)partition->lag);
    lm_gauge_set(partition->lag_seconds,
                 since_us > 0 && since_us < now_us ? (double)(now_us - since_us) / 1e6 : 0);
}

void co_assignment_commit(struct co_assignment *assignment)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    for (struct co_partition *partition = assignment->partitions; partition != NULL;
         partition = partition->next) {
        if (!partition->commit_to_kafka)
            continue;
        if (list == NULL)
            list = rd_kafka_topic_partition_list_new(16);
        rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)->offset =
            partition->committed;
        partition->commit_to_kafka = false;
    }
    if (list == NULL)
        return;
    /* For lag tools only: what became of it does not matter, the next one says it again. */
    (void)rd_kafka_commit(assignment->kafka, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

/* A portion of a partition's producers is gone through. */
struct expiry {
    struct co_assignment *assignment;
    struct co_partition *partition;
    bool more;
    int64_t next;
};

static void on_portion(const PGresult *result, void *context)
{
    struct expiry *expiry = context;
    expiry->more = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0);
    if (expiry->more)
        expiry->next = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
}

static void on_expired(const struct lm_error *error, void *context)
{
    struct expiry *expiry = context;
    struct co_partition *partition = expiry->partition;

    if (error != NULL && strcmp(error->kind, "closing") != 0)
        lm_log_limited(&expiry->assignment->expiry_limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "assignment",
                       "producers' old sequences were not removed: %s", error->text);
    partition->expiry_asked = false;
    partition->expiring = error == NULL && expiry->more;
    partition->expiry_from = expiry->next;
    co_partition_unref(partition);
    free(expiry);
}

/* One portion; the next tick brings the next. */
static void expire_sources(struct co_assignment *assignment, struct co_partition *partition)
{
    struct expiry *expiry = calloc(1, sizeof(*expiry));
    struct lm_buffer sql;
    struct lm_error error;

    if (expiry == NULL)
        return;
    expiry->assignment = assignment;
    expiry->partition = partition;
    lm_buffer_init(&sql, 4096);
    lm_buffer_append_text(&sql, "SELECT logmill.expire_sources(");
    lm_buffer_append_literal(&sql, partition->topic, strlen(partition->topic));
    lm_buffer_printf(&sql, ", %d, %lld, '%lld', %d)", (int)partition->number,
                     (long long)assignment->options.source_expiry_us, (long long)partition->expiry_from,
                     EXPIRE_PORTION);
    struct co_question question = {
        .sql = lm_buffer_text(&sql), .result = on_portion, .done = on_expired, .context = expiry};
    if (question.sql != NULL && co_control_ask(assignment->options.control, &question, &error) == 0) {
        (void)co_partition_ref(partition);
        partition->expiry_asked = true;
        expiry = NULL;
    }
    lm_buffer_free(&sql);
    free(expiry);
}

void co_assignment_tick(struct co_assignment *assignment)
{
    int64_t now_us = lm_clock_mono_us();
    bool expire = now_us - assignment->expired_us >= EXPIRE_EVERY_US, refused = false;
    size_t sources = 0;

    for (struct co_partition *partition = assignment->partitions; partition != NULL;
         partition = partition->next) {
        if ((partition->state == CO_PARTITION_LOCATING || partition->state == CO_PARTITION_BEYOND_END) &&
            now_us >= partition->locate_again_us) {
            if (partition->state == CO_PARTITION_BEYOND_END)
                (void)co_partition_change_state(partition, CO_PARTITION_LOCATING);
            locate(assignment, partition);
        }
        refused |= wants_reassignment(partition);
        measure_lag(assignment, partition);
        if (partition->sources != NULL)
            sources += co_sources_count(partition->sources);
        if (expire && !partition->expiring) {
            partition->expiring = true;
            partition->expiry_from = INT64_MIN;
        }
        if (partition->expiring && !partition->expiry_asked && partition->state == CO_PARTITION_RUNNING)
            expire_sources(assignment, partition);
    }
    lm_gauge_set(assignment->remembered, (double)sources);
    if (expire)
        assignment->expired_us = now_us;
    if (refused)
        reassign(assignment);
    else
        co_assignment_commit(assignment);
}

/* ---- the outside ---- */

int co_assignment_open(const struct co_assignment_options *options, struct co_assignment **out,
                       struct lm_error *error)
{
    struct co_assignment *assignment = calloc(1, sizeof(*assignment));
    if (assignment == NULL || (assignment->locator = calloc(1, sizeof(*assignment->locator))) == NULL) {
        free(assignment);
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the assignment");
    }
    assignment->options = *options;
    *assignment->locator = (struct co_locator){.loop = options->loop,
                                               .control = options->control,
                                               .sources_max = options->sources_max,
                                               .names_max = options->names_max,
                                               .running = on_running,
                                               .failed = on_locate_failed,
                                               .settled = on_settled,
                                               .context = assignment};
    assignment->rebalances = lm_counter(options->metrics, "logmill_consumer_rebalances_total", NULL,
                                        "Assignments and revocations of the consumer group.");
    assignment->assigned = lm_gauge(options->metrics, "logmill_consumer_assigned_partitions", NULL,
                                    "Partitions this consumer reads.");
    assignment->remembered =
        lm_gauge(options->metrics, "logmill_consumer_sources", NULL,
                 "Sources whose last sequence is in memory; others are looked up (sources_max).");
    assignment->expired_us = lm_clock_mono_us() - EXPIRE_EVERY_US + EXPIRE_FIRST_US;
    *out = assignment;
    return 0;
}

void co_assignment_set(struct co_assignment *assignment, int64_t source_expiry_us, uint32_t retry_base_ms,
                       uint32_t retry_cap_ms)
{
    assignment->options.source_expiry_us = source_expiry_us;
    assignment->options.retry_base_ms = retry_base_ms;
    assignment->options.retry_cap_ms = retry_cap_ms;
}

void co_assignment_attach(struct co_assignment *assignment, rd_kafka_t *kafka)
{
    assignment->kafka = kafka;
    assignment->locator->kafka = kafka;
}

void co_assignment_free(struct co_assignment *assignment)
{
    if (assignment == NULL)
        return;
    while (assignment->conditions != NULL) {
        struct condition_name *next = assignment->conditions->next;
        free(assignment->conditions);
        assignment->conditions = next;
    }
    free(assignment->locator);
    free(assignment);
}

struct co_partition *co_assignment_first(const struct co_assignment *assignment)
{
    return assignment->partitions;
}

bool co_assignment_settled(const struct co_assignment *assignment)
{
    return assignment->locator->jobs == 0;
}
