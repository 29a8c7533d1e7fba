/*
 * COPY into a real PostgreSQL: back-pressure and bounded memory, the row that is refused, endings of every
 * kind.
 */
#include "common/postgres/postgres.h"

#include "common/log.h"

#include "tests/unit/common/postgres_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COPY_CHUNK ((size_t)256 << 10)

struct copy_fixture {
    struct fixture fixture; /* first: callbacks of both kinds take one context */
    size_t to_send, sent;   /* bytes */
    const char *chunk;      /* sent again and again */
    size_t chunk_len;
    int drained;
    long peak_kb;
    struct lm_pg *holder; /* of the lock that hold_back() takes */
    bool let_go_when_full;
};

static int open_fixture(void **state)
{
    struct copy_fixture *c = calloc(1, sizeof(*c));
    *state = c;
    return c == NULL ? -1 : fixture_begin(&c->fixture);
}

static long resident_kb(void)
{
    long pages = 0, ignored;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL && fscanf(file, "%ld %ld", &ignored, &pages) != 2)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The server takes no row until the lock is let go: whoever sends meets back-pressure, however slow it is. */
static void hold_back(struct copy_fixture *c, char copy[static 128])
{
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = f->pg;
    char sql[64];
    c->holder = connected(f);
    snprintf(sql, sizeof(sql), "SELECT pg_advisory_lock(%d)", lm_pg_backend_pid(pg));
    run_sql(f, c->holder, sql);
    f->pg = pg;
    snprintf(copy, 128, "COPY t FROM STDIN WHERE pg_advisory_xact_lock_shared(%d) IS NOT NULL",
             lm_pg_backend_pid(pg));
}

static void let_go(struct copy_fixture *c)
{
    lm_pg_close(c->holder, on_closed, c);
}

static void feed(struct copy_fixture *c)
{
    while (c->sent < c->to_send) {
        int answer = lm_pg_copy_put(c->fixture.pg, c->chunk, c->chunk_len);
        if (answer < 0)
            return;
        c->sent += c->chunk_len;
        long now = resident_kb();
        c->peak_kb = now > c->peak_kb ? now : c->peak_kb;
        if (answer == 1) {
            if (c->let_go_when_full)
                let_go(c);
            c->let_go_when_full = false;
            return;
        }
    }
    lm_pg_copy_end(c->fixture.pg, NULL);
}

static void on_copy_started(const struct lm_error *error, void *context)
{
    on_started(error, context);
    if (error == NULL)
        feed(context);
}

static void on_copy_drained(void *context)
{
    struct copy_fixture *c = context;
    c->drained++;
    feed(c);
}

static void copy_with(struct copy_fixture *c, const char *sql,
                      void (*started)(const struct lm_error *, void *))
{
    struct lm_error error;
    struct lm_pg_copy copy = {
        .sql = sql, .started = started, .drained = on_copy_drained, .done = on_done, .context = c};
    if (lm_pg_copy_start(c->fixture.pg, &copy, &error) != 0)
        fail_msg("lm_pg_copy_start: %s", error.text);
}

static char *text_chunk(void)
{
    char *chunk = malloc(COPY_CHUNK);
    assert_non_null(chunk);
    for (size_t i = 0; i < COPY_CHUNK; i++)
        chunk[i] = i % 128 == 127 ? '\n' : (char)('a' + i % 26);
    return chunk;
}

static void copy_of_100_mb_stays_in_bounded_memory(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    char *chunk = text_chunk(), copy[128];
    run_sql(f, pg, "CREATE TEMP TABLE t (line text)");
    hold_back(c, copy);
    c->chunk = chunk;
    c->chunk_len = COPY_CHUNK;
    c->to_send = (size_t)100 << 20;
    c->let_go_when_full = true;
    int done = f->done;
    long before = resident_kb();
    copy_with(c, copy, on_copy_started);
    wait_until(f, &f->done, done + 1);
    assert_int_equal(f->done_error.decision, LM_OK);
    assert_true(c->drained > 0);
    assert_int_equal(c->sent, c->to_send);
    run_sql(f, pg, "SELECT count(*) FROM t");
    assert_string_equal(f->last_value, "819200");
    print_message("COPY of 100 MB: %ld KiB more resident at most, drained %d times\n", c->peak_kb - before,
                  c->drained);
    assert_true(c->peak_kb - before < 24L * 1024);
    free(chunk);
    close_now(f, pg);
}

static void copy_in_a_transaction_sent_in_one_message_works(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    c->chunk = "1\n2\n3\n";
    c->chunk_len = c->to_send = 6;
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(c, "BEGIN; COPY t FROM STDIN", on_copy_started);
    send_sql(f, pg, "SELECT count(*) FROM t; COMMIT");
    wait_until(f, &f->done, 3);
    assert_string_equal(f->last_value, "3");
    assert_int_equal(f->done_error.decision, LM_OK);
    close_now(f, pg);
}

static void copy_of_a_wrong_table_fails_at_the_start(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    copy_with(c, "COPY no_such_table FROM STDIN", on_copy_started);
    send_sql(f, pg, "SELECT 8");
    wait_until(f, &f->done, 1);
    assert_int_equal(f->started, 1);
    assert_string_equal(f->started_error.sqlstate, "42P01");
    assert_int_equal(f->started_error.decision, LM_FATAL);
    assert_string_equal(f->trace, "8 done");
    close_now(f, pg);
}

static void copy_start_with_another_statement_is_refused(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    copy_with(c, "SELECT 1", on_copy_started);
    wait_until(f, &f->started, 1);
    assert_string_equal(f->started_error.kind, "not_a_copy");
    send_sql(f, pg, "COPY (SELECT 1) FROM STDIN");
    wait_until(f, &f->done, 1);
    assert_int_equal(f->done_error.decision, LM_FATAL);
    close_now(f, pg);
}

static void copy_names_the_bad_row(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    c->chunk = "1\n2\nthree\n4\n";
    c->chunk_len = c->to_send = strlen(c->chunk);
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(c, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 2);
    assert_int_equal(f->copy_line, 3);
    assert_string_equal(f->done_error.sqlstate, "22P02");
    assert_int_equal(f->done_error.decision, LM_DEAD_LETTER);
    run_sql(f, pg, "SELECT count(*) FROM t");
    assert_string_equal(f->last_value, "0");
    close_now(f, pg);
}

/* The context of an error inside a trigger names the trigger first, the COPY line after it. */
static void copy_names_the_row_behind_a_trigger_too(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg,
            "CREATE TEMP TABLE t (n int);"
            "CREATE FUNCTION pg_temp.odd() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN PERFORM 1 / (NEW.n - 4); RETURN NEW; END$$;"
            "CREATE TRIGGER o BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION pg_temp.odd()");
    c->chunk = "1\n2\n3\n4\n5\n";
    c->chunk_len = c->to_send = strlen(c->chunk);
    copy_with(c, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "22012");
    assert_int_equal(f->copy_line, 4);
    assert_int_equal(f->done_error.decision, LM_DEAD_LETTER);
    close_now(f, pg);
}

static void copy_of_a_row_without_a_leaf_is_no_poison(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    c->chunk = "5\n";
    c->chunk_len = c->to_send = 2;
    run_sql(f, pg, "CREATE TEMP TABLE t (n int CHECK (n < 9)) PARTITION BY RANGE (n)");
    copy_with(c, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "23514");
    assert_string_equal(f->done_error.kind, "no_partition");
    assert_int_equal(f->done_error.decision, LM_RETRY);
    run_sql(f, pg, "CREATE TEMP TABLE leaf PARTITION OF t DEFAULT");
    c->sent = 0;
    c->chunk = "9\n";
    copy_with(c, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 4);
    assert_string_equal(f->done_error.sqlstate, "23514");
    assert_int_equal(f->done_error.decision, LM_DEAD_LETTER);
    assert_int_equal(f->copy_line, 1);
    close_now(f, pg);
}

static void copy_ended_with_an_error_stores_nothing(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(c, "COPY t FROM STDIN", on_started);
    wait_until(f, &f->started, 1);
    assert_int_equal(lm_pg_copy_put(pg, "1\n", 2), 0);
    lm_pg_copy_end(pg, "changed my mind");
    assert_int_equal(lm_pg_copy_put(pg, "2\n", 2), -1);
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "57014");
    assert_non_null(strstr(f->done_error.text, "changed my mind"));
    close_now(f, pg);
}

/* The bad row is the first of 100 MB: the rest must not be sent. */
static void a_refused_copy_ends_long_before_everything_is_sent(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    char *chunk = text_chunk();
    c->chunk = chunk;
    c->chunk_len = COPY_CHUNK;
    c->to_send = (size_t)4 << 30;
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(c, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "22P02");
    assert_int_equal(f->copy_line, 1);
    assert_true(c->sent < c->to_send);
    print_message("refused after %zu MiB\n", c->sent >> 20);
    run_sql(f, pg, "SELECT 2");
    assert_string_equal(f->last_value, "2");
    free(chunk);
    close_now(f, pg);
}

/* No row follows, so only the server's message can end it. */
static void a_copy_refused_while_we_wait_is_noticed(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(c, "COPY t FROM STDIN", on_started);
    wait_until(f, &f->started, 1);
    char rows[70000];
    memset(rows, 'x', sizeof(rows));
    for (size_t i = 9; i < sizeof(rows); i += 10)
        rows[i] = '\n';
    assert_int_equal(lm_pg_copy_put(pg, rows, sizeof(rows)), 0);
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "22P02");
    assert_int_equal(lm_pg_copy_put(pg, rows, sizeof(rows)), -1);
    lm_pg_copy_end(pg, NULL);
    close_now(f, pg);
}

static void on_end_timer(uv_timer_t *timer)
{
    lm_pg_copy_end(timer->data, NULL);
}

/* The refusal is with libpq already, and nothing more comes that could wake the loop. */
static void a_copy_ended_just_after_its_refusal_came_is_noticed(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    uv_timer_t timer;
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(c, "COPY t FROM STDIN", on_started);
    wait_until(f, &f->started, 1);
    assert_int_equal(lm_pg_copy_put(pg, "bad\n", 4), 0);
    assert_int_equal(uv_timer_init(&f->loop, &timer), 0);
    timer.data = pg;
    assert_int_equal(uv_timer_start(&timer, on_end_timer, 20, 0), 0);
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "22P02");
    uv_close((uv_handle_t *)&timer, NULL);
    run_sql(f, pg, "SELECT 2");
    close_now(f, pg);
}

static void notices_in_the_middle_do_not_end_a_copy(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg,
            "CREATE TEMP TABLE t (n text);"
            "CREATE FUNCTION pg_temp.shout() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE NOTICE 'row % %', NEW.n, repeat('n', 9000); RETURN NEW; END$$;"
            "CREATE TRIGGER s BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION pg_temp.shout()");
    assert_int_equal(f->done_error.decision, LM_OK);
    char rows[2000];
    for (size_t i = 0; i < sizeof(rows); i++)
        rows[i] = i % 100 == 99 ? '\n' : 'r';
    copy_with(c, "COPY t FROM STDIN", on_started);
    wait_until(f, &f->started, 1);
    assert_int_equal(lm_pg_copy_put(pg, rows, sizeof(rows)), 0);
    for (int i = 0; i < 300; i++) { /* listening, then the rest */
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(2000);
    }
    assert_int_equal(f->done, 1);
    assert_int_not_equal(lm_pg_copy_put(pg, rows, sizeof(rows)), -1); /* 1 while half a notice is there */
    lm_pg_copy_end(pg, NULL);
    wait_until(f, &f->done, 2);
    assert_int_equal(f->done_error.decision, LM_OK);
    close_now(f, pg);
}

static void a_copy_killed_in_the_middle_is_lost(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg, "CREATE TEMP TABLE t (line text)");
    copy_with(c, "COPY t FROM STDIN", on_started);
    wait_until(f, &f->started, 1);
    assert_int_equal(lm_pg_copy_put(pg, "abc\n", 4), 0);
    terminate(f, lm_pg_backend_pid(pg));
    wait_until(f, &f->lost, 1);
    assert_int_equal(f->done, 2);
    assert_string_equal(f->done_error.kind, "connection_lost");
    assert_string_equal(f->done_error.sqlstate, "57P01");
}

/* A COPY of 100 MB that cannot end before c->holder lets go. Its chunk, which the caller frees. */
static char *start_held_back(struct copy_fixture *c)
{
    struct fixture *f = &c->fixture;
    char *chunk = text_chunk(), copy[128];
    run_sql(f, f->pg, "CREATE TEMP TABLE t (line text)");
    hold_back(c, copy);
    c->chunk = chunk;
    c->chunk_len = COPY_CHUNK;
    c->to_send = (size_t)100 << 20;
    copy_with(c, copy, on_copy_started);
    wait_until(f, &f->started, 1);
    assert_true(c->sent < c->to_send);
    return chunk;
}

static void a_copy_killed_while_we_send_is_lost(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    char *chunk = start_held_back(c);
    int done = f->done;
    terminate(f, lm_pg_backend_pid(pg));
    wait_until(f, &f->lost, 1);
    assert_int_equal(f->done, done + 1);
    assert_string_equal(f->done_error.kind, "connection_lost");
    assert_int_equal(f->done_error.decision, LM_RETRY);
    close_now(f, c->holder);
    free(chunk);
}

static void a_copy_killed_at_its_end_is_lost(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg,
            "CREATE TEMP TABLE t (n text);"
            "CREATE FUNCTION pg_temp.slow() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN PERFORM pg_sleep(20); RETURN NEW; END$$;"
            "CREATE TRIGGER s AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.slow()");
    c->chunk = "1\n";
    c->chunk_len = c->to_send = 2;
    copy_with(c, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->started, 1);
    terminate(f, lm_pg_backend_pid(pg));
    wait_until(f, &f->lost, 1);
    assert_int_equal(f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "57P01");
}

static void close_in_the_middle_of_a_copy_leaves_nothing(void **state)
{
    struct copy_fixture *c = *state;
    struct fixture *f = &c->fixture;
    struct lm_pg *pg = connected(f);
    char *chunk = start_held_back(c);
    int done = f->done;
    f->pg = NULL;
    close_now(f, pg);
    assert_int_equal(f->done, done);
    close_now(f, c->holder);
    free(chunk);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(copy_of_100_mb_stays_in_bounded_memory),
        TEST(copy_in_a_transaction_sent_in_one_message_works),
        TEST(copy_of_a_wrong_table_fails_at_the_start),
        TEST(copy_start_with_another_statement_is_refused),
        TEST(copy_names_the_bad_row),
        TEST(copy_names_the_row_behind_a_trigger_too),
        TEST(copy_of_a_row_without_a_leaf_is_no_poison),
        TEST(copy_ended_with_an_error_stores_nothing),
        TEST(a_refused_copy_ends_long_before_everything_is_sent),
        TEST(a_copy_refused_while_we_wait_is_noticed),
        TEST(a_copy_ended_just_after_its_refusal_came_is_noticed),
        TEST(notices_in_the_middle_do_not_end_a_copy),
        TEST(a_copy_killed_in_the_middle_is_lost),
        TEST(a_copy_killed_while_we_send_is_lost),
        TEST(a_copy_killed_at_its_end_is_lost),
        TEST(close_in_the_middle_of_a_copy_leaves_nothing),
    };
    lm_log_open("test_postgres_copy", LM_LOG_WARN);
    if (getenv("LOGMILL_TEST_POSTGRES_URL") == NULL) {
        printf("skipped: LOGMILL_TEST_POSTGRES_URL names no PostgreSQL to test against\n");
        return 77;
    }
    return cmocka_run_group_tests_name("postgres_copy", tests, NULL, NULL) == 0 ? 0 : 1;
}
