#include "consumer/batch/pool.h"

#define SPARE_MAX 3

void co_pool_init(struct co_pool *pool, const struct co_policy *policy, size_t budget)
{
    *pool = (struct co_pool){.policy = *policy, .budget = budget};
}

void co_pool_free(struct co_pool *pool)
{
    while (pool->spare != NULL) {
        struct co_batch *batch = pool->spare;
        pool->spare = batch->next;
        co_batch_free(batch);
    }
    pool->spare_count = 0;
    co_chunks_free(&pool->chunks);
}

struct co_batch *co_pool_take(struct co_pool *pool)
{
    struct co_batch *batch = pool->spare;
    if (batch == NULL)
        return co_batch_new(&pool->chunks);
    pool->spare = batch->next;
    pool->spare_count--;
    batch->next = NULL;
    return batch;
}

void co_pool_give(struct co_pool *pool, struct co_batch *batch)
{
    co_batch_reset(batch);
    if (pool->spare_count >= SPARE_MAX || batch->closing.cap > 2 * pool->policy.bytes) {
        co_batch_free(batch);
        return;
    }
    batch->next = pool->spare;
    pool->spare = batch;
    pool->spare_count++;
}
