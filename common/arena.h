/*
 * Memory for a batch: allocations live until the arena is reset or freed. Bounded in bytes. One thread at a
 * time.
 */
#ifndef LOGMILL_COMMON_ARENA_H
#define LOGMILL_COMMON_ARENA_H

#include <stddef.h>

struct lm_arena {
    struct lm_arena_block *blocks;
    size_t used; /* bytes handed out since the last reset, each piece rounded up to 16 */
    size_t max;  /* ceiling of `used` */
};

/* Allocates nothing yet. */
void lm_arena_init(struct lm_arena *arena, size_t max);
/* 16-byte aligned, not zeroed; NULL beyond the ceiling or without memory. A size of 0 gives a pointer of its
 * own. */
void *lm_arena_alloc(struct lm_arena *arena, size_t size);
/* Copy of `len` bytes with a NUL behind it; NULL as above. `data` may be NULL with len 0. */
char *lm_arena_copy(struct lm_arena *arena, const void *data, size_t len);
/* Everything handed out is invalid; the largest block is kept for reuse. */
void lm_arena_reset(struct lm_arena *arena);
/* The same and gives the memory back; the arena may be used again with the same ceiling. */
void lm_arena_free(struct lm_arena *arena);

#endif
