/*
 * A Redis server as a cache: look-ups that wait a few milliseconds at most, and values that are sent and
 * forgotten; and short scripts, which are asked as look-ups are. One connection, plain or TLS, opened again
 * with back-off. A Redis that is absent, slow, hung or talks nonsense costs the hit and nothing else: a
 * look-up without an answer in time is a miss, and after three of those in a row, or a lost connection, the
 * breaker is open: look-ups fail at once until a new connection has answered a greeting. Loop thread.
 */
#ifndef LOGMILL_AGENT_CACHE_REDIS_H
#define LOGMILL_AGENT_CACHE_REDIS_H

#include "agent/cache/resp.h"
#include "common/error.h"
#include "common/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define AG_REDIS_MAX_VALUE ((size_t)2 << 20) /* bytes of a value, either way */

struct ag_redis;

struct ag_redis_options {
    uv_loop_t *loop;
    const char *url;           /* redis_url.h */
    const char *ca_file;       /* for rediss; "": the system's authorities */
    const int64_t *timeout_ms; /* of a look-up; read when needed: it may change */
    struct lm_metrics *metrics;
};

/* One that waits for a reply; memory of the caller's. */
struct ag_redis_lookup {
    struct ag_redis_lookup *next, *previous;
    struct ag_redis *redis; /* while it waits */
    int64_t until_us;
    uint64_t number; /* of its command, in order */
    /* Once, never from inside ag_redis_get or ag_redis_run; `reply` is valid during the call, NULL for none
     * in time. To a look-up it is AG_REPLY_TEXT or AG_REPLY_NIL, to a script anything. */
    void (*told)(const struct ag_reply *reply, void *context);
    void *context;
};

/* LM_FATAL: an unusable URL, certificates that cannot be read, no memory. */
int ag_redis_open(const struct ag_redis_options *options, struct ag_redis **out,
                  struct lm_error *error) LM_MUST_CHECK;
/* False: Redis cannot be asked now, and nothing is called. */
bool ag_redis_get(struct ag_redis *redis, const char *key, struct ag_redis_lookup *lookup);
/* Runs a Lua script with one key and two arguments. False: as above. */
bool ag_redis_run(struct ag_redis *redis, const char *script, const char *key, const char *const arguments[2],
                  struct ag_redis_lookup *lookup);
/* `told` will not be called any more. Nothing happens where it does not wait. */
void ag_redis_forget(struct ag_redis_lookup *lookup);
/* Copies all; dropped where Redis cannot be asked now, or the value is too large. */
void ag_redis_set(struct ag_redis *redis, const char *key, const char *value, size_t len, int64_t ttl_ms);
/* Whoever waits is forgotten. Calls `closed` once; freed by then. */
void ag_redis_close(struct ag_redis *redis, void (*closed)(void *context), void *context);

#endif
