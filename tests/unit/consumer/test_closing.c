#include "common/clock.h"
#include "consumer/writer/closing.h"
#include "database.h"

#include <inttypes.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct co_chunks chunks;
/* What a string that reaches SQL as a literal could be broken with. */
static const char *const hostile[] = {"",
                                      "'",
                                      "''; DROP SCHEMA logmill CASCADE; --",
                                      "\\",
                                      "\\'",
                                      "\\\\\"",
                                      "{a,b}",
                                      "\"quoted\"",
                                      ",",
                                      "NULL",
                                      " leading and trailing ",
                                      "line\nbreak\ttab",
                                      "$$ $1 %s",
                                      "E'\\x41'",
                                      "한글 \xf0\x9f\x98\x80",
                                      "\x01\x7f"};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static PGconn *conn;

static int open_database(void **state)
{
    (void)state;
    conn = database_open();
    return 0;
}

static int drop_database(void **state)
{
    (void)state;
    database_drop(conn);
    return 0;
}

static struct lm_slice slice(const char *text)
{
    return (struct lm_slice){text, strlen(text)};
}

static void assert_value(const char *sql, const char *expected)
{
    char *value = database_value(conn, sql);
    assert_string_equal(value, expected);
    free(value);
}

static void fill(struct co_batch *batch, struct co_name_row *names)
{
    for (size_t i = 0; i < HOSTILE; i++) {
        struct lm_record record;
        lm_record_init(&record);
        record.timestamp_us = INT64_C(1700000000000000);
        record.level = LM_ERROR;
        record.text[LM_SERVICE] = record.text[LM_ENVIRONMENT] = record.text[LM_ERROR_TYPE] =
            slice(hostile[i]);
        record.text[LM_MESSAGE] = slice(hostile[i]);
        record.has_duration = i % 2 == 0;
        record.duration_ms = (double)(i + 1);
        assert_int_equal(co_rollup_add(&batch->rollup, &record, (uint32_t)i, (int64_t)i), 0);
        assert_int_equal(co_batch_reserve(batch), 0);
        batch->patterns[batch->pattern_count++] = (struct co_pattern_row){(int64_t)i, slice(hostile[i]), 5};
        batch->moves[batch->move_count++] =
            (struct co_source_move){INT64_MIN + (int64_t)i, INT64_MAX, 1000000};
        names[i] = (struct co_name_row){
            CO_NAME_HOST, slice(hostile[i]), slice(hostile[i]), slice(hostile[i]), 1, 2, 3};
    }
    batch->names = names;
    batch->name_count = HOSTILE;
}

static const char *close_batch(struct co_batch *batch, const struct co_closing_options *options)
{
    struct lm_error error;
    static char state[6];

    assert_int_equal(co_closing_write(batch, options, &error), 0);
    database_run(conn, "BEGIN");
    PGresult *result = PQexec(conn, batch->closing.data);
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    (void)snprintf(state, sizeof(state), "%s", code == NULL ? "" : code);
    PQclear(result);
    database_run(conn, "ROLLBACK");
    return state;
}

static void hostile_texts_arrive_as_they_are_and_the_offset_moves_once(void **state)
{
    static struct co_name_row names[HOSTILE];
    struct co_closing_options options = {.topic = "o'brien\\",
                                         .partition = 3,
                                         .category = LM_RAW,
                                         .lock_timeout_ms = 1000,
                                         .count_seconds = true};
    struct co_batch *batch = co_batch_new(&chunks);
    char sql[256], count[16];
    (void)state;

    database_run(
        conn,
        "INSERT INTO logmill.ingest_offset (topic, partition, next_offset) VALUES ('o''brien\\', 3, 10)");
    fill(batch, names);
    batch->expected_offset = 10;
    batch->next_offset = 26;
    batch->kafka_time_us = 7000000;
    (void)snprintf(count, sizeof(count), "%zu", HOSTILE);

    options.rehearse = true;
    assert_string_equal(close_batch(batch, &options), "");
    assert_value("SELECT count(*) FROM logmill.log_pattern", "0");

    options.rehearse = false;
    assert_string_equal(close_batch(batch, &options), "");
    for (size_t i = 0; i < HOSTILE; i++) {
        PGresult *result;
        const char *params[1];
        (void)snprintf(sql, sizeof(sql), "SELECT template FROM logmill.log_pattern WHERE pattern = %zu", i);
        assert_value(sql, hostile[i]);
        params[0] = hostile[i];
        result = PQexecParams(
            conn,
            "SELECT count(*) FROM logmill.log_rollup_minute r JOIN logmill.error_pattern_hour e USING "
            "(service) JOIN logmill.log_name n USING (service) WHERE service = $1 AND r.environment = $1 "
            "AND e.error_type = $1 AND e.sample = $1 AND n.value = $1",
            1, NULL, params, NULL, NULL, 0);
        assert_string_equal(PQgetvalue(result, 0, 0), "1");
        PQclear(result);
    }
    assert_value("SELECT count(*) FROM logmill.ingest_source WHERE last_sequence = 9223372036854775807",
                 count);
    assert_value("SELECT min(source) FROM logmill.ingest_source", "-9223372036854775808");
    assert_value("SELECT sum(n) FROM logmill.log_rollup_minute", count);
    assert_value("SELECT sum(b.n) FROM logmill.duration_minute d, "
                 "logmill_read.histogram_buckets(d.histogram) b",
                 "8");
    assert_value("SELECT next_offset || ' ' || committed_time FROM logmill.ingest_offset",
                 "26 1970-01-01 00:00:07+00");
    assert_value("SELECT count(*) FROM logmill.data_epoch", "1");
    database_run(conn, "CREATE TEMPORARY TABLE before AS SELECT * FROM logmill.data_epoch");

    /* The same again: the compare-and-set refuses, and nothing of it stays. */
    assert_string_equal(close_batch(batch, &options), "LM001");
    assert_value("SELECT sum(n) FROM logmill.log_rollup_minute", count);

    /* And once more from the right offset: counts add up, histograms merge. */
    batch->expected_offset = 26;
    batch->next_offset = 42;
    assert_string_equal(close_batch(batch, &options), "");
    assert_value("SELECT sum(n)::bigint / 2 FROM logmill.log_rollup_minute", count);
    assert_value("SELECT count(*) || ' ' || sum(b.n) FROM logmill.duration_minute d, "
                 "logmill_read.histogram_buckets(d.histogram) b",
                 "8 16");
    assert_value("SELECT count(*) FROM logmill.duration_minute d WHERE error <> histogram OR "
                 "num_nonnulls(debug, info, warn, fatal) > 0",
                 "0");
    assert_value("SELECT count(*) FROM logmill.log_rollup_minute r WHERE duration_n > 0 AND NOT EXISTS "
                 "(SELECT FROM logmill.duration_minute d WHERE d.service = r.service AND d.error = "
                 "2 * logmill.histogram_unit(logmill.duration_bucket(r.duration_max_us / 1000)))",
                 "0");
    assert_value("SELECT e.version > b.version FROM logmill.data_epoch e, before b", "t");
    batch->names = NULL; /* the array is the test's */
    co_batch_free(batch);
}

enum { COUNTED = 1000 };

/* Adds COUNTED records of the three minutes from `from_us` on, and a table of them, "counted": a busy
 * service, one with empty seconds between, and a few records at the edges of minutes. */
static void fill_minutes(struct co_batch *batch, int64_t from_us)
{
    static const char *const services[] = {"busy", "sparse"};
    struct lm_buffer sql;

    lm_buffer_init(&sql, 1 << 20);
    lm_buffer_append_text(&sql, "INSERT INTO counted VALUES ");
    for (int i = 0; i < COUNTED; i++) {
        struct lm_record record;
        bool sparse = i % 20 == 0;
        lm_record_init(&record);
        record.timestamp_us = from_us + rand() % 3 * LM_MINUTE_US + rand() % LM_MINUTE_US;
        if (i % 10 == 0)
            record.timestamp_us = from_us + rand() % 3 * LM_MINUTE_US + (i % 100 == 0 ? 0 : LM_MINUTE_US - 1);
        record.level = (enum lm_level)(rand() % LM_LEVEL_COUNT);
        record.text[LM_SERVICE] = slice(services[sparse]);
        record.text[LM_ENVIRONMENT] = slice("production");
        record.text[LM_MESSAGE] = slice("message");
        assert_int_equal(co_rollup_add(&batch->rollup, &record, sparse, 1), 0);
        lm_buffer_printf(&sql, "%s(logmill.at_us(%" PRId64 "), '%s', '%s')", i == 0 ? "" : ", ",
                         record.timestamp_us, services[sparse], lm_level_name(record.level));
    }
    database_run(conn, lm_buffer_text(&sql));
    lm_buffer_free(&sql);
}

static void the_seconds_of_what_was_closed_are_those_of_its_records(void **state)
{
    struct co_closing_options options = {.topic = "seconds",
                                         .partition = 5,
                                         .category = LM_SUMMARY,
                                         .lock_timeout_ms = 1000,
                                         .count_seconds = true};
    int64_t now_us = lm_clock_wall_us();
    (void)state;

    database_run(conn, "INSERT INTO logmill.ingest_offset (topic, partition, next_offset) VALUES "
                       "('seconds', 5, 0)");
    database_run(conn, "CREATE TEMPORARY TABLE counted (at timestamptz, service text, level text)");
    srand(1);
    for (int64_t round = 0; round < 3; round++) { /* of the same minutes; the last is not kept */
        struct co_batch *batch = co_batch_new(&chunks);
        fill_minutes(batch, co_floor_us(now_us - (round < 2 ? LM_HOUR_US : 2 * LM_DAY_US), LM_MINUTE_US));
        batch->expected_offset = round * COUNTED;
        batch->next_offset = (round + 1) * COUNTED;
        assert_string_equal(close_batch(batch, &options), "");
        co_batch_free(batch);
    }
    database_run(
        conn, "CREATE TEMPORARY VIEW expected AS SELECT date_trunc('minute', at) AS minute, service, level, "
              "floor(extract(second FROM at))::int AS second, count(*) AS n FROM counted "
              "WHERE at > now() - interval '1 day' GROUP BY 1, 2, 3, 4");
    database_run(
        conn, "CREATE TEMPORARY VIEW found AS SELECT s.minute, s.service, v.level, b.bucket::int AS second, "
              "b.n::bigint FROM logmill.seconds_minute s CROSS JOIN LATERAL (VALUES ('DEBUG', debug), "
              "('INFO', info), ('WARN', warn), ('ERROR', error), ('FATAL', fatal)) AS v (level, seconds), "
              "logmill_read.histogram_buckets(v.seconds) b WHERE s.category = 'summary' AND "
              "s.environment = 'production' AND s.kafka_partition = 5");
    assert_value("SELECT sum(n) FROM found", "2000");
    assert_value("SELECT count(*) FROM (TABLE expected EXCEPT TABLE found) q", "0");
    assert_value("SELECT count(*) FROM (TABLE found EXCEPT TABLE expected) q", "0");
    assert_value("SELECT min(second) || ' ' || max(second) FROM found", "0 59");
    assert_value("SELECT sum(n) FROM logmill.log_rollup_minute WHERE kafka_partition = 5", "3000");

    /* Not counted: from its last minute on, and before it rows are read. */
    struct co_batch *batch = co_batch_new(&chunks);
    assert_value("SELECT since FROM logmill.seconds_state", "-infinity");
    fill_minutes(batch, co_floor_us(now_us - LM_HOUR_US, LM_MINUTE_US));
    batch->expected_offset = 3 * COUNTED;
    batch->next_offset = 4 * COUNTED;
    options.count_seconds = false;
    assert_string_equal(close_batch(batch, &options), "");
    co_batch_free(batch);
    assert_value("SELECT sum(n) FROM found", "2000");
    assert_value("SELECT since = (SELECT max(minute) + interval '1 minute' FROM logmill.log_rollup_minute "
                 "WHERE kafka_partition = 5) FROM logmill.seconds_state",
                 "t");
}

static void a_record_put_back_twice_is_refused_the_second_time(void **state)
{
    struct co_closing_options options = {.topic = "replay",
                                         .partition = 0,
                                         .category = LM_RAW,
                                         .lock_timeout_ms = 1000,
                                         .count_seconds = true};
    struct co_batch *batch = co_batch_new(&chunks);
    (void)state;

    database_run(conn,
                 "INSERT INTO logmill.ingest_offset (topic, partition, next_offset) VALUES ('replay', 0, 0)");
    assert_int_equal(co_batch_reserve(batch), 0);
    batch->replays[batch->replay_count++] = (struct co_replay){slice("it's"), 1, 99};
    batch->next_offset = 1;
    assert_string_equal(close_batch(batch, &options), "");
    batch->expected_offset = 1;
    batch->next_offset = 2;
    assert_string_equal(close_batch(batch, &options), "23505");
    assert_value("SELECT next_offset FROM logmill.ingest_offset WHERE topic = 'replay'", "1");
    co_batch_free(batch);
}

static void sources_expire_by_the_kafka_time_of_what_is_committed(void **state)
{
    (void)state;
    database_run(conn,
                 "INSERT INTO logmill.ingest_offset (topic, partition, next_offset, committed_time) VALUES "
                 "('old', 0, 0, '2001-01-10Z'), ('old', 1, 0, NULL)");
    database_run(conn, "INSERT INTO logmill.ingest_source SELECT 'old', p, s, 1, timestamptz '2001-01-01Z' + "
                       "s * interval '1 day' "
                       "FROM generate_series(0, 1) p, generate_series(0, 9) s");
    assert_value("SELECT logmill.expire_sources('old', 0, 7::bigint * 86400000000)", "2");
    assert_value("SELECT min(source) FROM logmill.ingest_source WHERE topic = 'old' AND partition = 0", "2");
    assert_value("SELECT logmill.expire_sources('old', 1, 7::bigint * 86400000000)", "0");
    assert_value("SELECT logmill.expire_sources('old', 1, 7::bigint * 86400000000, 0, 100) IS NULL", "t");
    assert_value("SELECT count(*) FROM logmill.ingest_source WHERE topic = 'old' AND partition = 1", "10");
}

static void sources_expire_in_portions_that_leave_none_out(void **state)
{
    (void)state;
    database_run(conn,
                 "INSERT INTO logmill.ingest_offset (topic, partition, next_offset, committed_time) VALUES "
                 "('portions', 0, 0, '2001-01-10Z')");
    database_run(conn, "INSERT INTO logmill.ingest_source SELECT 'portions', 0, s, 1, "
                       "timestamptz '2001-01-10Z' - (s & 1) * interval '8 days' FROM "
                       "unnest('{-9223372036854775808,-9223372036854775807,-5,0,1,2,3,4,9223372036854775806,"
                       "9223372036854775807}'::bigint[]) s");
    assert_value(
        "WITH RECURSIVE p (n, at) AS (SELECT 0, (-9223372036854775808)::bigint UNION ALL SELECT n + 1, "
        "logmill.expire_sources('portions', 0, 7::bigint * 86400000000, at, 3) FROM p WHERE at IS NOT NULL) "
        "SELECT count(*) FROM p WHERE at IS NOT NULL",
        "4");
    assert_value(
        "SELECT string_agg(source::text, ' ' ORDER BY source) FROM logmill.ingest_source WHERE topic = "
        "'portions'",
        "-9223372036854775808 0 2 4 9223372036854775806");
    /* As many as a portion holds. */
    assert_value("SELECT logmill.expire_sources('portions', 0, 0, -9223372036854775808, 5) IS NULL", "t");
}

static void the_hour_about_to_end_and_every_other_but_the_current_gets_a_new_version(void **state)
{
    (void)state;
    database_run(conn, "DELETE FROM logmill.data_epoch");
    database_run(
        conn,
        "SELECT logmill.raise_epochs('raw', 0, ARRAY(SELECT (extract(epoch FROM date_trunc('hour', now()) + "
        "h * interval '1 hour') * 1000000)::bigint FROM generate_series(-2, 0) h))");
    assert_value("SELECT count(*) FROM logmill.data_epoch WHERE hour < date_trunc('hour', now())", "2");
    assert_value("SELECT (count(*) > 0) = (date_trunc('hour', now() + interval '1 minute') > "
                 "date_trunc('hour', now())) "
                 "FROM logmill.data_epoch WHERE hour = date_trunc('hour', now())",
                 "t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_texts_arrive_as_they_are_and_the_offset_moves_once),
        cmocka_unit_test(the_seconds_of_what_was_closed_are_those_of_its_records),
        cmocka_unit_test(a_record_put_back_twice_is_refused_the_second_time),
        cmocka_unit_test(sources_expire_by_the_kafka_time_of_what_is_committed),
        cmocka_unit_test(sources_expire_in_portions_that_leave_none_out),
        cmocka_unit_test(the_hour_about_to_end_and_every_other_but_the_current_gets_a_new_version)};
    return cmocka_run_group_tests(tests, open_database, drop_database);
}
