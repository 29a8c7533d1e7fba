/*
 * logmill-ctl status: what the database holds and what it lacks. Asks PostgreSQL only. Exit code 1 where a
 * migration is pending or an applied one does not match its file.
 */
#include "ctl/command.h"
#include "ctl/database.h"
#include "ctl/migrations.h"

/* Prints the rows of a query of texts, one line each, with `between` between the columns. */
static int print_rows(const struct ct_context *context, PGconn *connection, const char *title,
                      const char *between, const char *none, const char *sql, struct lm_error *error)
{
    PGresult *rows = ct_database_query(connection, sql, error);
    if (rows == NULL)
        return -1;
    fprintf(context->out, "%s\n", title);
    for (int i = 0; i < PQntuples(rows); i++) {
        for (int k = 0; k < PQnfields(rows); k++)
            fprintf(context->out, "%s%s", k == 0 ? "  " : between, PQgetvalue(rows, i, k));
        fputc('\n', context->out);
    }
    if (PQntuples(rows) == 0)
        fprintf(context->out, "  %s\n", none);
    PQclear(rows);
    return 0;
}

/* Prints the migrations; *behind: some are pending, or what was applied is not what the files say. */
static int print_migrations(const struct ct_context *context, PGconn *connection,
                            struct ct_migrations *migrations, bool *behind, struct lm_error *error)
{
    if (ct_migrations_read_applied(migrations, connection, error) != 0)
        return -1;
    size_t pending = 0;
    struct lm_error mismatch;
    lm_error_clear(&mismatch);
    const bool matches = ct_migrations_plan(migrations, &pending, &mismatch) == 0;

    fprintf(context->out, "migrations\n");
    for (size_t i = 0; i < migrations->applied_count; i++) {
        const struct ct_applied *applied = &migrations->applied[i];
        fprintf(context->out, "  %-24s applied %s by Logmill %s\n", applied->name, applied->applied_at,
                applied->version);
    }
    if (!matches)
        fprintf(context->out, "  %s\n", mismatch.text);
    for (size_t i = migrations->file_count - pending; i < migrations->file_count; i++)
        fprintf(context->out, "  %-24s pending: run logmill-ctl migrate\n", migrations->files[i].name);
    *behind = !matches || pending > 0;
    return 0;
}

static int print_server(const struct ct_context *context, PGconn *connection, struct lm_error *error)
{
    PGresult *row =
        ct_database_query(connection, "SELECT current_setting('server_version'), current_user", error);
    if (row == NULL)
        return -1;
    fprintf(context->out, "database %s on %s port %s, PostgreSQL %s, as %s\n", PQdb(connection),
            PQhost(connection), PQport(connection), PQgetvalue(row, 0, 0), PQgetvalue(row, 0, 1));
    PQclear(row);
    return 0;
}

/* What needs the tables of the last migration. */
static int print_contents(const struct ct_context *context, PGconn *connection, struct lm_error *error)
{
    if (print_rows(context, connection, "leaves", ", ", "none: run logmill-ctl migrate",
                   "SELECT rpad(category::text, 9) || count(*) || CASE count(*) WHEN 1 THEN ' leaf' ELSE ' "
                   "leaves' END, "
                   "to_char(min(lower), 'YYYY-MM-DD HH24:MI') || ' to ' || to_char(max(upper), 'YYYY-MM-DD "
                   "HH24:MI') || "
                   "' UTC', CASE WHEN max(upper) > now() THEN date_trunc('minute', max(upper) - now())::text "
                   "|| ' ahead' "
                   "ELSE 'none for now: the consumer or logmill-ctl migrate makes it' END "
                   "FROM logmill.leaf GROUP BY category ORDER BY category",
                   error) != 0)
        return -1;
    if (print_rows(
            context, connection, "positions", ", ", "none: no consumer has stored anything yet",
            "SELECT topic || '/' || partition || ' at offset ' || next_offset, "
            "coalesce('last record of ' || to_char(committed_time, 'YYYY-MM-DD HH24:MI:SS') || ' UTC', "
            "'no record yet'), 'written ' || date_trunc('second', now() - updated_at)::text || ' ago', "
            /* A consumer that has stored everything says so every ten seconds. */
            "CASE WHEN checked_at > now() - interval '30 seconds' THEN 'stored to its end' "
            "WHEN updated_at > now() - interval '30 seconds' THEN 'being stored' "
            "WHEN isfinite(checked_at) THEN 'NOBODY STORES IT: last seen complete ' || "
            "date_trunc('second', now() - checked_at)::text || ' ago; is its consumer running?' "
            "ELSE 'not seen complete yet: is a consumer running?' END "
            "FROM logmill.ingest_offset ORDER BY topic, partition",
            error) != 0)
        return -1;
    return print_rows(context, connection, "limits", ": ", "all set",
                      "SELECT what, remedy FROM logmill.unmet_limit", error);
}

static enum ct_exit run_status(const struct ct_context *context)
{
    enum ct_exit code = CT_FAILED;
    bool behind = true;
    struct lm_error error;
    struct ct_migrations migrations;
    lm_error_clear(&error);
    if (ct_migrations_load(&migrations, context->config->sql_dir, &error) != 0)
        goto free_migrations;
    PGconn *connection = ct_database_open(context->config->postgres_url, NULL, &error);
    if (connection == NULL)
        goto free_migrations;
    if (print_server(context, connection, &error) == 0 &&
        print_migrations(context, connection, &migrations, &behind, &error) == 0 &&
        (behind || print_contents(context, connection, &error) == 0) && !behind)
        code = CT_DONE;
    PQfinish(connection);
free_migrations:
    if (error.decision != LM_OK)
        fprintf(context->errors, "logmill-ctl status: %s\n", error.text);
    ct_migrations_free(&migrations);
    return code;
}

const struct ct_command ct_status_command = {
    .name = "status",
    .arguments = "",
    .summary = "prints migrations, leaves, positions and limits; exit code 1 where a migration is pending",
    .run = run_status,
};
