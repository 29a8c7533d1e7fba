/*
 * The numbered SQL files and what the database says was applied of them. A file's checksum is SHA-256 of its
 * bytes: one that was applied must not change afterwards, must not vanish, and none may be slipped in before
 * it.
 */
#ifndef LOGMILL_CTL_MIGRATIONS_H
#define LOGMILL_CTL_MIGRATIONS_H

#include "common/error.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

struct ct_migration {
    int number;
    char *name; /* "0002_logs.sql" */
    char *text; /* NUL-terminated; has no NUL within */
    char checksum[65];
};

struct ct_applied {
    int number;
    char *name;
    char checksum[65];
    char *applied_at; /* RFC 3339 */
    char *version;    /* of the Logmill that applied it */
};

struct ct_migrations {
    struct ct_migration *files; /* by number */
    size_t file_count;
    struct ct_applied *applied; /* by number */
    size_t applied_count;
};

/*
 * Reads all *.sql of `directory`, or with "" the built-in ones. LM_FATAL: unreadable, a name that is not
 * "NNNN_words.sql", a number twice. Free with ct_migrations_free in every case.
 */
int ct_migrations_load(struct ct_migrations *migrations, const char *directory,
                       struct lm_error *error) LM_MUST_CHECK;

/* Reads what was applied; nothing where the database has no table of migrations yet. */
int ct_migrations_read_applied(struct ct_migrations *migrations, PGconn *connection,
                               struct lm_error *error) LM_MUST_CHECK;

/*
 * Compares the two: *pending is how many files, the last ones, are to be applied. LM_FATAL "migration": an
 * applied file changed or is missing, or a file not applied has a lower number than one that is.
 */
int ct_migrations_plan(const struct ct_migrations *migrations, size_t *pending,
                       struct lm_error *error) LM_MUST_CHECK;

void ct_migrations_free(struct ct_migrations *migrations);

#endif
