#include "ctl/database.h"

#include <string.h>

/* libpq's messages have line breaks and end in one; ours are one line. */
static void flatten(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        text[--len] = '\0';
    for (char *p = text; *p != '\0'; p++) {
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    }
}

static void print_notice(void *context, const PGresult *result)
{
    FILE *notices = context;
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (notices != NULL && text != NULL)
        fprintf(notices, "  note: %s\n", text);
}

PGconn *ct_database_open(const char *url, FILE *notices, struct lm_error *error)
{
    /* Later entries win: what the URL says about the time-out holds against ours. */
    const char *const keys[] = {"connect_timeout", "fallback_application_name", "dbname", "client_encoding",
                                NULL};
    const char *const values[] = {"10", "logmill-ctl", url, "UTF8", NULL};
    PGconn *connection = PQconnectdbParams(keys, values, 1);
    if (connection == NULL) {
        lm_error_set(error, LM_FATAL, "memory", "out of memory while connecting to PostgreSQL");
        return NULL;
    }
    if (PQstatus(connection) != CONNECTION_OK) {
        char reason[320];
        snprintf(reason, sizeof reason, "%s", PQerrorMessage(connection));
        flatten(reason);
        lm_error_set(error, LM_FATAL, "postgres",
                     "cannot connect to PostgreSQL: %s. Start it, or say where it is with --postgres-url",
                     reason);
        PQfinish(connection);
        return NULL;
    }
    PQsetNoticeReceiver(connection, print_notice, notices);
    if (ct_database_run(
            connection,
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; "
            "SET default_transaction_read_only = off; SET timezone = 'UTC'; SET datestyle = 'ISO'",
            error) != 0) {
        PQfinish(connection);
        return NULL;
    }
    return connection;
}

static PGresult *checked(PGconn *connection, PGresult *result, struct lm_error *error)
{
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
        return result;
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    lm_error_set(error, LM_FATAL, "postgres", "%s%s%s%s%s", text != NULL ? text : PQerrorMessage(connection),
                 detail != NULL ? "; " : "", detail != NULL ? detail : "", hint != NULL ? "; " : "",
                 hint != NULL ? hint : "");
    if (error != NULL) {
        flatten(error->text);
        snprintf(error->sqlstate, sizeof error->sqlstate, "%s", state != NULL ? state : "");
    }
    PQclear(result);
    return NULL;
}

PGresult *ct_database_query(PGconn *connection, const char *sql, struct lm_error *error)
{
    return checked(connection, PQexec(connection, sql), error);
}

PGresult *ct_database_query_with(PGconn *connection, const char *sql, int count, const char *const *values,
                                 struct lm_error *error)
{
    return checked(connection, PQexecParams(connection, sql, count, NULL, values, NULL, NULL, 0), error);
}

int ct_database_run(PGconn *connection, const char *sql, struct lm_error *error)
{
    PGresult *result = ct_database_query(connection, sql, error);
    if (result == NULL)
        return -1;
    PQclear(result);
    return 0;
}
