/*
 * Message patterns: numbers, hex, UUIDs, addresses, paths and quoted text of a message become <*>; the 64-bit hash of the
 * masked text is the pattern's id, the same in every process. The agent merges alike ones when it reports.
 */
#ifndef LOGMILL_COMMON_PATTERN_H
#define LOGMILL_COMMON_PATTERN_H

#include "common/buffer.h"

#include <stdint.h>

/* Masks at most the first 512 bytes of the message's first line into `out` (cleared first); returns the id. Any thread. */
int64_t lm_pattern(const char *message, size_t len, struct lm_buffer *out);

#endif
