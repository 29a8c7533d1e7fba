/*
 * Capped exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): the
 * n-th delay is uniform in [base, min(cap, base * 2^n)]. No timer of its own: the owner starts one with the
 * delay.
 */
#ifndef LOGMILL_COMMON_BACKOFF_H
#define LOGMILL_COMMON_BACKOFF_H

#include <stdint.h>

struct lm_backoff {
    uint32_t base_ms;
    uint32_t cap_ms;
    uint32_t attempt; /* failures since the last reset */
    uint64_t seed;    /* state of the generator */
};

/* All of this: one thread at a time for each struct. */

/* `seed` 0 takes one from the system. base_ms >= 1, cap_ms >= base_ms (both are raised to that). */
void lm_backoff_init(struct lm_backoff *backoff, uint32_t base_ms, uint32_t cap_ms, uint64_t seed);

/* The next delay in milliseconds; counts one failure. */
uint32_t lm_backoff_next(struct lm_backoff *backoff);

/* After a success: the next delay is short again. */
void lm_backoff_reset(struct lm_backoff *backoff);

#endif
