/*
 * What every long-running program does around its loop: SIGTERM and SIGINT start the stop, a second one skips
 * the drain, SIGHUP has the configuration read again, SIGPIPE is ignored, as many files may be open as the
 * hard limit allows (65,536 at most), and at the end every handle is closed and uv_loop_close() must return
 * 0. Every stop is watched by a thread of its own: a library may make its threads wait for a server for ever,
 * or the thread pool for a name or a connection, and the process ends all the same.
 */
#ifndef LOGMILL_COMMON_SERVICE_H
#define LOGMILL_COMMON_SERVICE_H

#include "common/config/config.h"

#include <stdbool.h>
#include <uv.h>

struct lm_service {
    uv_loop_t loop;
    uv_signal_t term, interrupt, hangup;
    /* First signal: now = false; second: now = true; never a third time. Returns how many ms it waits for
     * what is under way, at most, before it does nothing but close. */
    unsigned (*stop)(void *context, bool now);
    /* What SIGHUP reads again, until the stop begins; NULL: SIGHUP does nothing. Set after lm_service_open.
     */
    const struct lm_config_reloading *reloading;
    void *context;
    int signals;         /* asked to stop so often */
    unsigned closing_ms; /* what closing may take beyond the waiting; 15,000 after lm_service_open */
    int cut_status;      /* exit code of an end that was cut short; EXIT_SUCCESS after lm_service_open */
    struct lm_service_end *end; /* NULL until a stop is watched */
};

/* Initialises the loop and its signals; `reloading` is NULL. The struct must not move until lm_service_run
 * has returned. `stop` runs on the loop. LM_FATAL, and nothing is left behind, where the system refuses. */
int lm_service_open(struct lm_service *service, unsigned (*stop)(void *context, bool now), void *context,
                    struct lm_error *error) LM_MUST_CHECK;
/* As if SIGTERM had come: calls `stop` before it returns, and the end is watched. Loop thread. */
void lm_service_stop(struct lm_service *service);
/* Runs until lm_service_release was called and no handle or request is active any more; then closes the loop.
 * 0, or -1 if a handle was left unclosed (each logged with its type; the loop's memory is then not released).
 */
int lm_service_run(struct lm_service *service) LM_MUST_CHECK;
/* A start failed half-way, and closes what it had opened: runs the loop to its end, which is watched; cut
 * short, it is EXIT_FAILURE. */
void lm_service_abandon(struct lm_service *service);
/* The process ends within `ms` + closing_ms from now, whatever hangs: then with exit code cut_status, as it
 * is now, and a line in the log, closing nothing. Every stop calls it; a program does, too, where it closes
 * without having been asked to, or is done with waiting before its time. It never moves the end further away;
 * without memory or a thread nothing is watched. Loop thread. */
void lm_service_end_within(struct lm_service *service, unsigned ms);
/* The program has closed everything it owns: the signal handles go too and the loop ends; the signals are
 * ignored from then on. A second call does nothing. Loop thread. */
void lm_service_release(struct lm_service *service);

#endif
