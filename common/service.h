/*
 * What every long-running program does around its loop: SIGTERM and SIGINT start the stop, a second one skips the drain,
 * SIGPIPE is ignored, and at the end every handle is closed and uv_loop_close() must return 0.
 */
#ifndef LOGMILL_COMMON_SERVICE_H
#define LOGMILL_COMMON_SERVICE_H

#include "common/error.h"

#include <stdbool.h>
#include <uv.h>

struct lm_service {
    uv_loop_t loop;
    uv_signal_t term, interrupt, hangup;
    void (*stop)(void *context, bool now);  /* first signal: now = false; second: now = true */
    void (*reload)(void *context);          /* SIGHUP; may be NULL */
    void *context;
    int signals;
};

/* Initialises the loop and its signals. */
int lm_service_open(struct lm_service *service, void (*stop)(void *context, bool now), void *context,
                    struct lm_error *error) LM_MUST_CHECK;
/* As if SIGTERM had come. */
void lm_service_stop(struct lm_service *service);
/* Runs until every handle of the program is closed; then closes its own and the loop. 0, or -1 if a handle was left
 * (logged with its type). The program closes its handles from stop(); lm_service_release lets the loop end. */
int lm_service_run(struct lm_service *service) LM_MUST_CHECK;
/* The program has closed everything it owns: the signal handles go too and the loop ends. */
void lm_service_release(struct lm_service *service);

#endif
