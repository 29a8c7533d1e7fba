/*
 * Blocking PostgreSQL for commands: open, ask, and an error that says what to do. Programs that serve others
 * use common/postgres/postgres.h on the loop instead.
 */
#ifndef LOGMILL_CTL_DATABASE_H
#define LOGMILL_CTL_DATABASE_H

#include "common/error.h"

#include <libpq-fe.h>
#include <stdio.h>

/*
 * Connects with no time-out on statements. `url` as in the configuration: "" takes the PG* variables. The
 * server's notices are printed to `notices`, one line each (NULL: dropped). Close with PQfinish. NULL:
 * LM_FATAL, what and where.
 */
PGconn *ct_database_open(const char *url, FILE *notices, struct lm_error *error) LM_MUST_CHECK;

/* Runs statements without parameters; the last one's result, to be freed with PQclear, or NULL and the
 * server's words, its hint and SQLSTATE in `error`. */
PGresult *ct_database_query(PGconn *connection, const char *sql, struct lm_error *error) LM_MUST_CHECK;

/* The same with text parameters ($1 …), one statement only. */
PGresult *ct_database_query_with(PGconn *connection, const char *sql, int count, const char *const *values,
                                 struct lm_error *error) LM_MUST_CHECK;

/* Runs statements for their effect: 0, or -1. */
int ct_database_run(PGconn *connection, const char *sql, struct lm_error *error) LM_MUST_CHECK;

#endif
