#include "database.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char name[64];

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

void database_run(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(conn));
    PQclear(result);
}

char *database_value(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    char *value = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return value;
}

PGconn *database_open(void)
{
    glob_t files;
    const char *url = getenv("LOGMILL_TEST_POSTGRES_URL");
    char text[512];
    PGconn *conn;

    if (url == NULL) {
        puts("LOGMILL_TEST_POSTGRES_URL is not set: run ./dev test");
        exit(77);
    }
    (void)snprintf(name, sizeof(name), "unit_%d", (int)getpid());
    conn = PQconnectdb(url);
    (void)snprintf(text, sizeof(text), "CREATE DATABASE %s", name);
    database_run(conn, text);
    /* The migrations make the roles, which belong to the cluster: of all programs, one at a time. A lock
     * belongs to its database, so it is taken in the one that they have in common. */
    database_run(conn, "SELECT pg_advisory_lock(7)");
    PGconn *turn = conn;

    const char *slash = strrchr(url, '/');
    assert_non_null(slash);
    (void)snprintf(text, sizeof(text), "%.*s/%s", (int)(slash - url), url, name);
    conn = PQconnectdb(text);
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
    database_run(conn, "SET client_min_messages = error; SET timezone = 'UTC'");
    assert_int_equal(glob(LOGMILL_SQL_DIR "/*.sql", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) { /* in the order of their numbers */
        char *sql = read_file(files.gl_pathv[i]);
        database_run(conn, "BEGIN");
        database_run(conn, sql);
        database_run(conn, "COMMIT");
        free(sql);
    }
    globfree(&files);
    PQfinish(turn);
    return conn;
}

void database_drop(PGconn *conn)
{
    char text[128];
    PQfinish(conn);
    conn = PQconnectdb(getenv("LOGMILL_TEST_POSTGRES_URL"));
    (void)snprintf(text, sizeof(text), "DROP DATABASE %s WITH (FORCE)", name);
    database_run(conn, text);
    PQfinish(conn);
}
