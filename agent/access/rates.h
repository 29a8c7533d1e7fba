/*
 * How often an API key may ask: a bucket of `rate.burst` tokens, filled by `rate.limit` a minute. A bucket is
 * kept as the one moment at which it will be full again (GCRA, ITU-T I.371), so that it needs no timer.
 *
 * Agents with a Redis share the buckets: one script there takes the tokens, or says how long they will be
 * missing, by Redis' clock. Where Redis cannot be asked, does not answer within redis.timeout or will not run
 * the script, the agent's own bucket decides, from which all is taken that this agent let pass. Loop thread.
 */
#ifndef LOGMILL_AGENT_ACCESS_RATES_H
#define LOGMILL_AGENT_ACCESS_RATES_H

#include "agent/cache/redis.h"
#include "agent/config.h"

struct ag_bucket {
    int64_t full_us; /* monotonic; in the past: it is full */
};

/* Takes so many tokens: 0, or in how many microseconds there will be enough, and none are taken. No limit
 * (rate.limit 0): always 0. */
int64_t ag_bucket_take(struct ag_bucket *bucket, const struct ag_config *config, double tokens,
                       int64_t now_us);

struct ag_rates;

struct ag_rates_options {
    const struct ag_config *config;
    struct ag_redis *redis; /* outlives the rates; NULL: nothing is shared */
    struct lm_metrics *metrics;
};

/* One that asks Redis; memory of the caller's, zeroed but for the callback. */
struct ag_rate_question {
    struct ag_rates *rates;
    struct ag_redis_lookup redis;
    /* Once, never from inside ag_rates_ask: microseconds to wait, 0 where the tokens are taken, or -1: the
     * agent's own bucket must decide. */
    void (*told)(int64_t wait_us, void *context);
    void *context;
};

/* NULL without memory. */
struct ag_rates *ag_rates_new(const struct ag_rates_options *options);
void ag_rates_free(struct ag_rates *rates);
/* Takes tokens of the key (its prefix) from the bucket that agents share. False: it cannot be asked now, and
 * nothing is called. */
bool ag_rates_ask(struct ag_rates *rates, const char *key, double tokens, struct ag_rate_question *question);
/* `told` will not be called any more. Nothing happens where it does not wait. */
void ag_rates_forget(struct ag_rate_question *question);

#endif
