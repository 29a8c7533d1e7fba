/*
 * A connection to PostgreSQL: how it comes about, against a real server and against sockets that misbehave,
 * how it is lost and closed, and that it leaves nothing behind.
 */
#include "common/postgres/postgres.h"

#include "common/log.h"

#include "tests/unit/common/failing_alloc.h"
#include "tests/unit/common/postgres_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int listen_on(unsigned short *port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    if (backlog > 0)
        assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

/* Where a port of this machine is no PostgreSQL. */
static struct lm_pg *start_at(struct fixture *f, unsigned short port, unsigned timeout_ms)
{
    char conninfo[128];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%u user=x dbname=x", port);
    return start(f, conninfo, timeout_ms);
}

/* ---- without a server ---- */

static void open_with_an_unknown_keyword_is_fatal(void **state)
{
    struct fixture *f = *state;
    struct lm_pg_options options = {.loop = &f->loop, .conninfo = "hots=localhost", .opened = on_opened};
    struct lm_pg *pg = NULL;
    struct lm_error error;
    assert_int_equal(lm_pg_open(&options, &pg, &error), -1);
    assert_int_equal(error.decision, LM_FATAL);
    assert_string_equal(error.kind, "conninfo");
    assert_non_null(strstr(error.text, "hots"));
}

static void open_with_a_wrong_value_is_fatal(void **state)
{
    struct fixture *f = *state;
    struct lm_pg_options options = {
        .loop = &f->loop, .conninfo = "host=127.0.0.1 sslmode=perhaps", .opened = on_opened};
    struct lm_pg *pg = NULL;
    struct lm_error error;
    assert_int_equal(lm_pg_open(&options, &pg, &error), -1);
    assert_int_equal(error.decision, LM_FATAL);
    assert_non_null(strstr(error.text, "perhaps"));
}

static void open_does_not_show_the_password(void **state)
{
    struct fixture *f = *state;
    struct lm_pg_options options = {
        .loop = &f->loop, .conninfo = "postgresql://u:hush@127.0.0.1/db?colour=red", .opened = on_opened};
    struct lm_pg *pg = NULL;
    struct lm_error error;
    assert_int_equal(lm_pg_open(&options, &pg, &error), -1);
    assert_null(strstr(error.text, "hush"));
}

static void connect_to_a_closed_port_is_retry(void **state)
{
    struct fixture *f = *state;
    unsigned short port;
    int fd = listen_on(&port, 0); /* bound, not listening: refused */
    start_at(f, port, 0);
    wait_until(f, &f->opened, 1);
    assert_int_equal(f->open_error.decision, LM_RETRY);
    assert_string_equal(f->open_error.kind, "connect");
    assert_non_null(strstr(f->open_error.text, "refused"));
    close(fd);
}

static void connect_to_a_silent_server_times_out(void **state)
{
    struct fixture *f = *state;
    unsigned short port;
    int fd = listen_on(&port, 5);
    uint64_t before = uv_hrtime();
    start_at(f, port, 200);
    wait_until(f, &f->opened, 1);
    assert_string_equal(f->open_error.kind, "connect_timeout");
    assert_int_equal(f->open_error.decision, LM_RETRY);
    assert_true((uv_hrtime() - before) / 1000000 >= 150);
    close(fd);
}

static void connect_to_a_server_that_hangs_up_is_retry(void **state)
{
    struct fixture *f = *state;
    unsigned short port;
    int fd = listen_on(&port, 5);
    start_at(f, port, 5000);
    int peer = accept(fd, NULL, NULL);
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(peer);
    wait_until(f, &f->opened, 1);
    assert_int_equal(f->open_error.decision, LM_RETRY);
    close(fd);
}

static void connect_to_a_server_that_talks_nonsense_is_retry(void **state)
{
    struct fixture *f = *state;
    unsigned short port;
    int fd = listen_on(&port, 5);
    start_at(f, port, 1000);
    int peer = accept(fd, NULL, NULL);
    assert_int_equal(send(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0), 28);
    wait_until(f, &f->opened, 1);
    assert_int_equal(f->open_error.decision, LM_RETRY);
    close(peer);
    close(fd);
}

static void close_while_connecting_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned short port;
    int fd = listen_on(&port, 5);
    struct lm_pg *pg = start_at(f, port, 0);
    struct lm_pg_request request = {.sql = "SELECT 1", .done = on_done, .context = f};
    struct lm_error error;
    assert_int_equal(lm_pg_send(pg, &request, &error), 0);
    close_now(f, pg);
    assert_int_equal(f->opened, 0);
    assert_int_equal(f->done, 0);
    close(fd);
}

static void statements_queued_while_connecting_fail_with_the_connection(void **state)
{
    struct fixture *f = *state;
    unsigned short port;
    int fd = listen_on(&port, 0);
    f->pg = start_at(f, port, 0);
    send_sql(f, f->pg, "SELECT 1");
    struct lm_error error;
    struct lm_pg_copy copy = {
        .sql = "COPY x FROM STDIN", .started = on_started, .done = on_done, .context = f};
    assert_int_equal(lm_pg_copy_start(f->pg, &copy, &error), 0);
    wait_until(f, &f->opened, 1);
    assert_int_equal(f->done, 1);
    assert_string_equal(f->done_error.kind, "connect");
    assert_int_equal(f->started, 1);
    assert_string_equal(f->started_error.kind, "connect");
    close(fd);
}

static void queue_is_bounded(void **state)
{
    struct fixture *f = *state;
    unsigned short port;
    int fd = listen_on(&port, 5);
    struct lm_pg *pg = start_at(f, port, 0);
    struct lm_pg_request request = {.sql = "SELECT 1", .done = on_done, .context = f};
    struct lm_error error;
    int taken = 0;
    while (lm_pg_send(pg, &request, &error) == 0)
        taken++;
    assert_int_equal(taken, 1000);
    assert_string_equal(error.kind, "queue_full");
    close_now(f, pg);
    close(fd);
}

/* ---- with a server ---- */

static void settings_reach_the_session(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg,
            "SELECT current_setting('statement_timeout') || current_setting('application_name') || "
            "current_setting('client_encoding')");
    assert_string_equal(f->last_value, "1mintest_postgresUTF8");
    close_now(f, pg);
}

static void the_users_options_and_ours_are_joined(void **state)
{
    struct fixture *f = *state;
    char conninfo[512];
    snprintf(conninfo, sizeof(conninfo), "%s?options=-c%%20lock_timeout%%3D7s&application_name=theirs",
             getenv("LOGMILL_TEST_POSTGRES_URL"));
    f->pg = start(f, conninfo, 0);
    run_sql(f, f->pg,
            "SELECT current_setting('statement_timeout') || current_setting('lock_timeout') || "
            "current_setting('application_name')");
    assert_string_equal(f->last_value, "1min7stheirs");
    close_now(f, f->pg);
}

static void a_refused_host_gives_way_to_the_next(void **state)
{
    struct fixture *f = *state;
    const char *url = getenv("LOGMILL_TEST_POSTGRES_URL");
    const char *at = strchr(url, '@');
    unsigned short port, other;
    int fd = listen_on(&port, 0), silent = listen_on(&other, 5);
    char conninfo[512];
    if (at == NULL)
        skip();
    snprintf(conninfo, sizeof(conninfo), "%.*s@127.0.0.1:%u,127.0.0.1:%u,%s", (int)(at - url), url, port,
             other, at + 1);
    int tries = 0;
    do { /* each has so long, the one that answers too: again where that was too slow */
        lm_error_clear(&f->open_error);
        f->pg = start(f, conninfo, 2000);
        run_sql(f, f->pg, "SELECT 5");
        wait_until(f, &f->opened, ++tries);
    } while (f->open_error.decision == LM_RETRY);
    assert_string_equal(f->last_value, "5");
    assert_int_equal(f->opened, tries);
    close_now(f, f->pg);
    close(fd);
    close(silent);
}

static void an_unknown_database_is_fatal(void **state)
{
    struct fixture *f = *state;
    const char *url = getenv("LOGMILL_TEST_POSTGRES_URL");
    char conninfo[512];
    snprintf(conninfo, sizeof(conninfo), "%.*s/no_such_database", (int)(strrchr(url, '/') - url), url);
    start(f, conninfo, 0);
    wait_until(f, &f->opened, 1);
    assert_int_equal(f->open_error.decision, LM_FATAL);
    assert_string_equal(f->open_error.sqlstate, "3D000");
}

static void close_in_opened_is_allowed(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = start(f, getenv("LOGMILL_TEST_POSTGRES_URL"), 0);
    f->close_in_callback = pg;
    wait_until(f, &f->closed, 1);
    assert_int_equal(f->opened, 1);
}

static void close_in_result_is_allowed(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    f->close_in_callback = pg;
    send_sql(f, pg, "SELECT 1; SELECT 2");
    send_sql(f, pg, "SELECT 3");
    wait_until(f, &f->closed, 1);
    assert_int_equal(f->done, 0);
    assert_int_equal(f->results, 1);
}

static void close_in_the_middle_of_a_query_does_not_wait(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    uint64_t before = uv_hrtime();
    send_sql(f, pg, "SELECT pg_sleep(50)");
    for (int i = 0; i < 3; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    close_now(f, pg);
    assert_int_equal(f->done, 0);
    assert_true((uv_hrtime() - before) / 1000000 < 40000);
}

static void an_idle_connection_that_is_ended_is_lost_with_the_servers_reason(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    terminate(f, lm_pg_backend_pid(pg));
    wait_until(f, &f->lost, 1);
    assert_string_equal(f->lost_error.kind, "connection_lost");
    assert_string_equal(f->lost_error.sqlstate, "57P01");
    assert_int_equal(f->lost_error.decision, LM_RETRY);
}

static void running_and_queued_statements_fail_when_the_connection_is_ended(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_sql(f, pg, "SELECT pg_sleep(30)");
    send_sql(f, pg, "SELECT 1");
    terminate(f, lm_pg_backend_pid(pg));
    wait_until(f, &f->lost, 1);
    assert_int_equal(f->done, 2);
    assert_string_equal(f->done_error.kind, "connection_lost");
    assert_string_equal(f->done_error.sqlstate, "57P01");
    assert_non_null(strstr(f->trace, "failed failed lost"));
}

static void on_lost_tries_to_send(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct fixture *f = context;
    struct lm_pg_request request = {.sql = "SELECT 1", .done = on_done, .context = f};
    struct lm_error refusal;
    f->lost_error = *error;
    assert_int_equal(lm_pg_send(pg, &request, &refusal), -1);
    assert_int_equal(refusal.decision, LM_RETRY);
    assert_int_equal(lm_pg_copy_put(pg, "x", 1), -1);
    lm_pg_cancel(pg, NULL, NULL);
    lm_pg_close(pg, on_closed, f);
    f->lost++;
}

static void a_statement_after_the_loss_is_refused_and_close_in_lost_is_allowed(void **state)
{
    struct fixture *f = *state;
    struct lm_pg_options options = {.loop = &f->loop,
                                    .conninfo = getenv("LOGMILL_TEST_POSTGRES_URL"),
                                    .opened = on_opened,
                                    .lost = on_lost_tries_to_send,
                                    .context = f};
    struct lm_error error;
    struct lm_pg *pg = NULL;
    assert_int_equal(lm_pg_open(&options, &pg, &error), 0);
    wait_until(f, &f->opened, 1);
    terminate(f, lm_pg_backend_pid(pg));
    wait_until(f, &f->closed, 2);
    assert_int_equal(f->lost, 1);
}

/* The loss is met by the owner's own call: the news still comes from the loop. */
static void a_loss_met_by_a_call_is_told_from_the_loop(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    shutdown(PQsocket(lm_pg_raw(pg)), SHUT_RDWR);
    send_sql(f, pg, "SELECT 1");
    assert_int_equal(f->done, 0);
    wait_until(f, &f->lost, 1);
    assert_int_equal(f->done, 1);
    assert_string_equal(f->done_error.kind, "connection_lost");
}

/* Whatever allocation fails: an error at once, or one callback; never a hang, never a leak. */
static void a_connection_without_memory_fails_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    bool struck = true;
    for (unsigned n = 1; struck; n++) {
        struct lm_pg_options options = {.loop = &f->loop,
                                        .conninfo = getenv("LOGMILL_TEST_POSTGRES_URL"),
                                        .application_name = "test_postgres",
                                        .settings = "-c lock_timeout=5s",
                                        .opened = on_opened,
                                        .lost = on_lost,
                                        .context = f};
        const char *params[] = {"one", NULL};
        struct lm_pg_request request = {.sql = "SELECT $1::text, $2::text",
                                        .param_count = 2,
                                        .params = params,
                                        .done = on_done,
                                        .context = f};
        struct lm_error error;
        int opened = f->opened, done = f->done;
        lm_error_clear(&f->open_error);
        failing_alloc_after(n);
        struct lm_pg *pg = NULL;
        int started = lm_pg_open(&options, &pg, &error);
        if (started == 0 && lm_pg_send(pg, &request, &error) == 0)
            wait_until(f, &f->done, done + 1);
        if (started == 0) {
            wait_until(f, &f->opened, opened + 1);
            if (f->open_error.decision == LM_OK)
                lm_pg_cancel(pg, NULL, NULL);
        }
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        if (started != 0)
            assert_true(error.text[0] != '\0');
        else if (f->open_error.decision == LM_OK)
            close_now(f, pg);
        else
            assert_true(f->open_error.text[0] != '\0');
        uv_run(&f->loop, UV_RUN_DEFAULT);
    }
    assert_int_equal(f->lost, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest offline[] = {
        TEST(open_with_an_unknown_keyword_is_fatal),
        TEST(open_with_a_wrong_value_is_fatal),
        TEST(open_does_not_show_the_password),
        TEST(connect_to_a_closed_port_is_retry),
        TEST(connect_to_a_silent_server_times_out),
        TEST(connect_to_a_server_that_hangs_up_is_retry),
        TEST(connect_to_a_server_that_talks_nonsense_is_retry),
        TEST(close_while_connecting_leaves_nothing),
        TEST(statements_queued_while_connecting_fail_with_the_connection),
        TEST(queue_is_bounded),
    };
    const struct CMUnitTest online[] = {
        TEST(settings_reach_the_session),
        TEST(the_users_options_and_ours_are_joined),
        TEST(a_refused_host_gives_way_to_the_next),
        TEST(an_unknown_database_is_fatal),
        TEST(close_in_opened_is_allowed),
        TEST(close_in_result_is_allowed),
        TEST(close_in_the_middle_of_a_query_does_not_wait),
        TEST(an_idle_connection_that_is_ended_is_lost_with_the_servers_reason),
        TEST(running_and_queued_statements_fail_when_the_connection_is_ended),
        TEST(a_statement_after_the_loss_is_refused_and_close_in_lost_is_allowed),
        TEST(a_loss_met_by_a_call_is_told_from_the_loop),
        TEST(a_connection_without_memory_fails_and_leaves_nothing),
    };
    lm_log_open("test_postgres", LM_LOG_WARN);
    if (cmocka_run_group_tests_name("postgres, no server", offline, NULL, NULL) != 0)
        return 1;
    if (getenv("LOGMILL_TEST_POSTGRES_URL") == NULL) {
        printf("skipped: LOGMILL_TEST_POSTGRES_URL names no PostgreSQL to test against\n");
        return 77;
    }
    return cmocka_run_group_tests_name("postgres", online, NULL, NULL) == 0 ? 0 : 1;
}
