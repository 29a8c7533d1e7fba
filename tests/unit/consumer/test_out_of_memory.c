/*
 * Memory runs out at every single allocation between a partition's queue and the closing message, once for
 * each. Whatever failed is tried again as the consumer would, and in the end the batch must hold what it
 * holds where nothing failed: every record, once, and every message given back once.
 *
 * librdkafka's queue (fake_queue.h), the dead-letter topic and the control connection are stood in for
 * (--wrap).
 */
#include "common/clock.h"
#include "common/log.h"
#include "consumer/intake/intake.h"
#include "consumer/writer/closing.h"

#include "tests/unit/common/failing_alloc.h"
#include "tests/unit/consumer/fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RECORDS FAKE_QUEUE_SIZE
#define TEXT_SIZE 512

static const struct co_policy policy = {.rows = 10000, .bytes = 1 << 22, .age_us = 50000};

static char texts[RECORDS][TEXT_SIZE];
static int letters;

rd_kafka_resp_err_t __wrap_rd_kafka_message_headers(const rd_kafka_message_t *message,
                                                    rd_kafka_headers_t **headers);
int __wrap_co_letters_send(struct co_letters *topics, struct co_batch *batch, rd_kafka_message_t *message,
                           const struct lm_error *why, unsigned attempts);
int __wrap_co_control_ask(struct co_control *control, const struct co_question *question,
                          struct lm_error *error);

rd_kafka_resp_err_t __wrap_rd_kafka_message_headers(const rd_kafka_message_t *message,
                                                    rd_kafka_headers_t **headers)
{
    (void)message, (void)headers;
    return RD_KAFKA_RESP_ERR__NOENT;
}

int __wrap_co_letters_send(struct co_letters *topics, struct co_batch *batch, rd_kafka_message_t *message,
                           const struct lm_error *why, unsigned attempts)
{
    (void)topics, (void)batch, (void)why, (void)attempts;
    void *memory = malloc(1); /* a letter needs some */
    if (memory == NULL)
        return -1;
    free(memory);
    letters++;
    rd_kafka_message_destroy(message);
    return 0;
}

int __wrap_co_control_ask(struct co_control *control, const struct co_question *question,
                          struct lm_error *error)
{
    (void)control, (void)question, (void)error;
    fail_msg("nothing of this waits for PostgreSQL");
    return -1;
}

/* Services, errors, sources, repeats, metadata and now and then poison. */
static void write_messages(void)
{
    fake_queue_clear();
    for (int i = 0; i < RECORDS; i++) {
        bool repeat = i % 10 == 9; /* source 5 has sent its sequence 5 by then */
        (void)snprintf(
            texts[i], TEXT_SIZE,
            "{%s\"service\":\"service-%d\",\"level\":\"%s\",\"host\":\"host-%d\",\"duration_ms\":%d,"
            "\"source\":%d,\"sequence\":%d,\"error_type\":\"E%d\",\"timestamp\":%lld,\"key-%d\":true}",
            i % 23 == 22 ? "" : "\"message\":\"\\ud55c request took long\",", i % 40,
            i % 3 == 0 ? "ERROR" : "INFO", i, i, repeat ? 5 : i % 50, repeat ? 1 : i, i % 7,
            1700000000000000LL + i * 20000000LL, i);
        fake_queue_add(texts[i]);
    }
}

/* One run from the queue to the closing message. */
struct run {
    struct co_pool pool;
    struct co_patterns *patterns;
    struct co_intake *intake;
    struct co_partition *partition;
    int restarts;
    bool keeps_messages;
    bool struck; /* memory has run out and is there again */
};

static void recover(struct run *run)
{
    failing_alloc_after(0);
    run->struck = true;
}

static void forget_batch(struct run *run)
{
    struct co_partition *partition = run->partition;

    if (partition->filling != NULL)
        co_batch_free(partition->filling);
    if (partition->held != NULL)
        rd_kafka_message_destroy(partition->held);
    co_ahead_clear(&partition->ahead);
    partition->held = NULL;
    partition->filling = NULL;
}

/* As the assignment does: dropped, located anew, read again from what is committed. */
static void start_over(struct run *run)
{
    struct co_partition *partition = run->partition;

    forget_batch(run);
    co_sources_free(partition->sources);
    co_names_free(partition->names);
    partition->sources = co_sources_new(1000);
    partition->names = co_names_new(1000);
    partition->filling = co_batch_new(&run->pool.chunks);
    assert_non_null(partition->sources);
    assert_non_null(partition->names);
    assert_non_null(partition->filling);
    co_sources_set_complete(partition->sources, true);
    co_sources_begin(partition->sources, 1);
    partition->filling->partition = partition;
    partition->filling->keeps_messages = run->keeps_messages;
    partition->position = 0;
    partition->state = CO_PARTITION_RUNNING;
    fake_queue_rewind();
    letters = 0;
}

static void on_refused(struct co_partition *partition, void *context)
{
    struct run *run = context;
    (void)partition;
    recover(run);
    run->restarts++;
    start_over(run);
}

static void on_awake(void *context)
{
    (void)context;
}

static void open_run(struct run *run, bool keeps_messages)
{
    struct lm_error error;
    struct co_intake_options options = {
        .pool = &run->pool, .position_refused = on_refused, .awake = on_awake, .context = run};

    *run = (struct run){.patterns = co_patterns_new(1000), .keeps_messages = keeps_messages};
    co_pool_init(&run->pool, &policy, 1 << 24);
    options.patterns = run->patterns;
    for (int i = 0; i < LM_CATEGORY_COUNT; i++)
        options.windows[i] = (struct co_window){100 * 365 * LM_DAY_US, LM_DAY_US};
    assert_int_equal(co_intake_open(&options, &run->intake, &error), 0);
    run->partition = co_partition_new("logs.raw", 0, LM_RAW);
    assert_non_null(run->partition);
    start_over(run);
}

static void close_run(struct run *run)
{
    failing_alloc_after(0);
    forget_batch(run);
    co_partition_unref(run->partition);
    co_intake_free(run->intake);
    co_patterns_free(run->patterns);
    co_pool_free(&run->pool);
    assert_int_equal(fake_queue_held(), 0);
}

static void read_all(struct run *run)
{
    struct co_partition *partition = run->partition;

    while (partition->position < RECORDS) {
        (void)co_intake_read(run->intake, partition, 7);
        if (partition->state == CO_PARTITION_HOLDING) {
            assert_int_equal(partition->hold, CO_HOLD_MEMORY);
            recover(run);
            partition->hold_again_us = 0;
            co_intake_tick(run->intake, partition);
        }
    }
}

/* What the batch must hold whatever went wrong before. */
struct summary {
    size_t rows, records, repeats, moves, groups, errors, hours, names;
    int64_t n, in_seconds, in_durations, next_offset, letters;
};

static void close_batch(struct run *run)
{
    struct co_batch *batch = run->partition->filling;
    struct co_closing_options options = {
        .topic = "logs.raw", .category = LM_RAW, .lock_timeout_ms = 1000, .count_seconds = true};
    struct lm_error error;

    while (co_names_take(run->partition->names, 1, &batch->names, &batch->name_count, &batch->name_cap) != 0)
        recover(run);
    while (co_closing_write(batch, &options, &error) != 0) {
        assert_int_equal(error.decision, LM_RETRY);
        recover(run);
    }
    assert_non_null(strstr(batch->closing.data, "COMMIT"));
}

static int64_t sum(struct co_histogram histogram)
{
    int64_t n = 0;
    uint32_t count;

    for (int bucket = -1; (bucket = co_histogram_next(&histogram, bucket + 1, &count)) >= 0;)
        n += count;
    return n;
}

static struct summary summarize(const struct co_batch *batch)
{
    struct summary summary = {.rows = batch->row_count,
                              .records = batch->record_count,
                              .repeats = batch->repeat_count,
                              .moves = batch->move_count,
                              .groups = batch->rollup.group_count,
                              .errors = batch->rollup.error_count,
                              .hours = batch->rollup.hour_count,
                              .names = batch->name_count,
                              .next_offset = batch->next_offset,
                              .letters = letters};
    for (size_t i = 0; i < batch->rollup.group_count; i++) {
        const struct co_group *group = &batch->rollup.groups[i];
        summary.n += group->n;
        summary.in_seconds += sum(co_rollup_seconds(&batch->rollup, group));
        summary.in_durations += sum(co_rollup_durations(&batch->rollup, group));
    }
    assert_int_equal(summary.in_seconds, summary.n);
    for (size_t i = 1; batch->keeps_messages && i < batch->row_count; i++) { /* others have no list of rows */
        const struct co_row *row = &batch->rows[i];
        assert_true(row[-1].to <= row->from);
        assert_true(row[-1].message->offset < row->message->offset);
    }
    return summary;
}

/* How many allocations there were to fail; *restarts is how often the partition had to start over. */
static unsigned fail_each(bool keeps_messages, const struct summary *expected, int *restarts)
{
    struct run run;
    unsigned n = 0;
    bool struck = true;

    while (struck) {
        open_run(&run, keeps_messages);
        failing_alloc_after(++n);
        read_all(&run);
        close_batch(&run);
        struck = run.struck || failing_alloc_struck();
        failing_alloc_after(0);
        *restarts += run.restarts;
        struct summary found = summarize(run.partition->filling);
        assert_memory_equal(&found, expected, sizeof(found));
        close_run(&run);
    }
    return n;
}

static void no_allocation_that_fails_loses_or_doubles_a_record(void **state)
{
    struct run run;
    struct summary expected;
    int restarts = 0;

    (void)state;
    write_messages();
    for (int keeps = 0; keeps < 2; keeps++) {
        open_run(&run, keeps == 1);
        read_all(&run);
        close_batch(&run);
        expected = summarize(run.partition->filling);
        assert_int_equal(expected.records, RECORDS);
        assert_int_equal(expected.rows + expected.repeats + (size_t)expected.letters, RECORDS);
        assert_true(expected.letters > 5 && expected.repeats > 5 && expected.names > RECORDS);
        close_run(&run);
        assert_true(fail_each(keeps == 1, &expected, &restarts) > 50);
    }
    assert_true(restarts > 0);
}

static void rollups_that_cannot_be_counted_again_can_be_later(void **state)
{
    struct run run;
    struct lm_error error;
    unsigned failures = 0;
    bool failed = true;

    (void)state;
    write_messages();
    open_run(&run, true);
    read_all(&run);
    struct co_batch *batch = run.partition->filling;
    struct summary expected = summarize(batch);
    for (unsigned n = 1; failed; n++) {
        co_rollup_free(&batch->rollup); /* the memory it keeps would do, and none be asked for */
        batch->recount = true;
        failing_alloc_after(n);
        failed = co_batch_recount(batch, &error) != 0;
        failing_alloc_after(0);
        assert_true(failed == batch->recount);
        if (failed)
            assert_int_equal(error.decision, LM_RETRY);
        failures += failed;
    }
    assert_true(failures > 3);
    struct summary found = summarize(batch);
    assert_memory_equal(&found, &expected, sizeof(found));
    close_run(&run);
}

static void assert_counted(const struct co_rollup *rollup, int64_t records)
{
    int64_t n = 0, durations = 0, in_seconds = 0, in_durations = 0, errors = 0;

    for (size_t i = 0; i < rollup->group_count; i++) {
        n += rollup->groups[i].n;
        durations += rollup->groups[i].duration_n;
        in_seconds += sum(co_rollup_seconds(rollup, &rollup->groups[i]));
        in_durations += sum(co_rollup_durations(rollup, &rollup->groups[i]));
    }
    for (size_t i = 0; i < rollup->error_count; i++)
        errors += rollup->errors[i].n;
    assert_int_equal(n, records);
    assert_int_equal(durations, records);
    assert_int_equal(in_seconds, records);
    assert_int_equal(in_durations, records);
    assert_int_equal(errors, records);
}

/* All of them errors with a duration: as much as a record can count in. */
static void a_record_that_finds_no_memory_counts_nowhere(void **state)
{
    struct co_rollup rollup;
    struct lm_record record;
    unsigned failures = 0;

    (void)state;
    co_rollup_init(&rollup);
    lm_record_init(&record);
    record.level = LM_ERROR;
    record.text[LM_SERVICE] = LM_SLICE("pay");
    record.text[LM_ENVIRONMENT] = LM_SLICE("production");
    record.text[LM_MESSAGE] = LM_SLICE("message");
    record.has_duration = true;
    for (int64_t i = 0; i < RECORDS; i++) {
        bool failed = true;
        record.timestamp_us = i * 20 * LM_SECOND_US;
        record.duration_ms = (double)(i * i);
        for (unsigned n = 1; failed; n++) {
            failing_alloc_after(n);
            failed = co_rollup_add(&rollup, &record, 0, i) != 0;
            failing_alloc_after(0);
            failures += failed;
            assert_counted(&rollup, failed ? i : i + 1);
        }
    }
    assert_true(failures > 7);
    co_rollup_free(&rollup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_allocation_that_fails_loses_or_doubles_a_record),
                                       cmocka_unit_test(rollups_that_cannot_be_counted_again_can_be_later),
                                       cmocka_unit_test(a_record_that_finds_no_memory_counts_nowhere)};
    lm_log_open("test", LM_LOG_FATAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
