/*
 * A finished answer as bytes, to be kept outside the process:
 *
 *   format (1 byte) · compressed (1 byte: 0 or 1) · length of the content (4) · XXH3-64 of key and content
 * (8) · the content, from 1 KiB on as one zstd frame
 *
 * and the content: until (8, wall clock in microseconds; 0: while the versions hold) · the two spans (4 × 8)
 * · count and sum of the versions (2 × 8) · where the insight stands and its length, rows, bytes of the cells
 * (4 × 8) · the body. Numbers are little-endian. What comes back may be anybody's: whatever is odd about it
 * is no answer. Any thread.
 */
#ifndef LOGMILL_AGENT_CACHE_STORED_ANSWER_H
#define LOGMILL_AGENT_CACHE_STORED_ANSWER_H

#include "agent/cache/cache.h"
#include "common/buffer.h"

#define AG_STORED_FORMAT 1
#define AG_STORED_MAX ((size_t)8 << 20) /* bytes of a content */

/* `validity->until_us` is monotonic, as in the process. -1: it is too large, or memory is short. */
int ag_stored_write(const uint8_t key[AG_KEY_SIZE], const struct ag_result *result,
                    const struct ag_validity *validity, struct lm_buffer *out) LM_MUST_CHECK;
/* NULL for anything but an answer of that key in this format; one holder: the caller. An end that has passed
 * is given back as such. */
struct ag_result *ag_stored_read(const uint8_t key[AG_KEY_SIZE], const char *data, size_t len,
                                 struct ag_validity *validity);

#endif
