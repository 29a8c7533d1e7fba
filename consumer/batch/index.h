/*
 * A hash index over an array that its owner keeps: open addressing, positions only. The owner compares
 * candidates itself, so one index serves every kind of key without callbacks. Nothing is removed but
 * everything at once.
 */
#ifndef LOGMILL_CONSUMER_BATCH_INDEX_H
#define LOGMILL_CONSUMER_BATCH_INDEX_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define CO_INDEX_NONE UINT32_MAX

struct co_index {
    uint64_t *slots; /* high half: tag of the hash, low half: position + 1; 0: empty */
    size_t cap;      /* a power of two, or 0 */
    size_t used;
};

/* Zeroed is empty and valid. */
void co_index_free(struct co_index *index);
/* Forgets everything, keeps the memory. */
void co_index_clear(struct co_index *index);

/* Positions whose hash may be `hash`, one by one: *cursor starts as co_index_start(). CO_INDEX_NONE: no more.
 */
size_t co_index_start(const struct co_index *index, uint64_t hash);
uint32_t co_index_next(const struct co_index *index, uint64_t hash, size_t *cursor);
/* 0, or -1 without memory. */
int co_index_add(struct co_index *index, uint64_t hash, uint32_t position) LM_MUST_CHECK;

#endif
