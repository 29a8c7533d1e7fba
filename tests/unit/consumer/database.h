/* A migrated PostgreSQL database of its own for one test program, dropped at its end. */
#ifndef LOGMILL_TESTS_CONSUMER_DATABASE_H
#define LOGMILL_TESTS_CONSUMER_DATABASE_H

#include <libpq-fe.h>

/* Ends the program with 77 where LOGMILL_TEST_POSTGRES_URL is not set. Fails the test on any error. */
PGconn *database_open(void);
void database_drop(PGconn *conn);
/* One value of one row as text, "" for NULL; the caller frees it. */
char *database_value(PGconn *conn, const char *sql);
void database_run(PGconn *conn, const char *sql);

#endif
