/*
 * What the two files of the runs share: run_start.c (from a request to its first stage) and run.c (the
 * stages, sharing, the end). Loop thread.
 */
#ifndef LOGMILL_AGENT_RUN_INTERNAL_H
#define LOGMILL_AGENT_RUN_INTERNAL_H

#include "agent/run/run.h"

/* NULL without memory. `id` may be anybody's or NULL; both texts are copied. */
struct ag_run *ag_run_new(struct ag_runs *runs, struct ag_caller *caller, enum ag_way way, const char *id,
                          const char *address);
/* Unanswered; gives its turn back. */
void ag_run_free(struct ag_run *run);
/* Begins run->stage, or ends the run behind the last one. */
void ag_run_stage(struct ag_run *run);
/* Answers the run and those that follow it with its result or failure, audits, frees. */
void ag_run_end(struct ag_run *run);
void ag_run_count(struct ag_runs *runs, const char *outcome);

#endif
