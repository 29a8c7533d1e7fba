/*
 * logmill-ctl migrate: applies the SQL files that were not applied yet, each in a transaction of its own
 * together with the row that records it, then makes the first leaves and registers the record's schema. Two
 * at once: the second waits for the first on an advisory lock of the session and then finds nothing to do.
 *
 * Roles belong to the whole cluster, which the lock of a database does not cover: a migration that met
 * another database's migration there is rolled back and run again.
 */
#include "common/clock.h"
#include "common/record/record_avro.h"
#include "ctl/command.h"
#include "ctl/database.h"
#include "ctl/migrations.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ATTEMPTS 5
#define RETRY_PAUSE_NS (200 * 1000 * 1000L)
#define MIGRATION_LOCK "7810772066236456297" /* "logmill" and ')' as eight bytes */

/* Another session was faster, in a catalogue that all databases share; it goes away when tried again. */
static bool can_pass(const struct lm_error *error)
{
    static const char *const states[] = {"40001", "40P01", "XX000", "42710", "23505"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(error->sqlstate, states[i]) == 0)
            return true;
    }
    return false;
}

static int take_lock(const struct ct_context *context, PGconn *connection, struct lm_error *error)
{
    PGresult *result =
        ct_database_query(connection, "SELECT pg_try_advisory_lock(" MIGRATION_LOCK ")", error);
    if (result == NULL)
        return -1;
    const bool taken = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    if (taken)
        return 0;
    fprintf(context->out, "waiting: another logmill-ctl migrate is at work on this database\n");
    return ct_database_run(connection, "SELECT pg_advisory_lock(" MIGRATION_LOCK ")", error);
}

static int make_table(PGconn *connection, struct lm_error *error)
{
    return ct_database_run(
        connection,
        "DO $$ BEGIN IF to_regclass('public.logmill_migration') IS NULL THEN "
        "CREATE TABLE public.logmill_migration (number integer PRIMARY KEY, name text NOT NULL, "
        "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp(), "
        "version text NOT NULL); END IF; "
        /* Any program may see how far the database is. */
        "IF NOT has_column_privilege('public', 'public.logmill_migration', 'number', 'SELECT') THEN "
        "GRANT SELECT (number) ON public.logmill_migration TO PUBLIC; END IF; END $$",
        error);
}

/* The line of `text` at which the server found fault, or 0. Its position counts characters from 1. */
static int line_of_error(const char *text, const PGresult *result)
{
    const char *field = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    if (field == NULL)
        return 0;
    int line = 1;
    long position = strtol(field, NULL, 10);
    for (const char *p = text; *p != '\0' && position > 1; p++) {
        if ((*p & 0xC0) != 0x80) /* the first byte of a UTF-8 character */
            position--;
        if (*p == '\n')
            line++;
    }
    return line;
}

static int run_file(PGconn *connection, const struct ct_migration *file, struct lm_error *error)
{
    PGresult *result = PQexec(connection, file->text);
    const ExecStatusType status = PQresultStatus(result);
    int code = 0;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
        const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        const int line = line_of_error(file->text, result);
        char where[32] = "";
        if (line > 0)
            snprintf(where, sizeof where, ", line %d", line);
        code = lm_error_set(error, LM_FATAL, "migration", "%s%s: %s", file->name, where,
                            text != NULL ? text : PQerrorMessage(connection));
        snprintf(error->sqlstate, sizeof error->sqlstate, "%s", state != NULL ? state : "");
    } else if (PQtransactionStatus(connection) != PQTRANS_INTRANS) {
        code = lm_error_set(error, LM_FATAL, "migration",
                            "%s ends its transaction: a migration must leave that to migrate", file->name);
    }
    PQclear(result);
    return code;
}

static int record(PGconn *connection, const struct ct_migration *file, struct lm_error *error)
{
    char number[16];
    snprintf(number, sizeof number, "%d", file->number);
    const char *const values[] = {number, file->name, file->checksum, LOGMILL_VERSION};
    PGresult *result = ct_database_query_with(
        connection,
        "INSERT INTO public.logmill_migration (number, name, checksum, version) VALUES ($1, $2, $3, $4)", 4,
        values, error);
    if (result == NULL)
        return -1;
    PQclear(result);
    return 0;
}

static int apply_once(PGconn *connection, const struct ct_migration *file, struct lm_error *error)
{
    /* The file may leave another role in force. */
    if (ct_database_run(connection, "BEGIN", error) == 0 && run_file(connection, file, error) == 0 &&
        ct_database_run(connection, "RESET ROLE", error) == 0 && record(connection, file, error) == 0 &&
        ct_database_run(connection, "COMMIT", error) == 0)
        return 0;
    PQclear(PQexec(connection, "ROLLBACK"));
    return -1;
}

static int apply(const struct ct_context *context, PGconn *connection, const struct ct_migration *file,
                 struct lm_error *error)
{
    const int64_t start = lm_clock_mono_us();
    for (int attempt = 1; apply_once(connection, file, error) != 0; attempt++) {
        if (attempt == ATTEMPTS || !can_pass(error))
            return -1;
        fprintf(context->out, "%s: once more (%s)\n", file->name, error->text);
        nanosleep(&(struct timespec){.tv_nsec = RETRY_PAUSE_NS * attempt}, NULL);
    }
    fprintf(context->out, "%s applied in %" PRId64 " ms\n", file->name, (lm_clock_mono_us() - start) / 1000);
    return 0;
}

/* ensure_leaves makes a bounded number a call; it is asked until there is nothing to make. */
static int make_leaves(const struct ct_context *context, PGconn *connection, struct lm_error *error)
{
    char ahead[64];
    snprintf(ahead, sizeof ahead, "%" PRId64 " milliseconds", context->config->leaves_ahead_ms);
    const char *const values[] = {ahead};
    long total = 0, made;
    do {
        PGresult *result = ct_database_query_with(connection, "SELECT logmill.ensure_leaves($1::interval)", 1,
                                                  values, error);
        if (result == NULL)
            return -1;
        made = strtol(PQgetvalue(result, 0, 0), NULL, 10);
        PQclear(result);
        total += made;
    } while (made > 0);
    if (total > 0)
        fprintf(context->out, "leaves: %ld made\n", total);
    return 0;
}

static int register_schema(const struct ct_context *context, PGconn *connection, struct lm_error *error)
{
    char fingerprint[32];
    snprintf(fingerprint, sizeof fingerprint, "%" PRId64, (int64_t)lm_record_fingerprint());
    const char *const values[] = {fingerprint, lm_record_schema->text};
    PGresult *result = ct_database_query_with(
        connection,
        "INSERT INTO logmill.log_schema (fingerprint, schema) VALUES ($1, $2) ON CONFLICT DO NOTHING", 2,
        values, error);
    if (result == NULL)
        return -1;
    if (strcmp(PQcmdTuples(result), "1") == 0)
        fprintf(context->out, "schema %016" PRIx64 " registered\n", lm_record_fingerprint());
    PQclear(result);
    return 0;
}

static int migrate(const struct ct_context *context, PGconn *connection, struct ct_migrations *migrations,
                   struct lm_error *error)
{
    size_t pending = 0;
    if (take_lock(context, connection, error) != 0 || make_table(connection, error) != 0 ||
        ct_migrations_read_applied(migrations, connection, error) != 0 ||
        ct_migrations_plan(migrations, &pending, error) != 0)
        return -1;
    for (size_t i = migrations->file_count - pending; i < migrations->file_count; i++) {
        if (apply(context, connection, &migrations->files[i], error) != 0)
            return -1;
    }
    /* Another's folder of migrations need not be Logmill's. */
    PGresult *ours =
        ct_database_query(connection, "SELECT to_regproc('logmill.ensure_leaves') IS NOT NULL", error);
    if (ours == NULL)
        return -1;
    const bool is_ours = PQgetvalue(ours, 0, 0)[0] == 't';
    PQclear(ours);
    if (is_ours &&
        (make_leaves(context, connection, error) != 0 || register_schema(context, connection, error) != 0))
        return -1;
    fprintf(context->out, "database %s: %zu migration%s applied, %zu in all\n", PQdb(connection), pending,
            pending == 1 ? "" : "s", migrations->file_count);
    return 0;
}

static enum ct_exit run_migrate(const struct ct_context *context)
{
    enum ct_exit code = CT_FAILED;
    struct lm_error error;
    struct ct_migrations migrations;
    lm_error_clear(&error);
    if (ct_migrations_load(&migrations, context->config->sql_dir, &error) != 0)
        goto free_migrations;
    PGconn *connection = ct_database_open(context->config->postgres_url, context->out, &error);
    if (connection == NULL)
        goto free_migrations;
    if (migrate(context, connection, &migrations, &error) == 0)
        code = CT_DONE;
    PQfinish(connection);
free_migrations:
    if (error.decision != LM_OK)
        fprintf(context->errors, "logmill-ctl migrate: %s\n", error.text);
    ct_migrations_free(&migrations);
    return code;
}

const struct ct_command ct_migrate_command = {
    .name = "migrate",
    .arguments = "",
    .summary = "applies what is missing of the database's tables, views, roles and grants",
    .run = run_migrate,
};
