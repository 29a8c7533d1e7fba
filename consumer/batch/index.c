#include "consumer/batch/index.h"

#include <stdlib.h>
#include <string.h>

static uint64_t slot_of(uint64_t hash, uint32_t position)
{
    return (hash & UINT64_C(0xffffffff00000000)) | ((uint64_t)position + 1);
}

void co_index_free(struct co_index *index)
{
    free(index->slots);
    *index = (struct co_index){0};
}

void co_index_clear(struct co_index *index)
{
    if (index->used > 0)
        memset(index->slots, 0, index->cap * sizeof(index->slots[0]));
    index->used = 0;
}

size_t co_index_start(const struct co_index *index, uint64_t hash)
{
    /* The tag alone says where to start, so that a slot can be moved without its owner. */
    return index->cap == 0 ? 0 : (size_t)(hash >> 32) & (index->cap - 1);
}

uint32_t co_index_next(const struct co_index *index, uint64_t hash, size_t *cursor)
{
    if (index->cap == 0)
        return CO_INDEX_NONE;
    for (;;) {
        uint64_t slot = index->slots[*cursor];
        if (slot == 0)
            return CO_INDEX_NONE;
        *cursor = (*cursor + 1) & (index->cap - 1);
        if (slot >> 32 == hash >> 32)
            return (uint32_t)((slot & UINT32_MAX) - 1);
    }
}

static void place(uint64_t *slots, size_t cap, size_t at, uint64_t slot)
{
    while (slots[at] != 0)
        at = (at + 1) & (cap - 1);
    slots[at] = slot;
}

static int grow(struct co_index *index)
{
    size_t cap = index->cap == 0 ? 256 : index->cap * 2;
    uint64_t *slots = calloc(cap, sizeof(slots[0]));
    if (slots == NULL)
        return -1;
    for (size_t i = 0; i < index->cap; i++) {
        uint64_t slot = index->slots[i];
        if (slot != 0)
            place(slots, cap, (size_t)(slot >> 32) & (cap - 1), slot);
    }
    free(index->slots);
    index->slots = slots;
    index->cap = cap;
    return 0;
}

int co_index_add(struct co_index *index, uint64_t hash, uint32_t position)
{
    if ((index->used + 1) * 2 > index->cap && grow(index) != 0)
        return -1;
    place(index->slots, index->cap, co_index_start(index, hash), slot_of(hash, position));
    index->used++;
    return 0;
}
