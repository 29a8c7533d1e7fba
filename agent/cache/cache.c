/*
 * A chained hash table over the first bytes of the key (they are a hash already) and a list by use. Memory is
 * counted as the body and the entry; the table itself grows with the number of entries and is not counted.
 */
#include "agent/cache/cache.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096

struct entry {
    struct entry *chain;
    struct entry *newer, *older;
    uint8_t key[AG_KEY_SIZE];
    struct ag_result *result;
    struct ag_validity validity;
};

struct ag_cache {
    struct ag_epochs *epochs;
    size_t max_bytes;
    size_t bytes;
    struct entry *buckets[BUCKETS];
    struct entry *newest, *oldest;
    struct lm_counter *hits, *misses, *dropped;
    struct lm_gauge *bytes_gauge;
};

struct ag_result *ag_result_new(char *body, size_t len, size_t rows, size_t bytes)
{
    struct ag_result *result = malloc(sizeof(*result));
    if (result == NULL) {
        free(body);
        return NULL;
    }
    *result = (struct ag_result){.holders = 1, .body = body, .len = len, .rows = rows, .bytes = bytes};
    return result;
}

struct ag_result *ag_result_hold(struct ag_result *result)
{
    result->holders++;
    return result;
}

void ag_result_drop(struct ag_result *result)
{
    if (result != NULL && --result->holders == 0) {
        free(result->body);
        free(result);
    }
}

struct ag_cache *ag_cache_new(size_t max_bytes, struct ag_epochs *epochs, struct lm_metrics *metrics)
{
    struct ag_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return NULL;
    }
    cache->max_bytes = max_bytes;
    cache->epochs = epochs;
    cache->hits =
        lm_counter(metrics, "logmill_agent_cache_hits_total", NULL, "Answers taken from the cache.");
    cache->misses =
        lm_counter(metrics, "logmill_agent_cache_misses_total", NULL, "Answers looked for in vain.");
    cache->dropped = lm_counter(metrics, "logmill_agent_cache_dropped_total", NULL,
                                "Cached answers dropped for room, age or newer data.");
    cache->bytes_gauge =
        lm_gauge(metrics, "logmill_agent_cache_bytes", NULL, "Memory of the cached answers.");
    return cache;
}

static struct entry **place(struct ag_cache *cache, const uint8_t key[AG_KEY_SIZE])
{
    uint32_t hash = 0;
    memcpy(&hash, key, sizeof(hash));
    struct entry **at = &cache->buckets[hash % BUCKETS];
    while (*at != NULL && memcmp((*at)->key, key, AG_KEY_SIZE) != 0) {
        at = &(*at)->chain;
    }
    return at;
}

static size_t weight(const struct ag_result *result)
{
    return result->len + sizeof(struct entry) + sizeof(struct ag_result);
}

static void unlink_use(struct ag_cache *cache, struct entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct ag_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void drop(struct ag_cache *cache, struct entry *entry)
{
    struct entry **at = place(cache, entry->key);
    *at = entry->chain;
    unlink_use(cache, entry);
    cache->bytes -= weight(entry->result);
    lm_gauge_set(cache->bytes_gauge, (double)cache->bytes);
    lm_counter_add(cache->dropped, 1);
    ag_result_drop(entry->result);
    free(entry);
}

void ag_cache_free(struct ag_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    while (cache->oldest != NULL) {
        drop(cache, cache->oldest);
    }
    free(cache);
}

bool ag_validity_holds(struct ag_epochs *epochs, const struct ag_validity *validity, bool *over)
{
    struct ag_version version;
    if (validity->until_us != 0) {
        *over = lm_clock_mono_us() >= validity->until_us;
        return !*over;
    }
    if (!ag_epochs_version(epochs, &validity->spans, &version)) {
        *over = false; /* not known now: it may still be good at the next asking */
        return false;
    }
    /* A poll older than the entry has lower versions: a miss that passes. */
    *over = version.count > validity->version.count || version.sum > validity->version.sum;
    return version.count == validity->version.count && version.sum == validity->version.sum;
}

struct ag_result *ag_cache_get(struct ag_cache *cache, const uint8_t key[AG_KEY_SIZE])
{
    struct entry *entry = *place(cache, key);
    bool over = false;
    if (entry == NULL || !ag_validity_holds(cache->epochs, &entry->validity, &over)) {
        if (entry != NULL && over) {
            drop(cache, entry);
        }
        lm_counter_add(cache->misses, 1);
        return NULL;
    }
    unlink_use(cache, entry);
    link_newest(cache, entry);
    lm_counter_add(cache->hits, 1);
    return ag_result_hold(entry->result);
}

void ag_cache_put(struct ag_cache *cache, const uint8_t key[AG_KEY_SIZE], struct ag_result *result,
                  const struct ag_validity *validity)
{
    if (weight(result) > cache->max_bytes / 8) {
        return;
    }
    struct entry *old = *place(cache, key);
    if (old != NULL) {
        drop(cache, old);
    }
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return;
    }
    memcpy(entry->key, key, AG_KEY_SIZE);
    entry->result = ag_result_hold(result);
    entry->validity = *validity;
    *place(cache, key) = entry;
    link_newest(cache, entry);
    cache->bytes += weight(result);
    while (cache->bytes > cache->max_bytes && cache->oldest != entry) {
        drop(cache, cache->oldest);
    }
    lm_gauge_set(cache->bytes_gauge, (double)cache->bytes);
    if (validity->until_us == 0) {
        /* Starts the polling, so that the next asking can be a hit. */
        struct ag_version version;
        (void)ag_epochs_version(cache->epochs, &validity->spans, &version);
    }
}
