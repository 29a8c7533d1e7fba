/* What postgres.c shares with the two files beside it; nobody else includes this. */
#ifndef LOGMILL_COMMON_POSTGRES_INTERNAL_H
#define LOGMILL_COMMON_POSTGRES_INTERNAL_H

#include "common/error.h"

#include <libpq-fe.h>

/* postgres_conninfo.c: the user's connection string with our settings joined to it. */
struct pg_conninfo;

/* Parses `conninfo`. LM_FATAL "conninfo" where it cannot be used, LM_RETRY without memory. */
int pg_conninfo_open(const char *conninfo, const char *application_name, const char *settings,
                     struct pg_conninfo **out, struct lm_error *error) LM_MUST_CHECK;
void pg_conninfo_free(struct pg_conninfo *info);
/* How many hosts the string names; at least 1. */
unsigned pg_conninfo_hosts(const struct pg_conninfo *info);
/* Starts a connection attempt whose list of hosts begins at the `first`-th. NULL without memory. */
PGconn *pg_conninfo_connect(const struct pg_conninfo *info, unsigned first);

/* postgres_error.c */

/* What a failed connection attempt or a broken connection says, with the decision for it; `kind` where no
 * SQLSTATE is found. The connection's verbosity must be PQERRORS_VERBOSE for the SQLSTATE to be there. */
void pg_error_from_connection(const PGconn *conn, const char *kind, struct lm_error *error);

#endif
