/*
 * Memory for COPY bytes: pieces of one size, used again and again by whichever batch needs them, so that what
 * all batches hold together is what the budget says, however large each of them once was. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_BATCH_CHUNK_H
#define LOGMILL_CONSUMER_BATCH_CHUNK_H

#include "common/buffer.h"

/* With what stands in front of it, whole pages. As much as PostgreSQL is sent in one message. */
#define CO_CHUNK_BYTES ((size_t)128 * 1024 - 128)

struct co_chunk {
    struct co_chunk *next;
    size_t first_row;       /* of its batch, from 0 */
    struct lm_buffer bytes; /* whole tuples */
};

/* Zeroed is empty and valid. */
struct co_chunks {
    struct co_chunk *spare;
    size_t taken; /* bytes of memory in all that are taken */
};

/* An empty one with room for `room` bytes at least; NULL without memory. */
struct co_chunk *co_chunk_take(struct co_chunks *chunks, size_t room);
/* Gives a list of them back. */
void co_chunk_give(struct co_chunks *chunks, struct co_chunk *list);
void co_chunks_free(struct co_chunks *chunks);

#endif
