/*
 * Statements against a real PostgreSQL: their results and order, cancelling, and what an error decides.
 */
#include "common/postgres/postgres.h"

#include "common/log.h"

#include "tests/unit/common/postgres_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static void results_come_in_order(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_sql(f, pg, "SELECT 1; SELECT 2");
    send_sql(f, pg, "SELECT 3");
    send_sql(f, pg, "");
    wait_until(f, &f->done, 3);
    assert_string_equal(f->trace, "1 2 done 3 done done");
    assert_int_equal(lm_pg_backend_pid(pg), PQbackendPID(lm_pg_raw(pg)));
    close_now(f, pg);
    assert_int_equal(f->lost, 0);
}

static void parameters_go_as_text_and_null(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    char copied[] = "It's \"결제\" \\ $1";
    const char *params[] = {copied, NULL};
    struct lm_pg_request request = {.sql = "SELECT $1::text || coalesce($2::text, '|null')",
                                    .param_count = 2,
                                    .params = params,
                                    .result = on_result,
                                    .done = on_done,
                                    .context = f};
    struct lm_error error;
    assert_int_equal(lm_pg_send(pg, &request, &error), 0);
    memset(copied, 'x', sizeof(copied) - 1);
    wait_until(f, &f->done, 1);
    assert_string_equal(f->last_value, "It's \"결제\" \\ $1|null");
    close_now(f, pg);
}

static void an_extended_request_takes_one_statement_only(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    struct lm_pg_request request = {
        .sql = "SELECT 1; SELECT 2", .extended = true, .result = on_result, .done = on_done, .context = f};
    struct lm_error error;
    assert_int_equal(lm_pg_send(pg, &request, &error), 0);
    wait_until(f, &f->done, 1);
    assert_string_equal(f->done_error.sqlstate, "42601");
    assert_int_equal(f->done_error.decision, LM_FATAL);
    close_now(f, pg);
}

static void single_rows_come_one_by_one(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    struct lm_pg_request request = {.sql = "SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g",
                                    .extended = true,
                                    .single_row = true,
                                    .result = on_result,
                                    .done = on_done,
                                    .context = f};
    struct lm_error error;
    assert_int_equal(lm_pg_send(pg, &request, &error), 0);
    wait_until(f, &f->done, 1);
    assert_int_equal(f->rows, 20000);
    assert_int_equal(f->results, 20001); /* the last one is empty and says the end */
    assert_int_equal(f->done_error.decision, LM_OK);
    close_now(f, pg);
}

static void rows_before_an_error_are_handed_out_in_single_row_mode(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    struct lm_pg_request request = {.sql = "SELECT 10 / (5 - g) FROM generate_series(1, 10) g",
                                    .extended = true,
                                    .single_row = true,
                                    .result = on_result,
                                    .done = on_done,
                                    .context = f};
    struct lm_error error;
    assert_int_equal(lm_pg_send(pg, &request, &error), 0);
    wait_until(f, &f->done, 1);
    assert_int_equal(f->rows, 4);
    assert_string_equal(f->done_error.sqlstate, "22012");
    assert_int_equal(f->done_error.decision, LM_RETRY); /* class 22, but no COPY line */
    close_now(f, pg);
}

static void a_big_result_arrives_whole(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg, "SELECT g, repeat('y', 200) FROM generate_series(1, 100000) g");
    assert_int_equal(f->rows, 100000);
    close_now(f, pg);
}

static void a_failed_statement_leaves_the_connection_usable(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_sql(f, pg, "SELECT * FROM no_such_table; SELECT 9");
    send_sql(f, pg, "SELECT 7");
    wait_until(f, &f->done, 2);
    assert_string_equal(f->trace, "failed 7 done");
    close_now(f, pg);
}

static void a_big_statement_is_sent_in_parts(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    size_t len = (size_t)24 << 20;
    char *sql = malloc(len + 32);
    assert_non_null(sql);
    size_t used = (size_t)sprintf(sql, "SELECT length('");
    memset(sql + used, 'z', len);
    strcpy(sql + used + len, "')");
    run_sql(f, pg, sql);
    free(sql);
    assert_string_equal(f->last_value, "25165824");
    close_now(f, pg);
}

static void copy_through_send_is_ended_not_hung(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    run_sql(f, pg, "COPY t FROM STDIN");
    assert_string_equal(f->done_error.sqlstate, "57014");
    run_sql(f, pg, "SELECT 4");
    assert_string_equal(f->last_value, "4");
    send_sql(f, pg, "COPY t TO STDOUT");
    wait_until(f, &f->lost, 1);
    assert_string_equal(f->done_error.kind, "connection_lost");
}

/* Until `pg` sleeps in the server, as another connection sees; what is called back from then on is traced. */
static void wait_for_sleep(struct fixture *f, struct lm_pg *pg)
{
    struct lm_pg *other = connected(f);
    char sleeps[128];
    snprintf(sleeps, sizeof(sleeps),
             "SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND wait_event = 'PgSleep'",
             lm_pg_backend_pid(pg));
    do {
        run_sql(f, other, sleeps);
    } while (strcmp(f->last_value, "1") != 0);
    close_now(f, other);
    f->pg = pg;
    f->trace[0] = '\0';
}

/* ---- sent along with the next ---- */

static void send_along(struct fixture *f, struct lm_pg *pg, const char *sql)
{
    const struct lm_pg_request request = {
        .sql = sql, .with_next = true, .result = on_result, .done = on_done, .context = f};
    struct lm_error error;
    assert_int_equal(lm_pg_send(pg, &request, &error), 0);
}

static void what_is_sent_along_runs_in_order_and_only_with_the_next(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    const struct lm_pg_request rows = {.sql = "SELECT g FROM generate_series(3, 5) g",
                                       .single_row = true,
                                       .result = on_result,
                                       .done = on_done,
                                       .context = f};
    struct lm_error error;
    send_along(f, pg, "SELECT 1");
    send_along(f, pg, "SELECT 2");
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(PQtransactionStatus(lm_pg_raw(pg)) == PQTRANS_IDLE);
    assert_int_equal(lm_pg_send(pg, &rows, &error), 0);
    send_sql(f, pg, "SELECT 6; SELECT 7"); /* the connection is out of the pipeline again */
    wait_until(f, &f->done, 4);
    assert_string_equal(f->trace, "1 done 2 done 3 4 5 done 6 7 done");
    assert_int_equal(f->results, 8); /* the rows came one by one, and their end */
    close_now(f, pg);
}

static void nothing_runs_behind_what_failed_in_a_pipeline(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    f->trace[0] = '\0';
    send_along(f, pg, "INSERT INTO t VALUES (1)");
    send_along(f, pg, "SELECT 1 / 0");
    send_along(f, pg, "SELECT 2");
    send_sql(f, pg, "INSERT INTO t VALUES (2)");
    wait_until(f, &f->done, 5);
    assert_int_equal(f->done_error.decision, LM_RETRY);
    assert_string_equal(f->done_error.sqlstate, "22012");
    assert_null(strstr(f->trace, "2"));
    run_sql(f, pg, "SELECT count(*) FROM t"); /* one transaction, but for a COMMIT in it */
    assert_string_equal(f->last_value, "0");
    close_now(f, pg);
}

static void a_statement_alone_in_its_message_cannot_bring_another_in_a_pipeline(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_along(f, pg, "BEGIN");
    send_sql(f, pg, "SELECT 1; COMMIT");
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "42601");
    run_sql(f, pg, "ROLLBACK");
    close_now(f, pg);
}

static void a_connection_that_breaks_in_a_pipeline_fails_all_that_is_left_of_it(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_along(f, pg, "SELECT pg_terminate_backend(pg_backend_pid())");
    send_along(f, pg, "SELECT 2");
    send_sql(f, pg, "SELECT 3");
    wait_until(f, &f->lost, 1);
    assert_int_equal(f->done, 3);
    assert_string_equal(f->done_error.kind, "connection_lost");
    assert_null(strstr(f->trace, "3"));
}

/* A FATAL comes before the end of most; of some nothing comes. */
static void a_connection_that_breaks_without_a_word_fails_what_is_left_of_a_pipeline(void **state)
{
    struct fixture *f = *state;
    for (int behind = 0; behind < 3; behind++) {
        struct lm_pg *pg = connected(f);
        const int done = f->done, lost = f->lost;
        f->trace[0] = '\0';
        send_along(f, pg, "BEGIN");
        for (int i = 0; i < behind; i++)
            send_along(f, pg, "SELECT pg_sleep(30)");
        send_sql(f, pg, "SELECT pg_sleep(30)");
        uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_int_equal(shutdown(PQsocket(lm_pg_raw(pg)), SHUT_RDWR), 0);
        wait_until(f, &f->lost, lost + 1);
        assert_int_equal(f->done, done + 2 + behind);
        assert_string_equal(f->done_error.kind, "connection_lost");
    }
}

static void closing_from_inside_a_pipeline_is_the_end_of_it(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_along(f, pg, "SELECT 1");
    send_sql(f, pg, "SELECT 2");
    f->close_in_callback = pg;
    wait_until(f, &f->closed, 1);
    assert_int_equal(f->done, 0);
}

static void a_pipeline_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_along(f, pg, "BEGIN");
    send_along(f, pg, "SELECT 1");
    send_sql(f, pg, "SELECT pg_sleep(30)");
    send_sql(f, pg, "ROLLBACK");
    wait_for_sleep(f, pg);
    int done = f->done;
    lm_pg_cancel(pg, NULL, NULL);
    wait_until(f, &f->done, done + 4);
    assert_string_equal(f->trace, "done 1 done failed done");
    close_now(f, pg);
}

/* ---- cancelling ---- */

static void on_cancelled(void *context)
{
    ((struct fixture *)context)->cancelled++;
}

static void a_cancelled_statement_fails_with_57014_and_the_next_one_runs(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_sql(f, pg, "SELECT pg_sleep(30)");
    send_sql(f, pg, "SELECT 6");
    wait_for_sleep(f, pg);
    int done = f->done;
    lm_pg_cancel(pg, on_cancelled, f);
    assert_int_equal(f->cancelled, 0);
    wait_until(f, &f->done, done + 2);
    assert_int_equal(f->cancelled, 1);
    assert_string_equal(f->trace, "failed 6 done");
    close_now(f, pg);
}

static void a_cancel_on_an_idle_connection_does_not_hit_the_next_statement(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    for (int i = 0; i < 20; i++) {
        lm_pg_cancel(pg, on_cancelled, f);
        lm_pg_cancel(pg, on_cancelled, f);
        run_sql(f, pg, "SELECT pg_sleep(0.01)");
        assert_int_equal(f->done_error.decision, LM_OK);
        assert_int_equal(f->cancelled, 2 * (i + 1));
    }
    close_now(f, pg);
}

static void close_with_a_cancel_under_way_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_sql(f, pg, "SELECT pg_sleep(3)");
    lm_pg_cancel(pg, on_cancelled, f);
    close_now(f, pg);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->cancelled, 0);
}

static void every_sqlstate_has_its_decision(void **state)
{
    static const struct {
        const char *sqlstate, *kind;
        enum lm_decision decision;
    } table[] = {
        {"40001", "rollback", LM_RETRY},
        {"40P01", "rollback", LM_RETRY},
        {"53100", "resources", LM_RETRY},
        {"53300", "resources", LM_RETRY},
        {"55P03", "lock_timeout", LM_RETRY},
        {"25006", "read_only", LM_RETRY},
        {"57014", "cancelled", LM_RETRY},
        {"58030", "system", LM_RETRY},
        {"22021", "data_exception", LM_RETRY},
        {"23505", "constraint", LM_RETRY},
        {"54001", "program_limit", LM_RETRY},
        {"LM001", "postgres", LM_RETRY},
        {"P0001", "postgres", LM_RETRY},
        {"XX000", "postgres", LM_RETRY},
        {"42P01", "statement", LM_FATAL},
        {"42703", "statement", LM_FATAL},
        {"42501", "no_privilege", LM_FATAL},
        {"28000", "authorization", LM_FATAL},
        {"3D000", "no_database", LM_FATAL},
        {"3F000", "no_schema", LM_FATAL},
        {"08006", "connection_elsewhere", LM_RETRY},
        {"57P03", "cannot_connect", LM_RETRY},
    };
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char sql[256];
        snprintf(sql, sizeof(sql),
                 "DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = 'made', DETAIL = 'so'; END$$",
                 table[i].sqlstate);
        run_sql(f, pg, sql);
        assert_string_equal(f->done_error.sqlstate, table[i].sqlstate);
        assert_string_equal(f->done_error.kind, table[i].kind);
        assert_int_equal(f->done_error.decision, table[i].decision);
        assert_non_null(strstr(f->done_error.text, "made (so)"));
        assert_int_equal(f->copy_line, 0);
    }
    close_now(f, pg);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_come_in_order),
        TEST(parameters_go_as_text_and_null),
        TEST(an_extended_request_takes_one_statement_only),
        TEST(single_rows_come_one_by_one),
        TEST(rows_before_an_error_are_handed_out_in_single_row_mode),
        TEST(a_big_result_arrives_whole),
        TEST(a_failed_statement_leaves_the_connection_usable),
        TEST(a_big_statement_is_sent_in_parts),
        TEST(copy_through_send_is_ended_not_hung),
        TEST(what_is_sent_along_runs_in_order_and_only_with_the_next),
        TEST(nothing_runs_behind_what_failed_in_a_pipeline),
        TEST(a_statement_alone_in_its_message_cannot_bring_another_in_a_pipeline),
        TEST(a_connection_that_breaks_in_a_pipeline_fails_all_that_is_left_of_it),
        TEST(a_connection_that_breaks_without_a_word_fails_what_is_left_of_a_pipeline),
        TEST(closing_from_inside_a_pipeline_is_the_end_of_it),
        TEST(a_pipeline_can_be_cancelled),
        TEST(a_cancelled_statement_fails_with_57014_and_the_next_one_runs),
        TEST(a_cancel_on_an_idle_connection_does_not_hit_the_next_statement),
        TEST(close_with_a_cancel_under_way_leaves_nothing),
        TEST(every_sqlstate_has_its_decision),
    };
    lm_log_open("test_postgres_statement", LM_LOG_WARN);
    if (getenv("LOGMILL_TEST_POSTGRES_URL") == NULL) {
        printf("skipped: LOGMILL_TEST_POSTGRES_URL names no PostgreSQL to test against\n");
        return 77;
    }
    return cmocka_run_group_tests_name("postgres_statement", tests, NULL, NULL) == 0 ? 0 : 1;
}
