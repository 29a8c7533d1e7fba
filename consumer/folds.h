/*
 * Has PostgreSQL fold closed hours and days out of the minutes (logmill.fold): once a minute a portion that
 * takes a fraction of a second, and the next one soon where there is more to do. All consumers ask; one at a
 * time is let in. The control connection carries it, so a portion must stay short: leaves and positions wait
 * behind it. Nothing depends on it but the speed of answers. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_FOLDS_H
#define LOGMILL_CONSUMER_FOLDS_H

#include "common/log.h"
#include "common/metrics.h"
#include "consumer/control.h"

struct co_folds {
    /* Set by the owner. */
    struct co_control *control;
    const char *zone;        /* whose days are folded */
    struct lm_counter *made; /* hours and days folded by this process; may be NULL */

    int64_t due_us; /* monotonic */
    unsigned calls;
    bool asked, more, far;
    struct lm_log_limit limit;
};

/* Once a second. */
void co_folds_tick(struct co_folds *folds);

#endif
