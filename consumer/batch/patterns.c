#include "consumer/batch/patterns.h"

#include <stdlib.h>

/* Ids are hashes already: their low bits are the place to start. */
struct slot {
    int64_t id;
    bool held;
};

struct co_patterns {
    size_t max, used;
    size_t cap; /* a power of two, at least twice max */
    struct slot slots[];
};

struct co_patterns *co_patterns_new(size_t max)
{
    size_t cap = 64;
    while (cap < max * 2)
        cap *= 2;
    struct co_patterns *patterns = calloc(1, sizeof(*patterns) + cap * sizeof(patterns->slots[0]));
    if (patterns != NULL) {
        patterns->max = max;
        patterns->cap = cap;
    }
    return patterns;
}

void co_patterns_free(struct co_patterns *patterns)
{
    free(patterns);
}

static size_t find(const struct co_patterns *patterns, int64_t id)
{
    size_t at = (size_t)id & (patterns->cap - 1);
    while (patterns->slots[at].held && patterns->slots[at].id != id)
        at = (at + 1) & (patterns->cap - 1);
    return at;
}

bool co_patterns_wants(const struct co_patterns *patterns, int64_t id)
{
    return patterns->used < patterns->max && !patterns->slots[find(patterns, id)].held;
}

void co_patterns_stored(struct co_patterns *patterns, int64_t id)
{
    if (!co_patterns_wants(patterns, id))
        return;
    patterns->slots[find(patterns, id)] = (struct slot){.id = id, .held = true};
    patterns->used++;
}
