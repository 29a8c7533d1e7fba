/*
 * Memory for a batch: allocations live until the arena is reset or freed. Bounded in bytes.
 */
#ifndef LOGMILL_COMMON_ARENA_H
#define LOGMILL_COMMON_ARENA_H

#include <stddef.h>

struct lm_arena {
    struct lm_arena_block *blocks;
    size_t used;  /* bytes handed out since the last reset */
    size_t max;   /* ceiling in bytes */
};

void lm_arena_init(struct lm_arena *arena, size_t max);
/* 16-byte aligned; NULL beyond the ceiling or without memory. */
void *lm_arena_alloc(struct lm_arena *arena, size_t size);
/* Copy of `len` bytes with a NUL behind it. */
char *lm_arena_copy(struct lm_arena *arena, const void *data, size_t len);
/* Everything handed out is invalid; one block is kept for reuse. */
void lm_arena_reset(struct lm_arena *arena);
void lm_arena_free(struct lm_arena *arena);

#endif
