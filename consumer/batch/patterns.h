/*
 * Which message patterns have their template in log_pattern: a bounded set of ids, shared by all partitions
 * of the process. Beyond the bound rows still carry their pattern; only its template is not kept.
 */
#ifndef LOGMILL_CONSUMER_BATCH_PATTERNS_H
#define LOGMILL_CONSUMER_BATCH_PATTERNS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct co_patterns;

struct co_patterns *co_patterns_new(size_t max); /* NULL without memory */
void co_patterns_free(struct co_patterns *patterns);
/* Whether a batch must bring the template: none that did has been committed yet, and there is room. */
bool co_patterns_wants(const struct co_patterns *patterns, int64_t id);
/* A batch that brought it is committed. Not before: what other batches leave out would be missing if that one
 * were dropped and its records stored by another consumer. */
void co_patterns_stored(struct co_patterns *patterns, int64_t id);

#endif
