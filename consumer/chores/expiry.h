/*
 * Has PostgreSQL forget what was counted longer ago than rollup_retention (logmill.expire_rollups), once an
 * hour. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_CHORES_EXPIRY_H
#define LOGMILL_CONSUMER_CHORES_EXPIRY_H

#include "common/metrics.h"
#include "consumer/chores/chore.h"

/* The context of the chore; set by the owner. */
struct co_expiry {
    int64_t retention_ms; /* may change at any time */
    struct lm_counter *hours;
};

extern const struct co_chore_kind co_expiry_kind;

#endif
