/*
 * A loop, connections to the PostgreSQL of LOGMILL_TEST_POSTGRES_URL, and the callbacks that write down what
 * came of each. No call waits without running the loop; a test that hangs dies with SIGALRM.
 */
#ifndef LOGMILL_TESTS_POSTGRES_FIXTURE_H
#define LOGMILL_TESTS_POSTGRES_FIXTURE_H

#include "common/postgres/postgres.h"

struct fixture {
    uv_loop_t loop;
    struct lm_pg *pg; /* the last one connected, NULL once lost */
    int opened, lost, closed, done, started, results, rows, cancelled;
    struct lm_error open_error, lost_error, done_error, started_error;
    long long copy_line; /* of the last done */
    char trace[256];     /* what was called back, in order */
    char last_value[64];
    struct lm_pg *close_in_callback; /* closed by the next opened or result */
};

/*
 * A larger struct may begin with this one: begin and end are its opening and its closing, which fails if
 * anything is left on the loop; 0 or -1. The struct itself is the caller's; fixture_open and fixture_close
 * are setup and teardown of a test that needs no more than it.
 */
int fixture_begin(struct fixture *f);
int fixture_end(struct fixture *f);
int fixture_open(void **state);
int fixture_close(void **state);

void wait_until(struct fixture *f, const int *what, int value);

/* What is called back; each takes the fixture as its context. */
void on_opened(struct lm_pg *pg, const struct lm_error *error, void *context);
void on_lost(struct lm_pg *pg, const struct lm_error *error, void *context);
void on_closed(void *context);
void on_result(const PGresult *result, void *context);
void on_done(const struct lm_error *error, void *context);
void on_started(const struct lm_error *error, void *context);

/* Begins to connect; `timeout_ms` 0: the default. */
struct lm_pg *start(struct fixture *f, const char *conninfo, unsigned timeout_ms);
/* Connected to the server of the tests; f->pg from now on. */
struct lm_pg *connected(struct fixture *f);
void close_now(struct fixture *f, struct lm_pg *pg);
void send_sql(struct fixture *f, struct lm_pg *pg, const char *sql);
/* Sends, and waits until it is done. */
void run_sql(struct fixture *f, struct lm_pg *pg, const char *sql);
/* Ends a backend, over a connection of its own. */
void terminate(struct fixture *f, int pid);

#endif
