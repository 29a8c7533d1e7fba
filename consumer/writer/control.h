/*
 * The connection for everything that is not a batch: positions, leaves, sources, schemas, offsets read back.
 * Always there: it reconnects by itself with back-off, and what is asked meanwhile waits. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_WRITER_CONTROL_H
#define LOGMILL_CONSUMER_WRITER_CONTROL_H

#include "common/error.h"

#include <libpq-fe.h>
#include <stdint.h>
#include <uv.h>

struct co_control;

struct co_control_options {
    uv_loop_t *loop;
    const char *conninfo; /* must outlive it, or co_control_set */
    uint32_t retry_base_ms, retry_cap_ms;
    /* Connected (error NULL) or not (any more). */
    void (*state)(const struct lm_error *error, void *context);
    void *context;
};

struct co_question {
    const char *sql; /* one or more statements without parameters; copied */
    void (*result)(const PGresult *result, void *context); /* may be NULL */
    /* Exactly once, never from inside co_control_ask: NULL, or what went wrong. LM_RETRY "closing" at the
     * end. */
    void (*done)(const struct lm_error *error, void *context);
    void *context;
};

/* Begins to connect; it may be asked at once. 0, or -1 without memory (LM_FATAL). */
int co_control_open(const struct co_control_options *options, struct co_control **out,
                    struct lm_error *error) LM_MUST_CHECK;
/* 0, or -1 with LM_RETRY: no memory, closing, or 10,000 questions wait already. */
int co_control_ask(struct co_control *control, const struct co_question *question,
                   struct lm_error *error) LM_MUST_CHECK;
/* For connections made from now on. `conninfo` must outlive it, or the next call. */
void co_control_set(struct co_control *control, const char *conninfo, uint32_t retry_base_ms,
                    uint32_t retry_cap_ms);
/* What still waits is answered with "closing" first. `closed` is called on the loop; freed by then. */
void co_control_close(struct co_control *control, void (*closed)(void *context), void *context);

#endif
