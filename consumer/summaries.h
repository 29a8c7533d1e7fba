/*
 * Has PostgreSQL summarise what was written to the leaves in their BRIN index (logmill.summarise), so that
 * times, traces and rare services of the running hour are found without reading all of it: every ten seconds
 * a portion, and the next one soon where there is more to do. As with folds, all consumers ask and one at a
 * time is let in, a portion is short, and nothing depends on it but the speed of answers. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_SUMMARIES_H
#define LOGMILL_CONSUMER_SUMMARIES_H

#include "common/log.h"
#include "consumer/control.h"

#include <stdbool.h>

struct co_summaries {
    struct co_control *control; /* set by the owner */
    int64_t due_us;             /* monotonic */
    bool asked, more;
    struct lm_log_limit limit;
};

/* Once a second. */
void co_summaries_tick(struct co_summaries *summaries);

#endif
