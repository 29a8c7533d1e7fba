/*
 * From what PostgreSQL says to what we do about it: the SQLSTATE decides, never the text, for the server may
 * speak any language. Only the COPY line is read from a text (the CONTEXT field has no other form), by a rule
 * that holds in the translations too: "COPY <table>, <word> <number>".
 */
#include "common/postgres/postgres.h"
#include "common/postgres/postgres_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct pg_class {
    const char *prefix; /* of the SQLSTATE; the first match counts */
    enum lm_decision decision;
    const char *kind;
};

/* 08 from the server is about a connection of its own (a foreign table, dblink): ours told us. That ours is
 * lost, "connection_lost", is not the server's to say. */
static const struct pg_class classes[] = {
    {"08", LM_RETRY, "connection_elsewhere"},
    {"22", LM_RETRY, "data_exception"},
    {"23", LM_RETRY, "constraint"},
    {"25006", LM_RETRY, "read_only"},
    {"25", LM_RETRY, "transaction_state"},
    {"28", LM_FATAL, "authorization"},
    {"3D", LM_FATAL, "no_database"},
    {"3F", LM_FATAL, "no_schema"},
    {"40", LM_RETRY, "rollback"},
    {"42501", LM_FATAL, "no_privilege"},
    {"42", LM_FATAL, "statement"},
    {"53", LM_RETRY, "resources"},
    {"54", LM_RETRY, "program_limit"},
    {"55P03", LM_RETRY, "lock_timeout"},
    {"55", LM_RETRY, "object_state"},
    {"57014", LM_RETRY, "cancelled"},
    {"57P03", LM_RETRY, "cannot_connect"},
    {"57", LM_RETRY, "intervention"},
    {"58", LM_RETRY, "system"},
    {"", LM_RETRY, "postgres"},
};

static const struct pg_class *class_of(const char *sqlstate)
{
    size_t i = 0;
    while (strncmp(sqlstate, classes[i].prefix, strlen(classes[i].prefix)) != 0)
        i++; /* ends: the last prefix is empty */
    return &classes[i];
}

/* The row of "COPY logs_raw, line 17, column message: …", or 0. Other lines of the context (functions,
 * triggers) may stand before it. `where` receives what it says of the place, where it names a column: up to
 * the value, else NULL. */
static long long copy_line_of(const char *context, const char **where, int *where_len)
{
    *where = NULL;
    for (const char *line = context; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "COPY ", 5) != 0)
            continue;
        const char *comma = strstr(line, ", ");
        size_t len = strcspn(line, "\n");
        if (comma == NULL || comma > line + len)
            continue;
        const char *p = comma + 2;
        while (*p != '\0' && *p != '\n' && *p != ',' && *p != ':' && !isdigit((unsigned char)*p))
            p++;
        if (!isdigit((unsigned char)*p))
            continue;
        const char *column = strchr(p, ',');
        if (column != NULL && column < line + len) {
            *where = line;
            *where_len = (int)strcspn(line, ":\n");
        }
        return strtoll(p, NULL, 10);
    }
    return 0;
}

void lm_pg_error_from_result(const PGresult *result, struct lm_error *error, long long *copy_line)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    const char *where;
    int where_len = 0;
    long long line = copy_line_of(context, &where, &where_len);
    if (copy_line != NULL)
        *copy_line = line;
    if (message == NULL) { /* made by libpq, not by the server */
        message = PQresultErrorMessage(result);
        detail = NULL;
    }
    if (sqlstate == NULL) {
        lm_error_set(error, LM_RETRY, "connection_lost", "%.*s", (int)strcspn(message, "\n"), message);
        return;
    }
    const struct pg_class *class = class_of(sqlstate);
    enum lm_decision decision = class->decision;
    const char *kind = class->kind;
    bool leafless =
        strcmp(sqlstate, "23514") == 0 && PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME) == NULL;
    if (strcmp(sqlstate, "23502") == 0 || (strcmp(sqlstate, "23514") == 0 && !leafless))
        detail = NULL; /* the whole row, which is nobody's business on /readyz or in a log */
    if (leafless)
        kind = "no_partition"; /* PostgreSQL's code for a row that no leaf takes; a CHECK would name itself */
    else if (line > 0 && (strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "23", 2) == 0 ||
                          strcmp(sqlstate, "54001") == 0))
        decision = LM_DEAD_LETTER;
    if (where == NULL && detail != NULL) {
        where = detail;
        where_len = (int)strlen(detail);
    }
    lm_error_set(error, decision, kind, "PostgreSQL says %s: %s%s%.*s%s", sqlstate, message,
                 where != NULL ? " (" : "", where_len, where != NULL ? where : "", where != NULL ? ")" : "");
    if (error != NULL) {
        memcpy(error->sqlstate, sqlstate, strnlen(sqlstate, sizeof(error->sqlstate) - 1));
        error->sqlstate[strnlen(sqlstate, sizeof(error->sqlstate) - 1)] = '\0';
    }
}

/* The server closes the connection after this. */
bool pg_is_farewell(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

/* Finds "FATAL:  28P01: …": two blanks, five capitals or digits, a colon. Severity words are translated, this
 * is not. */
static const char *find_sqlstate(const char *text)
{
    for (const char *p = strstr(text, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
        size_t n = 0;
        while (n < 5 && (isdigit((unsigned char)p[3 + n]) || isupper((unsigned char)p[3 + n])))
            n++;
        if (n == 5 && p[8] == ':')
            return p + 3;
    }
    return NULL;
}

void pg_error_from_connection(const PGconn *conn, const char *kind, struct lm_error *error)
{
    const char *text = conn != NULL ? PQerrorMessage(conn) : "";
    if (text[0] == '\0') /* libpq is content: it was us */
        text = "no memory or descriptors for a PostgreSQL connection";
    const char *sqlstate = find_sqlstate(text);
    /* With several hosts there is a line for each; the first is shown, a SQLSTATE decides whichever line it
     * is on. */
    size_t len = strcspn(text, "\n");
    const struct pg_class *class = sqlstate != NULL ? class_of(sqlstate) : NULL;
    lm_error_set(error, class != NULL ? class->decision : LM_RETRY, class != NULL ? class->kind : kind,
                 "%.*s", (int)len, text);
    if (sqlstate != NULL && error != NULL) {
        memcpy(error->sqlstate, sqlstate, 5);
        error->sqlstate[5] = '\0';
    }
}
