/*
 * Batches for reuse, and the budget: how much memory all batches together hold. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_BATCH_POOL_H
#define LOGMILL_CONSUMER_BATCH_POOL_H

#include "consumer/batch/batch.h"

struct co_pool {
    struct co_policy policy;
    size_t budget; /* bytes that batches may hold */
    struct co_chunks chunks;
    struct co_batch *spare;
    size_t spare_count;
};

/* Free with co_pool_free, when all batches have been given back or freed. */
void co_pool_init(struct co_pool *pool, const struct co_policy *policy, size_t budget);
void co_pool_free(struct co_pool *pool);
/* An empty batch; NULL without memory. */
struct co_batch *co_pool_take(struct co_pool *pool);
/* Back, its messages destroyed. Batches that grew far beyond the policy are freed instead of kept. */
void co_pool_give(struct co_pool *pool, struct co_batch *batch);

#endif
