#include "consumer/patterns.h"

#include <stdlib.h>

/* Ids are hashes already: their low bits are the place to start. A forgotten id leaves a tombstone that finds
 * its own id again and no other, so that probing goes on past it. */
struct slot {
    int64_t id;
    enum { SLOT_EMPTY, SLOT_HELD, SLOT_FORGOTTEN } state;
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

static struct slot *find(struct co_patterns *patterns, int64_t id)
{
    size_t at = (size_t)id & (patterns->cap - 1);
    while (patterns->slots[at].state != SLOT_EMPTY && patterns->slots[at].id != id)
        at = (at + 1) & (patterns->cap - 1);
    return &patterns->slots[at];
}

bool co_patterns_add(struct co_patterns *patterns, int64_t id)
{
    struct slot *slot = find(patterns, id);
    if (slot->state == SLOT_HELD)
        return false;
    if (slot->state == SLOT_EMPTY) {
        if (patterns->used >= patterns->max)
            return false;
        patterns->used++;
    }
    slot->id = id;
    slot->state = SLOT_HELD;
    return true;
}

void co_patterns_forget(struct co_patterns *patterns, int64_t id)
{
    struct slot *slot = find(patterns, id);
    if (slot->state == SLOT_HELD)
        slot->state = SLOT_FORGOTTEN;
}
