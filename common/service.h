/*
 * What every long-running program does around its loop: SIGTERM and SIGINT start the stop, a second one skips
 * the drain, SIGHUP has the configuration read again, SIGPIPE is ignored, as many files may be open as the
 * hard limit allows (65,536 at most), and at the end every handle is closed and uv_loop_close() must return
 * 0.
 */
#ifndef LOGMILL_COMMON_SERVICE_H
#define LOGMILL_COMMON_SERVICE_H

#include "common/config/config.h"

#include <stdbool.h>
#include <uv.h>

struct lm_service {
    uv_loop_t loop;
    uv_signal_t term, interrupt, hangup;
    void (*stop)(void *context,
                 bool now); /* first signal: now = false; second: now = true; never a third time */
    /* What SIGHUP reads again, until the stop begins; NULL: SIGHUP does nothing. Set after lm_service_open.
     */
    const struct lm_config_reloading *reloading;
    void *context;
    int signals;                /* asked to stop so often */
    struct lm_service_end *end; /* NULL until lm_service_end_within */
};

/* Initialises the loop and its signals; `reloading` is NULL. The struct must not move until lm_service_run
 * has returned. `stop` runs on the loop. LM_FATAL, and nothing is left behind, where the system refuses. */
int lm_service_open(struct lm_service *service, void (*stop)(void *context, bool now), void *context,
                    struct lm_error *error) LM_MUST_CHECK;
/* As if SIGTERM had come: calls `stop` before it returns. Loop thread. */
void lm_service_stop(struct lm_service *service);
/* Runs until lm_service_release was called and no handle or request is active any more; then closes the loop.
 * 0, or -1 if a handle was left unclosed (each logged with its type; the loop's memory is then not released).
 * Also called, after lm_service_release, by a start that failed half-way: to let the handles opened so far
 * close. */
int lm_service_run(struct lm_service *service) LM_MUST_CHECK;
/* The process ends within `ms` from now, whatever hangs: then with exit code `status` and a line in the log,
 * closing nothing. For the last part of a stop, when nothing is left that could be lost, and a library may
 * still make its threads wait for a server. A second call does nothing; without memory or a thread neither
 * does the first. Loop thread. */
void lm_service_end_within(struct lm_service *service, unsigned ms, int status);
/* The program has closed everything it owns: the signal handles go too and the loop ends; the signals are
 * ignored from then on. A second call does nothing. Loop thread. */
void lm_service_release(struct lm_service *service);

#endif
