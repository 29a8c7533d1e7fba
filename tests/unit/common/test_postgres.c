/*
 * The libpq adapter against a real PostgreSQL (LOGMILL_TEST_POSTGRES_URL) and against sockets that misbehave.
 * Every test has a loop of its own, and the teardown fails if anything is left on it.
 */
#include "common/postgres.h"

#include "common/log.h"

#include "tests/unit/common/failing_alloc.h"
#include "tests/unit/common/loop_end.h"

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

#define COPY_CHUNK ((size_t)256 << 10)

struct fixture {
    uv_loop_t loop;
    struct lm_pg *pg;
    int opened, lost, closed, done, started, drained, results, rows, cancelled;
    struct lm_error open_error, lost_error, done_error, started_error;
    long long copy_line;
    char trace[256]; /* what was called back, in order */
    char last_value[64];
    /* what a callback does */
    struct lm_pg *close_in_callback;
    size_t to_send, sent;
    const char *chunk;
    size_t chunk_len;
    bool refused;
    long peak_kb;
    void (*when_full)(struct fixture *f); /* called once, when a put is answered with 1 */
    struct lm_pg *holder;
};

static uv_loop_t *loop_of(void **state)
{
    return &((struct fixture *)*state)->loop;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL || uv_loop_init(&f->loop) != 0)
        return -1;
    *state = f;
    alarm(100); /* a test that hangs dies with SIGALRM */
    return 0;
}

static void on_closed(void *context)
{
    ((struct fixture *)context)->closed++;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int left = loop_end(&f->loop);
    if (left == 0)
        free(f);
    return left;
}

static void wait_until(struct fixture *f, const int *what, int value)
{
    while (*what < value) {
        if (uv_run(&f->loop, UV_RUN_ONCE) == 0 && *what < value)
            fail_msg("the loop has nothing left to do, but the callback never came");
    }
}

static void note(struct fixture *f, const char *what)
{
    size_t used = strlen(f->trace);
    snprintf(f->trace + used, sizeof(f->trace) - used, "%s%s", used > 0 ? " " : "", what);
}

static void on_opened(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct fixture *f = context;
    f->opened++;
    if (error != NULL) {
        f->open_error = *error;
        f->pg = NULL;
    }
    if (f->close_in_callback == pg && pg != NULL) {
        f->pg = NULL;
        lm_pg_close(pg, on_closed, f);
    }
}

static void on_lost(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct fixture *f = context;
    (void)pg;
    f->lost++;
    f->lost_error = *error;
    f->pg = NULL;
    note(f, "lost");
}

static struct lm_pg *start(struct fixture *f, const char *conninfo, unsigned timeout_ms)
{
    struct lm_pg_options options = {.loop = &f->loop,
                                    .conninfo = conninfo,
                                    .application_name = "test_postgres",
                                    .settings = "-c statement_timeout=60s",
                                    .connect_timeout_ms = timeout_ms,
                                    .opened = on_opened,
                                    .lost = on_lost,
                                    .context = f};
    struct lm_pg *pg = NULL;
    struct lm_error error;
    lm_error_clear(&error);
    if (lm_pg_open(&options, &pg, &error) != 0)
        fail_msg("lm_pg_open: %s", error.text);
    return pg;
}

static struct lm_pg *connected(struct fixture *f)
{
    int before = f->opened;
    struct lm_pg *pg = start(f, getenv("LOGMILL_TEST_POSTGRES_URL"), 0);
    wait_until(f, &f->opened, before + 1);
    if (f->open_error.decision != LM_OK)
        fail_msg("cannot connect: %s", f->open_error.text);
    f->pg = pg;
    return pg;
}

static void close_now(struct fixture *f, struct lm_pg *pg)
{
    int before = f->closed;
    lm_pg_close(pg, on_closed, f);
    wait_until(f, &f->closed, before + 1);
}

static void on_result(const PGresult *result, void *context)
{
    struct fixture *f = context;
    f->results++;
    f->rows += PQntuples(result);
    if (PQntuples(result) > 0 && PQnfields(result) > 0) {
        const char *value = PQgetisnull(result, 0, 0) ? "NULL" : PQgetvalue(result, 0, 0);
        snprintf(f->last_value, sizeof(f->last_value), "%s", value);
        if (strlen(f->trace) < 200)
            note(f, f->last_value);
    }
    if (f->close_in_callback != NULL) {
        struct lm_pg *pg = f->close_in_callback;
        f->close_in_callback = NULL;
        f->pg = NULL;
        lm_pg_close(pg, on_closed, f);
    }
}

static void on_done(const struct lm_error *error, void *context)
{
    struct fixture *f = context;
    f->done++;
    if (error != NULL)
        f->done_error = *error;
    else
        lm_error_clear(&f->done_error);
    note(f, error != NULL ? "failed" : "done");
    if (f->pg != NULL)
        f->copy_line = lm_pg_copy_line(f->pg);
}

static void send_sql(struct fixture *f, struct lm_pg *pg, const char *sql)
{
    struct lm_error error;
    struct lm_pg_request request = {.sql = sql, .result = on_result, .done = on_done, .context = f};
    if (lm_pg_send(pg, &request, &error) != 0)
        fail_msg("lm_pg_send: %s", error.text);
}

static void run_sql(struct fixture *f, struct lm_pg *pg, const char *sql)
{
    int before = f->done;
    send_sql(f, pg, sql);
    wait_until(f, &f->done, before + 1);
}

/* ---- COPY ---- */

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

static void feed(struct fixture *f)
{
    while (f->sent < f->to_send) {
        int answer = lm_pg_copy_put(f->pg, f->chunk, f->chunk_len);
        if (answer < 0) {
            f->refused = true;
            return;
        }
        f->sent += f->chunk_len;
        long now = resident_kb();
        f->peak_kb = now > f->peak_kb ? now : f->peak_kb;
        if (answer == 1) {
            void (*when_full)(struct fixture *) = f->when_full;
            f->when_full = NULL;
            if (when_full != NULL)
                when_full(f);
            return;
        }
    }
    lm_pg_copy_end(f->pg, NULL);
}

static void on_copy_started(const struct lm_error *error, void *context)
{
    struct fixture *f = context;
    f->started++;
    if (error != NULL)
        f->started_error = *error;
    else
        feed(f);
}

static void on_copy_started_only(const struct lm_error *error, void *context)
{
    struct fixture *f = context;
    f->started++;
    if (error != NULL)
        f->started_error = *error;
}

static void on_copy_drained(void *context)
{
    struct fixture *f = context;
    f->drained++;
    feed(f);
}

static void copy_with(struct fixture *f, const char *sql, void (*started)(const struct lm_error *, void *))
{
    struct lm_error error;
    struct lm_pg_copy copy = {
        .sql = sql, .started = started, .drained = on_copy_drained, .done = on_done, .context = f};
    if (lm_pg_copy_start(f->pg, &copy, &error) != 0)
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

/* ---- without a server ---- */

static void open_with_an_unknown_keyword_is_fatal(void **state)
{
    struct lm_pg_options options = {
        .loop = loop_of(state), .conninfo = "hots=localhost", .opened = on_opened};
    struct lm_pg *pg = NULL;
    struct lm_error error;
    assert_int_equal(lm_pg_open(&options, &pg, &error), -1);
    assert_int_equal(error.decision, LM_FATAL);
    assert_string_equal(error.kind, "conninfo");
    assert_non_null(strstr(error.text, "hots"));
}

static void open_with_a_wrong_value_is_fatal(void **state)
{
    struct lm_pg_options options = {
        .loop = loop_of(state), .conninfo = "host=127.0.0.1 sslmode=perhaps", .opened = on_opened};
    struct lm_pg *pg = NULL;
    struct lm_error error;
    assert_int_equal(lm_pg_open(&options, &pg, &error), -1);
    assert_int_equal(error.decision, LM_FATAL);
    assert_non_null(strstr(error.text, "perhaps"));
}

static void open_does_not_show_the_password(void **state)
{
    struct lm_pg_options options = {.loop = loop_of(state),
                                    .conninfo = "postgresql://u:hush@127.0.0.1/db?colour=red",
                                    .opened = on_opened};
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
    char conninfo[128];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%u user=x dbname=x", port);
    start(f, conninfo, 0);
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
    char conninfo[128];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%u user=x dbname=x", port);
    uint64_t before = uv_hrtime();
    start(f, conninfo, 200);
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
    char conninfo[128];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%u user=x dbname=x", port);
    start(f, conninfo, 5000);
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
    char conninfo[128];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%u user=x dbname=x", port);
    start(f, conninfo, 1000);
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
    char conninfo[128];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%u user=x dbname=x", port);
    struct lm_pg *pg = start(f, conninfo, 0);
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
    char conninfo[128];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%u user=x dbname=x", port);
    f->pg = start(f, conninfo, 0);
    send_sql(f, f->pg, "SELECT 1");
    copy_with(f, "COPY x FROM STDIN", on_copy_started_only);
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
    char conninfo[128];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%u user=x dbname=x", port);
    struct lm_pg *pg = start(f, conninfo, 0);
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

static void results_come_in_order(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    send_sql(f, pg, "SELECT 1; SELECT 2");
    send_sql(f, pg, "SELECT 3");
    send_sql(f, pg, "");
    assert_false(lm_pg_idle(pg));
    wait_until(f, &f->done, 3);
    assert_string_equal(f->trace, "1 2 done 3 done done");
    assert_true(lm_pg_idle(pg));
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

static void terminate(struct fixture *f, int pid)
{
    char sql[64];
    struct lm_pg *victim = f->pg;
    struct lm_pg *other = connected(f);
    f->pg = victim;
    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)", pid);
    int before = f->results;
    struct lm_pg_request request = {.sql = sql, .result = on_result, .context = f};
    struct lm_error error;
    assert_int_equal(lm_pg_send(other, &request, &error), 0);
    wait_until(f, &f->results, before + 1);
    close_now(f, other);
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
    int done = f->done;
    f->trace[0] = '\0';
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
        assert_false(lm_pg_idle(pg));
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

/* The server takes no row until the lock is let go: whoever sends meets back-pressure, however slow it is. */
static void hold_back(struct fixture *f, char copy[static 128])
{
    struct lm_pg *pg = f->pg;
    char sql[64];
    f->holder = connected(f);
    snprintf(sql, sizeof(sql), "SELECT pg_advisory_lock(%d)", lm_pg_backend_pid(pg));
    run_sql(f, f->holder, sql);
    f->pg = pg;
    snprintf(copy, 128, "COPY t FROM STDIN WHERE pg_advisory_xact_lock_shared(%d) IS NOT NULL",
             lm_pg_backend_pid(pg));
}

static void let_go(struct fixture *f)
{
    lm_pg_close(f->holder, on_closed, f);
}

static void copy_of_100_mb_stays_in_bounded_memory(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    char *chunk = text_chunk(), copy[128];
    run_sql(f, pg, "CREATE TEMP TABLE t (line text)");
    hold_back(f, copy);
    f->chunk = chunk;
    f->chunk_len = COPY_CHUNK;
    f->to_send = (size_t)100 << 20;
    f->when_full = let_go;
    int done = f->done;
    long before = resident_kb();
    copy_with(f, copy, on_copy_started);
    wait_until(f, &f->done, done + 1);
    assert_int_equal(f->done_error.decision, LM_OK);
    assert_true(f->drained > 0);
    assert_int_equal(f->sent, f->to_send);
    run_sql(f, pg, "SELECT count(*) FROM t");
    assert_string_equal(f->last_value, "819200");
    print_message("COPY of 100 MB: %ld KiB more resident at most, drained %d times\n", f->peak_kb - before,
                  f->drained);
    assert_true(f->peak_kb - before < 24L * 1024);
    free(chunk);
    close_now(f, pg);
}

static void copy_in_a_transaction_sent_in_one_message_works(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    f->chunk = "1\n2\n3\n";
    f->chunk_len = f->to_send = 6;
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(f, "BEGIN; COPY t FROM STDIN", on_copy_started);
    send_sql(f, pg, "SELECT count(*) FROM t; COMMIT");
    wait_until(f, &f->done, 3);
    assert_string_equal(f->last_value, "3");
    assert_int_equal(f->done_error.decision, LM_OK);
    close_now(f, pg);
}

static void copy_of_a_wrong_table_fails_at_the_start(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    copy_with(f, "COPY no_such_table FROM STDIN", on_copy_started);
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
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    copy_with(f, "SELECT 1", on_copy_started);
    wait_until(f, &f->started, 1);
    assert_string_equal(f->started_error.kind, "not_a_copy");
    send_sql(f, pg, "COPY (SELECT 1) FROM STDIN");
    wait_until(f, &f->done, 1);
    assert_int_equal(f->done_error.decision, LM_FATAL);
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

/* The context of an error inside a trigger names the trigger first, the COPY line after it. */
static void copy_names_the_row_behind_a_trigger_too(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg,
            "CREATE TEMP TABLE t (n int);"
            "CREATE FUNCTION pg_temp.odd() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN PERFORM 1 / (NEW.n - 4); RETURN NEW; END$$;"
            "CREATE TRIGGER o BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION pg_temp.odd()");
    f->chunk = "1\n2\n3\n4\n5\n";
    f->chunk_len = f->to_send = strlen(f->chunk);
    copy_with(f, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "22012");
    assert_int_equal(f->copy_line, 4);
    assert_int_equal(f->done_error.decision, LM_DEAD_LETTER);
    close_now(f, pg);
}

static void copy_names_the_bad_row(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    f->chunk = "1\n2\nthree\n4\n";
    f->chunk_len = f->to_send = strlen(f->chunk);
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(f, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 2);
    assert_int_equal(f->copy_line, 3);
    assert_string_equal(f->done_error.sqlstate, "22P02");
    assert_int_equal(f->done_error.decision, LM_DEAD_LETTER);
    run_sql(f, pg, "SELECT count(*) FROM t");
    assert_string_equal(f->last_value, "0");
    close_now(f, pg);
}

static void copy_of_a_row_without_a_leaf_is_no_poison(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    f->chunk = "5\n";
    f->chunk_len = f->to_send = 2;
    run_sql(f, pg, "CREATE TEMP TABLE t (n int CHECK (n < 9)) PARTITION BY RANGE (n)");
    copy_with(f, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "23514");
    assert_string_equal(f->done_error.kind, "no_partition");
    assert_int_equal(f->done_error.decision, LM_RETRY);
    run_sql(f, pg, "CREATE TEMP TABLE leaf PARTITION OF t DEFAULT");
    f->sent = 0;
    f->chunk = "9\n";
    copy_with(f, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 4);
    assert_string_equal(f->done_error.sqlstate, "23514");
    assert_int_equal(f->done_error.decision, LM_DEAD_LETTER);
    assert_int_equal(f->copy_line, 1);
    close_now(f, pg);
}

static void copy_ended_with_an_error_stores_nothing(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(f, "COPY t FROM STDIN", on_copy_started_only);
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
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    char *chunk = text_chunk();
    f->chunk = chunk;
    f->chunk_len = COPY_CHUNK;
    f->to_send = (size_t)4 << 30;
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(f, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "22P02");
    assert_int_equal(f->copy_line, 1);
    assert_true(f->sent < f->to_send);
    print_message("refused after %zu MiB\n", f->sent >> 20);
    run_sql(f, pg, "SELECT 2");
    assert_string_equal(f->last_value, "2");
    free(chunk);
    close_now(f, pg);
}

/* No row follows, so only the server's message can end it. */
static void a_copy_refused_while_we_wait_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(f, "COPY t FROM STDIN", on_copy_started_only);
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
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    uv_timer_t timer;
    run_sql(f, pg, "CREATE TEMP TABLE t (n int)");
    copy_with(f, "COPY t FROM STDIN", on_copy_started_only);
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
    struct fixture *f = *state;
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
    copy_with(f, "COPY t FROM STDIN", on_copy_started_only);
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
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg, "CREATE TEMP TABLE t (line text)");
    copy_with(f, "COPY t FROM STDIN", on_copy_started_only);
    wait_until(f, &f->started, 1);
    assert_int_equal(lm_pg_copy_put(pg, "abc\n", 4), 0);
    terminate(f, lm_pg_backend_pid(pg));
    wait_until(f, &f->lost, 1);
    assert_int_equal(f->done, 2);
    assert_string_equal(f->done_error.kind, "connection_lost");
    assert_string_equal(f->done_error.sqlstate, "57P01");
}

static void a_copy_killed_while_we_send_is_lost(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    char *chunk = text_chunk(), copy[128];
    run_sql(f, pg, "CREATE TEMP TABLE t (line text)");
    hold_back(f, copy);
    f->chunk = chunk;
    f->chunk_len = COPY_CHUNK;
    f->to_send = (size_t)100 << 20;
    int done = f->done;
    copy_with(f, copy, on_copy_started);
    wait_until(f, &f->started, 1);
    assert_true(f->sent < f->to_send);
    terminate(f, lm_pg_backend_pid(pg));
    wait_until(f, &f->lost, 1);
    assert_int_equal(f->done, done + 1);
    assert_string_equal(f->done_error.kind, "connection_lost");
    assert_int_equal(f->done_error.decision, LM_RETRY);
    close_now(f, f->holder);
    free(chunk);
}

static void a_copy_killed_at_its_end_is_lost(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    run_sql(f, pg,
            "CREATE TEMP TABLE t (n text);"
            "CREATE FUNCTION pg_temp.slow() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN PERFORM pg_sleep(20); RETURN NEW; END$$;"
            "CREATE TRIGGER s AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.slow()");
    f->chunk = "1\n";
    f->chunk_len = f->to_send = 2;
    copy_with(f, "COPY t FROM STDIN", on_copy_started);
    wait_until(f, &f->started, 1);
    terminate(f, lm_pg_backend_pid(pg));
    wait_until(f, &f->lost, 1);
    assert_int_equal(f->done, 2);
    assert_string_equal(f->done_error.sqlstate, "57P01");
}

static void close_in_the_middle_of_a_copy_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct lm_pg *pg = connected(f);
    char *chunk = text_chunk(), copy[128];
    run_sql(f, pg, "CREATE TEMP TABLE t (line text)");
    hold_back(f, copy);
    f->chunk = chunk;
    f->chunk_len = COPY_CHUNK;
    f->to_send = (size_t)100 << 20;
    int done = f->done;
    copy_with(f, copy, on_copy_started);
    wait_until(f, &f->started, 1);
    assert_true(f->sent < f->to_send);
    f->pg = NULL;
    close_now(f, pg);
    assert_int_equal(f->done, done);
    close_now(f, f->holder);
    free(chunk);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

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
        TEST(results_come_in_order),
        TEST(parameters_go_as_text_and_null),
        TEST(an_extended_request_takes_one_statement_only),
        TEST(single_rows_come_one_by_one),
        TEST(rows_before_an_error_are_handed_out_in_single_row_mode),
        TEST(a_big_result_arrives_whole),
        TEST(a_failed_statement_leaves_the_connection_usable),
        TEST(a_big_statement_is_sent_in_parts),
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
        TEST(a_cancelled_statement_fails_with_57014_and_the_next_one_runs),
        TEST(a_cancel_on_an_idle_connection_does_not_hit_the_next_statement),
        TEST(close_with_a_cancel_under_way_leaves_nothing),
        TEST(copy_of_100_mb_stays_in_bounded_memory),
        TEST(copy_in_a_transaction_sent_in_one_message_works),
        TEST(copy_of_a_wrong_table_fails_at_the_start),
        TEST(copy_start_with_another_statement_is_refused),
        TEST(copy_through_send_is_ended_not_hung),
        TEST(a_connection_without_memory_fails_and_leaves_nothing),
        TEST(every_sqlstate_has_its_decision),
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
    lm_log_open("test_postgres", LM_LOG_WARN);
    if (cmocka_run_group_tests_name("postgres, no server", offline, NULL, NULL) != 0)
        return 1;
    if (getenv("LOGMILL_TEST_POSTGRES_URL") == NULL) {
        printf("skipped: LOGMILL_TEST_POSTGRES_URL names no PostgreSQL to test against\n");
        return 77;
    }
    return cmocka_run_group_tests_name("postgres", online, NULL, NULL) == 0 ? 0 : 1;
}
