/*
 * What the model replied lately, by a digest of what it was sent: the same question of the same asker within
 * the same minute (the prompt says the minute) is not paid for twice. A reply is still read, linked and
 * guarded for each asker. At most 256 replies of at most 4 KiB, the oldest dropped first. Loop thread.
 */
#ifndef LOGMILL_AGENT_MODEL_MEMORY_H
#define LOGMILL_AGENT_MODEL_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define AG_MEMORY_KEY 32 /* SHA-256 */
#define AG_MEMORY_REPLY 4096

struct ag_memory;

/* NULL without memory. */
struct ag_memory *ag_memory_new(void);
void ag_memory_free(struct ag_memory *memory);
/* The reply, valid until the next call, or NULL. */
const char *ag_memory_recall(const struct ag_memory *memory, const uint8_t key[AG_MEMORY_KEY], size_t *len);
/* Copies; does nothing with a longer reply, one it has, or without memory. */
void ag_memory_keep(struct ag_memory *memory, const uint8_t key[AG_MEMORY_KEY], const char *reply,
                    size_t len);

#endif
