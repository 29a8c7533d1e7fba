/*
 * A database of a test's own with the rows of tests/data/sql_world.sql and their rollups, and what becomes of
 * an intent in it. Everything is done over libpq as a program would: the loader as the superuser of
 * LOGMILL_TEST_POSTGRES_URL, the statements as the reader. An intent is a line, `spec` (intent_spec.h);
 * whatever goes wrong fails the test.
 */
#ifndef LOGMILL_TESTS_SQL_WORLD_H
#define LOGMILL_TESTS_SQL_WORLD_H

#include "agent/sql/sql.h"

#include <libpq-fe.h>

struct world {
    PGconn *admin; /* to the database the URL names */
    PGconn *db;    /* to our own, as the reader */
    char name[64];
};

/* Setup and teardown of a group of tests; *state is the world. */
int make_world(void **state);
int drop_world(void **state);

void run(PGconn *connection, const char *sql, const char *what);
/* In a transaction. */
void run_file(PGconn *connection, const char *path);
/* As the superuser. */
void change(struct world *world, const char *sql, const char *what);

/* One statement and its rows; PQclear them. */
struct outcome {
    struct ag_intent intent;
    struct ag_sql sql;
    PGresult *rows;
};

/* Runs out->sql into out->rows, as the guard rewrites it or, `judged` false, as it was written. */
void execute(struct world *world, const char *spec, struct outcome *out, bool judged);
/* Writes and runs, `plain` over logs alone. False where the writer refuses; its kind is in `error`. */
bool ask(struct world *world, const char *spec, struct lm_arena *arena, bool plain, struct outcome *out,
         struct lm_error *error);
/* The same bucket, groups and side? */
bool same_key(const struct outcome *a, int row_a, const struct outcome *b, int row_b);
/* The same text, or numbers that differ by `tolerance` of the larger at most. */
bool same_cell(const char *a, const char *b, enum ag_type type, double tolerance);
/* Rows with equal keys are compared: equal measures that differ in the fifteenth digit may swap places. */
void assert_same(const char *spec, const struct outcome *a, const struct outcome *b, double tolerance);
/* The answer of what came: it must be made, and say something, in both languages. */
void assert_answered(const char *spec, struct outcome *outcome, struct lm_arena *arena);
/* Asks with rollups and without: the same must come, and be answered. Where the first was read from. */
enum ag_sql_source compare(struct world *world, const char *spec, double tolerance);

#endif
