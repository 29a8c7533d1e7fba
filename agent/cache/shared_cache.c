#include "agent/cache/shared_cache.h"

#include "agent/cache/stored_answer.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE (sizeof("logmill:answer:") + 2 * AG_KEY_SIZE)
#define LONGEST_BODY ((size_t)4 << 20) /* a longer one is not sent away */

enum outcome { HIT, MISS, STALE, ODD, UNAVAILABLE, OUTCOMES };

struct ag_shared_cache {
    struct ag_shared_options options;
    struct lm_counter *outcomes[OUTCOMES];
};

static void name_of(const uint8_t key[AG_KEY_SIZE], char out[NAME_SIZE])
{
    size_t len = (size_t)snprintf(out, NAME_SIZE, "logmill:answer:");
    for (size_t i = 0; i < AG_KEY_SIZE; i++) {
        len += (size_t)snprintf(out + len, NAME_SIZE - len, "%02x", key[i]);
    }
}

static void count(struct ag_shared_cache *shared, enum outcome outcome)
{
    lm_counter_add(shared->outcomes[outcome], 1);
}

static struct ag_result *take(struct ag_shared_cache *shared, const uint8_t key[AG_KEY_SIZE],
                              const char *value, size_t len, struct ag_validity *validity)
{
    bool over = false;
    if (value == NULL) {
        count(shared, MISS);
        return NULL;
    }
    struct ag_result *result = ag_stored_read(key, value, len, validity);
    if (result == NULL) {
        count(shared, ODD);
        return NULL;
    }
    if (!ag_validity_holds(shared->options.epochs, validity, &over)) {
        count(shared, STALE);
        ag_result_drop(result);
        return NULL;
    }
    count(shared, HIT);
    return result;
}

static void on_reply(const struct ag_reply *reply, void *context)
{
    struct ag_shared_lookup *lookup = context;
    struct ag_validity validity;
    const bool found = reply != NULL && reply->type == AG_REPLY_TEXT;
    struct ag_result *result =
        take(lookup->shared, lookup->key, found ? reply->text : NULL, found ? reply->len : 0, &validity);
    lookup->told(result, &validity, lookup->context);
}

bool ag_shared_get(struct ag_shared_cache *shared, const uint8_t key[AG_KEY_SIZE],
                   struct ag_shared_lookup *lookup)
{
    char name[NAME_SIZE];
    if (shared->options.redis == NULL) {
        return false;
    }
    name_of(key, name);
    lookup->shared = shared;
    memcpy(lookup->key, key, AG_KEY_SIZE);
    lookup->redis = (struct ag_redis_lookup){.told = on_reply, .context = lookup};
    if (!ag_redis_get(shared->options.redis, name, &lookup->redis)) {
        count(shared, UNAVAILABLE);
        return false;
    }
    return true;
}

void ag_shared_forget(struct ag_shared_lookup *lookup)
{
    ag_redis_forget(&lookup->redis);
}

void ag_shared_put(struct ag_shared_cache *shared, const uint8_t key[AG_KEY_SIZE],
                   const struct ag_result *result, const struct ag_validity *validity)
{
    char name[NAME_SIZE];
    struct lm_buffer out;
    if (shared->options.redis == NULL || result->len > LONGEST_BODY) {
        return;
    }
    const int64_t ttl_ms =
        validity->until_us != 0 ? (validity->until_us - lm_clock_mono_us()) / 1000 : *shared->options.ttl_ms;
    name_of(key, name);
    lm_buffer_init(&out, AG_STORED_MAX * 2);
    if (ttl_ms > 0 && ag_stored_write(key, result, validity, &out) == 0) {
        ag_redis_set(shared->options.redis, name, out.data, out.len, ttl_ms);
    }
    lm_buffer_free(&out);
}

struct ag_shared_cache *ag_shared_new(const struct ag_shared_options *options)
{
    static const char *const labels[OUTCOMES] = {
        [HIT] = "outcome=\"hit\"",
        [MISS] = "outcome=\"miss\"",
        [STALE] = "outcome=\"stale\"",
        [ODD] = "outcome=\"odd\"",
        [UNAVAILABLE] = "outcome=\"unavailable\"",
    };
    struct ag_shared_cache *shared = calloc(1, sizeof(*shared));
    if (shared == NULL) {
        return NULL;
    }
    shared->options = *options;
    for (size_t i = 0; i < OUTCOMES; i++) {
        shared->outcomes[i] = lm_counter(options->metrics, "logmill_agent_redis_lookups_total", labels[i],
                                         "Answers looked for in Redis.");
    }
    if (options->redis != NULL) {
        /* Starts the polling, so that the first answers about closed windows can be hits. */
        struct ag_version version;
        (void)ag_epochs_version(options->epochs, &(struct ag_spans){.from_us = 0}, &version);
    }
    return shared;
}

void ag_shared_free(struct ag_shared_cache *shared)
{
    free(shared);
}
