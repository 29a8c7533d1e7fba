/*
 * Blocks in a list, the newest first; pieces are cut from the newest. A piece too large for a block of the
 * usual size gets one of its own, put behind the newest, whose remaining room stays in use.
 */
#include "common/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

struct lm_arena_block {
    struct lm_arena_block *next;
    size_t size; /* of data */
    size_t used;
    alignas(ALIGNMENT) unsigned char data[];
};

void lm_arena_init(struct lm_arena *arena, size_t max)
{
    *arena = (struct lm_arena){.max = max};
}

static void *cut(struct lm_arena *arena, struct lm_arena_block *block, size_t size)
{
    void *piece = block->data + block->used;
    block->used += size;
    arena->used += size;
    return piece;
}

void *lm_arena_alloc(struct lm_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (arena->used > arena->max || size > arena->max - arena->used)
        return NULL;
    struct lm_arena_block *newest = arena->blocks;
    if (newest != NULL && newest->size - newest->used >= size)
        return cut(arena, newest, size);

    size_t usual = newest == NULL ? FIRST_BLOCK : newest->size * 2;
    if (usual > LARGEST_BLOCK)
        usual = LARGEST_BLOCK;
    size_t block_size = size > usual / 2 ? size : usual;
    struct lm_arena_block *block = malloc(sizeof(*block) + block_size);
    if (block == NULL)
        return NULL;
    block->size = block_size;
    block->used = 0;
    if (newest != NULL && block_size == size) {
        block->next = newest->next;
        newest->next = block;
    } else {
        block->next = newest;
        arena->blocks = block;
    }
    return cut(arena, block, size);
}

char *lm_arena_copy(struct lm_arena *arena, const void *data, size_t len)
{
    if (len > SIZE_MAX / 2)
        return NULL;
    char *copy = lm_arena_alloc(arena, len + 1);
    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

void lm_arena_reset(struct lm_arena *arena)
{
    struct lm_arena_block *kept = NULL;
    struct lm_arena_block *block = arena->blocks;
    while (block != NULL) {
        struct lm_arena_block *next = block->next;
        if (kept == NULL || block->size > kept->size) {
            free(kept);
            kept = block;
        } else {
            free(block);
        }
        block = next;
    }
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->blocks = kept;
    arena->used = 0;
}

void lm_arena_free(struct lm_arena *arena)
{
    lm_arena_reset(arena);
    free(arena->blocks);
    arena->blocks = NULL;
}
