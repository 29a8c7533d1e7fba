#include "agent/model/memory.h"

#include <stdlib.h>
#include <string.h>

#define REPLIES 256

struct ag_memory {
    struct {
        uint8_t key[AG_MEMORY_KEY];
        char *reply; /* NULL: empty */
        size_t len;
    } replies[REPLIES];
    size_t next;
};

struct ag_memory *ag_memory_new(void)
{
    return calloc(1, sizeof(struct ag_memory));
}

void ag_memory_free(struct ag_memory *memory)
{
    for (size_t i = 0; memory != NULL && i < REPLIES; i++) {
        free(memory->replies[i].reply);
    }
    free(memory);
}

const char *ag_memory_recall(const struct ag_memory *memory, const uint8_t key[AG_MEMORY_KEY], size_t *len)
{
    for (size_t i = 0; i < REPLIES; i++) {
        if (memory->replies[i].reply != NULL && memcmp(memory->replies[i].key, key, AG_MEMORY_KEY) == 0) {
            *len = memory->replies[i].len;
            return memory->replies[i].reply;
        }
    }
    return NULL;
}

void ag_memory_keep(struct ag_memory *memory, const uint8_t key[AG_MEMORY_KEY], const char *reply, size_t len)
{
    size_t known = 0;
    char *copy = len > 0 && len <= AG_MEMORY_REPLY && ag_memory_recall(memory, key, &known) == NULL
                     ? malloc(len)
                     : NULL;
    if (copy == NULL) {
        return;
    }
    memcpy(copy, reply, len);
    free(memory->replies[memory->next].reply);
    memcpy(memory->replies[memory->next].key, key, AG_MEMORY_KEY);
    memory->replies[memory->next].reply = copy;
    memory->replies[memory->next].len = len;
    memory->next = (memory->next + 1) % REPLIES;
}
