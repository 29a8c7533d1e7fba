/*
 * The accepted span of event time, for each category. What lies outside never reaches PostgreSQL: it would
 * need a leaf that retention has dropped already, or that nobody should make.
 */
#ifndef LOGMILL_CONSUMER_BATCH_WINDOW_H
#define LOGMILL_CONSUMER_BATCH_WINDOW_H

#include "common/error.h"

#include <stdint.h>

struct co_window {
    int64_t past_us;
    int64_t future_us;
};

/* 0, or -1 with LM_DEAD_LETTER: "timestamp" where PostgreSQL has no such time, else "time_window". Any
 * thread. */
int co_window_check(const struct co_window *window, int64_t timestamp_us, int64_t now_us,
                    struct lm_error *error) LM_MUST_CHECK;

#endif
