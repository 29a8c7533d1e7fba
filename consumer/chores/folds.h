/*
 * Has PostgreSQL fold closed hours and days out of the minutes (logmill.fold), once a minute, and the slots
 * of the running hour (logmill.fold_running), every ten seconds. Without it questions about long windows take
 * longer. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_CHORES_FOLDS_H
#define LOGMILL_CONSUMER_CHORES_FOLDS_H

#include "common/metrics.h"
#include "consumer/chores/chore.h"

/* The context of the chore. */
struct co_folds {
    /* Set by the owner. */
    const char *zone;        /* whose days are folded */
    struct lm_counter *made; /* hours and days folded by this process */

    unsigned calls;
    bool far;
};

extern const struct co_chore_kind co_folds_kind;
extern const struct co_chore_kind co_slots_kind; /* no context */

#endif
