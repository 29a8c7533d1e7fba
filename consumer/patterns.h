/*
 * Which message patterns have their template in log_pattern: a bounded set of ids, shared by all partitions
 * of the process. Beyond the bound rows still carry their pattern; only its template is not kept.
 */
#ifndef LOGMILL_CONSUMER_PATTERNS_H
#define LOGMILL_CONSUMER_PATTERNS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct co_patterns;

struct co_patterns *co_patterns_new(size_t max); /* NULL without memory */
void co_patterns_free(struct co_patterns *patterns);
/* True where the id is new and there was room: its template goes out with this batch. */
bool co_patterns_add(struct co_patterns *patterns, int64_t id);
/* The batch that brought it was dropped. */
void co_patterns_forget(struct co_patterns *patterns, int64_t id);

#endif
