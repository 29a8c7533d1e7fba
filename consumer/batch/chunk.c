#include "consumer/batch/chunk.h"

#include <stdlib.h>

/* One record may be as large as Kafka lets it be: it has a piece of its own. */
#define CHUNK_MAX ((size_t)1 << 30)

static struct co_chunk *new_chunk(size_t room)
{
    size_t size = room > CO_CHUNK_BYTES ? room : CO_CHUNK_BYTES;
    struct co_chunk *chunk = room > CHUNK_MAX ? NULL : malloc(sizeof(*chunk) + size);

    if (chunk != NULL)
        lm_buffer_init_fixed(&chunk->bytes, (char *)(chunk + 1), size);
    return chunk;
}

struct co_chunk *co_chunk_take(struct co_chunks *chunks, size_t room)
{
    struct co_chunk *chunk = chunks->spare;

    if (chunk != NULL && chunk->bytes.max >= room)
        chunks->spare = chunk->next;
    else if ((chunk = new_chunk(room + 1)) == NULL)
        return NULL;
    chunks->taken += chunk->bytes.cap;
    chunk->next = NULL;
    chunk->first_row = 0;
    lm_buffer_clear(&chunk->bytes);
    return chunk;
}

void co_chunk_give(struct co_chunks *chunks, struct co_chunk *list)
{
    while (list != NULL) {
        struct co_chunk *chunk = list;
        list = chunk->next;
        chunks->taken -= chunk->bytes.cap;
        if (chunk->bytes.cap > CO_CHUNK_BYTES) {
            free(chunk);
            continue;
        }
        chunk->next = chunks->spare;
        chunks->spare = chunk;
    }
}

void co_chunks_free(struct co_chunks *chunks)
{
    while (chunks->spare != NULL) {
        struct co_chunk *chunk = chunks->spare;
        chunks->spare = chunk->next;
        free(chunk);
    }
}
