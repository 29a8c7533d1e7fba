/*
 * Which server is read: the replica while it is up and near behind the primary, else the primary. At any time
 * it is one server, for names, epochs and rows alike; each change begins a new generation, and what was read
 * from the other server before is read anew.
 *
 * How near: once a second the primary is asked how far its log is written, and then the replica how far it
 * has replayed. What the replica shows holds everything that was committed when the primary was at, or
 * before, that position; so no clocks of two machines are compared, and an idle primary makes no lag. A
 * replica that answers nothing falls behind by itself, and so does one whose primary answers nothing. Loop
 * thread.
 */
#ifndef LOGMILL_AGENT_DATABASE_READS_H
#define LOGMILL_AGENT_DATABASE_READS_H

#include "agent/database/pool.h"

struct ag_reads;

struct ag_reads_options {
    uv_loop_t *loop;
    struct ag_pool *primary;
    struct ag_pool *replica;   /* NULL: there is none */
    const int64_t *max_lag_ms; /* read when needed: it may change */
    struct lm_metrics *metrics;
};

/* The primary is read until the replica is known to be near. 0, or -1 without memory (LM_FATAL). */
int ag_reads_open(const struct ag_reads_options *options, struct ag_reads **out,
                  struct lm_error *error) LM_MUST_CHECK;
/* The connections to the server that is read now. */
struct ag_pool *ag_reads_pool(struct ag_reads *reads);
struct ag_pool *ag_reads_primary(const struct ag_reads *reads);
/* Another number after each change of the server. */
unsigned ag_reads_generation(struct ag_reads *reads);
/* Everything that was committed until then (wall clock, microseconds) is seen by whoever reads now. */
int64_t ag_reads_as_of(struct ag_reads *reads);
/* Before the pools close. Freed when `closed` is called, once. */
void ag_reads_close(struct ag_reads *reads, void (*closed)(void *context), void *context);

#endif
