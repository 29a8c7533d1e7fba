/*
 * The agent's own connection to the primary as logmill_agent, beside the one of the audit log: API keys are
 * looked up and history is read through it. It opens itself again with back-off. Loop thread.
 */
#ifndef LOGMILL_AGENT_DATABASE_STORE_H
#define LOGMILL_AGENT_DATABASE_STORE_H

#include "common/http/admin.h"
#include "common/postgres/postgres.h"

#define AG_STORE_PARAMS 3

struct ag_store;

struct ag_store_request {
    const char *sql; /* kept by pointer while it runs: static */
    const char *params[AG_STORE_PARAMS];
    int param_count;
    void (*row)(const PGresult *result, void *context); /* the rows, at most once */
    /* Once, never from inside ag_store_ask: NULL, or what went wrong (LM_RETRY for a connection that was lost
     * or answers nothing). Not called after ag_store_forget. */
    void (*done)(const struct lm_error *error, void *context);
    void *context;
};

/* Begins to connect; `conninfo` is copied, `condition` (may be NULL) is met while it is up. 0, or -1 without
 * memory (LM_FATAL). */
int ag_store_open(uv_loop_t *loop, const char *conninfo, struct lm_condition *condition,
                  struct ag_store **out, struct lm_error *error) LM_MUST_CHECK;
/* 0, or -1 with LM_RETRY: no connection is up, or too much waits for it; then `done` is not called. */
int ag_store_ask(struct ag_store *store, const struct ag_store_request *request,
                 struct lm_error *error) LM_MUST_CHECK;
/* The database has no such functions: it lacks migrations. */
bool ag_store_lacks_migrations(const struct ag_store *store);
/* Whatever was asked with this context: nothing is called any more. */
void ag_store_forget(struct ag_store *store, const void *context);
/* Waiting requests are forgotten. Freed when `closed` is called, once. */
void ag_store_close(struct ag_store *store, void (*closed)(void *context), void *context);

#endif
