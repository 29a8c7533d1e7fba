/*
 * The audit log: who asked what, what ran, what came of it. Rows wait in a bounded queue and are written
 * within a second on a connection of their own as logmill_agent, and those older than 400 days deleted. While
 * the queue is full nothing may be asked (audit.required). Loop thread.
 */
#ifndef LOGMILL_AGENT_DATABASE_AUDIT_H
#define LOGMILL_AGENT_DATABASE_AUDIT_H

#include "common/error.h"
#include "common/http/admin.h"
#include "common/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define AG_AUDIT_MAX_ROWS 10000
#define AG_AUDIT_MAX_BYTES ((size_t)32 << 20)

/* Texts are copied, with control characters escaped; NULL where there is none. Numbers below 0 are stored as
 * NULL. */
struct ag_audit_row {
    int64_t at_us;
    const char *request_id;
    const char *key;  /* the prefix of the API key */
    const char *role; /* of the key, or "anonymous" */
    const char *address;
    const char *question;
    size_t question_len;
    const char *sql;
    const char *parameters;
    const char *engine;
    const char *verdict; /* "answered", "cached" or the code of the error */
    int64_t rows;
    int64_t bytes;
    double duration_ms;
    const char *cached;
};

struct ag_audit;

struct ag_audit_options {
    uv_loop_t *loop;
    const char *conninfo;
    struct lm_condition *condition; /* met while the connection is up; may be NULL */
    struct lm_metrics *metrics;
};

/* Begins to connect; rows may be added at once. `conninfo` is copied. 0, or -1 without memory (LM_FATAL). */
int ag_audit_open(const struct ag_audit_options *options, struct ag_audit **out,
                  struct lm_error *error) LM_MUST_CHECK;
/* No row fits any more: nothing may be asked. */
bool ag_audit_full(const struct ag_audit *audit);
/* Queues. False when it did not fit (counted, logged). */
bool ag_audit_add(struct ag_audit *audit, const struct ag_audit_row *row);
/* Writes what waits, at most until `deadline_ms`, then closes and calls `closed` (may be NULL) once; what
 * could not be written is logged as a number. */
void ag_audit_close(struct ag_audit *audit, unsigned deadline_ms, void (*closed)(void *context),
                    void *context);

/* The connection string for the audit log: `audit_url`, or where that is empty `postgres_url` with user
 * logmill_agent and without its password. Malloc'ed; NULL with LM_FATAL for a string that is none. */
char *ag_audit_conninfo(const char *audit_url, const char *postgres_url, struct lm_error *error);

#endif
