#include "consumer/assignment/locate.h"

#include "common/log.h"
#include "consumer/writer/retry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATERMARKS_MS 5000
#define SEEK_MS 10000
#define GIVEN_UP_AFTER 3
#define SURE_AFTER 5 /* looks in a row, more than a second with their pauses */

/* One attempt. The partition may start over or go meanwhile: then its epoch differs and the attempt ends
 * quietly. */
struct attempt {
    struct co_locator *locator;
    struct co_partition *partition;
    uint32_t epoch;
    uv_work_t work;
    int64_t low, high; /* watermarks */
    int64_t stored;    /* ingest_offset's; -1 until it has answered */
    int64_t stored_time_us;
    size_t answer; /* which of the statements answers next */
    struct co_sources *sources;
    bool given_up; /* librdkafka does not read the partition any more */
    bool decide;   /* the position was found beyond the topic's end before, and nobody has decided since */
    bool failed;
    char problem[320];
};

static void end_attempt(struct attempt *attempt)
{
    co_sources_free(attempt->sources);
    co_partition_unref(attempt->partition);
    free(attempt);
}

static bool is_stale(const struct attempt *attempt)
{
    return attempt->epoch != attempt->partition->epoch || attempt->partition->state == CO_PARTITION_GONE;
}

static void fail(struct attempt *attempt, const char *problem)
{
    struct co_locator *locator = attempt->locator;
    struct co_partition *partition = attempt->partition;
    char reason[512];

    if (!is_stale(attempt)) {
        (void)snprintf(reason, sizeof(reason), "cannot find where to read from: %s (trying again)", problem);
        lm_log_limited(&locator->limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "locate", "%s/%d: %s", partition->topic,
                       (int)partition->number, reason);
        co_partition_say(partition, reason);
        partition->looks_beyond_end = 0;
        if (partition->state == CO_PARTITION_SEEKING)
            (void)co_partition_change_state(partition, CO_PARTITION_LOCATING);
        locator->failed(partition, locator->context);
    }
    end_attempt(attempt);
}

static void fail_for(struct attempt *attempt, const struct lm_error *error)
{
    char problem[400];
    co_retry_explain(error, false, problem, sizeof(problem));
    fail(attempt, problem);
}

static int run_job(struct attempt *attempt, uv_work_cb job, uv_after_work_cb after)
{
    attempt->work.data = attempt;
    if (uv_queue_work(attempt->locator->loop, &attempt->work, job, after) != 0)
        return -1;
    attempt->locator->jobs++;
    return 0;
}

static void job_over(struct co_locator *locator)
{
    if (--locator->jobs == 0)
        locator->settled(locator->context);
}

/* ---- seek ---- */

/* The partition may be paused since its assignment. Resumed only when it stands where it is to be read: what
 * is fetched before could not be told from what is wanted. */
static void resume(struct attempt *attempt, rd_kafka_topic_partition_list_t *list)
{
    const struct co_partition *partition = attempt->partition;
    rd_kafka_t *kafka = attempt->locator->kafka;
    int64_t low, high;

    rd_kafka_resp_err_t error = rd_kafka_resume_partitions(kafka, list);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        error = list->elems[0].err;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        attempt->failed = true;
        (void)snprintf(attempt->problem, sizeof(attempt->problem), "resume: %s", rd_kafka_err2str(error));
        return;
    }
    /* The answer does not matter: the broker's thread would sleep on for up to a second. */
    (void)rd_kafka_query_watermark_offsets(kafka, partition->topic, partition->number, &low, &high,
                                           WATERMARKS_MS);
}

static void seek_job(uv_work_t *work) /* thread pool */
{
    struct attempt *attempt = work->data;
    const struct co_partition *partition = attempt->partition;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_error_t *error;

    rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)->offset = attempt->stored;
    error = rd_kafka_seek_partitions(attempt->locator->kafka, list, SEEK_MS);
    if (error != NULL) {
        attempt->failed = true;
        (void)snprintf(attempt->problem, sizeof(attempt->problem), "seek: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    } else if (list->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        attempt->failed = true;
        attempt->given_up = list->elems[0].err == RD_KAFKA_RESP_ERR__STATE;
        (void)snprintf(attempt->problem, sizeof(attempt->problem), "seek: %s",
                       rd_kafka_err2str(list->elems[0].err));
    } else {
        resume(attempt, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void after_seek(uv_work_t *work, int status)
{
    struct attempt *attempt = work->data;
    struct co_locator *locator = attempt->locator;
    struct co_partition *partition = attempt->partition;

    (void)status;
    if (attempt->failed) {
        if (attempt->given_up && partition->locate_attempts >= GIVEN_UP_AFTER && !is_stale(attempt))
            (void)co_partition_change_state(partition, CO_PARTITION_REFUSED);
        fail(attempt, attempt->problem);
    } else {
        if (!is_stale(attempt)) {
            partition->locate_attempts = partition->looks_beyond_end = 0;
            if (attempt->stored < partition->committed)
                partition->buried_count = 0; /* moved back by hand: all is decided anew */
            partition->position = attempt->stored;
            partition->committed = attempt->stored;
            partition->committed_time_us = attempt->stored_time_us;
            partition->located_high = attempt->high;
            partition->serial = 0;
            co_sources_free(partition->sources);
            partition->sources = attempt->sources;
            attempt->sources = NULL;
            lm_log(LM_LOG_INFO, "locate", "%s/%d: reading from offset %lld (%lld behind)", partition->topic,
                   (int)partition->number, (long long)attempt->stored,
                   (long long)(attempt->high - attempt->stored));
            (void)co_partition_change_state(partition, CO_PARTITION_RUNNING);
            co_partition_say(partition, NULL);
            locator->running(partition, locator->context);
        }
        end_attempt(attempt);
    }
    job_over(locator);
}

static void seek(struct attempt *attempt)
{
    struct co_partition *partition = attempt->partition;

    co_names_free(partition->names);
    partition->names = co_names_new(attempt->locator->names_max);
    (void)co_partition_change_state(partition, CO_PARTITION_SEEKING);
    if (partition->names == NULL || run_job(attempt, seek_job, after_seek) != 0)
        fail(attempt, "no memory");
}

/* ---- the gap ---- */

static void on_moved(const struct lm_error *error, void *context)
{
    struct attempt *attempt = context;

    if (error != NULL) {
        fail_for(attempt, error);
        return;
    }
    attempt->stored = attempt->low;
    if (is_stale(attempt))
        end_attempt(attempt);
    else
        seek(attempt);
}

static void write_key(struct lm_buffer *sql, const struct co_partition *partition)
{
    lm_buffer_append_literal(sql, partition->topic, strlen(partition->topic));
    lm_buffer_printf(sql, ", %d", (int)partition->number);
}

/* 0, or -1: `done` will not be called. Frees the text. */
static int ask(struct attempt *attempt, struct lm_buffer *sql,
               void (*result)(const PGresult *result, void *context),
               void (*done)(const struct lm_error *error, void *context), struct lm_error *error)
{
    struct co_question question = {
        .sql = lm_buffer_text(sql), .result = result, .done = done, .context = attempt};
    int outcome = question.sql == NULL ? lm_error_set(error, LM_RETRY, "memory", "no memory for a question")
                                       : co_control_ask(attempt->locator->control, &question, error);
    lm_buffer_free(sql);
    return outcome;
}

/* Before the move: were its outcome lost with the connection, nobody would see the gap again. */
static void report_gap(const struct attempt *attempt)
{
    struct co_partition *partition = attempt->partition;
    int64_t from = partition->lost_to > attempt->stored ? partition->lost_to : attempt->stored;

    if (attempt->low <= from)
        return;
    lm_counter_add(partition->metrics.lost_by_retention, (uint64_t)(attempt->low - from));
    lm_log(LM_LOG_ERROR, "locate",
           "%s/%d: retention deleted offsets %lld to %lld before they were read: %lld records are lost",
           partition->topic, (int)partition->number, (long long)from, (long long)attempt->low - 1,
           (long long)(attempt->low - from));
    partition->lost_to = attempt->low;
}

static void move_over_gap(struct attempt *attempt)
{
    struct lm_buffer sql;
    struct lm_error error;

    report_gap(attempt);
    lm_buffer_init(&sql, 4096);
    lm_buffer_append_text(&sql, "SELECT logmill.advance_offset(");
    write_key(&sql, attempt->partition);
    lm_buffer_printf(&sql, ", %" PRId64 ", %" PRId64 ", NULL)", attempt->stored, attempt->low);
    if (ask(attempt, &sql, NULL, on_moved, &error) != 0)
        fail_for(attempt, &error);
}

static void on_marked(const struct lm_error *error, void *context)
{
    (void)context;
    if (error != NULL && strcmp(error->kind, "closing") != 0)
        lm_log_error(LM_LOG_WARN, "locate", error,
                     "could not note that a position is beyond its topic's end");
}

/* For ever, once it is sure: a new leader may take a moment to know the topic's end. */
static void mark_beyond_end(const struct attempt *attempt)
{
    struct lm_buffer sql;
    struct lm_error error;

    if (attempt->decide || attempt->partition->looks_beyond_end < SURE_AFTER)
        return;
    lm_buffer_init(&sql, 4096);
    lm_buffer_append_text(&sql, "SELECT logmill.stop_beyond_end(");
    write_key(&sql, attempt->partition);
    lm_buffer_printf(&sql, ", %" PRId64 ")", attempt->stored);
    struct co_question question = {.sql = lm_buffer_text(&sql), .done = on_marked};
    if (question.sql != NULL)
        (void)!co_control_ask(attempt->locator->control, &question, &error);
    lm_buffer_free(&sql);
}

static void stop_beyond_end(struct attempt *attempt)
{
    struct co_locator *locator = attempt->locator;
    struct co_partition *partition = attempt->partition;
    char reason[512];

    (void)snprintf(
        reason, sizeof(reason),
        "the stored offset %lld %s beyond the topic's end %lld: the topic was made anew. Decide with "
        "logmill-ctl offsets; nothing of this partition is read before",
        (long long)attempt->stored, attempt->stored > attempt->high ? "is" : "was", (long long)attempt->high);
    mark_beyond_end(attempt);
    if (++partition->looks_beyond_end == 1)
        lm_log(LM_LOG_ERROR, "locate", "%s/%d: %s", partition->topic, (int)partition->number, reason);
    co_partition_say(partition, reason);
    (void)co_partition_change_state(partition, CO_PARTITION_BEYOND_END);
    locator->failed(partition, locator->context);
    end_attempt(attempt);
}

/* ---- the stored position ---- */

static void take_sources(struct attempt *attempt, const PGresult *result)
{
    int count = PQntuples(result);
    size_t max = attempt->locator->sources_max;

    co_sources_set_complete(attempt->sources, (size_t)count <= max);
    for (int i = 0; i < count && (size_t)i < max; i++) {
        if (co_sources_load(attempt->sources, strtoll(PQgetvalue(result, i, 0), NULL, 10),
                            strtoll(PQgetvalue(result, i, 1), NULL, 10)) != 0)
            attempt->failed = true;
    }
}

static void on_position(const PGresult *result, void *context)
{
    struct attempt *attempt = context;

    switch (attempt->answer++) {
    case 1:
        if (PQntuples(result) == 1) {
            attempt->stored = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
            attempt->stored_time_us = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
            attempt->decide = PQgetvalue(result, 0, 2)[0] == 't';
        }
        break;
    case 2:
        take_sources(attempt, result);
        break;
    default:
        break;
    }
}

static void on_position_done(const struct lm_error *error, void *context)
{
    struct attempt *attempt = context;

    if (error != NULL) {
        fail_for(attempt, error);
        return;
    }
    if (attempt->failed || attempt->stored < 0) {
        fail(attempt, "the stored offset could not be read");
        return;
    }
    if (is_stale(attempt)) {
        end_attempt(attempt);
        return;
    }
    if (attempt->decide || attempt->stored > attempt->high)
        stop_beyond_end(attempt);
    else if (attempt->stored < attempt->low)
        move_over_gap(attempt);
    else
        seek(attempt);
}

static void ask_position(struct attempt *attempt)
{
    struct lm_buffer sql;
    struct lm_error error;

    attempt->stored = -1;
    attempt->sources = co_sources_new(attempt->locator->sources_max);
    lm_buffer_init(&sql, 16384);
    lm_buffer_append_text(&sql, "SELECT logmill.start_offset(");
    write_key(&sql, attempt->partition);
    lm_buffer_printf(&sql,
                     ", %" PRId64
                     "); SELECT next_offset, coalesce((extract(epoch FROM committed_time) * 1000000)"
                     "::bigint, 0), beyond_end IS NOT DISTINCT FROM next_offset FROM logmill.ingest_offset "
                     "WHERE (topic, partition) = (",
                     attempt->low);
    write_key(&sql, attempt->partition);
    lm_buffer_append_text(
        &sql, "); SELECT source, last_sequence FROM logmill.ingest_source WHERE (topic, partition) = (");
    write_key(&sql, attempt->partition);
    lm_buffer_printf(&sql, ") LIMIT %zu", attempt->locator->sources_max + 1);
    if (attempt->sources == NULL) {
        lm_buffer_free(&sql);
        fail(attempt, "no memory");
    } else if (ask(attempt, &sql, on_position, on_position_done, &error) != 0) {
        fail_for(attempt, &error);
    }
}

/* ---- watermarks ---- */

static void watermarks_job(uv_work_t *work) /* thread pool */
{
    struct attempt *attempt = work->data;
    rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
        attempt->locator->kafka, attempt->partition->topic, attempt->partition->number, &attempt->low,
        &attempt->high, WATERMARKS_MS);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        attempt->failed = true;
        (void)snprintf(attempt->problem, sizeof(attempt->problem),
                       "Kafka does not say what the topic holds: %s", rd_kafka_err2str(error));
    }
}

static void after_watermarks(uv_work_t *work, int status)
{
    struct attempt *attempt = work->data;
    struct co_locator *locator = attempt->locator;

    (void)status;
    if (attempt->failed)
        fail(attempt, attempt->problem);
    else if (is_stale(attempt))
        end_attempt(attempt);
    else
        ask_position(attempt);
    job_over(locator);
}

void co_locate(struct co_locator *locator, struct co_partition *partition)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    if (attempt == NULL) {
        locator->failed(partition, locator->context);
        return;
    }
    *attempt = (struct attempt){
        .locator = locator, .partition = co_partition_ref(partition), .epoch = partition->epoch};
    if (run_job(attempt, watermarks_job, after_watermarks) != 0)
        fail(attempt, "the thread pool takes no job");
}
