/*
 * The second cache, which agents share: finished answers in Redis, behind the one in the process (cache.h)
 * and good on the same terms: an open window's until its bucket ends, a closed window's while the versions of
 * its hours are those that this agent polls. The key names everything an answer depends on (key.c). Loop
 * thread.
 */
#ifndef LOGMILL_AGENT_CACHE_SHARED_CACHE_H
#define LOGMILL_AGENT_CACHE_SHARED_CACHE_H

#include "agent/cache/cache.h"
#include "agent/cache/redis.h"

struct ag_shared_cache;

struct ag_shared_options {
    struct ag_redis *redis;   /* outlives the cache; NULL: there is none, and every look-up says so */
    const int64_t *ttl_ms;    /* read when needed: it may change */
    struct ag_epochs *epochs; /* outlives the cache */
    struct lm_metrics *metrics;
};

/* One that waits; memory of the caller's, zeroed but for the callback. */
struct ag_shared_lookup {
    struct ag_shared_cache *shared;
    struct ag_redis_lookup redis;
    uint8_t key[AG_KEY_SIZE];
    /* Once, never from inside ag_shared_get: a result that is good (the callee's to drop) and on what terms,
     * or NULL. */
    void (*told)(struct ag_result *result, const struct ag_validity *validity, void *context);
    void *context;
};

/* NULL without memory. */
struct ag_shared_cache *ag_shared_new(const struct ag_shared_options *options);
/* False: it cannot be asked now, and nothing is called. */
bool ag_shared_get(struct ag_shared_cache *shared, const uint8_t key[AG_KEY_SIZE],
                   struct ag_shared_lookup *lookup);
/* `told` will not be called any more. Nothing happens where it does not wait. */
void ag_shared_forget(struct ag_shared_lookup *lookup);
void ag_shared_put(struct ag_shared_cache *shared, const uint8_t key[AG_KEY_SIZE],
                   const struct ag_result *result, const struct ag_validity *validity);
/* Nobody waits any more. NULL is taken. */
void ag_shared_free(struct ag_shared_cache *shared);

#endif
