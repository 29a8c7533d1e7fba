#include "tests/unit/common/postgres_fixture.h"

#include "tests/unit/common/loop_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int fixture_begin(struct fixture *f)
{
    alarm(100);
    return uv_loop_init(&f->loop) == 0 ? 0 : -1;
}

int fixture_end(struct fixture *f)
{
    return loop_end(&f->loop) == 0 ? 0 : -1;
}

int fixture_open(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state == NULL ? -1 : fixture_begin(*state);
}

int fixture_close(void **state)
{
    int left = fixture_end(*state);
    if (left == 0)
        free(*state);
    return left;
}

void wait_until(struct fixture *f, const int *what, int value)
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

void on_opened(struct lm_pg *pg, const struct lm_error *error, void *context)
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

void on_lost(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct fixture *f = context;
    (void)pg;
    f->lost++;
    f->lost_error = *error;
    f->pg = NULL;
    note(f, "lost");
}

void on_closed(void *context)
{
    ((struct fixture *)context)->closed++;
}

void on_result(const PGresult *result, void *context)
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

void on_done(const struct lm_error *error, void *context)
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

void on_started(const struct lm_error *error, void *context)
{
    struct fixture *f = context;
    f->started++;
    if (error != NULL)
        f->started_error = *error;
}

struct lm_pg *start(struct fixture *f, const char *conninfo, unsigned timeout_ms)
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

struct lm_pg *connected(struct fixture *f)
{
    int before = f->opened;
    struct lm_pg *pg = start(f, getenv("LOGMILL_TEST_POSTGRES_URL"), 0);
    wait_until(f, &f->opened, before + 1);
    if (f->open_error.decision != LM_OK)
        fail_msg("cannot connect: %s", f->open_error.text);
    f->pg = pg;
    return pg;
}

void close_now(struct fixture *f, struct lm_pg *pg)
{
    int before = f->closed;
    lm_pg_close(pg, on_closed, f);
    wait_until(f, &f->closed, before + 1);
}

void send_sql(struct fixture *f, struct lm_pg *pg, const char *sql)
{
    struct lm_error error;
    struct lm_pg_request request = {.sql = sql, .result = on_result, .done = on_done, .context = f};
    if (lm_pg_send(pg, &request, &error) != 0)
        fail_msg("lm_pg_send: %s", error.text);
}

void run_sql(struct fixture *f, struct lm_pg *pg, const char *sql)
{
    int before = f->done;
    send_sql(f, pg, sql);
    wait_until(f, &f->done, before + 1);
}

void terminate(struct fixture *f, int pid)
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
