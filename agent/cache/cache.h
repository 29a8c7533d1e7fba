/*
 * Finished answers in memory, by key, bounded in bytes, the least recently used dropped first. What an answer
 * is good for is decided at the asking: an open window's entry has an end, a closed window's the versions of
 * its hours. Loop thread.
 */
#ifndef LOGMILL_AGENT_CACHE_H
#define LOGMILL_AGENT_CACHE_H

#include "agent/cache/epochs.h"

#include <stdint.h>

#define AG_KEY_SIZE 32 /* SHA-256 */

/* The part of an answer that does not depend on who asked when: shared by all that get it. Counted; free with
 * ag_result_drop. */
struct ag_result {
    unsigned holders;
    char *body; /* JSON members without the braces: "\"sql\":…,\"results\":[…],…" */
    size_t len;
    size_t insight_at; /* where in `body` the insight stands, a JSON string or null */
    size_t insight_len;
    size_t rows;
    size_t bytes; /* of the rows' cells */
};

/* Takes `body` (malloc) over, also on failure. NULL without memory. One holder: the caller. */
struct ag_result *ag_result_new(char *body, size_t len, size_t rows, size_t bytes);
struct ag_result *ag_result_hold(struct ag_result *result);
void ag_result_drop(struct ag_result *result);

/* What an entry is good for. */
struct ag_validity {
    int64_t until_us; /* monotonic; 0: while the versions hold */
    struct ag_spans spans;
    struct ag_version version;
};

/* False: it is not good now. *over: and never will be again. */
bool ag_validity_holds(struct ag_epochs *epochs, const struct ag_validity *validity, bool *over);

struct ag_cache;

/* `max_bytes` 0: nothing is ever kept. NULL without memory. `epochs` must outlive the cache. */
struct ag_cache *ag_cache_new(size_t max_bytes, struct ag_epochs *epochs, struct lm_metrics *metrics);
void ag_cache_free(struct ag_cache *cache);
/* A hold on the good entry of that key, or NULL. */
struct ag_result *ag_cache_get(struct ag_cache *cache, const uint8_t key[AG_KEY_SIZE]);
/* Holds `result` itself; replaces an entry of that key. An answer over an eighth of the cache is not kept. */
void ag_cache_put(struct ag_cache *cache, const uint8_t key[AG_KEY_SIZE], struct ag_result *result,
                  const struct ag_validity *validity);

#endif
