#include "tests/unit/agent/sql_world.h"

#include "agent/answer/answer.h"
#include "agent/guard/guard.h"
#include "common/clock.h"
#include "tests/unit/agent/intent_spec.h"
#include "tests/unit/agent/random_intent.h"

#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void run(PGconn *connection, const char *sql, const char *what)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", what, PQerrorMessage(connection));
    }
}

void run_file(PGconn *connection, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s cannot be read", path);
    }
    size_t room = (size_t)1 << 20;
    char *sql = malloc(room);
    assert_non_null(sql);
    size_t len = fread(sql, 1, room - 1, file);
    sql[len] = '\0';
    fclose(file);
    run(connection, "BEGIN", path);
    run(connection, sql, path);
    run(connection, "COMMIT", path);
    free(sql);
}

static PGconn *connect_to(const char *url, const char *database)
{
    const char *const keys[] = {"dbname", database == NULL ? NULL : "dbname", NULL};
    const char *const values[] = {url, database, NULL};
    PGconn *connection = PQconnectdbParams(keys, values, 1);
    if (PQstatus(connection) != CONNECTION_OK) {
        fail_msg("%s: %s", url, PQerrorMessage(connection));
    }
    run(connection, "SET client_min_messages = error", "notices");
    return connection;
}

int make_world(void **state)
{
    const char *url = getenv("LOGMILL_TEST_POSTGRES_URL");
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    *state = world;
    world->admin = connect_to(url, NULL);
    snprintf(world->name, sizeof world->name, "logmill_test_sql_%ld", (long)getpid());
    char sql[128];
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", world->name);
    run(world->admin, sql, "making the test's database");
    world->db = connect_to(url, world->name);
    glob_t files;
    assert_int_equal(glob(LOGMILL_TEST_SOURCE "/sql/[0-9]*.sql", 0, NULL, &files), 0);
    /* One program at a time makes the roles, which belong to the cluster; tests/unit/consumer/database.c. */
    run(world->admin, "SELECT pg_advisory_lock(7)", "the turn to make roles");
    for (size_t i = 0; i < files.gl_pathc; i++) {
        run_file(world->db, files.gl_pathv[i]);
    }
    run(world->admin, "SELECT pg_advisory_unlock(7)", "the next one's turn");
    globfree(&files);
    run_file(world->db, LOGMILL_TEST_DATA "/sql_world.sql");
    run_file(world->db, LOGMILL_TEST_DATA "/agent_rollups.sql");
    run(world->db, "ANALYZE", "statistics");
    run(world->db, "SET ROLE logmill_reader", "the reader");
    run(world->db,
        "SET search_path = logmill_read; SET default_transaction_read_only = on; SET jit = off; SET timezone "
        "= 'UTC'",
        "the reader's settings");
    return 0;
}

int drop_world(void **state)
{
    struct world *world = *state;
    PQfinish(world->db);
    if (world->admin != NULL) {
        char sql[128];
        snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s WITH (FORCE)", world->name);
        PQclear(PQexec(world->admin, sql));
        PQfinish(world->admin);
    }
    free(world);
    return 0;
}

void execute(struct world *world, const char *spec, struct outcome *out, bool judged)
{
    struct lm_error error;
    const struct ag_guard_limits limits = {.now_us = SPEC_NOW, .max_rows = 20000};
    struct ag_guard_verdict verdict = {.pass = false};
    assert_int_equal(ag_guard(out->sql.text, &limits, &verdict, &error), 0);
    if (!verdict.pass) {
        fail_msg("%s\nthe guard rejects it: %s\n%s", spec, verdict.reason, out->sql.text);
    }
    out->rows = PQexecParams(world->db, judged ? verdict.sql : out->sql.text, 0, NULL, NULL, NULL, NULL, 0);
    ag_guard_verdict_free(&verdict);
    if (PQresultStatus(out->rows) != PGRES_TUPLES_OK) {
        fail_msg("%s\n%s%s", spec, PQerrorMessage(world->db), out->sql.text);
    }
    assert_int_equal(PQnfields(out->rows), out->sql.column_count);
    for (size_t i = 0; i < out->sql.column_count; i++) {
        assert_string_equal(PQfname(out->rows, (int)i), out->sql.columns[i].name);
    }
}

bool ask(struct world *world, const char *spec, struct lm_arena *arena, bool plain, struct outcome *out,
         struct lm_error *error)
{
    *out = (struct outcome){.rows = NULL};
    assert_true(intent_spec_parse(spec, arena, &out->intent));
    const struct ag_sql_context context = {.now_us = SPEC_NOW,
                                           .max_rows = 10000,
                                           .max_rows_stated = true,
                                           .scan_window_us = 40 * LM_DAY_US,
                                           .rows_since_us = INT64_MIN,
                                           .no_rollups = plain};
    if (ag_sql_write(&out->intent, &context, arena, &out->sql, error) != 0) {
        return false;
    }
    execute(world, spec, out, !plain);
    return true;
}

bool same_cell(const char *a, const char *b, enum ag_type type, double tolerance)
{
    if (strcmp(a, b) == 0) {
        return true;
    }
    if (type != AG_NUMBER && type != AG_INTEGER) {
        return false;
    }
    double x = strtod(a, NULL);
    double y = strtod(b, NULL);
    return fabs(x - y) <= tolerance * fmax(1e-3, fmax(fabs(x), fabs(y)));
}

static bool is_key(const struct ag_column *column)
{
    return column->role == AG_ROLE_BUCKET || column->role == AG_ROLE_GROUP || column->role == AG_ROLE_SIDE;
}

bool same_key(const struct outcome *a, int row_a, const struct outcome *b, int row_b)
{
    for (size_t i = 0; i < a->sql.column_count; i++) {
        if (is_key(&a->sql.columns[i]) &&
            (PQgetisnull(a->rows, row_a, (int)i) != PQgetisnull(b->rows, row_b, (int)i) ||
             strcmp(PQgetvalue(a->rows, row_a, (int)i), PQgetvalue(b->rows, row_b, (int)i)) != 0)) {
            return false;
        }
    }
    return true;
}

void assert_same(const char *spec, const struct outcome *a, const struct outcome *b, double tolerance)
{
    int rows = PQntuples(a->rows);
    if (rows != PQntuples(b->rows) || a->sql.column_count != b->sql.column_count) {
        fail_msg("%s\n%d rows and %d rows\n%s\n%s", spec, rows, PQntuples(b->rows), a->sql.text, b->sql.text);
    }
    for (int row = 0; row < rows; row++) {
        int other = row;
        for (int i = 0; i < rows && !same_key(a, row, b, other); i++) {
            other = i;
        }
        for (size_t i = 0; i < a->sql.column_count; i++) {
            const char *x = PQgetvalue(a->rows, row, (int)i);
            const char *y = PQgetvalue(b->rows, other, (int)i);
            bool null = PQgetisnull(a->rows, row, (int)i) != PQgetisnull(b->rows, other, (int)i);
            if (a->sql.source == AG_FROM_HISTOGRAMS && a->sql.columns[i].type == AG_NUMBER) {
                continue; /* within 3 % of a sample: percentiles_from_histograms_are_close */
            }
            if (null || !same_cell(x, y, a->sql.columns[i].type, tolerance)) {
                fail_msg("%s\nrow %d, %s: \"%s\" and \"%s\"\n%s\n%s", spec, row, a->sql.columns[i].name, x, y,
                         a->sql.text, b->sql.text);
            }
        }
    }
}

void assert_answered(const char *spec, struct outcome *outcome, struct lm_arena *arena)
{
    size_t rows = (size_t)PQntuples(outcome->rows);
    size_t columns = outcome->sql.column_count;
    const char **cells = calloc(rows * columns + 1, sizeof *cells);
    assert_non_null(cells);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            bool null = PQgetisnull(outcome->rows, (int)i, (int)j) != 0;
            cells[i * columns + j] = null ? NULL : PQgetvalue(outcome->rows, (int)i, (int)j);
        }
    }
    for (int language = AG_KO; language <= AG_EN; language++) {
        struct ag_answer answer;
        struct lm_error error;
        outcome->intent.language = (enum ag_language)language;
        const struct ag_answer_input input = {&outcome->intent, &outcome->sql, {cells, rows}, false};
        if (ag_answer_make(&input, arena, &answer, &error) != 0) {
            fail_msg("%s\n%s: %s", spec, error.kind, error.text);
        }
        assert_int_equal(json_array_size(answer.results), answer.count);
        assert_true(answer.insight != NULL && strlen(answer.insight) > 10);
        assert_non_null(ag_interpretation(&outcome->intent, &outcome->sql, arena));
        ag_answer_free(&answer);
    }
    free(cells);
}

enum ag_sql_source compare(struct world *world, const char *spec, double tolerance)
{
    struct lm_arena arena;
    struct lm_error error;
    struct outcome rollup;
    struct outcome plain;
    lm_arena_init(&arena, (size_t)64 << 20);
    bool written = ask(world, spec, &arena, false, &rollup, &error);
    bool written_plain = ask(world, spec, &arena, true, &plain, &error);
    assert_int_equal(written, written_plain);
    enum ag_sql_source source = AG_FROM_LOGS;
    if (written) {
        assert_same(spec, &rollup, &plain, tolerance);
        assert_answered(spec, &rollup, &arena);
        source = rollup.sql.source;
    } else if (strcmp(error.kind, "not_understood") != 0 && strcmp(error.kind, "bad_request") != 0) {
        fail_msg("%s\n%s: %s", spec, error.kind, error.text);
    }
    PQclear(rollup.rows);
    PQclear(plain.rows);
    lm_arena_free(&arena);
    return source;
}

void change(struct world *world, const char *sql, const char *what)
{
    run(world->db, "RESET ROLE; SET default_transaction_read_only = off", what);
    run(world->db, sql, what);
    run(world->db, "SET ROLE logmill_reader; SET default_transaction_read_only = on", what);
}
