/*
 * Tells PostgreSQL, every ten seconds, which partitions are stored to their end (logmill.check_offsets): an
 * idle partition is so told from one whose consumer has died. Whoever has lost a partition must not say it:
 * another's commit makes the position differ, and a process that was stopped says nothing for as long as the
 * group may take to tell it. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_CHORES_PROGRESS_H
#define LOGMILL_CONSUMER_CHORES_PROGRESS_H

#include "common/log.h"
#include "consumer/assignment/assignment.h"

struct co_progress {
    /* Set by the owner. */
    struct co_control *control;
    const struct co_assignment *assignment;

    int64_t due_us; /* monotonic */
    bool asked;
    struct lm_log_limit limit;
};

/* Once a second. `late_us`: how much later than it should have come. */
void co_progress_tick(struct co_progress *progress, int64_t late_us);

#endif
