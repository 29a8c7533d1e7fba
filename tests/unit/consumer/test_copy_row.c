#include "common/record/record.h"
#include "consumer/batch/copy_row.h"
#include "database.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static PGconn *conn;

static int open_database(void **state)
{
    (void)state;
    conn = database_open();
    database_run(conn, "CREATE TEMP TABLE rows (LIKE logmill.logs)");
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

static struct lm_record full_record(void)
{
    static struct lm_slice tags[3];
    struct lm_record record;
    lm_record_init(&record);
    record.timestamp_us = INT64_C(1700000000123456);
    record.level = LM_ERROR;
    for (int i = 0; i < LM_TEXT_COUNT; i++)
        record.text[i] = slice("text with 'quotes', \\ and 한글");
    record.text[LM_CLIENT_IP] = slice("2001:db8::1");
    assert_int_equal(lm_inet_parse("2001:db8::1", strlen("2001:db8::1"), &record.client_ip), 0);
    record.text[LM_METADATA] = slice("{\"a\": [1, 2.5, \"x\"], \"b\": null}");
    record.has_http_status = true;
    record.http_status = -32768;
    record.has_duration = true;
    record.duration_ms = 1234.5;
    tags[0] = slice("first");
    tags[1] = slice("");
    tags[2] = slice("NULL");
    record.tags = tags;
    record.tag_count = 3;
    return record;
}

static struct lm_record bare_record(void)
{
    struct lm_record record;
    lm_record_init(&record);
    record.timestamp_us = -1;
    record.text[LM_LOG_TYPE] = record.text[LM_SERVICE] = record.text[LM_ENVIRONMENT] = slice("x");
    record.text[LM_MESSAGE] = slice("m");
    return record;
}

static void copy_in(const struct lm_buffer *bytes)
{
    char sql[1024];
    (void)snprintf(sql, sizeof(sql), "COPY rows %s FROM STDIN (FORMAT binary)", co_copy_columns);
    PGresult *result = PQexec(conn, sql);
    assert_int_equal(PQresultStatus(result), PGRES_COPY_IN);
    PQclear(result);
    assert_int_equal(PQputCopyData(conn, bytes->data, (int)bytes->len), 1);
    assert_int_equal(PQputCopyEnd(conn, NULL), 1);
    result = PQgetResult(conn);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s", PQerrorMessage(conn));
    PQclear(result);
    assert_null(PQgetResult(conn));
}

static void copy_out(struct lm_buffer *bytes)
{
    char sql[1024], *piece;
    int len;
    (void)snprintf(sql, sizeof(sql), "COPY rows %s TO STDOUT (FORMAT binary)", co_copy_columns);
    PGresult *result = PQexec(conn, sql);
    assert_int_equal(PQresultStatus(result), PGRES_COPY_OUT);
    PQclear(result);
    while ((len = PQgetCopyData(conn, &piece, 0)) > 0) {
        lm_buffer_append(bytes, piece, (size_t)len);
        PQfreemem(piece);
    }
    while ((result = PQgetResult(conn)) != NULL)
        PQclear(result);
}

static void assert_value(const char *sql, const char *expected)
{
    char *value = database_value(conn, sql);
    assert_string_equal(value, expected);
    free(value);
}

static void what_we_write_is_what_postgres_writes_for_the_same_rows(void **state)
{
    struct co_row_extra extra = {LM_TAGGED, 3, INT64_C(1) << 40, INT64_C(1700000001000000), -7};
    struct lm_buffer ours, theirs;
    struct lm_error error;
    struct lm_record records[] = {full_record(), bare_record()};
    (void)state;

    lm_buffer_init(&ours, 1 << 20);
    lm_buffer_init(&theirs, 1 << 20);
    co_copy_begin(&ours);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(co_copy_row(&records[i], &extra, &ours, &error), 0);
    lm_buffer_append_text(&ours, CO_COPY_END);
    copy_in(&ours);
    copy_out(&theirs);
    /* jsonb comes back as PostgreSQL spells it: the record above is spelt so. */
    assert_int_equal(ours.len, theirs.len);
    assert_memory_equal(ours.data, theirs.data, ours.len);

    assert_value("SELECT created_at FROM rows WHERE level = 'ERROR'", "2023-11-14 22:13:20.123456+00");
    assert_value("SELECT client_ip FROM rows WHERE level = 'ERROR'", "2001:db8::1");
    assert_value("SELECT tags FROM rows WHERE level = 'ERROR'", "{first,\"\",\"NULL\"}");
    assert_value("SELECT metadata->'a'->>1 FROM rows WHERE level = 'ERROR'", "2.5");
    assert_value("SELECT category || '/' || kafka_partition || '/' || kafka_offset || '/' || pattern FROM "
                 "rows WHERE level = 'ERROR'",
                 "tagged/3/1099511627776/-7");
    assert_value("SELECT created_at FROM rows WHERE level = 'INFO'", "1969-12-31 23:59:59.999999+00");
    assert_value("SELECT num_nulls(host, component, trace_id, http_status, duration_ms, client_ip, tags, "
                 "metadata, deleted_at) FROM rows WHERE level = 'INFO'",
                 "9");
    lm_buffer_free(&ours);
    lm_buffer_free(&theirs);
}

static void texts_of_any_length_come_back(void **state)
{
    struct co_row_extra extra = {LM_RAW, 0, 0, 0, 0};
    char text[100];
    (void)state;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('!' + i % 90);
    for (size_t len = 0; len < sizeof(text); len++) {
        struct lm_record record = bare_record(), again;
        struct lm_buffer buffer;
        struct lm_error error;
        int64_t pattern;
        lm_buffer_init(&buffer, 1 << 20);
        record.text[LM_HOST] = (struct lm_slice){text, len};
        record.text[LM_COMPONENT] = slice("next");
        assert_int_equal(co_copy_row(&record, &extra, &buffer, &error), 0);
        co_copy_read(buffer.data, &again, &pattern);
        assert_int_equal(again.text[LM_HOST].len, len);
        assert_memory_equal(again.text[LM_HOST].data, text, len);
        assert_memory_equal(again.text[LM_COMPONENT].data, "next", 4);
        lm_buffer_free(&buffer);
    }
}

static void the_columns_are_those_of_logs_without_deleted_at(void **state)
{
    (void)state;
    assert_value("SELECT '(' || string_agg(attname, ',' ORDER BY attnum) || ')' FROM pg_attribute "
                 "WHERE attrelid = 'logmill.logs'::regclass AND attnum > 0 AND attname <> 'deleted_at'",
                 co_copy_columns);
}

static void what_the_rollups_want_is_read_back_from_a_row(void **state)
{
    static const enum lm_text wanted[] = {LM_SERVICE, LM_ENVIRONMENT, LM_MESSAGE, LM_ERROR_TYPE};
    struct co_row_extra extra = {LM_TAGGED, 3, INT64_C(1) << 40, INT64_C(1700000001000000), -7};
    struct lm_record records[] = {full_record(), bare_record()}, back;
    struct lm_buffer bytes;
    struct lm_error error;
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        int64_t pattern = 0;
        lm_buffer_init(&bytes, 1 << 20);
        records[i].text[LM_ERROR_TYPE].len = i == 0 ? 5 : 0; /* each text another */
        records[i].text[LM_SERVICE].len = 1;
        assert_int_equal(co_copy_row(&records[i], &extra, &bytes, &error), 0);
        co_copy_read(bytes.data, &back, &pattern);
        assert_int_equal(pattern, -7);
        assert_int_equal(back.timestamp_us, records[i].timestamp_us);
        assert_int_equal(back.level, records[i].level);
        assert_int_equal(back.has_duration, records[i].has_duration);
        assert_true(!back.has_duration || back.duration_ms == records[i].duration_ms);
        for (size_t t = 0; t < sizeof(wanted) / sizeof(wanted[0]); t++) {
            struct lm_slice text = back.text[wanted[t]], expected = records[i].text[wanted[t]];
            assert_int_equal(text.data == NULL, expected.data == NULL);
            assert_int_equal(text.len, expected.len);
            assert_true(text.len == 0 || memcmp(text.data, expected.data, text.len) == 0);
        }
        lm_buffer_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_rollups_want_is_read_back_from_a_row),
        cmocka_unit_test(what_we_write_is_what_postgres_writes_for_the_same_rows),
        cmocka_unit_test(texts_of_any_length_come_back),
        cmocka_unit_test(the_columns_are_those_of_logs_without_deleted_at)};
    return cmocka_run_group_tests(tests, open_database, drop_database);
}
